"""Exchange tones with their cadence: measured exactly, learnt from a recording, and never heard in speech or music."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from firmware.media import codec
from firmware.media.codec import BLOCK, ZERO_DBM0_PEAK, Alaw, Linear
from firmware.media.sounds import SoundStore
from firmware.tones.cadence import CYCLES, BurstSequence, Cadence
from firmware.tones.call_progress import (
    REGULAR_CYCLES,
    CadenceCount,
    CallProgressDetector,
    LearnError,
    bursts_of,
    cadence_of,
    learn,
    sequence_of,
)
from firmware.tones.generate import dtmf, pause, sine
from firmware.tones.plan import load_plan

BUSY = Cadence(450, 350, 350)
PLAN = [cadence for name in ("busy", "congestion") if (cadence := cadence_of(load_plan().tones[name])) is not None]
VACANT = sequence_of(load_plan().tones["vacant"])


@cache
def speech() -> Linear:
    store = SoundStore.load({})
    return np.concatenate([codec.decode(store.samples(name)) for name in store.names if name.startswith("prompt:")])


def noise(dbm0: float, samples: int, seed: int = 1) -> Linear:
    rms = ZERO_DBM0_PEAK / np.sqrt(2) * 10 ** (dbm0 / 20)
    return np.random.default_rng(seed).normal(0.0, rms, samples).astype(np.float32)


def repeating(
    hz: float, on_ms: float, off_ms: float, cycles: int, dbm0: float = -18.0, wobble_ms: float = 0.0
) -> Linear:
    random = np.random.default_rng(7)
    parts: list[Linear] = []
    for _ in range(cycles):
        on, off = (round(8 * (ms + random.uniform(-wobble_ms, wobble_ms))) for ms in (on_ms, off_ms))
        parts += [sine(hz, dbm0, on, random.uniform(0, 6)), np.zeros(off, dtype=np.float32)]
    return np.concatenate(parts)


def on_the_line(*parts: Linear, noise_dbm0: float = -55.0, seed: int = 1) -> Alaw:
    audio = np.concatenate(parts)
    return codec.encode(audio + noise(noise_dbm0, audio.size, seed))


def heard_at(audio: Alaw, cadences: Sequence[Cadence | BurstSequence], *, regular: bool = True) -> float | None:
    """Seconds after which a cadence is heard, or None."""
    count = CadenceCount(cadences, regular=regular)
    for burst in bursts_of(audio):
        if count.heard(burst):
            return (burst.start + burst.duration) / 8000
    return None


@pytest.mark.parametrize("hz", [394, 425, 446, 450, 480])
@pytest.mark.parametrize(("on", "off"), [(167, 225), (213, 175), (350, 350), (700, 700)])
@pytest.mark.parametrize("db", [35, 12])
def test_the_busy_tones_met_in_the_field_are_learnt_after_speech_and_in_noise(
    hz: int, on: int, off: int, db: int
) -> None:
    audio = on_the_line(speech()[:80_000], repeating(hz, on, off, 8), noise_dbm0=-18.0 - db)

    learned = learn(audio)

    assert learned.hz == pytest.approx(hz, abs=1)
    assert (learned.on_ms, learned.off_ms) == (pytest.approx(on, abs=4), pytest.approx(off, abs=4))
    assert learned.level_dbm0 == pytest.approx(-18, abs=0.6)
    assert 7 <= learned.cycles <= 8
    assert learned.on_range_ms[0] <= learned.on_ms <= learned.on_range_ms[1]


def test_minutes_of_conversation_before_the_busy_tone_do_no_harm() -> None:
    talk = np.concatenate([speech(), np.zeros(16_000, dtype=np.float32)] * 5)

    learned = learn(on_the_line(talk, repeating(410, 190, 200, 20, wobble_ms=6)))

    assert (learned.hz, learned.on_ms, learned.off_ms) == (
        pytest.approx(410, abs=1),
        pytest.approx(190, abs=6),
        pytest.approx(200, abs=6),
    )


def test_a_learnt_tone_is_heard_from_then_on_where_the_country_plan_is_deaf() -> None:
    learned = learn(on_the_line(repeating(410, 190, 200, 10)))
    call = on_the_line(speech()[:160_000], repeating(411, 195, 196, 20), seed=2)

    assert heard_at(call, PLAN, regular=False) is None
    when = heard_at(call, [*PLAN, learned.cadence()], regular=False)
    assert when is not None
    assert when - 20.0 == pytest.approx(CYCLES * 0.391, abs=0.4)


def test_busy_tone_of_the_plan_is_heard_after_three_cycles() -> None:
    assert [(cadence.on_ms, cadence.off_ms) for cadence in PLAN] == [(350, 350), (700, 700)]
    for level in (-5.0, -10.0, -35.0):
        when = heard_at(on_the_line(repeating(450, 350, 350, 6, level)), PLAN)
        assert when == pytest.approx(2.5 * 0.7, abs=0.02)


def test_a_line_that_nobody_taught_us_is_released_by_any_regular_tone_in_the_end() -> None:
    audio = on_the_line(speech()[:40_000], repeating(410, 190, 200, 20))

    assert heard_at(audio, PLAN, regular=False) is None
    when = heard_at(audio, PLAN)
    assert when is not None
    assert when - 5.0 == pytest.approx(REGULAR_CYCLES * 0.39, abs=0.5)


def test_ringback_and_dial_tone_release_nobody() -> None:
    assert heard_at(on_the_line(repeating(450, 1000, 4000, 12)), PLAN) is None
    assert heard_at(on_the_line(sine(450, -10.0, 240_000), noise(-50, 800)), PLAN) is None


def vacant(cycles: int, hz: float = 450.0, dbm0: float = -18.0, stretch: float = 1.0) -> Linear:
    """Vacant-number tone of GB/T 3380: three bursts of 100 ms, 100 ms apart, then one of 400 ms and as long a pause."""
    turn = [repeating(hz, 100 * stretch, 100 * stretch, 3, dbm0), repeating(hz, 400 * stretch, 400 * stretch, 1, dbm0)]
    return np.concatenate(turn * cycles)


@pytest.mark.parametrize("cut_ms", range(0, 1400, 100))
@pytest.mark.parametrize(("hz", "stretch"), [(450, 1.0), (428, 0.91), (472, 1.09)])
def test_vacant_number_tone_is_heard_within_three_seconds_wherever_it_begins(
    hz: float, stretch: float, cut_ms: int
) -> None:
    assert VACANT is not None
    tone = vacant(4, hz, stretch=stretch)[cut_ms * 8 + 200 :]

    when = heard_at(on_the_line(np.zeros(8000, dtype=np.float32), tone, noise_dbm0=-33.0), [VACANT], regular=False)

    assert when is not None and when < 1.0 + 3.4
    assert heard_at(on_the_line(tone), PLAN) is None, "it is no busy tone"


def test_no_other_tone_is_vacant_number_tone() -> None:
    assert VACANT is not None
    others = [repeating(450, on, off, 12) for on, off in ((100, 100), (350, 350), (400, 400), (700, 700), (400, 40))]
    two = np.concatenate([repeating(450, 100, 100, 2), repeating(450, 400, 400, 1)] * 4)
    voices = np.concatenate([speech(), codec.decode(SoundStore.load({}).samples("music:waiting"))])

    for audio in [*others, two, voices]:
        assert heard_at(on_the_line(audio), [VACANT], regular=False) is None


def test_what_has_no_bursts_of_one_frequency_is_no_sequence() -> None:
    tones = load_plan().tones

    assert [sequence_of(tones[name]) for name in ("dial", "special_information", "howler", "connected")] == [None] * 4
    busy = sequence_of(tones["busy"])
    assert busy is not None and busy.bursts == (BUSY,) and busy.enough == CYCLES


def test_speech_music_digits_and_noise_release_nobody() -> None:
    store = SoundStore.load({})
    voices = [
        np.interp(np.arange(0, speech().size - 1, speed), np.arange(speech().size), speech()).astype(np.float32)
        for speed in (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
    ]
    digits = np.concatenate([np.concatenate([dtmf(digit, 350), pause(350)]) for digit in "0123456789*#" * 3])

    for audio in [*voices, codec.decode(store.samples("music:waiting")), codec.decode(digits), noise(-15, 480_000)]:
        assert heard_at(on_the_line(audio), PLAN) is None


def test_a_recording_without_a_repeating_tone_says_what_was_heard() -> None:
    with pytest.raises(LearnError, match=r"In 30 s no tone repeated 5 times.*Let the far end hang up"):
        learn(on_the_line(speech()[:240_000]))
    with pytest.raises(LearnError, match=r"longest tone lasted 4\.0 s"):
        learn(on_the_line(sine(450, -10, 32_000), np.zeros(4000, dtype=np.float32)))
    with pytest.raises(LearnError):
        learn(on_the_line(repeating(450, 1000, 4000, 10)))
    with pytest.raises(LearnError):
        learn(np.zeros(0, dtype=np.uint8))


def test_channels_are_measured_at_once_and_each_by_itself() -> None:
    cases = [repeating(400 + 10 * row, 200 + 20 * row, 300 - 10 * row, 8, -10.0 - row) for row in range(10)]
    audio = np.zeros((12, 48_000), dtype=np.float32)
    for row, case in enumerate(cases):
        audio[row + 1, 100 * row : 100 * row + case.size] = case[: 48_000 - 100 * row]
    detector = CallProgressDetector(12)
    watched = np.arange(1, 11)
    found = [
        burst
        for at in range(0, 48_000, BLOCK)
        for burst in detector.process(np.ascontiguousarray(audio[:, at : at + BLOCK]), at, watched)
    ]

    for row in range(10):
        own = [burst for burst in found if burst.channel == row + 1]
        assert len(own) >= 7
        for burst in own[1:]:
            assert burst.hz == pytest.approx(400 + 10 * row, abs=1)
            assert burst.duration / 8 == pytest.approx(200 + 20 * row, abs=3)
            assert burst.pause / 8 == pytest.approx(300 - 10 * row, abs=3)
            assert burst.level_dbm0 == pytest.approx(-10 - row, abs=0.3)


def test_dial_tone_and_silence_are_told_while_they_last() -> None:
    detector, only = CallProgressDetector(1), np.zeros(1, dtype=np.intp)
    audio = codec.decode(
        on_the_line(np.zeros(8000, dtype=np.float32), sine(450, -12, 8000), np.zeros(8000, dtype=np.float32))
    )
    said = []
    for at in range(0, 24_000, BLOCK):
        detector.process(audio[at : at + BLOCK].reshape(1, -1), at, only)
        said.append((int(detector.sounding(only)[0]), int(detector.silent(only)[0])))

    assert said[99] == (0, 8000)
    assert said[150][0] == pytest.approx(51 * BLOCK, abs=16)
    assert said[150][1] == 0
    assert said[299] == (0, 8000)
    detector.reset(0)
    assert (detector.sounding(only)[0], detector.silent(only)[0]) == (0, 0)


def test_time_that_passes_without_audio_is_no_silence() -> None:
    detector, only = CallProgressDetector(1), np.zeros(1, dtype=np.intp)
    quiet = np.zeros((1, BLOCK), dtype=np.float32)
    detector.process(quiet, 0, only)
    detector.process(quiet, 8_000_000, only)

    assert detector.silent(only)[0] == 2 * BLOCK


@pytest.mark.parametrize("days", [0, 1, 20, 1000])
def test_times_are_as_exact_after_years_without_a_restart_as_on_the_first_day(days: int) -> None:
    detector, only = CallProgressDetector(1), np.zeros(1, dtype=np.intp)
    blocks = codec.decode(on_the_line(repeating(450, 350, 350, 5))).reshape(-1, 1, BLOCK)
    began = days * 86_400 * 8000
    found = [
        burst for place, block in enumerate(blocks) for burst in detector.process(block, began + place * BLOCK, only)
    ]

    assert len(found) == 5
    assert all(burst.duration / 8 == pytest.approx(350, abs=3) for burst in found)
    assert all(burst.pause / 8 == pytest.approx(350, abs=3) for burst in found[1:])
    assert [(burst.start - began) / 8 for burst in found] == pytest.approx([0, 700, 1400, 2100, 2800], abs=3)
