"""The driver's echo canceller begins anew with each call, on channels that only note what they are told.

That the real one runs is tested in the guest (tests/vm/inside/guest_e1_board.py).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from boards.dahdi_analogue import DahdiAnalogueBoard
from boards.dahdi_card import ECHO_TAPS, DahdiCard
from boards.dahdi_e1 import DahdiE1Board
from boards.pri_link import PriLink
from boards.signals import Bits, Connect, FromBoard, Loop, Release, Setup
from drivers.dahdi import Channel, DahdiError
from drivers.dahdi_numbers import Event, Hook
from drivers.dahdi_stream import ChannelStream
from firmware.core.faults import fault
from firmware.core.line_schemas import DahdiE1, DahdiPorts
from firmware.core.paths import BoxPaths


class NotedChannel:
    """A channel of the driver; `began` is how often its canceller was started, `runs` whether it does."""

    def __init__(self) -> None:
        self.began = 0
        self.runs = False
        self.refuses = False
        self.bits = 0b1011

    def set_echo_cancel(self, taps: int) -> None:
        assert taps in (0, ECHO_TAPS)
        if self.refuses:
            raise DahdiError(fault("dahdi_failed", doing="setting the echo canceller", error="no memory"), "E1-1/4")
        self.runs = taps != 0
        self.began += self.runs

    def receive_bits(self) -> int:
        return self.bits

    def send_bits(self, abcd: int) -> None:
        pass

    def hook(self, command: Hook) -> bool:
        return True


class SaidByWorker:
    """The link to the worker: says what the test put there."""

    is_connected = True

    def __init__(self) -> None:
        self.said: list[FromBoard] = []

    def receive(self) -> list[FromBoard]:
        said, self.said = self.said, []
        return said

    def send_signal(self, signal: object) -> None:
        pass


def prepared(board: DahdiCard) -> list[NotedChannel]:
    channels = [NotedChannel() for _ in board.channels]
    board._lines = cast(list[Channel], channels)
    quiet: dict[str, Any] = {"receive": list, "events": list, "resume": lambda index: None}
    board._stream = cast(ChannelStream, SimpleNamespace(**quiet))
    board._look_in = 100
    return channels


def e1(signalling: str, canceller: str = "mg2") -> DahdiE1Board:
    settings = DahdiE1(span=1, signalling=cast(Any, signalling), echo_canceller=canceller)
    return DahdiE1Board("e1", settings, BoxPaths(Path("/nowhere"), Path("/nowhere")))


def test_each_isdn_call_of_either_direction_has_a_canceller_that_begins_anew() -> None:
    board = e1("pri")
    channels = prepared(board)
    worker = SaidByWorker()
    board._link = cast(PriLink, worker)

    worker.said = [Setup(3, "12345")]
    assert board.receive()[1] == [Setup(3, "12345")]
    board.send_signal(Connect(3))
    board.send_signal(Release(3))
    board.send_signal(Setup(4, "110"))
    worker.said = [Connect(4), Release(4)]
    board.receive()

    assert [channel.began for channel in channels[:6]] == [0, 0, 0, 1, 1, 0]


def test_with_line_bits_it_runs_from_answer_to_idle_and_not_while_register_tones_cross() -> None:
    board = e1("cas")
    assert not board._cancels_at_rest
    called, calling = prepared(board)[:2]
    board._bits = [0b1011] * 30

    def far_side(index: int, channel: NotedChannel, abcd: int) -> None:
        channel.bits = abcd
        board._event(index, Event.BITSCHANGED)

    far_side(0, called, 0b0011)  # seizes
    board.send_signal(Bits(0, 0b1111))  # acknowledged
    board.send_signal(Bits(1, 0b0011))
    far_side(1, calling, 0b1111)
    assert (called.runs, calling.runs) == (False, False)

    board.send_signal(Bits(0, 0b0111))  # answered
    far_side(1, calling, 0b0111)
    assert (called.runs, calling.runs) == (True, True)
    board.send_signal(Bits(0, 0b1111))  # cleared back
    assert called.runs

    far_side(0, called, 0b1011)
    board.send_signal(Bits(1, 0b1011))
    assert (called.runs, calling.runs) == (False, False)
    assert (called.began, calling.began) == (1, 1)


def test_a_lifted_phone_and_a_closed_loop_begin_it_anew() -> None:
    board = DahdiAnalogueBoard("card", DahdiPorts(span=1, ports=("fxs", "fxo"), echo_canceller="mg2"))
    phone, line = prepared(board)
    board._lifted = [False, False]

    for event in (Event.RINGOFFHOOK, Event.ONHOOK, Event.RINGOFFHOOK):
        board._event(0, event)
    for closed in (True, False):
        board.send_signal(Loop(1, closed))

    assert (phone.began, line.began) == (2, 1)


def test_a_canceller_that_is_refused_ends_no_call() -> None:
    board = e1("pri")
    channels = prepared(board)
    board._link = cast(PriLink, SaidByWorker())
    channels[3].refuses = True

    board.send_signal(Setup(3, "12345"))
    board.send_signal(Setup(4, "12345"))

    assert channels[4].runs
    assert board._echo_failures == 1


@pytest.mark.parametrize("signalling", ["pri", "cas"])
def test_without_a_canceller_no_channel_is_touched(signalling: str) -> None:
    board = e1(signalling, canceller="")
    channels = prepared(board)
    board._link = cast(PriLink, SaidByWorker())
    board._bits = [0b1011] * 30

    board.send_signal(Setup(3, "12345") if signalling == "pri" else Bits(3, 0b0111))

    assert not any(channel.began for channel in channels)
