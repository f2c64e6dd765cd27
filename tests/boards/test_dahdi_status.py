"""Alarms and error counters of a DAHDI span from injected status bytes: not run on hardware.

The spans without hardware of the test guest know RED alone and count no CRC error; what a card would report is made up
here byte by byte, as the driver's header has it. Everything else of these boards runs in the guest (tests/vm).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from boards.dahdi_e1 import DahdiE1Board
from boards.signals import Alarm
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import SPAN, SPANSTAT, SpanAlarm
from drivers.dahdi_stream import ChannelStream
from firmware.box.gateway.boards import BoardSlot
from firmware.core.line_schemas import DahdiE1
from firmware.core.paths import BoxPaths
from firmware.lines.board_row import board_rows


class InjectedStatus(Control):
    """The control device; SPANSTAT answers with made-up bytes."""

    def __init__(self) -> None:
        self._descriptor = -1
        self.alarms = 0
        self.errors = (0, 0, 0, 0)
        """Bipolar violations, CRC4 errors, E bits, frame errors."""
        self.missed = 0

    def ask(self, request: int, argument: bytes, doing: str, where: str) -> bytes:
        assert request == SPANSTAT
        numbers = [self.alarms, 0, 0, *self.errors, 0, 0, 0, 0, 0, self.missed, 0, 30, 31, 0, 0, 0]
        return SPAN.pack(1, b"TE4/0/1", b"card", *numbers, b"", b"", b"", b"", 0, 0, b"E1")


@pytest.fixture
def status() -> InjectedStatus:
    return InjectedStatus()


@pytest.fixture
def board(status: InjectedStatus) -> DahdiE1Board:
    board = DahdiE1Board("e1", DahdiE1(span=1), BoxPaths(Path("/nowhere"), Path("/nowhere")))
    board._control = status
    board._stream = cast(ChannelStream, SimpleNamespace(lost_inward=2, slips=3, underruns=4))
    return board


def look(board: DahdiE1Board) -> set[Alarm]:
    board._look()
    told, board._waiting = board._waiting, []
    return {signal for signal in told if isinstance(signal, Alarm)}


@pytest.mark.parametrize(
    ("alarms", "words"),
    [
        (SpanAlarm.RED | SpanAlarm.LOS, {"LOS"}),
        (SpanAlarm.RED | SpanAlarm.LFA | SpanAlarm.LMFA, {"LOF", "LOMF"}),
        (SpanAlarm.BLUE, {"AIS"}),
        (SpanAlarm.YELLOW, {"RAI"}),
        (SpanAlarm.RED, {"RED"}),
        (SpanAlarm.RED | SpanAlarm.RECOVERING, {"RED"}),
        (SpanAlarm.RECOVERING, {"RECOVERING"}),
    ],
)
def test_alarms_that_a_card_reports_are_told_in_field_words_and_taken_back(
    board: DahdiE1Board, status: InjectedStatus, alarms: SpanAlarm, words: set[str]
) -> None:
    status.alarms = int(alarms)
    assert look(board) == {Alarm(word, True) for word in words}
    assert look(board) == set()

    status.alarms = 0
    assert look(board) == {Alarm(word, False) for word in words}


@pytest.mark.parametrize(("before", "after"), [(SpanAlarm.LOS, SpanAlarm.BLUE), (SpanAlarm.BLUE, SpanAlarm.LOS)])
def test_of_two_alarms_that_follow_each_other_the_new_one_is_told_first(
    board: DahdiE1Board, status: InjectedStatus, before: SpanAlarm, after: SpanAlarm
) -> None:
    """Else the span is in order for a moment, and how long calls are held on a dead line begins anew."""
    status.alarms = int(before)
    board._look()
    board._waiting.clear()
    status.alarms = int(after)
    board._look()

    assert [signal.raised for signal in board._waiting if isinstance(signal, Alarm)] == [True, False]


def test_slips_and_errors_that_a_card_counts_reach_the_state_of_the_board(
    board: DahdiE1Board, status: InjectedStatus
) -> None:
    status.errors, status.missed = (5, 6, 7, 8), 9
    board._look()
    slot = BoardSlot(board)
    (row,) = board_rows([("e1", board.channels)])

    state = row.counted(slot.counters({}))

    assert state.lost_inward == 2
    assert state.counters == {
        "slips": 3,
        "line_underruns": 4,
        "bipolar_violations": 5,
        "crc_errors": 6,
        "e_bit_errors": 7,
        "frame_errors": 8,
        "missed_interrupts": 9,
    }
