"""`linebox boards`: the boards, the spans of the DAHDI driver, what is wrong with them and what to do; `system.conf`.

The boards configure their spans by themselves when they are opened. The file is for the driver's own tools
(`dahdi_cfg`, `dahdi_test`), so that nobody has to write it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from boards.dahdi_card import alarm_words
from drivers.dahdi import ChannelState, DahdiError
from drivers.dahdi_card_module import CardModule, card_module
from drivers.dahdi_control import Control, Span
from drivers.dahdi_numbers import LAW_MULAW, LineConfig, Signalling
from firmware.box.commands.board_needs import missing, no_span
from firmware.box.commands.card_faults import card_faults
from firmware.box.commands.cti_request import ask
from firmware.box.commands.terminal_lines import laid_out, problem_and_remedy
from firmware.calls.messages import GetBoxState
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.fault_texts import FAULT_TEXTS
from firmware.core.faults import Fault
from firmware.core.hints import ClearError
from firmware.core.line_schemas import BoardEntry, DahdiE1, DahdiPorts
from firmware.core.messages import PeerGone
from firmware.core.paths import BoxPaths, box_paths
from firmware.lines.messages import BoardState

SYSTEM_CONF = Path("/etc/dahdi/system.conf")
E1_SLOTS, SIGNALLING_SLOT = 31, 16


def span_of(entry: BoardEntry) -> DahdiE1 | DahdiPorts | None:
    """The section of a DAHDI board's entry."""
    if entry.kind == "dahdi_e1":
        return entry.e1
    return entry.ports if entry.kind == "dahdi_analogue" else None


def listing(
    spans: Sequence[Span],
    channels: Sequence[Sequence[ChannelState]],
    boards: Sequence[BoardEntry],
    modules: Mapping[int, CardModule] = MappingProxyType({}),
) -> str:
    """What a person reads: each span, its board, its channels, its alarms with remedies. `modules`: by span that
    of its card."""
    lines = []
    for span, states in zip(spans, channels, strict=True):
        mine = [entry for entry in boards if (section := span_of(entry)) and section.span == span.number]
        title = span.description or span.name
        lines.append(f"span {span.number}  {span.kind or 'analogue or dynamic'}  {len(states)} channels  {title}")
        for word in sorted(alarm_words(span.alarms)):
            lines += problem_and_remedy(*FAULT_TEXTS[word])
        if not span.alarms:
            lines.append("  no alarm")
        faults = {
            "CRC4 errors": span.crc4_errors,
            "E-bit errors": span.e_bit_errors,
            "code violations": span.bipolar_violations,
            "frame errors": span.frame_errors,
            "missed interrupts": span.irq_misses,
        }
        lines += [f"  {count} {name}" for name, count in faults.items() if count]
        if not mine:
            kind = '"kind": "dahdi_e1", "e1"' if len(states) == E1_SLOTS else '"kind": "dahdi_analogue", "ports"'
            lines.append("  no board uses it; to use it, add to boards.json:")
            lines.append(f'    {{"board": "any name", {kind}: …}}')
        for entry in mine:
            lines.append(f"  board {entry.board} ({entry.kind}){'' if entry.enabled else ', switched off'}")
            if entry.ports is not None and len(states) != E1_SLOTS:
                module = modules.get(span.number, CardModule())
                lines += _law_problem(entry.ports, states, module.law)
                for found in card_faults(entry.ports, module):
                    lines += problem_and_remedy(found.what, found.remedy)
        used = sorted({Signalling(state.signalling).name for state in states if state.signalling in set(Signalling)})
        lines.append(f"  channels are {', '.join(used)}")
    for entry in boards:
        section = span_of(entry)
        if section is not None and section.span not in {span.number for span in spans}:
            lines.append(f"board {entry.board} ({entry.kind})")
            lines += _problem(no_span(section.span))
    lines += _clock_problems(spans, boards)
    if not lines:
        lines = ["the driver runs and has no span"]
        lines += problem_and_remedy(
            "no card, its module is not loaded, or the driver was loaded without auto_assign_spans=1",
            "see boards/README.md, and load dahdi and the card's module again",
        )
    return "\n".join(lines)


def _law_problem(ports: DahdiPorts, states: Sequence[ChannelState], of_module: str) -> list[str]:
    """Samples that are taken for the wrong law. What a channel tells is the card's own only if nobody configured it to
    be something else, and only after it has been open once: until then it says mu-law."""
    taken = ports.law
    if taken == "card":
        taken = "mu" if any(state.law == LAW_MULAW for state in states) else "a"
        if taken == "mu":
            return []
    if of_module in ("", taken):
        return []
    names = {"a": "A-law", "mu": "mu-law"}
    return problem_and_remedy(
        f"its card speaks {names[of_module]}, as its module was loaded, and is taken for {names[taken]}",
        f'give "law": "{of_module}" in "ports" in boards.json, or load the module with companding=alaw (alawoverride=1 '
        "for wctdm), and start the box again",
    )


def _clock_problems(spans: Sequence[Span], boards: Sequence[BoardEntry]) -> list[str]:
    """A card has one list of spans that it may take the clock from, and each place in it is one span's."""
    choices: dict[tuple[str, int], list[int]] = {}
    for span in spans:
        for entry in boards:
            section = span_of(entry)
            if entry.enabled and isinstance(section, DahdiE1) and section.span == span.number and span.location:
                choices.setdefault((span.location, section.clock_from), []).append(span.number)
    lines = []
    for (location, choice), numbers in choices.items():
        if choice and len(numbers) > 1:
            lines.append(f"card at {location}, spans {', '.join(map(str, numbers))}")
            lines += problem_and_remedy(
                f"each has clock_from {choice}: only one of them gives the clock, and none takes over when it fails",
                "give them clock_from 1, 2 … in boards.json, and 0 to those that must not give it",
            )
    return lines


def boards_of_the_box(entries: Sequence[BoardEntry], states: Sequence[BoardState] | None) -> str:
    """Each board of boards.json: whether it works, with problem and remedy. `states`: None if the box does not run;
    then what is not there that it needs."""
    found = {state.board: state for state in states or ()}
    lines = []
    if states is None and entries:
        lines.append("the box does not run, or just starts; what its boards need was looked for")
    for entry in entries:
        head = f"board {entry.board} ({entry.kind})"
        state = found.get(entry.board)
        if not entry.enabled:
            lines.append(f"{head}: switched off in boards.json")
        elif states is None:
            lines.append(head)
            lines += [line for found in missing(entry) for line in _problem(found)]
        elif state is None:
            lines.append(f"{head}: does not work")
            lines += problem_and_remedy(
                "the gateway does not have it",
                "look into logs/gateway.log; boards.json comes into force when the gateway starts anew",
            )
        elif state.working:
            lines.append(f"{head}: works, {state.channels} channels")
        else:
            lines.append(f"{head}: does not work")
        if state is not None and entry.enabled and (counted := state.counted()):
            words = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counted.items())
            lines += laid_out("  counted: ", words)
        for fault in state.faults if state is not None and entry.enabled else ():
            lines += _problem(fault)
    return "\n".join(lines)


def _problem(fault: Fault) -> list[str]:
    return problem_and_remedy(f"{fault.place}: {fault.what}" if fault.place else fault.what, fault.remedy)


def system_conf(spans: Sequence[Span], channels: Sequence[Sequence[ChannelState]], boards: Sequence[BoardEntry]) -> str:
    """`system.conf` for what boards.json says of these spans. Numbers of channels are the driver's."""
    lines = ["# Written by `linebox boards --write` from boards.json; changes here are overwritten.", "loadzone=cn"]
    for span, states in zip(spans, channels, strict=True):
        for entry in boards:
            section = span_of(entry)
            if section is None or section.span != span.number:
                continue
            numbers = [state.number for state in states]
            if isinstance(section, DahdiE1):
                coding = ["hdb3", *(["crc4"] if section.crc4 else [])]
                framing = "ccs" if section.signalling == "pri" else "cas"
                if span.line_compatible & LineConfig.HDB3:  # a dynamic span has no line of its own
                    lines.append(f"span={span.number},{section.clock_from},0,{framing},{','.join(coding)}")
                bearers = [number for slot, number in enumerate(numbers, 1) if slot != SIGNALLING_SLOT]
                listed = ",".join(map(str, bearers))
                lines.append(f"bchan={listed}" if section.signalling == "pri" else f"cas={listed}:1101")
                if section.signalling == "pri":
                    lines.append(f"dchan={numbers[SIGNALLING_SLOT - 1]}")
            else:
                is_e1 = len(states) == E1_SLOTS
                wired = [state.number for state in states if not (is_e1 and state.position == SIGNALLING_SLOT)]
                for port, number in zip(section.ports, wired, strict=False):
                    lines.append(f"{'fxoks' if port == 'fxs' else 'fxsks'}={number}")
            law = "a" if len(states) == E1_SLOTS or isinstance(section, DahdiE1) else section.law
            if law != "card":  # a channel that is told no law tells its card's
                lines.append(f"{law}law={','.join(map(str, numbers))}")
    return "\n".join([*lines, "defaultzone=cn", ""])


def boards(data: Path | None, write: bool = False, target: Path = SYSTEM_CONF) -> int:
    """Print what there is; with `write` also write the driver's configuration. 1 if the driver is not there although a
    board needs it."""
    entries: Sequence[BoardEntry] = ()
    paths = box_paths(data)
    try:
        entries = load_configuration_or_last_good(paths)[0].boards
    except ConfigurationError:
        print("there is no configuration yet; what the driver has is listed all the same")
    if entries:
        print(boards_of_the_box(entries, running_boards(paths)))
    try:
        with Control() as control:
            spans = control.spans()
            channels = [control.channels_of(span.number) for span in spans]
    except DahdiError as error:
        if entries and not write and not any(span_of(entry) for entry in entries):
            print("no board of boards.json needs the DAHDI driver, and it is not loaded")
            return 0
        print("\n".join([error.where, *problem_and_remedy(error.what, error.remedy)]))
        return 1
    print(listing(spans, channels, entries, {span.number: card_module(span.number) for span in spans}))
    if write:
        try:
            target.write_text(system_conf(spans, channels, entries))
        except OSError as error:
            print("\n".join(problem_and_remedy(f"{target} cannot be written ({error.strerror})", "run it as root")))
            return 1
        print(f"written: {target}")
    return 0


def running_boards(paths: BoxPaths) -> Sequence[BoardState] | None:
    """The boards as the running box has them; None if it does not run."""
    try:
        state = ask(paths, GetBoxState(), "linebox boards").state
    except (PeerGone, ClearError):
        return None
    return None if state is None else state.boards
