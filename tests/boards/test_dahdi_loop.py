"""Loops of an E1 card by its driver, on a control device and channels that only note what they are told.

That spans without hardware have no loop of their own is tested in the guest; no card has been looped yet.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

import pytest

from boards.base import LoopBoard, NotSupported
from boards.dahdi_e1 import DahdiE1Board
from boards.signals import Bits, LoopWay, Setup
from drivers.dahdi import Channel
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import Maintenance
from drivers.dahdi_stream import ChannelStream
from tests.boards.test_dahdi_echo import NotedChannel, e1
from tests.boards.test_dahdi_status import InjectedStatus


class NotedControl(InjectedStatus):
    """Notes what is set, if the card can do it."""

    def __init__(self, can: bool = True) -> None:
        super().__init__()
        self.can = can
        self.set: list[Maintenance] = []
        self.read_while: list[Maintenance] = []
        """What was set when alarms and counters were read."""

    def set_maintenance(self, number: int, what: Maintenance) -> bool:
        assert number == 1
        if self.can:
            self.set.append(what)
        return self.can

    def ask(self, request: int, argument: bytes, doing: str, where: str) -> bytes:
        self.read_while.append(self.set[-1] if self.set else Maintenance.NONE)
        return super().ask(request, argument, doing, where)


def prepared(signalling: str, control: NotedControl) -> tuple[DahdiE1Board, list[NotedChannel]]:
    board = e1(signalling)
    channels = [NotedChannel() for _ in board.channels]
    for channel in channels:
        channel.runs = True
        channel.close = lambda: None  # type: ignore[attr-defined]
    board._lines = cast(list[Channel], channels)
    stream = SimpleNamespace(lost_inward=0, slips=0, underruns=0, close=lambda: None)
    board._stream = cast(ChannelStream, stream)
    board._control = cast(Control, control)
    return board, channels


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        (LoopWay.FAR, []),
        (LoopWay.LOCAL, [Maintenance.LOCAL_LOOP, Maintenance.NONE]),
        (LoopWay.TOWARD_EXCHANGE, [Maintenance.LINE_LOOP, Maintenance.NONE]),
    ],
)
@pytest.mark.parametrize("signalling", ["pri", "cas"])
def test_the_card_loops_and_no_canceller_runs_meanwhile(
    signalling: str, way: LoopWay, wanted: list[Maintenance]
) -> None:
    control = NotedControl()
    board, channels = prepared(signalling, control)
    assert isinstance(board, LoopBoard)
    board.begin_loop(way)
    assert not any(channel.runs for channel in channels)
    assert control.set == wanted[:1]
    board.send_signal(Setup(3, "110") if signalling == "pri" else Bits(3, 0b0101))
    assert not channels[3].runs, "not for a call that crosses the test either"
    board.end_loop()

    assert control.set == wanted
    assert {channel.runs for channel in channels} == {signalling == "pri"}, "on R2 it runs in speech alone"


def test_counters_of_the_end_are_read_before_the_loop_opens() -> None:
    control = NotedControl()
    board, _ = prepared("pri", control)
    board.begin_loop(LoopWay.LOCAL)
    control.errors = (0, 7, 0, 0)
    board.end_loop()

    assert control.read_while == [Maintenance.LOCAL_LOOP]
    assert board.counters.crc_errors == 7


def test_a_card_that_cannot_says_so_and_is_as_before() -> None:
    board, channels = prepared("pri", NotedControl(can=False))
    with pytest.raises(NotSupported) as refused:
        board.begin_loop(LoopWay.LOCAL)
    board.end_loop()

    assert "loop" in refused.value.what and "--far" in refused.value.remedy
    assert all(channel.runs for channel in channels)


def test_a_loop_that_a_dead_process_left_is_opened_with_the_board() -> None:
    control = NotedControl()
    board, _ = prepared("cas", control)
    reading, writing = os.pipe()
    assert board._stream is not None
    board._stream.fileno = lambda: reading  # type: ignore[method-assign]
    board._opened()
    board.close()
    os.close(reading)
    os.close(writing)

    assert control.set == [Maintenance.NONE]


def test_closing_the_board_opens_the_loop() -> None:
    control = NotedControl()
    board, _ = prepared("pri", control)
    board.begin_loop(LoopWay.LOCAL)
    board.close()

    assert control.set == [Maintenance.LOCAL_LOOP, Maintenance.NONE]
