"""What is said of the loop test of a span: the command, and what was found. The test itself is loop_tests.py."""

from __future__ import annotations

import msgspec

from boards.signals import LoopWay
from firmware.core.faults import Fault


class BeginLoopTest(msgspec.Struct, tag="begin_loop_test", frozen=True, kw_only=True):
    """Test the time slots of a board that is an E1, all of them idle. `request` names the wish: given twice it tests
    once. Meanwhile the channels are blocked. Answer, in any case: LoopTested. It ends before its time by
    StopLoopTest, or when the callserver goes."""

    request: str
    board: str
    way: LoopWay
    seconds: float
    """How long is counted (two seconds before that are for finding the pattern), or how long the exchange may test."""


class StopLoopTest(msgspec.Struct, tag="stop_loop_test", frozen=True):
    """End the test of a board before its time. LoopTested tells that its channels are given back. Harmless if none
    runs there, or if it ends just now: then what was found is told."""

    board: str


class LoopedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What came back on one time slot."""

    label: str
    bits: int
    """Compared. 0: the pattern did not come back there."""
    errors: int
    """Of these, wrong."""
    interruptions: int
    """Times that octets were lost or put in, or the pattern went away; what is around them is not compared."""
    comes_from: str = ""
    """The label of the other channel that came back here; empty: its own, or none."""


class LoopOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a loop test ended."""

    board: str
    way: LoopWay
    seconds: float
    """That were counted; of a loop towards the exchange, that it stood."""
    reason: str = ""
    """Why there is no result: `no_such_board`, `no_time_slots` (no E1), `not_working`, `calls`, `no_carrier`, `running`
    (another test), `cannot_loop` (`fault` says why), `board_failed`, `stopped` (by StopLoopTest, or because the
    callserver went), `gateway_gone`. Empty: done."""
    fault: Fault | None = None
    channels: tuple[LoopedChannel, ...] = ()
    """None of a loop towards the exchange."""
    counters: dict[str, int] = {}
    """What the board counted meanwhile: `slips`, `crc_errors`, `lost_inward`, `lost_outward` and its own; none that is
    0. What was lost or slipped in the box is an interruption of all channels, and no fault of the line."""
    alarms: tuple[str, ...] = ()
    """Codes of the line's alarms that there were meanwhile."""
    looped_by: str = ""
    """Of a loop towards the exchange: `card`, or `box` (the time slots of calls alone)."""
