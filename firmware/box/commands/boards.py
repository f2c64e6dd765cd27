"""`linebox boards`: which spans the DAHDI driver has, what is wrong with them and what to do; writes its `system.conf`.

The boards configure their spans by themselves when they are opened. The file is for the driver's own tools
(`dahdi_cfg`, `dahdi_test`), so that nobody has to write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from boards.dahdi_card import alarm_words
from drivers.dahdi import ChannelState, DahdiError
from drivers.dahdi_control import Control, Span
from drivers.dahdi_numbers import LineConfig, Signalling
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.paths import box_paths
from firmware.core.schemas import BoardEntry, DahdiE1, DahdiPorts

SYSTEM_CONF = Path("/etc/dahdi/system.conf")
REMEDIES = {
    "LOS": "Nothing comes in: check cable and connectors, and that the exchange has the span in service",
    "LOF": "No frames: framing and CRC4 must be the same at both ends; receive and send pair may be swapped",
    "LOMF": "No multiframe: the exchange does not use CAS or CRC4 as boards.json says",
    "AIS": "The exchange, or equipment between, has the span out of service: ask the operator",
    "RAI": "The exchange does not receive us: check the sending pair",
    "RED": "Nothing usable comes in: check cable, framing and CRC4",
    "LOOPBACK": "A loop is set for a test: take it back",
    "NOT_OPEN": "The card is not started: it starts with the gateway; see linebox status",
}
E1_SLOTS, SIGNALLING_SLOT = 31, 16


def span_of(entry: BoardEntry) -> DahdiE1 | DahdiPorts | None:
    """The section of a DAHDI board's entry."""
    if entry.kind == "dahdi_e1":
        return entry.e1
    return entry.ports if entry.kind == "dahdi_analogue" else None


def listing(spans: Sequence[Span], channels: Sequence[Sequence[ChannelState]], boards: Sequence[BoardEntry]) -> str:
    """What a person reads: each span, its board, its channels, its alarms with remedies."""
    lines = []
    for span, states in zip(spans, channels, strict=True):
        mine = [entry for entry in boards if (section := span_of(entry)) and section.span == span.number]
        title = span.description or span.name
        lines.append(f"span {span.number}  {span.kind or 'analogue or dynamic'}  {len(states)} channels  {title}")
        words = sorted(alarm_words(span.alarms))
        lines += [f"  {word}: {REMEDIES.get(word, 'It ends by itself')}" for word in words] or ["  no alarm"]
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
            lines.append(f'  no board uses it. To use it, add to boards.json: {{"board": "any name", {kind}: …}}')
        for entry in mine:
            lines.append(f"  board {entry.board} ({entry.kind}){'' if entry.enabled else ', switched off'}")
        used = sorted({Signalling(state.signalling).name for state in states if state.signalling in set(Signalling)})
        lines.append(f"  channels are {', '.join(used)}")
    missing = [
        f"board {entry.board}: the driver has no span {section.span}. Load the card's module, or correct boards.json"
        for entry in boards
        if (section := span_of(entry)) and section.span not in {span.number for span in spans}
    ]
    return "\n".join([*(lines or ["the driver runs and has no span: no card, or its module is not loaded"]), *missing])


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
            lines.append(f"alaw={','.join(map(str, numbers))}")
    return "\n".join([*lines, "defaultzone=cn", ""])


def boards(data: Path | None, write: bool = False, target: Path = SYSTEM_CONF) -> int:
    """Print what there is; with `write` also write the driver's configuration. 1 if the driver is not there."""
    entries: Sequence[BoardEntry] = ()
    try:
        entries = load_configuration_or_last_good(box_paths(data))[0].boards
    except ConfigurationError:
        print("there is no configuration yet; what the driver has is listed all the same")
    try:
        with Control() as control:
            spans = control.spans()
            channels = [control.channels_of(span.number) for span in spans]
    except DahdiError as error:
        print(error)
        return 1
    print(listing(spans, channels, entries))
    if write:
        try:
            target.write_text(system_conf(spans, channels, entries))
        except OSError as error:
            print(f"{target} cannot be written ({error.strerror}). Run it as root")
            return 1
        print(f"written: {target}")
    return 0
