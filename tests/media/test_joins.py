"""Joins and all other changes of the switch do not click. The level that is held: beside what the voices do themselves,
no step from one sample to the next is above an 80th (-38 dB) of what changes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore

HZ = np.array([50.0, 60.0, 70.0, 80.0])
"""So low that they hardly move from sample to sample: a click is all the more plain."""
PEAK = codec.peak_of(-10.0)
CHANNELS = len(HZ)

Change = Callable[[MediaPlane], object]


def nothing(plane: MediaPlane) -> None:
    """The row stays silent."""


def both(first: Change, second: Change) -> Change:
    def change(plane: MediaPlane) -> None:
        first(plane)
        second(plane)

    return change


def hear(*voices: int) -> Change:
    return lambda plane: plane.join({0: voices})


CHANGES: dict[str, tuple[Change, Change]] = {
    "join": (nothing, hear(1)),
    "hold": (hear(1), hear()),
    "another": (hear(1), hear(2)),
    "line lost": (hear(1), lambda plane: plane.silence(1)),
    "third party": (hear(1), hear(1, 2, 3)),
    "party leaves": (hear(1, 2, 3), hear(1, 3)),
    "level": (hear(1), lambda plane: plane.join({0: {1: -12.0}})),
    "music": (hear(1), lambda plane: plane.play(0, ["music:low"], True)),
    "music ends": (
        both(hear(1), lambda plane: plane.play(0, ["music:low"], True)),
        lambda plane: plane.stop_play(0),
    ),
    "whisper": (hear(1), lambda plane: plane.whisper(0, [3])),
    "whisper ends": (both(hear(1), lambda plane: plane.whisper(0, [3])), lambda plane: plane.whisper(0, [])),
    "all at once": (
        both(hear(1, 2), lambda plane: plane.whisper(0, [3])),
        both(hear(2, 3), lambda plane: plane.whisper(0, {1: -3.0})),
    ),
}


def heard_over(before: Change, change: Change, shift: int) -> NDArray[np.float32]:
    """What channel 0 hears in the tick before the change and the two after it; the voices `shift` samples further."""
    low = codec.encode(PEAK * np.sin(2 * np.pi * 50.0 / codec.SAMPLE_RATE * np.arange(160)))
    plane = MediaPlane(CHANNELS, SoundStore({"music:low": low}))
    before(plane)
    heard = []
    for tick in range(8):
        if tick == 5:
            change(plane)
        phase = 2 * np.pi / codec.SAMPLE_RATE * HZ[:, None] * (shift + plane.sample + np.arange(BLOCK))
        heard.append(codec.decode(plane.tick(codec.encode(PEAK * np.sin(phase))).sent[0]))
    return np.concatenate(heard[4:7])


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_makes_a_step_above_an_80th_of_what_changes(name: str) -> None:
    own = float((2 * np.pi * HZ / codec.SAMPLE_RATE * PEAK).sum())
    reach = CHANNELS * PEAK
    alaw = 1024  # A-law's largest steps at half of the reach and below
    for shift in range(0, 160, 7):
        heard = heard_over(*CHANGES[name], shift)
        assert np.abs(np.diff(heard)).max() < own + reach / 80 + alaw, shift


def sharpest(heard: NDArray[np.float32]) -> float:
    """What lies above 500 Hz, in dBm0, in the 20 ms around the change."""
    piece = heard[BLOCK // 2 : BLOCK // 2 + 2 * BLOCK] * np.hanning(2 * BLOCK)
    spectrum = np.abs(np.fft.rfft(piece))
    above = spectrum[round(500 * 2 * BLOCK / codec.SAMPLE_RATE) :]
    power = 2 * float((above**2).sum()) / (2 * BLOCK) / float((np.hanning(2 * BLOCK) ** 2).sum())
    return 10 * float(np.log10(power / (codec.ZERO_DBM0_PEAK**2 / 2)))


def test_what_a_join_leaves_above_the_voice_is_what_a_law_leaves_there_anyway() -> None:
    shifts = range(0, 160, 7)
    joins = max(sharpest(heard_over(nothing, hear(1), shift)) for shift in shifts)
    steady = max(sharpest(heard_over(hear(1), nothing, shift)) for shift in shifts)
    cut = np.zeros(3 * BLOCK, dtype=np.float32)
    clicks = []
    for shift in shifts:
        cut[BLOCK:] = PEAK * np.sin(2 * np.pi / codec.SAMPLE_RATE * HZ[1] * (shift + np.arange(2 * BLOCK)))
        clicks.append(sharpest(cut))
    # -49 and -48 dBm0; cut in at its peak it would be -32 dBm0
    assert joins < steady + 1.0
    assert max(clicks) > joins + 15.0
