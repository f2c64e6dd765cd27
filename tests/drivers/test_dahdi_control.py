"""How an E1 of a card is set up, byte for byte, on a control device that notes what it is asked.

The test guest's spans take whatever they are told (tests/vm), so what a card is told is only seen here: not run on
hardware.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from boards.dahdi_e1 import DahdiE1Board
from drivers.dahdi import ChannelState, DahdiError
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import (
    CHANCONFIG,
    CHANNEL,
    INT,
    LINE,
    SPAN,
    SPANCONFIG,
    SPANSTAT,
    STARTUP,
    LineConfig,
    Signalling,
)
from firmware.box.commands.boards import system_conf
from firmware.core.line_schemas import BoardEntry, DahdiE1
from firmware.core.paths import BoxPaths

CARD = LineConfig.HDB3 | LineConfig.CCS | LineConfig.CRC4
"""What the E1 cards of the field can do."""


class NotedControl(Control):
    """A span of some kind; `asked` is what was done with it."""

    def __init__(self, kind: str, compatible: int) -> None:
        self._descriptor = -1
        self.kind, self.compatible = kind, compatible
        self.line_config = self.sync_source = 0
        self.asked: list[tuple[int, tuple[Any, ...]]] = []

    def ask(self, request: int, argument: bytes, doing: str, where: str) -> bytes:
        if request == SPANSTAT:
            numbers = [*[0] * 13, self.sync_source, 31, 31, 0, 0, self.line_config]
            return SPAN.pack(
                1, b"TE4/0/1", b"card", *numbers, b"", b"", b"", b"", 0, self.compatible, self.kind.encode()
            )
        self.asked.append((request, (LINE if request == SPANCONFIG else INT).unpack(argument)))
        return argument


def e1(**settings: Any) -> DahdiE1Board:
    return DahdiE1Board("e1", DahdiE1(span=1, **settings), BoxPaths(Path("/nowhere"), Path("/nowhere")))


@pytest.mark.parametrize(
    ("settings", "line", "clock_from"),
    [
        ({}, LineConfig.HDB3 | LineConfig.CRC4 | LineConfig.CCS, 1),
        ({"crc4": False, "clock_from": 0}, LineConfig.HDB3 | LineConfig.CCS, 0),
        ({"signalling": "cas", "clock_from": 2}, LineConfig.HDB3 | LineConfig.CRC4, 2),
    ],
)
def test_coding_framing_and_clock_source_are_set_and_the_span_is_started(
    settings: dict[str, Any], line: LineConfig, clock_from: int
) -> None:
    board, control = e1(**settings), NotedControl("E1", CARD)

    control.configure_span(1, board.line_config, board.clock_from)

    assert control.asked == [(SPANCONFIG, (1, bytes(20), 0, line, clock_from)), (STARTUP, (1,))]


class NotedChannels(NotedControl):
    """Channels 1 to 3, of which the third is what it shall be already."""

    def channel(self, number: int) -> ChannelState | None:
        signalling = Signalling.CAS if number == 3 else Signalling.CLEAR
        return ChannelState(number, 1, number, signalling, 0, False, 2, "TE4/0/1") if number <= 3 else None

    def ask(self, request: int, argument: bytes, doing: str, where: str) -> bytes:
        if request != CHANCONFIG:
            return super().ask(request, argument, doing, where)
        self.asked.append((request, CHANNEL.unpack(argument)))
        return argument


def test_a_channel_with_line_bits_is_blocked_for_the_exchange_as_long_as_no_program_has_it() -> None:
    """Else the exchange would send its callers there while the box is switched on and does not run."""
    control = NotedChannels("E1", CARD)
    control.configure_channels(ChannelSetting(number, Signalling.CAS) for number in (1, 3))
    control.configure_channels([ChannelSetting(2, Signalling.HDLCFCS)])

    told = [(fields[0], fields[2], fields[5]) for _, fields in control.asked]
    assert told == [(1, Signalling.CAS, 0b1101), (2, Signalling.HDLCFCS, 0)]
    with pytest.raises(DahdiError, match="no such channel"):
        control.configure_channels([ChannelSetting(4, Signalling.CAS)])


def test_a_span_that_runs_as_it_shall_is_left_alone_when_a_gateway_starts() -> None:
    board, control = e1(), NotedControl("E1", CARD)
    control.line_config, control.sync_source = int(board.line_config), 1
    control.configure_span(1, board.line_config, 1)
    assert control.asked == [(STARTUP, (1,))]

    for wanted in (e1(clock_from=0), e1(crc4=False)):
        control.asked.clear()
        control.configure_span(1, wanted.line_config, wanted.clock_from)
        assert [request for request, _ in control.asked] == [SPANCONFIG, STARTUP]


def test_a_span_without_a_line_of_its_own_is_only_started() -> None:
    control = NotedControl("", 0)
    control.configure_span(1, e1().line_config, 1)

    assert control.asked == [(STARTUP, (1,))]


def test_a_card_that_is_set_to_t1_is_said_with_the_remedy() -> None:
    control = NotedControl("T1", 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7)

    with pytest.raises(DahdiError, match=r"span 1: the card has the line as T1.*default_linemode=e1"):
        control.configure_span(1, e1().line_config, 1)
    assert control.asked == []


def test_what_an_e1_card_cannot_do_is_named() -> None:
    control = NotedControl("E1", LineConfig.HDB3 | LineConfig.CCS)

    with pytest.raises(DahdiError, match=r"cannot do CRC4. Correct the board's entry"):
        control.configure_span(1, e1().line_config, 1)


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({}, ["span=1,1,0,ccs,hdb3,crc4", "bchan=", "dchan=16"]),
        ({"signalling": "cas", "crc4": False, "clock_from": 0}, ["span=1,0,0,cas,hdb3", "cas="]),
    ],
)
def test_the_driver_s_own_tool_is_told_the_same(settings: dict[str, Any], written: list[str]) -> None:
    span = NotedControl("E1", CARD).span(1)
    states = [cast(Any, type("State", (), {"number": number, "position": number})) for number in range(1, 32)]
    entry = BoardEntry(board="town", kind="dahdi_e1", e1=DahdiE1(span=1, **settings))

    lines = system_conf([span], [states], [entry]).splitlines()

    assert written[0] in lines
    assert all(any(line.startswith(begin) for line in lines) for begin in written[1:])
    assert "alaw=" + ",".join(map(str, range(1, 32))) in lines
