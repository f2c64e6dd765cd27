"""Whole R2 calls between our gateway and openr2, the other open MFC-R2, with real audio in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, ChannelPlace
from boards.signals import Bits, Cause, ChannelKind
from firmware.core.clock import VirtualClock
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, AnyLineCommand, ClearLeg, PlaceCall
from firmware.lines.messages import IncomingCall, LegAlerting, LegAnswered, LegCleared
from tests.lines.openr2_peer import (
    BUSY_NUMBER,
    NETWORK_CONGESTION,
    NORMAL_CLEARING,
    UNALLOCATED_NUMBER,
    OpenR2,
    OpenR2Missing,
)
from tests.lines.r2_bench import SOUNDS, End


class Meeting:
    """Our gateway with one channel, and openr2 at the other end of it."""

    def __init__(self, peer: OpenR2) -> None:
        self.peer = peer
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        places = [ChannelPlace(ChannelKind.CAS, "E1-1/1")]
        self.end = End(Gateway([("e1", places)], SOUNDS, "here", "machine"))
        self.end.audio = np.full((1, 80), ALAW_SILENCE, np.uint8)
        self.end.gateway.board_opened("e1", self.clock.now())
        self.shown = -1
        self.run(0.2)
        assert self.end.state() == "idle"

    def look(self) -> None:
        for _, signal in self.end.gateway.take_signals():
            assert isinstance(signal, Bits)
            self.peer.bits = signal.abcd
        self.end.events += self.end.gateway.events_after(self.end.events[-1].number if self.end.events else 0)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.clock.advance_to(self.clock.now().mono_us + 10_000)
            now = self.clock.now()
            received = self.end.audio
            self.end.audio = self.peer.tick(self.end.gateway.sent)
            if self.peer.state.tx_bits != self.shown:
                self.shown = self.peer.state.tx_bits
                self.end.gateway.handle_signal("e1", Bits(0, self.shown), now)
            self.end.gateway.tick({"e1": received}, now)
            self.look()

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        for _ in range(round(seconds * 100)):
            if condition():
                return
            self.run(0.01)
        raise AssertionError(f"it never came to that: {self.end.events}, {self.peer.state}")

    def command(self, command: AnyLineCommand) -> None:
        self.end.gateway.handle_command(command, self.clock.now())
        self.look()


@pytest.fixture(params=[False, True], ids=["number first", "caller first"])
def meeting(request: pytest.FixtureRequest) -> Iterator[Meeting]:
    try:
        peer = OpenR2(ani_first=request.param)
    except OpenR2Missing as missing:
        pytest.skip(str(missing))
    yield Meeting(peer)
    peer.close()


def test_openr2_understands_our_numbers_and_answers(meeting: Meeting) -> None:
    peer, end = meeting.peer, meeting.end
    meeting.command(PlaceCall("1", 0, "12345", "13800138000"))
    meeting.until(lambda: peer.state.offered)
    assert (peer.state.called, peer.state.calling) == ("12345", "13800138000")

    peer.accept()
    meeting.until(lambda: end.all(LegAlerting))
    meeting.until(lambda: peer.state.accepted)
    peer.answer()
    meeting.until(lambda: end.all(LegAnswered))
    meeting.command(ClearLeg(end.last(LegAnswered).leg))
    meeting.until(lambda: peer.state.disconnected)
    peer.disconnect()
    meeting.until(lambda: end.state() == "idle" and peer.state.ended)

    assert (end.last(LegCleared).cause, end.last(LegCleared).by) == (Cause.NORMAL, "box")
    assert peer.state.errors == 0


def test_openr2_hangs_up_first(meeting: Meeting) -> None:
    peer, end = meeting.peer, meeting.end
    meeting.command(PlaceCall("1", 0, "12345", ""))
    meeting.until(lambda: peer.state.offered)
    peer.accept()
    meeting.until(lambda: peer.state.accepted)
    peer.answer()
    meeting.until(lambda: end.all(LegAnswered))

    peer.disconnect(NORMAL_CLEARING)
    meeting.until(lambda: end.all(LegCleared) and end.state() == "idle" and peer.state.ended)
    assert (end.last(LegCleared).cause, end.last(LegCleared).by) == (Cause.NORMAL, "line")
    assert peer.state.errors == 0


@pytest.mark.parametrize(
    ("told", "cause"),
    [(BUSY_NUMBER, Cause.BUSY), (NETWORK_CONGESTION, Cause.CONGESTION), (UNALLOCATED_NUMBER, Cause.UNALLOCATED)],
)
def test_openr2_refuses(meeting: Meeting, told: int, cause: Cause) -> None:
    peer, end = meeting.peer, meeting.end
    meeting.command(PlaceCall("1", 0, "12345", "13800138000"))
    meeting.until(lambda: peer.state.offered)

    peer.disconnect(told)
    meeting.until(lambda: peer.state.disconnected)
    peer.disconnect()
    meeting.until(lambda: end.all(LegCleared) and end.state() == "idle")
    assert (end.last(LegCleared).cause, end.last(LegCleared).by) == (cause, "line")
    assert not end.all(LegAlerting)


def test_openr2_calls_us_without_a_callers_number(meeting: Meeting) -> None:
    """As a caller of the variant China it never sends its number: our A1 after KA is a wish for more digits to it."""
    peer, end = meeting.peer, meeting.end
    peer.call("12345", "13800138000")
    meeting.until(lambda: end.all(IncomingCall))
    call = end.last(IncomingCall)
    assert (call.called, call.calling) == ("12345", "")

    meeting.command(AnswerLeg(call.leg))
    meeting.until(lambda: peer.state.answered)
    meeting.command(ClearLeg(call.leg))
    meeting.until(lambda: peer.state.disconnected)
    peer.disconnect()
    meeting.until(lambda: end.all(LegCleared) and end.state() == "idle" and peer.state.ended)
    assert peer.state.errors == 0


def test_openr2_hears_that_we_are_busy(meeting: Meeting) -> None:
    peer, end = meeting.peer, meeting.end
    peer.call("12345", "")
    meeting.until(lambda: end.all(IncomingCall))

    meeting.command(ClearLeg(end.last(IncomingCall).leg, Cause.BUSY))
    meeting.until(lambda: peer.state.disconnected)
    assert peer.state.cause == BUSY_NUMBER
    peer.disconnect()
    meeting.until(lambda: end.all(LegCleared) and end.state() == "idle")
