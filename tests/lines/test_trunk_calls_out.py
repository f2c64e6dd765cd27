"""Calls that the box places on a message-signalled trunk channel, as callserver and exchange see them."""

from __future__ import annotations

import pytest

from boards.signals import Alarm, Alerting, Blocked, Cause, Connect, Proceeding, Release, Setup
from firmware.core.faults import fault
from firmware.lines.line_commands import Attach, ClearLeg, ConfigureLines, PlaceCall
from firmware.lines.messages import CallPlaced, IncomingCall, LegAlerting, LegAnswered, LegCleared, RingFailed
from tests.lines.bench import Bench

CALL = PlaceCall("out-1", 0, "02988888888", "12345", "restricted")


def place(bench: Bench) -> str:
    bench.command(CALL)
    bench.said()
    return bench.last(CallPlaced).leg


def test_a_call_is_placed_once_rings_and_is_answered(bench: Bench) -> None:
    bench.command(CALL, CALL)
    assert bench.said() == [Setup(0, "02988888888", "12345", presentation="restricted")]
    placed = bench.last(CallPlaced)
    assert (placed.leg, placed.channel, placed.request) == ("b00t.0.1", 0, "out-1")
    assert bench.state(0) == "seized"

    bench.signal(Proceeding(0), Alerting(0), Alerting(0))
    assert [(event.leg, event.request) for event in bench.all(LegAlerting)] == [(placed.leg, "out-1")]
    assert bench.state(0) == "ringing"
    snapshot, _ = bench.gateway.attach(Attach("", 0), bench.clock.now())
    assert [(leg.state, leg.request, leg.called) for leg in snapshot.legs] == [("dialling", "out-1", "02988888888")]

    bench.signal(Connect(0), Connect(0))
    assert [event.leg for event in bench.all(LegAnswered)] == [placed.leg]
    assert bench.state(0) == "up"
    assert bench.said() == []


@pytest.mark.parametrize("steps", [(), (Proceeding(0),), (Alerting(0),), (Connect(0),)])
def test_whoever_gives_it_up_at_whatever_moment_the_channel_is_idle_after_both_have_said_so(
    bench: Bench, steps: tuple[Proceeding, ...]
) -> None:
    leg = place(bench)
    bench.signal(*steps)
    bench.signal(Release(0, Cause.BUSY))
    assert bench.said() == [Release(0)]
    assert [(event.leg, event.by, event.cause) for event in bench.all(LegCleared)] == [(leg, "line", Cause.BUSY)]
    assert bench.state(0) == "idle"

    bench.command(PlaceCall("out-2", 0, "110"))
    bench.said()
    bench.signal(*steps)
    bench.command(ClearLeg(bench.last(CallPlaced).leg, Cause.NORMAL))
    assert bench.said() == [Release(0, Cause.NORMAL)]
    bench.signal(Alerting(0), Connect(0), Release(0))  # they crossed ours
    assert bench.last(LegCleared).by == "box"
    assert bench.state(0) == "idle"
    assert bench.gateway.lines[0].protocol_errors == 0


def test_a_call_that_comes_in_and_crosses_ours_counts_and_ours_is_told_as_congestion(bench: Bench) -> None:
    ours = place(bench)

    theirs = bench.call()

    assert [(event.leg, event.cause) for event in bench.all(LegCleared)] == [(ours, Cause.CONGESTION)]
    assert bench.said() == [Proceeding(0)]
    assert bench.last(IncomingCall).leg == theirs != ours


@pytest.mark.parametrize(
    ("trouble", "called", "cause"),
    [
        ("busy", "110", Cause.BUSY),
        ("blocked", "110", Cause.FAILURE),
        ("blocked by the far end", "110", Cause.FAILURE),
        ("alarm", "110", Cause.FAILURE),
        ("no board", "110", Cause.FAILURE),
        ("", "", Cause.UNALLOCATED),
    ],
)
def test_a_call_that_cannot_be_placed_says_why_and_touches_no_line(
    bench: Bench, trouble: str, called: str, cause: Cause
) -> None:
    match trouble:
        case "busy":
            bench.call()
        case "blocked":
            bench.command(ConfigureLines(blocked=("T-1",)))
        case "blocked by the far end":
            bench.signal(Blocked(0, True))
        case "alarm":
            bench.signal(Alarm("LOS", True))
        case "no board":
            bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.said()

    bench.command(PlaceCall("out-1", 0, called))

    assert (bench.last(RingFailed).request, bench.last(RingFailed).cause) == ("out-1", cause)
    assert not bench.all(CallPlaced)
    assert bench.said() == []
