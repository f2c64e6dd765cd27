"""What an analogue card's channels are told and asked when the board is opened, on channels of made-up state bytes.

Not run on hardware: the test guest's spans have neither batteries nor handsets; all else of the board runs there.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from boards.dahdi_analogue import DahdiAnalogueBoard
from boards.loop_decoder import FLASH_MOST_MS
from boards.signals import Alarm, Loop, LoopCurrent, Polarity
from drivers.dahdi import Channel
from drivers.dahdi_numbers import (
    GET_PARAMS,
    PARAMS,
    PARAMS_ALARMS,
    PARAMS_FLASH,
    PARAMS_LINE,
    SET_PARAMS,
    SETCADENCE,
    Event,
    Hook,
    SpanAlarm,
)
from drivers.dahdi_stream import ChannelStream
from firmware.core.line_schemas import DahdiPorts

NO_FEED, FEED = 0, 1
"""What a line may signal, as the driver counts it: on-hook, off-hook."""


class MadeUpChannel(Channel):
    """A channel whose state is these fields."""

    def __init__(self, number: int) -> None:
        self.number, self.where = number, f"DAHDI channel {number}"
        self._descriptor = -1
        self.fields: list[int | bytes] = [number, *[0] * 11, b"WCTDM/0/0", *range(1, 12), 0]

    def _ask(self, request: int, argument: bytes, doing: str) -> bytes:
        if request == SET_PARAMS:
            self.fields = list(PARAMS.unpack(argument))
        assert request in (GET_PARAMS, SET_PARAMS, SETCADENCE)
        return PARAMS.pack(*self.fields)

    def hook(self, command: Hook) -> bool:
        return True


@pytest.fixture
def opened() -> tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel]:
    """A board that has still to look at its phone and its exchange line."""
    board = DahdiAnalogueBoard("card", DahdiPorts(span=1, ports=("fxs", "fxo")))
    phone, line = MadeUpChannel(1), MadeUpChannel(2)
    board._lines = cast(list[Channel], [phone, line])
    return board, phone, line


def test_a_hook_that_is_open_for_more_than_a_flash_is_put_down(
    opened: tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel],
) -> None:
    board, phone, line = opened
    before = list(phone.fields)
    board._opened()

    assert phone.fields[PARAMS_FLASH] == FLASH_MOST_MS
    changed = [place for place, field in enumerate(phone.fields[13:], 13) if field != before[place]]
    assert changed == [PARAMS_FLASH], "the driver's other times stay"
    assert line.fields[PARAMS_FLASH] == 7


def test_an_exchange_line_that_is_cut_when_the_board_starts_is_told(
    opened: tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel],
) -> None:
    board, _, line = opened
    line.fields[PARAMS_ALARMS] = int(SpanAlarm.RED)
    board._opened()
    board._event(1, Event.NOALARM)

    assert board._waiting == [Alarm("NO_LINE", True, (1,)), Alarm("NO_LINE", False, (1,))]


def test_a_feed_that_comes_back_is_told_although_the_driver_has_no_event_for_it(
    opened: tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel],
) -> None:
    """Else every switching of the exchange would be a loop drop, and the end of a call."""
    board, _, line = opened
    board._stream = cast(ChannelStream, SimpleNamespace(resume=lambda index: None))
    board._opened()
    board._signal(Loop(1, True))
    assert board._waiting == [LoopCurrent(1, True)]

    line.fields[PARAMS_LINE] = NO_FEED
    board._event(1, Event.ONHOOK)
    board._each_block()
    assert board._waiting == [LoopCurrent(1, True), LoopCurrent(1, False)]

    line.fields[PARAMS_LINE] = FEED
    board._each_block()
    board._each_block()
    assert board._waiting == [LoopCurrent(1, True), LoopCurrent(1, False), LoopCurrent(1, True)]


def test_each_turn_of_the_polarity_is_told(
    opened: tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel],
) -> None:
    """The driver tells that it turned and not how it is: the first is taken for the one at the start."""
    board, _, _ = opened
    board._opened()
    for event in (Event.POLARITY, Event.POLARITY, Event.POLARITY):
        board._event(1, event)
    assert board._waiting == [Polarity(1, True), Polarity(1, False), Polarity(1, True)]

    board._waiting.clear()
    board._opened()  # pulled and put back: counted from the start again
    board._event(1, Event.POLARITY)
    assert board._waiting == [Polarity(1, True)]


def test_of_a_loop_that_was_opened_meanwhile_no_feed_is_told(
    opened: tuple[DahdiAnalogueBoard, MadeUpChannel, MadeUpChannel],
) -> None:
    board, _, line = opened
    board._stream = cast(ChannelStream, SimpleNamespace(resume=lambda index: None))
    board._opened()
    board._signal(Loop(1, True))
    line.fields[PARAMS_LINE] = NO_FEED
    board._event(1, Event.ONHOOK)
    board._signal(Loop(1, False))
    board._waiting.clear()

    line.fields[PARAMS_LINE] = FEED
    board._each_block()

    assert board._waiting == []
