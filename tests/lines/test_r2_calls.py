"""R2 calls from gateway to gateway: bits, register tones as A-law audio, detected; in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boards.base import ALAW_SILENCE, Block
from boards.signals import Alarm, Bits, Cause
from firmware.core.faults import fault
from firmware.lines.line_commands import AlertLeg, AnswerLeg, ClearLeg, ConfigureLines, PlaceCall, Play
from firmware.lines.messages import (
    CallPlaced,
    DigitReceived,
    IncomingCall,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    RingFailed,
)
from firmware.lines.r2.states import R2State
from firmware.media import codec
from firmware.tones.generate import dtmf
from tests.lines.r2_bench import End, R2Bench, noise, plan_with

IDLE, SEIZE, ACKNOWLEDGE, ANSWER = 0b10, 0b00, 0b11, 0b01


def offered(bench: R2Bench, end: End | None = None) -> str:
    """The call that was dialled last, offered at our box (or `end`); its leg there."""
    end = end or bench.here
    before = len(end.all(IncomingCall))
    bench.until(lambda: len(end.all(IncomingCall)) > before)
    return end.last(IncomingCall).leg


def talk(bench: R2Bench) -> tuple[str, str]:
    """A call from the exchange that was answered: legs here and there."""
    far = bench.dial()
    leg = offered(bench)
    bench.command(bench.here, AnswerLeg(leg))
    bench.until(lambda: bench.there.all(LegAnswered))
    return leg, far


def call_goes_through(bench: R2Bench) -> None:
    """A whole call, to show that the channel is as good as new; and that nothing was left over."""
    for end in bench.ends:
        end.events = end.events[-1:]
    bench.dial("110", "")
    leg = offered(bench)
    bench.command(bench.here, AnswerLeg(leg))
    bench.until(lambda: bench.there.all(LegAnswered))
    bench.command(bench.here, ClearLeg(leg))
    bench.until(bench.finished)


@pytest.mark.parametrize("incoming", [True, False])
def test_a_call_with_its_numbers_goes_through_in_both_directions(incoming: bool) -> None:
    bench = R2Bench()
    caller, called = (bench.there, bench.here) if incoming else (bench.here, bench.there)

    far = bench.dial("12345", "075588601234", end=caller)
    leg = offered(bench, called)
    call = called.last(IncomingCall)
    bench.command(called, AlertLeg(leg))
    bench.until(lambda: caller.all(LegAlerting))
    bench.command(called, AnswerLeg(leg))
    bench.until(lambda: caller.all(LegAnswered))
    bench.command(caller, ClearLeg(far))
    bench.until(bench.finished)

    assert (call.called, call.calling, call.presentation) == ("12345", "075588601234", "allowed")
    assert [caller.last(kind).leg for kind in (CallPlaced, LegAlerting, LegAnswered)] == [far] * 3
    assert (called.last(LegCleared).cause, called.last(LegCleared).by) == (Cause.NORMAL, "line")
    assert (caller.last(LegCleared).cause, caller.last(LegCleared).by) == (Cause.NORMAL, "box")
    assert [ab for _, ab in caller.shown] == [IDLE, SEIZE, IDLE]
    assert [ab for _, ab in called.shown] == [IDLE, ACKNOWLEDGE, ANSWER, ACKNOWLEDGE, IDLE]
    bench.check_legs()


def test_a_number_of_five_and_its_caller_of_eleven_digits_take_less_than_three_seconds() -> None:
    bench = R2Bench()
    bench.dial("12345", "13800138000")

    assert bench.until(lambda: bench.here.all(IncomingCall)) < 3.0


def test_a_call_without_a_callers_number_says_so() -> None:
    bench = R2Bench()
    bench.dial("12345", "")
    offered(bench)
    assert (bench.here.last(IncomingCall).calling, bench.here.last(IncomingCall).presentation) == ("", "unavailable")


def test_a_withheld_number_is_restricted() -> None:
    bench = R2Bench()
    bench.command(bench.there, PlaceCall("1", 0, "12345", "13800138000", "restricted"))
    offered(bench)
    assert (bench.here.last(IncomingCall).calling, bench.here.last(IncomingCall).presentation) == ("", "restricted")


def test_a_number_of_unknown_length_is_complete_when_no_digit_follows() -> None:
    bench = R2Bench()
    far = bench.dial("87654", "13800138000")
    leg = offered(bench)
    bench.command(bench.here, AnswerLeg(leg))
    bench.until(lambda: bench.there.all(LegAnswered))

    assert bench.here.last(IncomingCall).called == "87654"
    assert bench.here.last(IncomingCall).presentation == "unavailable"  # a pulse can only ask for group B
    bench.command(bench.there, ClearLeg(far))
    bench.until(bench.finished)
    bench.check_legs()


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (Cause.BUSY, Cause.BUSY),
        (Cause.CONGESTION, Cause.CONGESTION),
        (Cause.FAILURE, Cause.CONGESTION),
        (Cause.UNALLOCATED, Cause.UNALLOCATED),
        (Cause.REJECTED, Cause.BUSY),
    ],
)
def test_a_call_that_is_refused_tells_the_caller_why(refused: Cause, told: Cause) -> None:
    bench = R2Bench()
    bench.dial()
    leg = offered(bench)

    bench.command(bench.here, ClearLeg(leg, refused))
    bench.until(bench.finished)

    assert (bench.there.last(LegCleared).cause, bench.there.last(LegCleared).by) == (told, "line")
    assert (bench.here.last(LegCleared).cause, bench.here.last(LegCleared).by) == (refused, "box")
    assert not bench.there.all(LegAlerting)
    bench.check_legs()
    call_goes_through(bench)


def test_a_call_that_nobody_answers_is_given_up_by_the_caller() -> None:
    bench = R2Bench(there=plan_with(answer=3000))
    bench.dial()
    bench.command(bench.here, AlertLeg(offered(bench)))
    bench.until(bench.finished)

    assert bench.there.last(LegCleared).cause is Cause.NO_ANSWER
    assert not bench.here.all(LegAnswered)
    bench.check_legs()


STATES: list[tuple[str, Callable[[R2Bench], object]]] = [
    ("at once", lambda bench: True),
    ("seizing", lambda bench: bench.here.line().state is R2State.SEIZED),
    ("first digit", lambda bench: bench.here.gateway._bank.register_sender.sending),
    ("middle of the number", lambda bench: getattr(bench.here.line().register, "called", "") == "123"),
    ("calling number", lambda bench: getattr(bench.here.line().register, "calling", "") == "1380"),
    ("offered", lambda bench: bench.here.line().state is R2State.OFFERED),
    ("accepting", lambda bench: bench.here.line().state is R2State.ACCEPTING),
    ("alerting", lambda bench: bench.there.line().state is R2State.RINGING),
    ("answering", lambda bench: bench.here.line().state is R2State.UP),
    ("talking", lambda bench: bench.there.line().state is R2State.UP),
]


def advance_to(bench: R2Bench, state: str) -> None:
    """Bring a call from the exchange into the state."""
    for name, reached in STATES:
        bench.until(lambda reached=reached: reached(bench))  # type: ignore[misc]
        if name == state:
            return
        if name == "offered":
            bench.command(bench.here, AlertLeg(bench.here.last(IncomingCall).leg))
        if name == "alerting":
            bench.command(bench.here, AnswerLeg(bench.here.last(IncomingCall).leg))


@pytest.mark.parametrize("state", [name for name, _ in STATES])
def test_a_caller_who_clears_leaves_an_idle_channel(state: str) -> None:
    bench = R2Bench()
    far = bench.dial()
    advance_to(bench, state)

    bench.command(bench.there, ClearLeg(far))
    assert bench.until(bench.finished) < 1.5

    assert bench.there.last(LegCleared).by == "box"
    bench.check_legs()
    call_goes_through(bench)


@pytest.mark.parametrize("state", ["accepting", "alerting", "answering", "talking"])
@pytest.mark.parametrize("both", [False, True])
def test_a_called_side_that_clears_leaves_an_idle_channel(state: str, both: bool) -> None:
    bench = R2Bench()
    far = bench.dial()
    advance_to(bench, state)

    bench.command(bench.here, ClearLeg(bench.here.last(IncomingCall).leg))
    if both:
        bench.command(bench.there, ClearLeg(far))
    elif state in ("accepting", "alerting"):
        # No bit says that a phone which was never lifted was put down: the caller hears busy tone and hangs up.
        bench.run(1.0)
        assert bench.here.all(LegReleasing)
        bench.command(bench.there, ClearLeg(far))
    bench.until(bench.finished)

    assert bench.here.last(LegCleared).by == "box"
    bench.check_legs()
    call_goes_through(bench)


def test_a_caller_whose_called_side_gave_up_unanswered_hears_busy_tone() -> None:
    bench = R2Bench()
    bench.dial()
    advance_to(bench, "alerting")
    bench.command(bench.here, ClearLeg(bench.here.last(IncomingCall).leg))

    levels = []
    for _ in range(70):
        bench.tick()
        levels.append(codec.level_of(codec.decode(bench.there.gateway.received[0])))

    assert 25 < sum(level > -14 for level in levels) < 45


@pytest.mark.parametrize("state", [name for name, _ in STATES])
def test_a_line_that_is_cut_leaves_no_leg_and_comes_back(state: str) -> None:
    timers = dict.fromkeys(
        ("answer", "clear_back", "release_guard", "forward_tone", "forward_silence", "first_digit", "backward_tone"),
        4000,
    )
    bench = R2Bench(here=plan_with(**timers), there=plan_with(**timers))
    far = bench.dial()
    advance_to(bench, state)

    bench.cut = True
    bench.run(13.0)
    for end, leg in ((bench.there, far), *((bench.here, call.leg) for call in bench.here.all(IncomingCall))):
        bench.command(end, ClearLeg(leg))
    bench.run(9.0)
    assert [end.gateway.snapshot(True, bench.clock.now()).legs for end in bench.ends] == [(), ()]

    bench.restore()
    bench.until(bench.finished)
    bench.check_legs()
    call_goes_through(bench)


def test_a_blocked_channel_takes_no_calls_until_it_is_given_back() -> None:
    bench = R2Bench()
    bench.command(bench.here, ConfigureLines(blocked=("E1-1/1",)))
    bench.run(0.1)

    assert (bench.here.state(), bench.there.state()) == ("blocked", "blocked")
    bench.command(bench.there, PlaceCall("blocked", 0, "12345"))
    assert (bench.there.last(RingFailed).request, bench.there.last(RingFailed).cause) == ("blocked", Cause.FAILURE)

    bench.command(bench.here, ConfigureLines())
    bench.run(0.1)
    call_goes_through(bench)


def test_blocking_during_a_call_counts_after_it() -> None:
    bench = R2Bench()
    _, far = talk(bench)
    bench.command(bench.here, ConfigureLines(blocked=("E1-1/1",)))
    bench.run(0.5)
    assert bench.there.state() == "up"

    bench.command(bench.there, ClearLeg(far))
    bench.run(2.0)
    assert (bench.here.state(), bench.there.state()) == ("blocked", "blocked")


def test_a_seizure_that_meets_blocking_is_refused_with_congestion() -> None:
    bench = R2Bench()
    bench.dial()
    bench.command(bench.here, ConfigureLines(blocked=("E1-1/1",)))
    bench.until(lambda: bench.there.all(LegCleared))

    assert bench.there.last(LegCleared).cause is Cause.CONGESTION
    assert not bench.here.all(IncomingCall)
    bench.run(1.0)
    assert (bench.here.state(), bench.there.state()) == ("blocked", "blocked")


def test_both_ends_seizing_at_once_both_give_up() -> None:
    bench = R2Bench()
    bench.dial(end=bench.here)
    bench.dial(end=bench.there)
    bench.until(bench.finished)

    assert [end.last(LegCleared).cause for end in bench.ends] == [Cause.CONGESTION] * 2
    assert not any(end.all(IncomingCall) for end in bench.ends)
    bench.check_legs()
    call_goes_through(bench)


@pytest.mark.parametrize("shift_hz", [-10.0, 0.0, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_registers_work_in_15_db_of_noise_10_hz_off(shift_hz: float, seed: int) -> None:
    bench = R2Bench(8, shift_hz=shift_hz, line=noise(15.0, seed))
    for channel in range(8):
        bench.dial("12345", f"1390000{1000 * seed + channel:04d}", channel)
    bench.until(lambda: len(bench.here.all(IncomingCall)) == 8)

    told = {call.channel: (call.called, call.calling) for call in bench.here.all(IncomingCall)}
    assert told == {channel: ("12345", f"1390000{1000 * seed + channel:04d}") for channel in range(8)}
    for call in bench.here.all(IncomingCall):
        bench.command(bench.here, AnswerLeg(call.leg))
    bench.until(lambda: len(bench.there.all(LegAnswered)) == 8)


def test_thirty_channels_are_called_at_once() -> None:
    bench = R2Bench(30)
    for channel in range(30):
        bench.dial("12345", f"138001380{channel:02d}", channel)
    assert bench.until(lambda: len(bench.here.all(IncomingCall)) == 30) < 3.0

    for call in bench.here.all(IncomingCall):
        bench.command(bench.here, ClearLeg(call.leg, Cause.BUSY))
    bench.until(bench.finished)
    assert {event.cause for event in bench.there.all(LegCleared)} == {Cause.BUSY}
    bench.check_legs()


def test_a_call_for_which_there_is_no_callserver_rings_and_hears_ringback_tone() -> None:
    bench = R2Bench()
    bench.dial()
    bench.until(lambda: bench.there.all(LegAlerting))
    bench.run(0.3)

    assert codec.level_of(codec.decode(bench.there.gateway.received[0])) == pytest.approx(-10.0, abs=0.5)
    bench.command(bench.here, AnswerLeg(bench.here.last(IncomingCall).leg))
    bench.until(lambda: bench.there.all(LegAnswered))
    bench.run(0.1)
    assert set(bench.there.gateway.received[0].tolist()) == {ALAW_SILENCE}


def test_what_is_played_to_a_caller_before_the_answer_goes_on_after_it() -> None:
    bench = R2Bench()
    bench.dial()
    leg = offered(bench)
    bench.command(bench.here, Play(leg, "music", ("tone:dial",), loop=True), AnswerLeg(leg))
    bench.until(lambda: bench.there.all(LegAnswered))
    bench.run(0.3)

    assert codec.level_of(codec.decode(bench.there.gateway.received[0])) == pytest.approx(-10.0, abs=0.5)


def test_digits_count_only_once_the_call_is_up() -> None:
    digit = dtmf("5", 100)
    bench = R2Bench()

    def press_five() -> None:
        begin = bench.clock.now().mono_us

        def press(block: Block) -> Block:
            place = (bench.clock.now().mono_us - begin) // 125
            return digit[None, place : place + 80] if place + 80 <= digit.size else block

        bench.carry = press
        bench.run(0.4)

    bench.dial()
    advance_to(bench, "alerting")
    press_five()
    assert not bench.here.all(DigitReceived)

    bench.command(bench.here, AnswerLeg(bench.here.last(IncomingCall).leg))
    bench.until(lambda: bench.there.all(LegAnswered))
    press_five()
    assert [event.digit for event in bench.here.all(DigitReceived)] == ["5"]


@pytest.mark.parametrize(("seconds", "lives"), [(1.0, True), (3.0, False)])
def test_only_an_alarm_that_lasts_ends_a_call(seconds: float, lives: bool) -> None:
    bench = R2Bench()
    _, far = talk(bench)
    now = bench.clock.now
    bench.here.gateway.handle_signal("e1", Alarm("LOS", True), now())
    bench.here.gateway.handle_signal("e1", Bits(0, 0b1111), now())  # what a dead line looks like
    bench.run(seconds)
    bench.here.gateway.handle_signal("e1", Bits(0, bench.there.line().sent_bits), now())
    bench.here.gateway.handle_signal("e1", Alarm("LOS", False), now())
    bench.run(0.5)

    assert (bench.here.state() == "up") == lives
    assert bool(bench.here.all(LegCleared)) != lives
    bench.command(bench.there, ClearLeg(far))
    bench.until(bench.finished)
    bench.check_legs()
    call_goes_through(bench)


@pytest.mark.parametrize("state", ["middle of the number", "offered", "talking"])
def test_a_board_that_fails_ends_its_legs_and_comes_back_idle(state: str) -> None:
    bench = R2Bench()
    bench.dial()
    advance_to(bench, state)
    bench.here.gateway.board_failed("e1", fault("no_audio"), bench.clock.now())
    bench.cut = True
    bench.run(1.0)
    assert bench.here.state() == "out_of_service"
    assert not bench.here.line().leg

    bench.here.gateway.board_opened("e1", bench.clock.now())
    bench.restore()
    bench.until(bench.finished, 40.0)
    bench.check_legs()
    call_goes_through(bench)


def test_bits_that_flicker_mean_nothing() -> None:
    bench = R2Bench()
    talk(bench)
    for _ in range(20):
        bench.here.gateway.handle_signal("e1", Bits(0, 0b1011), bench.clock.now())
        bench.tick()
        bench.here.gateway.handle_signal("e1", Bits(0, 0b0011), bench.clock.now())
        bench.tick()
    assert bench.here.state() == bench.there.state() == "up"


def test_numbers_that_are_none_are_not_dialled() -> None:
    bench = R2Bench()
    for request, (called, calling) in enumerate([("", ""), ("12a", ""), ("123", "+86"), ("１２３", "")]):
        bench.command(bench.there, PlaceCall(str(request), 0, called, calling))
    assert [event.cause for event in bench.there.all(RingFailed)] == [Cause.UNALLOCATED] * 4
    assert not bench.there.all(CallPlaced)


def test_a_request_that_is_said_twice_calls_once_and_a_busy_channel_says_so() -> None:
    bench = R2Bench()
    bench.command(bench.there, PlaceCall("1", 0, "12345"), PlaceCall("1", 0, "12345"), PlaceCall("2", 0, "12345"))
    assert len(bench.there.all(CallPlaced)) == 1
    assert [(event.request, event.cause) for event in bench.there.all(RingFailed)] == [("2", Cause.BUSY)]
