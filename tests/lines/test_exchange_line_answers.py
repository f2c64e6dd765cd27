"""What a call out on an analogue trunk makes of ringback tone, of what is said after it, and of congestion tone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Cause, Polarity
from firmware.core.line_schemas import BusyTone
from firmware.lines.line_commands import Hear, Join, PlaceCall
from firmware.lines.messages import CallPlaced, LegAlerting, LegAnswered
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.media.sounds import SoundStore
from firmware.tones.generate import sine
from firmware.tones.plan import load_plan
from tests.lines.exchange_bench import BUSY, FIRST, ExchangeBench

TONES = load_plan().samples()
RINGBACK = TONES["ringback"]
"""One second, and four of silence."""


def calling(**settings: Any) -> ExchangeBench:
    """The number is dialled, and the exchange has connected."""
    bench = ExchangeBench(**settings)
    bench.command(PlaceCall("out-1", FIRST, "110"))
    bench.hear(codec.encode(sine(450, -12, 8000)))
    bench.silence(3)
    bench.said()
    return bench


def voice(seconds: float, dbm0: float = -28.0) -> Alaw:
    """Somebody speaks; as loud as from a mobile phone far away."""
    said = codec.decode(SoundStore.load({}).samples("prompt:welcome"))[: round(seconds * 8000)]
    return codec.encode(said * np.float32(codec.peak_of(dbm0) / np.sqrt(2.0) / np.sqrt(np.mean(np.square(said)))))


def test_a_far_phone_that_rings_has_not_answered_however_long_it_rings() -> None:
    bench = calling()
    bench.hear(np.tile(RINGBACK, 6))

    assert [event.request for event in bench.all(LegAlerting)] == ["out-1"], "told once"
    assert bench.state(FIRST) == "ringing"
    assert bench.all(LegAnswered) == []


def test_a_number_that_rings_and_is_then_busy_did_not_answer() -> None:
    """What an exchange lets be heard when nobody has lifted for a minute."""
    bench = calling()
    bench.hear(np.tile(RINGBACK, 6))
    bench.hear(np.tile(BUSY, 3))

    assert bench.over() == ("line", Cause.NO_ANSWER)
    assert bench.all(LegAnswered) == []


@pytest.mark.parametrize("rings", [1, 3])
def test_who_says_something_after_the_ringing_has_answered(rings: int) -> None:
    bench = calling()
    bench.hear(np.tile(RINGBACK, rings)[: -2 * 8000])
    assert bench.all(LegAnswered) == []
    bench.hear(voice(1.0))

    assert [event.leg for event in bench.all(LegAnswered)] == [bench.last(CallPlaced).leg]


def test_when_it_stops_ringing_and_nobody_says_anything_it_was_answered_all_the_same() -> None:
    bench = calling()
    bench.hear(RINGBACK)
    assert bench.all(LegAnswered) == []
    bench.silence(2.5)

    assert len(bench.all(LegAnswered)) == 1


def test_an_agent_who_speaks_while_it_rings_and_hears_the_echo_was_not_answered() -> None:
    bench = calling()
    leg = bench.last(CallPlaced).leg
    bench.command(Join((Hear(leg, (leg,)),)))  # all that comes goes back: what is heard is our own
    bench.hear(RINGBACK)
    bench.hear(np.concatenate([RINGBACK[:8000], voice(2.0), np.full(16000, ALAW_SILENCE, np.uint8)]))

    assert bench.all(LegAnswered) == []


def test_a_click_and_noise_of_the_line_are_no_answer() -> None:
    bench = calling()
    noise = np.random.default_rng(1).normal(0.0, codec.peak_of(-48.0) / np.sqrt(2.0), 32000).astype(np.float32)
    noise[4000:4200] = codec.peak_of(-10.0)
    bench.hear(np.concatenate([RINGBACK[:8000], codec.encode(noise), RINGBACK[:8000]]))

    assert bench.all(LegAnswered) == []


def test_a_line_that_tells_the_answer_by_polarity_is_believed_and_no_voice() -> None:
    bench = calling(answer_by="polarity")
    bench.hear(RINGBACK)
    bench.hear(voice(2.0))
    bench.silence(8)
    assert len(bench.all(LegAlerting)) == 1
    assert bench.all(LegAnswered) == []

    bench.signal(Polarity(FIRST, True))
    assert len(bench.all(LegAnswered)) == 1


def test_tones_that_ring_on_after_the_answer_end_nothing() -> None:
    bench = calling()
    bench.silence(8)  # the exchange was slow
    assert len(bench.all(LegAnswered)) == 1
    bench.hear(np.tile(RINGBACK, 3))

    assert bench.state(FIRST) == "up"
    assert bench.all(LegAlerting) == []


def test_congestion_tone_means_the_way_and_not_the_called() -> None:
    """GB/T 3380: 0.7 s on and off. Another trunk may find a way (contacts/outgoing.py); the number is not busy."""
    bench = calling()
    bench.hear(np.tile(TONES["congestion"], 3))

    assert bench.over() == ("line", Cause.CONGESTION)
    assert bench.all(LegAnswered) == []


def test_congestion_tone_ends_a_call_that_is_up_as_ever() -> None:
    bench = ExchangeBench()
    bench.answered()
    bench.hear(np.tile(TONES["congestion"], 3))

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_line_whose_learnt_busy_tone_is_like_congestion_tone_says_busy() -> None:
    bench = calling(busy_tones=(BusyTone(hz=450.0, on_ms=700.0, off_ms=700.0),))
    bench.hear(np.tile(TONES["congestion"], 3))

    assert bench.over() == ("line", Cause.BUSY)


@pytest.mark.parametrize(
    ("tone", "slow_seconds", "cause"),
    [
        ("busy", 4.0, Cause.BUSY),
        ("busy", 5.2, Cause.BUSY),
        ("congestion", 4.0, Cause.CONGESTION),
        ("congestion", 5.2, Cause.CONGESTION),
        ("vacant", 4.5, Cause.UNALLOCATED),
        ("ringback", 5.2, None),
    ],
)
def test_a_slow_exchange_whose_tone_begins_just_before_the_call_would_count_as_answered(
    tone: str, slow_seconds: float, cause: Cause | None
) -> None:
    bench = calling()
    bench.silence(slow_seconds)  # with what passed already: the eight seconds end within the tone
    bench.hear(np.tile(TONES[tone], 1 if cause is None else 4))

    assert bench.all(LegAnswered) == []
    if cause is not None:
        assert bench.over() == ("line", cause)
    else:
        assert len(bench.all(LegAlerting)) == 1
