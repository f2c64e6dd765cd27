"""`linebox doctor` on the boards: which do not work, or have alarms; of a box that does not run what they will miss.

How an analogue card's module was loaded: card_faults.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firmware.box.commands.board_needs import missing
from firmware.box.commands.boards import running_boards
from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.paths import BoxPaths
from firmware.lines.messages import BoardState


def boards(paths: BoxPaths) -> Iterator[Finding]:
    states = running_boards(paths)
    if states is not None:
        yield from findings_of(states)
        return
    try:
        entries = load_configuration_or_last_good(paths)[0].boards
    except ConfigurationError:
        return  # another check says so
    for entry in entries:
        for found in missing(entry):
            where = f"board {entry.board} ({found.place})" if found.place else f"board {entry.board}"
            yield Finding("boards", BAD, f"{where}: {found.what}", found.remedy)


def findings_of(states: Sequence[BoardState]) -> Iterator[Finding]:
    """One finding for each fault, and one for all boards without."""
    for state in states:
        for fault in state.faults:
            # Without its stack, SIP is awaited: the box is well without.
            level = WARN if state.working or fault.code == "sip_absent" else BAD
            where = f"board {state.board} ({fault.place})" if fault.place else f"board {state.board}"
            yield Finding("boards", level, f"{where}: {fault.what}", fault.remedy or "`linebox boards` tells more")
        if not state.working and not state.faults:
            yield Finding("boards", BAD, f"board {state.board} does not work", "its reason is in logs/gateway.log")
    well = [state.board for state in states if state.working and not state.faults]
    if well:
        yield Finding("boards", OK, f"without a fault: {', '.join(well)}")


def board_checks() -> tuple[Check, ...]:
    return (boards,)
