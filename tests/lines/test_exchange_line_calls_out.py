"""Calls that the box places on analogue trunks: dial tone, tones and pulses, how the answer is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Cause, DialPulses, Loop, Polarity, RingDetected
from firmware.lines.line_commands import AnswerLeg, ClearLeg, ConfigureLines, Hear, Join, PlaceCall
from firmware.lines.messages import CallPlaced, IncomingCall, LegAnswered, LegCleared, RingFailed
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.caller_id import multiple_data
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.fsk import modulate
from firmware.tones.generate import sine
from firmware.tones.plan import load_plan
from tests.lines.exchange_bench import BUSY, CALLER, FIRST, SECOND, ExchangeBench


@pytest.fixture
def bench() -> ExchangeBench:
    return ExchangeBench()


def dialled(audio: Alaw) -> str:
    detector = DtmfDetector(1)
    linear = codec.decode(audio).reshape(-1, 1, 80)
    return "".join(found.digit for number, block in enumerate(linear) for found in detector.process(block, number * 80))


DIAL_TONE = codec.encode(sine(450, -12, 8000))


def test_a_number_is_dialled_by_tones_when_the_dial_tone_is_heard(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "02988888888"), PlaceCall("out-1", FIRST, "02988888888"))
    assert bench.said() == [Loop(FIRST, True)]
    assert bench.last(CallPlaced).request == "out-1"
    assert dialled(bench.silence(1)) == ""
    sent = [bench.hear(DIAL_TONE[:7200]), bench.silence(3)]

    assert dialled(np.concatenate(sent)) == "02988888888"
    assert bench.all(LegAnswered) == []
    bench.silence(8)
    assert [event.leg for event in bench.all(LegAnswered)] == [bench.last(CallPlaced).leg]
    bench.hear(np.tile(BUSY, 3))
    assert bench.over() == ("line", Cause.NORMAL)


def test_a_line_that_tells_the_answer_by_polarity_is_believed() -> None:
    bench = ExchangeBench(answer_by="polarity")
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(5)
    assert bench.all(LegAnswered) == []
    bench.signal(Polarity(FIRST, True))
    assert len(bench.all(LegAnswered)) == 1
    bench.wait(5)
    bench.said()
    bench.signal(Polarity(FIRST, False))
    assert bench.over() == ("line", Cause.NORMAL)

    bench.wait(2)
    bench.command(PlaceCall("out-2", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(1)
    bench.said()
    bench.hear(np.tile(BUSY, 3))
    assert bench.over() == ("line", Cause.BUSY)


@pytest.mark.parametrize("after_seconds", [0.5, 6.0])
def test_an_answer_by_polarity_on_a_line_that_is_not_known_to_tell_one_is_no_end(
    bench: ExchangeBench, after_seconds: float
) -> None:
    """As every line is set at first: the call counts as answered after eight seconds, while the far phone rings."""
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(9)
    assert len(bench.all(LegAnswered)) == 1
    bench.said()
    bench.wait(after_seconds)
    bench.signal(Polarity(FIRST, True))
    bench.wait(2)
    assert bench.state(FIRST) == "up"
    bench.signal(Polarity(FIRST, False))

    assert bench.over() == ("line", Cause.NORMAL)
    assert len(bench.all(LegAnswered)) == 1


def test_a_number_that_is_busy_was_never_answered_though_the_line_tells_no_answer(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(4)
    bench.said()
    bench.hear(np.tile(BUSY, 3))

    assert bench.over() == ("line", Cause.BUSY)
    assert bench.all(LegAnswered) == []


VACANT = load_plan().samples()["vacant"]
INFORMATION = load_plan().samples()["special_information"]


@pytest.mark.parametrize(("tone", "times", "within_seconds"), [(VACANT, 3, 2.5), (INFORMATION, 1, 1.1)])
@pytest.mark.parametrize("answer_by", ["dialling", "polarity"])
def test_a_number_that_is_not_in_use_was_never_answered(
    answer_by: str, tone: Alaw, times: int, within_seconds: float
) -> None:
    """Vacant-number tone of GB/T 3380; special information tone of E.180, once, before an announcement."""
    bench = ExchangeBench(answer_by=answer_by)
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(4)
    bench.said()
    heard = np.tile(tone, times)[: round(within_seconds * 8000)]
    bench.hear(heard)

    assert bench.over() == ("line", Cause.UNALLOCATED)
    assert bench.all(LegAnswered) == []


def test_an_exchange_that_says_so_after_the_call_counted_as_answered_ends_it(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.silence(8.5)
    bench.said()
    bench.hear(VACANT)
    assert len(bench.all(LegAnswered)) == 1
    bench.hear(VACANT[:8000])

    assert bench.over() == ("line", Cause.UNALLOCATED)


def test_vacant_number_tone_in_place_of_dial_tone_means_the_line(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.said()
    bench.hear(np.tile(VACANT, 2))

    assert bench.over() == ("line", Cause.CONGESTION), "the next trunk is tried"


def test_vacant_number_tone_ends_a_call_that_came_in(bench: ExchangeBench) -> None:
    bench.answered()
    bench.hear(np.tile(VACANT, 2))

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_line_for_which_the_countrys_tones_do_not_count_hears_none_of_them() -> None:
    bench = ExchangeBench(country_tones=False)
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)
    bench.said()
    bench.hear(np.tile(VACANT, 4))

    assert bench.said() == []


def test_speech_passes_before_the_call_counts_as_answered(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "1"))
    bench.hear(DIAL_TONE)
    leg = bench.last(CallPlaced).leg
    bench.command(Join((Hear(leg, (leg,)),)))
    bench.silence(1)
    voice = codec.encode(sine(300, -12, 800))

    assert np.array_equal(bench.hear(voice)[80:], voice[80:])
    assert bench.all(LegAnswered) == []


def test_pulses_are_the_boards_business() -> None:
    bench = ExchangeBench(dial_by="pulses")
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(DIAL_TONE)

    assert bench.said() == [Loop(FIRST, True), DialPulses(FIRST, "110")]
    bench.wait(11.6)
    assert bench.all(LegAnswered) == []
    bench.wait(0.2)
    assert len(bench.all(LegAnswered)) == 1


def in_turn(on: int, off: int, times: int) -> Alaw:
    """450 Hz for so many milliseconds, silence for so many, again and again."""
    burst = codec.encode(sine(450, -12, on * 8))
    return np.tile(np.concatenate([burst, np.full(off * 8, ALAW_SILENCE, dtype=np.uint8)]), times)


def test_broken_dial_tone_is_dial_tone_too(bench: ExchangeBench) -> None:
    """The line has a service on, forwarding or messages that wait."""
    bench.command(PlaceCall("out-1", FIRST, "110"))
    sent = [bench.hear(in_turn(400, 40, 4)), bench.silence(1)]

    assert dialled(np.concatenate(sent)) == "110"


@pytest.mark.parametrize(("on", "off"), [(700, 700), (350, 350)])
def test_congestion_and_busy_tone_are_no_dial_tone(bench: ExchangeBench, on: int, off: int) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.said()

    assert dialled(bench.hear(in_turn(on, off, 3))) == ""
    assert bench.over() == ("line", Cause.CONGESTION)


def test_without_dial_tone_the_call_fails(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.said()
    bench.wait(5.1)

    assert bench.over() == ("line", Cause.CONGESTION)


def test_a_line_that_rings_or_is_blocked_cannot_be_called_out_on(bench: ExchangeBench) -> None:
    bench.signal(RingDetected(FIRST, True))
    bench.command(ConfigureLines(blocked=("FXO-2",)))
    bench.command(PlaceCall("out-1", FIRST, "110"), PlaceCall("out-2", SECOND, "110"))

    assert [(event.request, event.cause) for event in bench.all(RingFailed)] == [
        ("out-1", Cause.BUSY),
        ("out-2", Cause.FAILURE),
    ]
    assert bench.said() == []


@pytest.mark.parametrize("dial_on", ["dial_tone", "wait"])
def test_a_caller_who_is_caught_as_the_line_is_taken_is_a_call_that_comes_in(dial_on: str) -> None:
    bench = ExchangeBench(dial_on=dial_on)
    bench.command(PlaceCall("out-1", FIRST, "110"))
    ours = bench.last(CallPlaced).leg
    assert bench.said() == [Loop(FIRST, True)]
    bench.signal(RingDetected(FIRST, True), RingDetected(FIRST, False))

    (cleared,) = bench.all(LegCleared)
    assert (cleared.leg, cleared.cause, cleared.by) == (ours, Cause.CONGESTION, "line"), "the next trunk is tried"
    (call,) = bench.all(IncomingCall)
    assert (call.calling, call.called, call.presentation) == ("", "12345", "unavailable")
    assert bench.state(FIRST) == "ringing"
    assert set(bench.silence(12).tolist()) == {ALAW_SILENCE}, "nothing is dialled into the caller's ear"
    assert bench.said() == [], "the loop stays closed: the caller is there"

    bench.command(AnswerLeg(call.leg), AnswerLeg(call.leg))
    assert [event.leg for event in bench.all(LegAnswered)] == [call.leg]
    assert bench.said() == []
    bench.hear(np.tile(BUSY, 3))
    assert bench.over() == ("line", Cause.NORMAL)


@pytest.mark.parametrize("by", ["box", "line"])
def test_a_caller_who_was_caught_and_is_not_answered_leaves_an_open_loop(bench: ExchangeBench, by: str) -> None:
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.said()
    bench.signal(RingDetected(FIRST, True))
    if by == "box":
        bench.command(ClearLeg(bench.last(IncomingCall).leg))
    else:
        bench.hear(np.tile(BUSY, 3))

    assert bench.over() == (by, Cause.NORMAL)
    bench.wait(2)
    assert bench.state(FIRST) == "idle"


def test_a_call_given_up_while_it_is_dialled_is_silent_at_once(bench: ExchangeBench) -> None:
    bench.command(PlaceCall("out-1", FIRST, "02988888888"))
    bench.hear(DIAL_TONE[:7200])
    bench.said()
    bench.command(ClearLeg(bench.last(CallPlaced).leg))

    assert bench.over() == ("box", Cause.NORMAL)
    bench.silence(0.01)
    assert set(bench.silence(2).tolist()) == {ALAW_SILENCE}


def test_who_hears_us_is_told_who_calls() -> None:
    """What our phones are sent is what our trunks read."""
    bench = ExchangeBench()
    bench.ring_once()
    bench.hear(codec.encode(np.pad(modulate(multiple_data(replace(CALLER, name="买买提·王"))), (4000, 800))))

    assert bench.last(IncomingCall).calling_name == "买买提·王"
