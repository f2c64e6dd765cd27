"""What ports of phones and exchange lines do beside the contract (guest_contract.py); the far ends are the other span.

The driver gives both kinds of signalling over line bits (a channel bank), with the same events as its analogue cards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from boards.base import Board, BoardError
from boards.dahdi_analogue import open_board
from boards.signals import (
    ChannelKind,
    FromBoard,
    HookChange,
    Loop,
    LoopCurrent,
    Ring,
    RingDetected,
)
from drivers.dahdi import Channel
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import Event, Hook, LineConfig, Signalling
from firmware.core.line_schemas import BoardEntry, DahdiPorts
from firmware.core.paths import BoxPaths
from tests.vm.inside.far_line import BoardEnd, run
from tests.vm.inside.spans import BEARERS, DynamicSpan

Pair = tuple[DynamicSpan, DynamicSpan]
PORTS = ("fxs", "fxs", "fxo")
PHONE, OTHER_PHONE, LINE = range(3)
RINGING_BITS = 0b0000
"""ABCD that a phone's side receives while ringing current is on."""
SIDES = {"fxs": Signalling.FXSKS, "fxo": Signalling.FXOKS}
Kind = TypeVar("Kind", bound=FromBoard)


@dataclass
class FarPorts:
    """Phones on our extension ports, and the exchange's port on our exchange line."""

    channels: list[Channel]
    end: BoardEnd

    def phone(self, index: int, command: Hook) -> None:
        assert self.channels[index].hook(command)

    def wait(self, seconds: float) -> list[FromBoard]:
        """Serve the board for so long; what it told."""
        self.end.signals.clear()
        run([self.end], seconds)
        return list(self.end.signals)

    def until(self, signal: FromBoard, seconds: float) -> None:
        before = list(self.end.signals)
        assert run([self.end], seconds, lambda: signal in self.end.signals), f"no {signal}, but {before}"
        self.end.signals.remove(signal)

    def events(self, index: int) -> list[int]:
        found = []
        while event := self.channels[index].event():
            found.append(event)
        return found


def analogue(span: int) -> Board:
    entry = BoardEntry(board="phones", kind="dahdi_analogue", ports=DahdiPorts(span=span, ports=PORTS))
    return open_board(entry, BoxPaths(Path("/nowhere"), Path("/nowhere")))


@contextmanager
def far_ports(span: DynamicSpan) -> Iterator[list[Channel]]:
    with Control() as control:
        control.configure_span(span.number, LineConfig(0), 0)
        numbers = [span.channel(slot) for slot in BEARERS[: len(PORTS)]]
        control.configure_channels(
            ChannelSetting(number, SIDES[port]) for number, port in zip(numbers, PORTS, strict=True)
        )
        control.load_ringing_zone()
    channels = [Channel(number) for number in numbers]
    try:
        yield channels
    finally:
        for channel in channels:
            channel.close()


@pytest.fixture
def ports(pair: Pair) -> Iterator[FarPorts]:
    board = analogue(pair[0].number)
    with far_ports(pair[1]) as channels:
        board.open()
        far = FarPorts(channels, BoardEnd(board))
        far.wait(2.5)  # ringing is not told in the first two seconds
        for index in range(len(channels)):
            far.events(index)
        yield far
        board.close()


def test_its_channels_are_named_by_what_is_plugged_in() -> None:
    places = [(place.kind, place.label) for place in analogue(1).channels]

    assert places == [
        (ChannelKind.EXTENSION, "FXS-1"),
        (ChannelKind.EXTENSION, "FXS-2"),
        (ChannelKind.EXCHANGE_LINE, "FXO-1"),
    ]


def test_a_board_with_more_ports_than_the_span_has_channels_says_so(pair: Pair) -> None:
    entry = BoardEntry(
        board="phones", kind="dahdi_analogue", ports=DahdiPorts(span=pair[0].number, ports=("fxs",) * 31)
    )
    board = open_board(entry, BoxPaths(Path("/nowhere"), Path("/nowhere")))

    with pytest.raises(BoardError, match=r"boards\.json"):
        board.open()


# ---- extension ports -------------------------------------------------------------------------------------------------


def test_a_phone_rings_in_the_cadence_that_the_gateway_gives_and_falls_silent_when_it_is_lifted(
    ports: FarPorts,
) -> None:
    for _ in range(2):
        ports.end.board.send_signal(Ring(PHONE, True))
        ports.wait(1.0)
        ports.end.board.send_signal(Ring(PHONE, False))
        ports.wait(2.0)
    told = ports.events(PHONE)
    assert told.count(Event.RINGBEGIN) == 2
    assert ports.events(OTHER_PHONE) == []

    ports.end.board.send_signal(Ring(PHONE, True))
    ports.wait(0.3)
    assert Event.RINGBEGIN in ports.events(PHONE)
    ports.phone(PHONE, Hook.OFFHOOK)
    ports.until(HookChange(PHONE, True), 1.0)
    ports.end.board.send_signal(Ring(PHONE, False))  # the line machine says so too; it does no harm
    ports.wait(2.0)
    assert Event.RINGBEGIN not in ports.events(PHONE)
    ports.phone(PHONE, Hook.ONHOOK)
    ports.until(HookChange(PHONE, False), 2.0)


def test_a_phone_that_was_just_put_down_can_be_rung_again(ports: FarPorts) -> None:
    ports.phone(PHONE, Hook.OFFHOOK)
    ports.until(HookChange(PHONE, True), 1.0)
    ports.phone(PHONE, Hook.ONHOOK)
    ports.until(HookChange(PHONE, False), 2.0)
    ports.events(PHONE)

    ports.end.board.send_signal(Ring(PHONE, True))  # the line is not at rest yet: the driver refuses at first

    assert ports.channels[PHONE].receive_bits() != RINGING_BITS
    assert run([ports.end], 1.5, lambda: ports.channels[PHONE].receive_bits() == RINGING_BITS)
    ports.end.board.send_signal(Ring(PHONE, False))


# ---- exchange lines --------------------------------------------------------------------------------------------------


def test_ringing_of_the_exchange_is_told_ring_by_ring_and_ends_when_we_answer(ports: FarPorts) -> None:
    exchange = ports.channels[LINE]
    exchange.set_cadence(1000, 4000)
    assert exchange.hook(Hook.RING)
    signals = ports.wait(6.5)
    rings = [signal for signal in signals if isinstance(signal, RingDetected)]
    assert [ring.on for ring in rings][:3] == [True, False, True]
    ports.events(LINE)

    ports.end.board.send_signal(Loop(LINE, True))
    ports.until(LoopCurrent(LINE, True), 1.0)
    ports.wait(0.3)
    assert Event.RINGOFFHOOK in ports.events(LINE)

    ports.end.board.send_signal(Loop(LINE, False))
    ports.wait(1.6)
    assert Event.ONHOOK in ports.events(LINE)


def test_a_loop_that_the_exchange_drops_is_told(ports: FarPorts) -> None:
    ports.end.board.send_signal(Loop(LINE, True))
    ports.wait(1.0)
    exchange = ports.channels[LINE]
    assert exchange.hook(Hook.OFFHOOK)
    ports.wait(1.0)

    exchange.hook(Hook.ONHOOK)  # what an exchange does when its subscriber hangs up: the loop is open for a moment

    told = [signal for signal in ports.wait(2.0) if isinstance(signal, LoopCurrent)]
    assert told == [LoopCurrent(LINE, False), LoopCurrent(LINE, True)], "the driver has no event for the second"
