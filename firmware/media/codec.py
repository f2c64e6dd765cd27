"""G.711 A-law to linear and back, and what a level means. The only place that knows either; no files, no switching.

Linear samples are `float32` on the 16-bit scale: A-law decodes to multiples of 8 from -32256 to 32256. Whole numbers
this size are exact in float32, and so are their sums, in any order, for any number of channels that a box can have.

Sources: ITU-T G.711 (11/88), table 1a (A-law); the load capacity of 3.14 dBm0 is in its clause 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boards import base

SAMPLE_RATE = 8000
"""Samples a second, everywhere inside the box."""

BLOCK = base.BLOCK
"""Samples in one tick: 10 ms."""

SILENCE = base.ALAW_SILENCE
"""The A-law code nearest to zero."""

OVERLOAD = 32768.0
"""Where A-law clips, on the linear scale (G.711's virtual decision value 4096, times eight)."""

ZERO_DBM0_PEAK = OVERLOAD * 10.0 ** (-3.14 / 20.0)
"""The one constant of levels: the peak of a sine of 0 dBm0, on the linear scale (about 22 827)."""

Alaw = NDArray[np.uint8]
Linear = NDArray[np.float32]

FADE: Linear = ((np.arange(BLOCK, dtype=np.float32) + np.float32(0.5)) / np.float32(BLOCK)).astype(np.float32)
"""Fade-in weights of one block. Strictly between 0 and 1, so that neither end repeats a sample unweighted."""


def _expand(code: int) -> int:
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    magnitude = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _compress(value: int) -> int:
    # Decision values lie on multiples of 16; the negative half mirrors the positive one, (-16..-1) like (0..15).
    magnitude, mask = (value, 0xD5) if value >= 0 else (-value - 1, 0x55)
    segment = max(0, magnitude.bit_length() - 8)
    step = magnitude >> (4 if segment == 0 else segment + 3) & 15
    return (segment << 4 | step) ^ mask


DECODE: Linear = np.array([_expand(code) for code in range(256)], dtype=np.float32)
"""Linear value of each of the 256 codes."""

_ENCODE: Alaw = np.array([_compress(value) for value in range(-32768, 32768)], dtype=np.uint8)


def decode(codes: Alaw, out: Linear | None = None) -> Linear:
    """Linear samples of A-law `codes`, of the same shape; into `out` if given."""
    # mode="clip" saves numpy's bounds check and buffering; a uint8 cannot be out of bounds.
    return np.take(DECODE, codes, out=out, mode="clip")


def encode(linear: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int16]) -> Alaw:
    """A-law codes of `linear` (16-bit scale, any shape), clipped first. `encode(decode(x))` is `x` for every code."""
    # Shifted to 0..65535 before the cast, which cuts towards zero: that is floor, as the decision values want.
    shifted = np.clip(np.asarray(linear, dtype=np.float32) + np.float32(32768.0), 0.0, 65535.0)
    codes: Alaw = np.take(_ENCODE, shifted.astype(np.uint16), mode="clip")
    return codes


def peak_of(dbm0: float) -> float:
    """Peak, on the linear scale, of a sine of `dbm0`."""
    return float(ZERO_DBM0_PEAK * 10.0 ** (dbm0 / 20.0))


def level_of(linear: ArrayLike) -> float:
    """Level in dBm0 of the mean power of `linear` (16-bit scale); minus infinity for nothing but zeroes."""
    power = float(np.mean(np.square(np.asarray(linear, dtype=np.float64))))
    return 10.0 * float(np.log10(power / (ZERO_DBM0_PEAK**2 / 2.0))) if power > 0.0 else -np.inf
