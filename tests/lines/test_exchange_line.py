"""Analogue trunks: they ring, say who calls, are answered, and every way in which an exchange says that it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Alarm, Cause, Loop, LoopCurrent, Polarity, RingDetected
from firmware.core.faults import fault
from firmware.core.line_schemas import BusyTone
from firmware.lines.line_commands import AnswerLeg, ClearLeg, ConfigureLines, Hear, Join, Play, StopPlay
from firmware.lines.messages import DigitReceived, IncomingCall, LegAnswered, LegCleared
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.caller_id import dtmf_digits, multiple_data
from firmware.tones.fsk import modulate
from firmware.tones.generate import dtmf, pause, sine
from tests.lines.exchange_bench import BUSY, CALLER, FIRST, ExchangeBench
from tests.tones import spandsp_adsi


@pytest.fixture
def bench() -> ExchangeBench:
    return ExchangeBench()


# ---- who calls -------------------------------------------------------------------------------------------------------


def caller_by_fsk() -> Alaw:
    return codec.encode(np.pad(modulate(multiple_data(CALLER), -20.0), (4000, 800)))


def caller_by_spandsp() -> Alaw:
    audio = spandsp_adsi.said(multiple_data(CALLER)[:-1])
    return codec.encode(np.pad(audio, (4000, 0)))


@pytest.mark.parametrize("said", [caller_by_fsk, caller_by_spandsp])
def test_a_call_is_reported_with_its_caller_before_the_second_ring(
    bench: ExchangeBench, said: Callable[[], Alaw]
) -> None:
    bench.ring_once()
    assert bench.all(IncomingCall) == []
    assert bench.state(FIRST) == "ringing"
    bench.hear(said())

    (call,) = bench.all(IncomingCall)
    assert (call.calling, call.calling_name, call.called) == ("13800138000", "王芳", "12345")
    assert call.presentation == "allowed"
    assert bench.said() == [], "an analogue line is told nothing before it is answered"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("start", "stop"), [("D", "C"), ("A", "#")])
def test_a_caller_told_by_digits_before_or_after_the_first_ring_is_reported(
    bench: ExchangeBench, before: bool, start: Any, stop: Any
) -> None:
    digits = dtmf_digits(CALLER, start, stop)
    audio = np.concatenate([np.concatenate([dtmf(digit, 60), pause(60)]) for digit in digits])
    if before:
        bench.hear(audio)
        bench.silence(0.2)
        bench.signal(RingDetected(FIRST, True))
    else:
        bench.ring_once()
        bench.hear(audio)
        bench.silence(0.2)

    (call,) = bench.all(IncomingCall)
    assert (call.calling, call.presentation) == ("13800138000", "allowed")
    assert bench.all(DigitReceived) == []


def test_digits_long_before_a_ring_are_not_its_caller(bench: ExchangeBench) -> None:
    bench.hear(np.concatenate([np.concatenate([dtmf(digit, 60), pause(60)]) for digit in "D138001C"]))
    bench.silence(9)
    bench.ring_once()

    assert bench.all(IncomingCall) == []


def test_a_call_whose_caller_is_not_told_is_reported_with_the_second_ring(bench: ExchangeBench) -> None:
    bench.ring_once()
    bench.silence(4)
    assert bench.all(IncomingCall) == []
    bench.signal(RingDetected(FIRST, True))

    (call,) = bench.all(IncomingCall)
    assert (call.calling, call.presentation) == ("", "unavailable")


def test_a_spoilt_caller_id_is_not_believed(bench: ExchangeBench) -> None:
    broken = bytearray(multiple_data(CALLER))
    broken[8] ^= 1
    bench.ring_once()
    bench.hear(codec.encode(np.pad(modulate(bytes(broken)), (4000, 800))))
    assert bench.all(IncomingCall) == []
    bench.signal(RingDetected(FIRST, True))

    assert bench.last(IncomingCall).calling == ""


def test_a_single_ring_and_nothing_more_is_no_call(bench: ExchangeBench) -> None:
    bench.ring_once()
    bench.wait(7)

    assert bench.all(IncomingCall) == []
    assert bench.state(FIRST) == "idle"


def test_a_caller_who_gives_up_while_it_rings_is_gone_when_the_rings_stop(bench: ExchangeBench) -> None:
    bench.ring_once()
    bench.silence(4)
    bench.ring_once()
    leg = bench.last(IncomingCall).leg
    bench.wait(5.9)
    assert bench.all(LegCleared) == []
    bench.wait(0.2)

    (cleared,) = bench.all(LegCleared)
    assert (cleared.leg, cleared.by, cleared.cause) == (leg, "line", Cause.NORMAL)
    assert bench.state(FIRST) == "idle"
    assert bench.said() == []


def test_a_ring_whose_end_is_never_told_does_not_hold_the_line_for_ever(bench: ExchangeBench) -> None:
    bench.signal(RingDetected(FIRST, True), RingDetected(FIRST, True))
    bench.wait(20)

    assert len(bench.all(LegCleared)) == 1
    assert bench.state(FIRST) == "idle"


# ---- answered, and over ----------------------------------------------------------------------------------------------


def test_answering_closes_the_loop_and_speech_passes(bench: ExchangeBench) -> None:
    bench.ring_once()
    bench.silence(4)
    bench.ring_once()
    leg = bench.last(IncomingCall).leg
    bench.command(AnswerLeg(leg), AnswerLeg(leg))

    assert bench.said() == [Loop(FIRST, True)]
    assert [event.leg for event in bench.all(LegAnswered)] == [leg]
    bench.command(Join((Hear(leg, (leg,)),)))
    bench.silence(0.05)
    voice = codec.encode(sine(300, -12, 800))
    assert np.array_equal(bench.hear(voice)[80:], voice[80:])
    bench.hear(np.concatenate([dtmf("5", 100), pause(100)]))
    assert [event.digit for event in bench.all(DigitReceived)] == ["5"]
    bench.wait(30)
    assert bench.state(FIRST) == "up"


def test_polarity_that_turns_ends_the_call_but_not_while_it_settles(bench: ExchangeBench) -> None:
    bench.answered()
    bench.wait(0.3)
    bench.signal(Polarity(FIRST, True))
    assert bench.state(FIRST) == "up"
    bench.wait(5)
    bench.signal(Polarity(FIRST, True))
    assert bench.state(FIRST) == "up"
    bench.signal(Polarity(FIRST, False))

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_loop_drop_ends_the_call_and_a_short_break_does_not(bench: ExchangeBench) -> None:
    bench.answered()
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(0.2)
    bench.signal(LoopCurrent(FIRST, True))
    bench.wait(1)
    assert bench.state(FIRST) == "up"
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(0.3)

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_break_right_after_the_answer_is_the_exchanges_switching_unless_it_stays(bench: ExchangeBench) -> None:
    bench.answered()
    bench.wait(0.2)
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(0.5)
    bench.signal(LoopCurrent(FIRST, True))
    bench.wait(2)
    assert bench.state(FIRST) == "up"

    bench.command(ClearLeg(bench.last(IncomingCall).leg))
    bench.wait(2)
    bench.answered()
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(1.1)
    assert bench.over() == ("line", Cause.NORMAL)


def test_busy_tone_ends_the_call_after_three_cycles(bench: ExchangeBench) -> None:
    bench.answered()
    bench.hear(np.tile(BUSY, 2))
    assert bench.state(FIRST) == "up"
    bench.hear(BUSY)

    assert bench.over() == ("line", Cause.NORMAL)


def test_the_busy_tone_that_was_learnt_for_the_line_ends_the_call() -> None:
    odd = np.concatenate([codec.encode(sine(410, -18, 1520)), np.full(1600, ALAW_SILENCE, dtype=np.uint8)])
    deaf = ExchangeBench(any_regular_tone=False)
    deaf.answered()
    deaf.hear(np.tile(odd, 12))
    assert deaf.state(FIRST) == "up"

    taught = ExchangeBench(any_regular_tone=False, busy_tones=(BusyTone(hz=411, on_ms=192, off_ms=198),))
    taught.answered()
    taught.hear(np.tile(odd, 4))
    assert taught.over() == ("line", Cause.NORMAL)

    untaught = ExchangeBench()
    untaught.answered()
    untaught.hear(np.tile(odd, 9))
    assert untaught.over() == ("line", Cause.NORMAL)


def test_dial_tone_says_that_the_caller_left_before_we_answered(bench: ExchangeBench) -> None:
    bench.answered()
    bench.hear(codec.encode(sine(450, -15, 8000 * 4)))

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_silence_that_lasts_ends_the_call_at_last() -> None:
    bench = ExchangeBench(silence_seconds=20.0)
    bench.answered()
    for _ in range(5):
        bench.silence(15)
        bench.hear(codec.encode(sine(300, -30, 800)))
    assert bench.state(FIRST) == "up"
    bench.silence(20.5)

    assert bench.over() == ("line", Cause.NORMAL)


def test_who_listens_to_music_or_an_agent_in_silence_has_not_left() -> None:
    bench = ExchangeBench(silence_seconds=20.0)
    leg = bench.answered()
    bench.command(Play(leg, "queue", ("music:waiting",), loop=True))
    bench.silence(60)
    assert bench.state(FIRST) == "up"
    bench.command(StopPlay(leg))
    bench.silence(20.5)

    assert bench.over() == ("line", Cause.NORMAL)


def test_the_box_gives_the_call_up_and_the_line_can_be_used_again_after_the_guard_time(bench: ExchangeBench) -> None:
    bench.command(ClearLeg(bench.answered()))
    assert bench.over() == ("box", Cause.NORMAL)
    assert bench.state(FIRST) == "releasing"
    bench.wait(1.4)
    assert bench.state(FIRST) == "releasing"
    bench.wait(0.2)
    assert bench.state(FIRST) == "idle"

    second = bench.answered()
    assert second == f"b00t.{FIRST}.2"


def test_a_ring_during_the_guard_time_is_a_new_call(bench: ExchangeBench) -> None:
    bench.command(ClearLeg(bench.answered()))
    bench.ring_once()
    bench.hear(caller_by_fsk())

    assert bench.last(IncomingCall).leg == f"b00t.{FIRST}.2"


def test_a_call_refused_while_it_rings_is_left_ringing_and_comes_to_rest(bench: ExchangeBench) -> None:
    bench.ring_once()
    bench.hear(caller_by_fsk())
    bench.command(ClearLeg(bench.last(IncomingCall).leg, Cause.CONGESTION))
    assert [(event.by, event.cause) for event in bench.all(LegCleared)] == [("box", Cause.CONGESTION)]
    bench.ring_once()
    bench.wait(7)

    assert len(bench.all(IncomingCall)) == 1
    assert bench.said() == []
    assert bench.state(FIRST) == "idle"


def test_a_blocked_line_rings_for_nobody_and_counts_again_when_it_is_given_back(bench: ExchangeBench) -> None:
    bench.command(ConfigureLines(blocked=("FXO-1",)))
    bench.ring_once()
    bench.hear(caller_by_fsk())
    bench.ring_once()
    assert bench.all(IncomingCall) == []
    bench.wait(7)
    bench.command(ConfigureLines())
    bench.answered()

    assert len(bench.all(IncomingCall)) == 1


def test_a_dead_board_ends_the_call_and_an_alarm_that_stays_opens_the_loop(bench: ExchangeBench) -> None:
    bench.answered()
    bench.signal(Alarm("power", True))
    bench.wait(3)
    assert bench.over() == ("line", Cause.FAILURE)
    bench.signal(Alarm("power", False))
    bench.wait(2)
    bench.answered()
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.look()

    assert (bench.last(LegCleared).cause, len(bench.all(LegCleared))) == (Cause.FAILURE, 2)
    assert bench.state(FIRST) == "out_of_service"
    bench.open()
    bench.look()
    assert bench.state(FIRST) == "idle"
