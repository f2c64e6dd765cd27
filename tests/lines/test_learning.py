"""A line's busy tone is learnt on the line itself, by a call that comes or one that is placed, and ends calls then."""

from __future__ import annotations

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Alarm, Loop, LoopCurrent, RingDetected
from firmware.core.faults import fault
from firmware.core.line_schemas import BusyTone
from firmware.lines.line_commands import ConfigureLines, LearnTone, PlaceCall
from firmware.lines.messages import IncomingCall, LearnFailed, LegCleared, RingFailed, ToneLearnt
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.cadence import LearnedTone
from firmware.tones.generate import sine
from tests.lines.exchange_bench import FIRST, SECOND, ExchangeBench
from tests.tones.test_call_progress import speech


def busy(hz: float, on_ms: int, off_ms: int, dbm0: float = -18.0) -> Alaw:
    """One cycle."""
    return np.concatenate([codec.encode(sine(hz, dbm0, on_ms * 8)), np.full(off_ms * 8, ALAW_SILENCE, dtype=np.uint8)])


REAL = [(394, 167, 175), (411, 190, 200), (446, 213, 225), (425, 200, 180)]
"""Busy tones between the extremes that were measured at a site where no box released a line."""


def lesson(bench: ExchangeBench, called: str = "", seconds: float = 60.0, request: str = "lesson-1") -> None:
    bench.command(LearnTone(request=request, channel=FIRST, called=called, seconds=seconds))


def called_in(bench: ExchangeBench) -> None:
    """Somebody calls the line from another phone; it is answered at once."""
    bench.signal(RingDetected(FIRST, True))
    assert bench.said() == [Loop(FIRST, True)]
    bench.signal(RingDetected(FIRST, False))
    bench.signal(LoopCurrent(FIRST, True))


def learnt(bench: ExchangeBench) -> LearnedTone:
    assert bench.said() == [Loop(FIRST, False)]
    return bench.last(ToneLearnt).tone


@pytest.mark.parametrize(("hz", "on_ms", "off_ms"), REAL)
def test_a_real_lines_busy_tone_is_measured_and_ends_calls_from_then_on(hz: int, on_ms: int, off_ms: int) -> None:
    bench = ExchangeBench(any_regular_tone=False)
    bench.answered()
    bench.hear(np.tile(busy(hz, on_ms, off_ms), 20))
    assert bench.state(FIRST) == "up", "the country's 0.35/0.35 does not know this tone"
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(3)
    bench.said()

    lesson(bench)
    assert bench.state(FIRST) == "seized"
    called_in(bench)
    bench.silence(3)
    bench.hear(np.tile(busy(hz, on_ms, off_ms), 11))
    tone = learnt(bench)
    assert (tone.hz, tone.on_ms, tone.off_ms) == pytest.approx((hz, on_ms, off_ms), abs=4)
    assert tone.level_dbm0 == pytest.approx(-18, abs=1) and tone.cycles >= 10
    assert len(bench.all(IncomingCall)) == 1, "the lesson is nobody's call"

    own = BusyTone(hz=tone.hz, on_ms=tone.on_ms, off_ms=tone.off_ms)
    bench.configure(any_regular_tone=False, busy_tones=(own,))
    bench.wait(2)
    bench.answered()
    bench.hear(np.tile(busy(hz, on_ms, off_ms), 4))
    assert bench.over()[0] == "line"


def test_speech_before_the_far_end_hangs_up_does_no_harm() -> None:
    bench = ExchangeBench()
    lesson(bench)
    called_in(bench)
    bench.hear(codec.encode(speech()[:48_000]))
    assert bench.all(ToneLearnt) == []
    bench.hear(np.tile(busy(411, 190, 200), 12))

    assert learnt(bench).hz == pytest.approx(411, abs=2)


def test_the_box_can_call_a_number_and_learn_from_its_end() -> None:
    bench = ExchangeBench()
    lesson(bench, called="10")
    assert bench.said() == [Loop(FIRST, True)]
    bench.hear(codec.encode(sine(450, -15, 8000)))
    bench.silence(2)
    ringback = np.concatenate([codec.encode(sine(450, -15, 8000)), np.full(32000, ALAW_SILENCE, dtype=np.uint8)])
    bench.hear(np.tile(ringback, 3))
    assert bench.all(ToneLearnt) == []
    bench.hear(np.tile(busy(411, 190, 200), 12))

    assert learnt(bench).on_ms == pytest.approx(190, abs=4)
    assert bench.all(LegCleared) == []
    bench.wait(2)
    assert bench.state(FIRST) == "idle"


def test_a_tone_that_stops_early_is_taken_when_the_time_is_over() -> None:
    bench = ExchangeBench()
    lesson(bench, seconds=20)
    called_in(bench)
    bench.hear(np.tile(busy(411, 190, 200), 7))
    bench.silence(20)

    assert 5 <= learnt(bench).cycles <= 7


def test_why_nothing_was_learnt_is_said() -> None:
    def reason(bench: ExchangeBench) -> str:
        return bench.last(LearnFailed).reason

    nobody = ExchangeBench()
    lesson(nobody, seconds=10)
    nobody.wait(11)
    assert (reason(nobody), nobody.said(), nobody.state(FIRST)) == ("no_call", [], "idle")

    steady = ExchangeBench()
    lesson(steady, seconds=10)
    called_in(steady)
    steady.hear(codec.encode(sine(450, -15, 8000 * 11)))
    assert (reason(steady), steady.said()) == ("no_tone", [Loop(FIRST, False)])

    dropping = ExchangeBench()
    lesson(dropping)
    called_in(dropping)
    dropping.signal(LoopCurrent(FIRST, False))
    dropping.wait(1)
    assert reason(dropping) == "loop_drop"

    dead = ExchangeBench()
    lesson(dead, called="10")
    dead.silence(6)
    assert reason(dead) == "no_dial_tone"

    pulled = ExchangeBench()
    lesson(pulled)
    called_in(pulled)
    pulled.gateway.board_failed("card", fault("no_audio"), pulled.clock.now())
    pulled.look()
    assert reason(pulled) == "line_failed"

    alarmed = ExchangeBench()
    lesson(alarmed)
    alarmed.signal(Alarm("NO_LINE", True))
    alarmed.wait(3)
    assert reason(alarmed) == "line_failed"


def test_a_line_that_cannot_learn_now_says_so_and_goes_on_with_what_it_does() -> None:
    bench = ExchangeBench()
    leg = bench.answered()
    lesson(bench)
    assert bench.last(LearnFailed).reason == "busy"
    assert bench.gateway.lines[FIRST].leg == leg
    bench.command(LearnTone(request="lesson-2", channel=99))
    assert bench.last(LearnFailed).reason == "no_such_line"
    bench.command(ConfigureLines(blocked=("FXO-2",)), LearnTone(request="lesson-3", channel=SECOND))
    assert bench.last(LearnFailed).reason == "out_of_service"


def test_a_lesson_asked_for_twice_is_one_and_no_call_is_placed_meanwhile() -> None:
    bench = ExchangeBench()
    lesson(bench)
    lesson(bench)
    bench.command(PlaceCall("out-1", FIRST, "5"))
    assert [event.request for event in bench.all(RingFailed)] == ["out-1"]
    called_in(bench)
    bench.hear(np.tile(busy(411, 190, 200), 12))

    assert len(bench.all(ToneLearnt)) == 1 and bench.all(LearnFailed) == []
