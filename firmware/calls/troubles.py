"""All that is wrong with the box at one moment, gathered from the callserver's state and the table of processes. Pure.

How grave each is says `firmware/core/fault_gravity.py`; words for people are made on the pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from boards.signals import ChannelKind
from firmware.calls.messages import BoxState
from firmware.core.faults import Fault

OUT_OF_SERVICE = ("blocked", "testing", "out_of_service")
"""States of a channel in which it takes no call."""
NOT_RUNNING = ("restarting", "waiting")
"""States of a process that shall run and does not (`firmware/core/process_table.py`)."""


class Trouble(NamedTuple):
    """One thing that is wrong. The same code at the same place is the same trouble, whatever a chip said in detail."""

    code: str
    place: str = ""


def troubles(state: BoxState | None, processes: Mapping[str, str]) -> frozenset[Trouble]:
    """`state`: None while nobody knows it. `processes`: name → state; empty where no supervisor runs them."""
    missing = {Trouble("process_missing", name) for name, process in processes.items() if process in NOT_RUNNING}
    if state is None:
        return frozenset({Trouble("callserver_away"), *missing})
    return frozenset({*missing, *_of_lines(state), *_of_office(state)})


def _of_lines(state: BoxState) -> Iterator[Trouble]:
    if not state.gateway_connected:  # what the boards were is not what they are
        yield Trouble("gateway_away")
        return
    for board in state.boards:
        yield from (_trouble(fault, f"board {board.board}") for fault in board.faults)
    trunks = [one for one in state.channels if one.kind is not ChannelKind.EXTENSION]
    if all(one.state in OUT_OF_SERVICE for one in trunks):
        yield Trouble("no_trunk")


def _of_office(state: BoxState) -> Iterator[Trouble]:
    if not state.recorder_connected:
        yield Trouble("recorder_away")
    yield from (Trouble(str(alarm)) for alarm in state.alarms)
    yield from (_trouble(seat.display_fault, f"seat {seat.seat}") for seat in state.seats if seat.display_fault)
    yield from (_trouble(fault, "panel") for fault in state.panel_faults)


def _trouble(fault: Fault, owner: str) -> Trouble:
    return Trouble(fault.code, f"{owner} {fault.place}".rstrip())
