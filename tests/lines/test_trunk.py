"""What a caller's exchange and the callserver see of a message-signalled trunk channel."""

from __future__ import annotations

import pytest

from boards.signals import Alarm, Alerting, Blocked, Cause, Connect, Proceeding, Release, Setup
from firmware.core.faults import fault
from firmware.lines.line_commands import AlertLeg, AnswerLeg, Attach, ClearLeg, ConfigureLines
from firmware.lines.messages import ChannelChanged, IncomingCall, LegAnswered, LegCleared
from tests.lines.bench import Bench


def test_a_call_that_comes_in_is_proceeding_at_once_and_told_with_its_numbers(bench: Bench) -> None:
    bench.signal(Setup(1, "12345", "13800138000", "李四", "restricted"))

    assert bench.said() == [Proceeding(1)]
    call = bench.last(IncomingCall)
    assert (call.leg, call.channel) == ("b00t.1.1", 1)
    assert (call.called, call.calling, call.calling_name, call.presentation) == (
        "12345",
        "13800138000",
        "李四",
        "restricted",
    )
    assert bench.state(1) == "seized"


def test_answering_connects_once_however_often_it_is_said(bench: Bench) -> None:
    leg = bench.call()
    bench.said()

    bench.command(AlertLeg(leg), AlertLeg(leg), AnswerLeg(leg), AnswerLeg(leg), AlertLeg(leg))

    assert bench.said() == [Alerting(0), Connect(0)]
    assert [event.leg for event in bench.all(LegAnswered)] == [leg]
    assert bench.state(0) == "up"


def test_a_caller_who_hangs_up_leaves_an_idle_channel(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg))
    bench.said()

    bench.signal(Release(0, Cause.NORMAL))

    assert bench.said() == [Release(0)]
    cleared = bench.last(LegCleared)
    assert (cleared.leg, cleared.by, cleared.cause, cleared.channel) == (leg, "line", Cause.NORMAL, 0)
    assert bench.state(0) == "idle"


def test_a_call_that_the_box_ends_is_cleared_when_the_exchange_has_confirmed(bench: Bench) -> None:
    leg = bench.call()
    bench.said()

    bench.command(ClearLeg(leg, Cause.BUSY), ClearLeg(leg, Cause.NORMAL))
    assert bench.said() == [Release(0, Cause.BUSY)]
    assert bench.all(LegCleared) == []
    assert bench.state(0) == "releasing"
    bench.signal(Release(0))

    cleared = bench.last(LegCleared)
    assert (cleared.by, cleared.cause) == ("box", Cause.BUSY)
    assert bench.said() == []
    assert bench.state(0) == "idle"


def test_an_exchange_that_never_confirms_does_not_keep_the_channel(bench: Bench) -> None:
    leg = bench.call()
    bench.command(ClearLeg(leg))

    bench.wait(3.9)
    assert bench.state(0) == "releasing"
    bench.wait(0.2)

    assert bench.last(LegCleared).by == "box"
    assert bench.state(0) == "idle"


def test_a_confirmation_that_comes_too_late_does_not_touch_the_next_call(bench: Bench) -> None:
    bench.command(ClearLeg(bench.call()))
    bench.wait(5)
    bench.said()

    bench.signal(Release(0))
    second = bench.call()

    assert bench.said() == [Proceeding(0)]
    assert second == "b00t.0.2"


def test_both_sides_hanging_up_in_one_tick_clear_the_leg_once(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg), ClearLeg(leg))
    bench.signal(Release(0))
    bench.command(ClearLeg(leg))

    assert len(bench.all(LegCleared)) == 1
    assert bench.state(0) == "idle"


@pytest.mark.parametrize("answered", [True, False])
def test_a_second_setup_on_a_busy_channel_ends_the_lost_call_and_takes_the_new(bench: Bench, answered: bool) -> None:
    first = bench.call()
    if answered:
        bench.command(AnswerLeg(first))
    bench.said()

    second = bench.call(calling="999")

    assert [(event.leg, event.by, event.cause) for event in bench.all(LegCleared)] == [(first, "line", Cause.FAILURE)]
    assert second != first
    assert bench.said() == [Proceeding(0)]  # a Release would hit the new call


def test_a_setup_instead_of_the_confirmation_is_a_new_call(bench: Bench) -> None:
    first = bench.call()
    bench.command(ClearLeg(first, Cause.BUSY))

    second = bench.call()

    assert [(event.leg, event.by, event.cause) for event in bench.all(LegCleared)] == [(first, "box", Cause.BUSY)]
    assert bench.gateway.lines[0].leg == second
    bench.wait(5)  # the old call's timer is not the new call's
    assert bench.gateway.lines[0].leg == second


@pytest.mark.parametrize("signal", [Proceeding(0), Alerting(0), Connect(0)])
def test_signals_of_calls_that_the_box_did_not_place_are_passed_over(bench: Bench, signal: Connect) -> None:
    leg = bench.call()
    bench.said()

    bench.signal(signal)

    assert bench.said() == []
    assert bench.gateway.lines[0].leg == leg


def test_a_caller_hears_ringing_after_a_second_without_a_callserver(bench: Bench) -> None:
    bench.call()
    bench.said()

    bench.wait(0.9)
    assert bench.said() == []
    bench.wait(0.2)

    assert bench.said() == [Alerting(0)]


def test_with_a_callserver_the_gateway_does_not_decide_to_ring(bench: Bench) -> None:
    bench.gateway.attach(Attach("", 0), bench.clock.now())
    bench.call()
    bench.said()

    bench.wait(10)

    assert bench.said() == []


def test_a_callserver_that_dies_leaves_its_unanswered_callers_ringing(bench: Bench) -> None:
    bench.gateway.attach(Attach("", 0), bench.clock.now())
    bench.call()
    bench.wait(5)
    bench.said()

    bench.gateway.detach(bench.clock.now())
    bench.wait(1)
    bench.look()

    assert bench.said() == [Alerting(0)]


def test_a_blocked_channel_refuses_calls_and_tells_the_far_end(bench: Bench) -> None:
    bench.command(ConfigureLines(blocked=("T-1",)), ConfigureLines(blocked=("T-1",)))
    assert bench.said() == [Blocked(0, True)]
    assert bench.state(0) == "blocked"

    bench.signal(Setup(0, "12345"))
    assert bench.said() == [Release(0, Cause.CONGESTION)]
    assert bench.all(IncomingCall) == []
    bench.signal(Release(0))
    bench.command(ConfigureLines())

    assert bench.said() == [Blocked(0, False)]
    assert bench.call() == "b00t.0.1"


def test_blocking_a_busy_channel_lets_its_call_go_on(bench: Bench) -> None:
    leg = bench.call()
    bench.command(ConfigureLines(blocked=("T-1",)), AnswerLeg(leg))

    assert bench.state(0) == "up"
    bench.signal(Release(0))
    assert bench.state(0) == "blocked"


def test_a_far_end_that_blocks_a_channel_is_shown(bench: Bench) -> None:
    bench.signal(Blocked(2, True))
    assert bench.last(ChannelChanged).state.state == "blocked"
    bench.signal(Blocked(2, False))
    assert bench.last(ChannelChanged).state.state == "idle"


def test_a_short_alarm_does_not_end_a_call(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg))

    bench.signal(Alarm("LOS", True))
    bench.wait(1.9)
    bench.signal(Alarm("LOS", False))
    bench.wait(10)

    assert bench.all(LegCleared) == []
    assert bench.state(0) == "up"


def test_an_alarm_that_stays_ends_the_calls_on_its_channels_only(bench: Bench) -> None:
    legs = [bench.call(0), bench.call(1)]
    bench.signal(Alarm("LOS", True, (0, 2)))
    bench.wait(1.5)
    bench.signal(Alarm("RAI", True, (0,)), Alarm("RAI", False, (0,)))
    bench.wait(0.6)

    assert [(event.leg, event.cause, event.by) for event in bench.all(LegCleared)] == [(legs[0], Cause.FAILURE, "line")]
    assert [bench.state(channel) for channel in range(3)] == ["out_of_service", "ringing", "out_of_service"]
    bench.signal(Alarm("LOS", False))
    assert bench.state(0) == "idle"


def test_an_alarm_of_a_board_that_was_restarted_does_not_end_the_next_call(bench: Bench) -> None:
    bench.signal(Alarm("LOS", True))
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.open()
    leg = bench.call()

    bench.wait(3)

    assert bench.gateway.lines[0].leg == leg
