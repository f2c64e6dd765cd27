"""China No.1 (R2) over the real driver: its line bits, register tones in its audio. Our box at both ends, then openr2.

Each end is the gateway's core on an E1 board with line bits; the calls of a test run side by side, on channels of
their own. Every refusal and error that registers know is tried in virtual time (tests/lines/test_r2_*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boards.dahdi_e1 import DahdiE1Board
from boards.signals import Cause
from drivers.dahdi_numbers import Signalling
from firmware.core.line_schemas import DahdiE1
from firmware.core.paths import BoxPaths
from firmware.lines.line_commands import AlertLeg, AnswerLeg, ClearLeg, PlaceCall, Play
from firmware.lines.messages import IncomingCall, LegAlerting, LegAnswered, LegCleared
from tests.vm.inside.far_line import run
from tests.vm.inside.gateway_on_board import GatewayOnBoard
from tests.vm.inside.openr2_line import OpenR2Line, openr2_program
from tests.vm.inside.spans import BEARERS, DynamicSpan

Pair = tuple[DynamicSpan, DynamicSpan]
CALL_SECONDS = 20
"""A call's registers take six seconds; twice that is not the line's fault."""


@contextmanager
def boxes(*spans: DynamicSpan) -> Iterator[list[GatewayOnBoard]]:
    paths = BoxPaths(Path("/nowhere"), Path("/nowhere"))
    ends = [
        GatewayOnBoard(DahdiE1Board(f"e1-{span.number}", DahdiE1(span=span.number, signalling="cas"), paths))
        for span in spans
    ]
    try:
        run(ends, 0.5)
        yield ends
    finally:
        for end in ends:
            end.board.close()


def until(
    ends: list[GatewayOnBoard], condition: Callable[[], object], what: str, seconds: float = CALL_SECONDS
) -> None:
    assert run(ends, seconds, condition), f"no {what}: {[end.events[-12:] for end in ends]}"


@dataclass
class Direction:
    """Three calls from one box to the other: one the caller ends, one the called side ends, one is refused as busy."""

    caller: GatewayOnBoard
    called: GatewayOnBoard
    first: int
    """Channel of the call that the caller ends; those of the others follow."""

    @property
    def numbers(self) -> dict[int, str]:
        return {self.first: "13800138000", self.first + 1: "02988888888", self.first + 2: ""}

    @property
    def talking(self) -> tuple[int, int]:
        return self.first, self.first + 1

    def legs(self, end: GatewayOnBoard) -> dict[int, str]:
        return {channel: end.gateway.lines[channel].leg for channel in self.numbers}

    def came(self) -> dict[int, tuple[str, str]]:
        return {
            call.channel: (call.called, call.calling)
            for call in self.called.all(IncomingCall)
            if call.channel in self.numbers
        }


def test_calls_both_ways_with_numbers_are_answered_heard_and_cleared_from_each_side(pair: Pair) -> None:
    with boxes(*pair) as ends:
        ours, exchange = ends
        directions = [Direction(exchange, ours, 0), Direction(ours, exchange, 15)]
        for way in directions:
            for channel, calling in way.numbers.items():
                way.caller.command(PlaceCall(f"request {channel}", channel, "12345", calling))
        until(ends, lambda: all(len(way.came()) == 3 for way in directions), "three incoming calls each way")
        for way in directions:
            assert way.came() == {channel: ("12345", calling) for channel, calling in way.numbers.items()}

        for way in directions:
            legs = way.legs(way.called)
            way.called.command(*(AlertLeg(legs[channel]) for channel in way.talking))
            way.called.command(ClearLeg(legs[way.first + 2], Cause.BUSY))
        until(ends, lambda: all(len(end.all(LegAlerting)) == 2 for end in ends), "ringing")
        for way in directions:
            way.called.command(*(AnswerLeg(way.legs(way.called)[channel]) for channel in way.talking))
        until(ends, lambda: all(len(end.all(LegAnswered)) == 4 for end in ends), "answer")

        for end in ends:
            end.heard.clear()
        for way in directions:
            for end in ends:
                end.command(
                    *(Play(way.legs(end)[channel], "p", ("prompt:speech",), loop=True) for channel in way.talking)
                )
        run(ends, 2.4)
        assert all(end.heard_speech(channel) for end in ends for way in directions for channel in way.talking)

        for way in directions:
            way.caller.command(ClearLeg(way.legs(way.caller)[way.first]))
            way.called.command(ClearLeg(way.legs(way.called)[way.first + 1]))
        until(ends, lambda: all(len(end.all(LegCleared)) == 6 for end in ends), "end of all calls")
        channels = [channel for way in directions for channel in way.numbers]
        until(ends, lambda: {end.state(channel) for end in ends for channel in channels} == {"idle"}, "idle lines")

        for way in directions:
            told = [[end.how_it_ended()[channel] for channel in way.numbers] for end in (way.caller, way.called)]
            assert told[0] == [("normal", "box"), ("normal", "line"), ("busy", "line")]
            assert told[1] == [("normal", "line"), ("normal", "box"), ("busy", "box")]


def test_calls_that_meet_on_one_channel_end_and_leave_it_idle(pair: Pair) -> None:
    with boxes(*pair) as ends:
        for end in ends:
            end.command(PlaceCall("glare", 0, "12345"))
        until(ends, lambda: all(end.all(LegCleared) for end in ends), "end of both calls")
        until(ends, lambda: {end.state(0) for end in ends} == {"idle"}, "idle line")


def test_calls_to_openr2_with_the_callers_number_and_from_openr2_without(pair: Pair) -> None:
    """As a caller of the variant China openr2 never sends its number (FACTS of its release 1.3.3)."""
    near, far = pair
    far.configure(Signalling.CAS)
    lines = [OpenR2Line(openr2_program(), far.channel(BEARERS[channel])) for channel in range(3)]
    we_clear, it_clears, it_calls = lines
    with boxes(near) as ends:
        (box,) = ends
        try:
            until(ends, lambda: all(line.has_said("ready") for line in lines), "openr2")
            until(ends, lambda: {box.state(channel) for channel in range(3)} == {"idle"}, "idle lines")
            for channel in (0, 1):
                box.command(PlaceCall(f"request {channel}", channel, "12345", f"1380013800{channel}"))
            it_calls.call("12345", "13900139000")
            until(ends, lambda: we_clear.has_said("offered") and it_clears.has_said("offered"), "call at openr2")
            assert "offered 12345 13800138000" in we_clear.told
            assert "offered 12345 13800138001" in it_clears.told
            for line in (we_clear, it_clears):
                line.accept()
            until(ends, lambda: len(box.all(LegAlerting)) == 2, "ringing at openr2")
            until(ends, lambda: we_clear.has_said("accepted") and it_clears.has_said("accepted"), "KB at openr2")
            for line in (we_clear, it_clears):
                line.answer()
            until(ends, lambda: box.all(IncomingCall), "call from openr2")
            call = box.last(IncomingCall)
            assert (call.channel, call.called, call.calling) == (2, "12345", "")
            box.command(AnswerLeg(call.leg))
            until(ends, lambda: len(box.all(LegAnswered)) == 3 and it_calls.has_said("answered"), "three answers")

            box.command(ClearLeg(box.gateway.lines[0].leg), ClearLeg(call.leg))
            it_clears.disconnect()
            until(ends, lambda: we_clear.has_said("disconnected") and it_calls.has_said("disconnected"), "our release")
            we_clear.disconnect()
            it_calls.disconnect()
            until(ends, lambda: {box.state(channel) for channel in range(3)} == {"idle"}, "idle lines")
            until(ends, lambda: all(line.has_said("ended") for line in lines), "end at openr2")
        finally:
            for line in lines:
                line.close()
    assert box.how_it_ended() == {0: ("normal", "box"), 1: ("normal", "line"), 2: ("normal", "box")}
    assert not [said for line in lines for said in line.told if said.startswith("error")]
