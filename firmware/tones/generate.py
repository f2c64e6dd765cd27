"""Sines and digits with exact levels. For tone plans, the simulator, dialling and tests; nothing is detected here.

Levels are dBm0 of each sine (ITU-T G.711: 3.14 dBm0 is overload). DTMF frequencies: ITU-T Q.23.
"""

from __future__ import annotations

import numpy as np

from firmware.media import codec
from firmware.media.codec import SAMPLE_RATE, Alaw, Linear

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
DIGITS = "123A456B789C*0#D"
"""The sixteen digits, row by row: digit `i` is the low tone `i // 4` with the high tone `i % 4`."""


def sine(hz: float, dbm0: float, samples: int, start_phase: float = 0.0) -> Linear:
    """`samples` samples of a sine on the linear scale; `start_phase` in radians. Not clipped."""
    phase = start_phase + 2.0 * np.pi * hz / SAMPLE_RATE * np.arange(samples)
    wave: Linear = (codec.peak_of(dbm0) * np.sin(phase)).astype(np.float32)
    return wave


def dtmf(
    digit: str, milliseconds: float, low_dbm0: float = -8.0, high_dbm0: float = -6.0, *, shift: float = 0.0
) -> Alaw:
    """A digit as A-law: both tones on and off at once. `shift` moves both frequencies (0.015 is 1.5 % up).

    The usual levels are those of a Chinese phone at the exchange: the high tone 2 dB above the low one, to make up for
    the line. Raises ValueError for what is no digit.
    """
    place = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if place < 0:
        raise ValueError(f"no DTMF digit: {digit!r}, only one of {DIGITS}")
    samples = round(milliseconds * SAMPLE_RATE / 1000)
    low = sine(LOW_HZ[place // 4] * (1.0 + shift), low_dbm0, samples)
    return codec.encode(low + sine(HIGH_HZ[place % 4] * (1.0 + shift), high_dbm0, samples))


def pause(milliseconds: float) -> Alaw:
    """Silence as A-law."""
    return np.full(round(milliseconds * SAMPLE_RATE / 1000), codec.SILENCE, dtype=np.uint8)
