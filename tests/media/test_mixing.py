"""Sums of voices: exact where they fit, and never cut off where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, OVERLOAD
from firmware.media.mixing import Mixes, factor_of, turn_down

Wave = NDArray[np.float64]


def talkers(count: int, dbm0: float, blocks: int) -> tuple[Wave, list[int]]:
    """[blocks, count, 80]: a sine for each, through A-law; and their frequencies."""
    hz = [400 + 137 * talker for talker in range(count)]
    time = np.arange(blocks * BLOCK) / codec.SAMPLE_RATE
    waves = codec.peak_of(dbm0) * np.sin(2 * np.pi * np.array(hz)[:, None] * time)
    linear = codec.decode(codec.encode(waves)).astype(np.float64)
    return linear.reshape(count, blocks, BLOCK).swapaxes(0, 1), hz


def mixed(waves: Wave) -> tuple[Wave, Mixes]:
    """What one who hears all the talkers gets, tick by tick, as it leaves through A-law; and the mixes."""
    count = waves.shape[1]
    mixes = Mixes(count + 1)
    mixes.set({count: tuple((talker, 1.0) for talker in range(count))})
    silence = np.zeros((1, BLOCK))
    heard = [mixes.mix(np.concatenate([block, silence]).astype(np.float32))[0] for block in waves]
    return codec.decode(codec.encode(np.concatenate(heard))).astype(np.float64), mixes


def distortion_db(heard: Wave, hz: list[int]) -> float:
    """All that is not these tones, below them, by least squares."""
    time = 2 * np.pi * np.arange(heard.size) / codec.SAMPLE_RATE
    tones = np.stack([wave(one * time) for one in hz for wave in (np.sin, np.cos)], axis=1)
    of_tones = tones @ np.linalg.lstsq(tones, heard, rcond=None)[0]
    return 10 * float(np.log10(np.sum((heard - of_tones) ** 2) / np.sum(of_tones**2)))


@pytest.mark.parametrize(("count", "dbm0", "limited", "cut_off"), [(4, 3.0, -31.0, -7.0), (8, -10.0, -27.0, -14.0)])
def test_talkers_who_together_overload_the_line_are_turned_down_and_not_cut_off(
    count: int, dbm0: float, limited: float, cut_off: float
) -> None:
    waves, hz = talkers(count, dbm0, 200)
    heard, _ = mixed(waves)
    clipped = codec.decode(codec.encode(waves.sum(axis=1).reshape(-1))).astype(np.float64)
    assert distortion_db(heard[8000:], hz) < limited
    assert distortion_db(clipped[8000:], hz) > cut_off


def test_what_fits_is_the_sum_and_stays_so_after_an_overload() -> None:
    loud, _ = talkers(4, 3.0, 20)
    quiet, _ = talkers(4, -12.0, 200)
    heard, mixes = mixed(np.concatenate([loud, quiet]))
    assert mixes.turned_down[4] == 1.0
    total = codec.decode(codec.encode(quiet.sum(axis=1).reshape(-1)))
    assert np.array_equal(heard[-50 * BLOCK :], total[-50 * BLOCK :])


def test_an_overload_is_met_without_a_step() -> None:
    # Given silence, then at once four talkers at the top of the line
    waves, _ = talkers(4, 3.0, 40)
    heard, _ = mixed(np.concatenate([waves[:1] * 0, waves]))
    steps = np.abs(np.diff(heard))
    # Then no sample is further from the last than these voices make it by themselves, or than A-law's largest step
    own = np.abs(np.diff(waves.sum(axis=1).reshape(-1))).max()
    assert steps.max() <= own + 2048
    assert np.abs(heard).max() <= codec.DECODE.max()


@settings(max_examples=200)
@given(st.lists(st.floats(1, 400_000), min_size=1, max_size=6), st.floats(0.05, 1.0), st.integers(0, 2**32 - 1))
def test_whatever_comes_no_sum_is_beyond_overload_and_the_gain_never_jumps(
    peaks: list[float], begin: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    gains = np.array([begin])
    last = begin
    for peak in peaks:
        raw = random.uniform(-peak, peak, (1, BLOCK))
        sums = raw.copy()
        gains = turn_down(sums, gains)
        assert np.abs(sums).max() <= OVERLOAD * (1 + 1e-12)
        applied = sums[0] / raw[0]
        # it falls no faster than the loudest sample so far forces it to, and rises by a twentieth of its way at most
        needed = np.minimum(1.0, OVERLOAD / np.abs(raw[0]))
        assert np.all(applied <= needed + 1e-9)
        assert np.all(applied >= min(last, float(needed.min())) - 1e-9)
        assert gains[0] == pytest.approx(applied[-1], abs=1e-6)
        assert gains[0] <= last + (1 - last) * 0.05 + 1e-3
        falling = np.diff(np.concatenate([[last], applied]))
        assert falling.min() >= min(0.0, float(((needed - last) / np.arange(1, BLOCK + 1)).min())) - 1e-9
        last = float(gains[0])


def test_factors_are_on_a_grid_on_which_sums_are_exact() -> None:
    assert factor_of(0.0) == 1.0
    assert factor_of(-6.0) == pytest.approx(0.501187, abs=1e-6)
    assert (factor_of(-59.9) * 2**20).is_integer()
    with pytest.raises(ValueError, match="-61"):
        factor_of(-61.0)
