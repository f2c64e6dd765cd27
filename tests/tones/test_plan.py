"""China's tones as they are heard: frequency, level, cadence, and no click where a loop closes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware.media import codec
from firmware.media.codec import Linear
from firmware.tones.plan import PlanError, load_plan

PLAN = load_plan("china")
LOOPS = {name: codec.decode(samples) for name, samples in PLAN.samples().items()}


def cadence_ms(loop: Linear) -> list[int]:
    """Lengths of sound and silence, in order, to the next 10 ms, beginning with sound."""
    on = np.abs(loop).reshape(-1, 80).max(axis=1) > codec.peak_of(-30.0)
    borders = np.flatnonzero(np.diff(on)) + 1
    return [10 * int(length) for length in np.diff([0, *borders, on.size])]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ringback", [1000, 4000]),
        ("busy", [350, 350]),
        ("congestion", [700, 700]),
        ("vacant", [100, 100, 100, 100, 100, 100, 400, 400]),
    ],
)
def test_cadence_is_that_of_gbt_3380(name: str, expected: list[int]) -> None:
    assert cadence_ms(LOOPS[name]) == expected


@pytest.mark.parametrize("name", ["dial", "ringback", "busy", "congestion", "vacant"])
def test_network_tones_are_450_hz_at_minus_10_dbm0(name: str) -> None:
    # Given a steady stretch, away from the edges
    steady = np.tile(LOOPS[name], 40)[: 8000 * 30] if name == "dial" else LOOPS[name][40:760]
    # Then its level is exact, and nearly all of it is 450 Hz
    assert codec.level_of(steady) == pytest.approx(-10.0, abs=0.1)
    wave = np.exp(-2j * np.pi * 450 / 8000 * np.arange(steady.size))
    at_450 = 2 * np.abs(np.vdot(wave.conj(), steady)) ** 2 / steady.size**2
    assert at_450 / np.mean(np.square(steady)) > 0.998


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_loop_closes_without_a_click(name: str) -> None:
    loop = LOOPS[name].astype(np.float64)
    # A click is a jump: the step over the seam is no bigger than the biggest step inside the tone.
    assert abs(loop[0] - loop[-1]) <= np.abs(np.diff(loop)).max()
    # ... and neither is the change of slope.
    closed = np.concatenate([loop[-3:], loop[:3]])
    assert np.abs(np.diff(closed, 2)).max() <= np.abs(np.diff(loop, 2)).max() * 1.01


def test_the_dial_tone_loop_is_whole_periods() -> None:
    assert LOOPS["dial"].size * 450 % 8000 == 0


def test_the_howler_cries_at_950_hertz_and_rises() -> None:
    steps = PLAN.tones["howler"].steps

    assert {step.hz for step in steps} == {(950,)}
    levels = [step.dbm0 for step in steps]
    assert levels == sorted(levels) and len(set(levels)) == len(levels)
    assert levels[-1] == 0.0


def test_each_tone_names_its_source() -> None:
    assert all(tone.source and tone.chinese for tone in PLAN.tones.values())


def test_all_problems_of_a_plan_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "nowhere.toml").write_text(
        'country = "Nowhere"\nsource = ""\ndbm0 = 3.0\n'
        '[tones.one]\nsource = ""\nsteps = [{ hz = [5000] }]\n'
        '[tones.two]\nsource = ""\nsteps = [{ hz = [400, 450], ms = 100 }, { ms = 0 }]\n'
    )
    with pytest.raises(PlanError) as problem:
        load_plan("nowhere", tmp_path)
    for part in ("nowhere.toml", "tones.one.steps[0]", "tones.two.steps[0]", "too loud", "tones.two.steps[1]"):
        assert part in str(problem.value)


def test_an_unknown_key_of_a_plan_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text('country = "x"\nsource = ""\ndbm0 = -10.0\nvolume = 3\n[tones]\n')
    with pytest.raises(PlanError, match="volume"):
        load_plan("odd", tmp_path)


def test_a_plan_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(PlanError, match="china"):
        load_plan("atlantis")
