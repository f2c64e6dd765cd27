"""Samples between samples: what a line says at any moment between two of its samples. Not here: when that is wanted.

A windowed sinc of 32 samples (Kaiser, 6): within -65 dB of the exact value from 300 to 3400 Hz, which is well below
what A-law itself does to a sample. It looks 16 samples ahead and 15 back.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw

TAPS = 32
AHEAD = TAPS // 2
"""Samples after a moment that must be known."""
BEHIND = TAPS // 2 - 1
"""Samples before it."""
PARTS = 2560
"""Moments from one sample to the next."""


def _table() -> NDArray[np.float32]:
    distance = np.arange(-BEHIND, AHEAD + 1) - np.arange(PARTS + 1)[:, None] / PARTS
    window = np.i0(6.0 * np.sqrt(np.maximum(0.0, 1.0 - (distance / AHEAD) ** 2)))
    weights = np.sinc(distance) * window
    table: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return table


_WEIGHTS = _table()
"""[parts, taps]: how much each sample counts at each moment."""
_OUTPUTS = np.arange(BLOCK)


def read_block(line: Alaw, begin: int, parts: int) -> Alaw:
    """[channels, 80] A-law at moments that are 1 + parts/2560/80 samples apart, so that the block takes a little more
    or less than 80 samples. `begin` is where its first moment is, in parts of a sample from the start of `line`.

    Raises IndexError if `line` [channels, samples] does not hold BEHIND samples before it and AHEAD after its end.
    """
    moments = begin + _OUTPUTS * PARTS + _OUTPUTS * parts // BLOCK
    places, parts_of_sample = np.divmod(moments, PARTS)
    first, last = int(places[0]) - BEHIND, int(places[-1]) + AHEAD
    if first < 0 or last >= line.shape[1]:
        raise IndexError(f"samples {first} to {last} are not in a line of {line.shape[1]}")
    around = sliding_window_view(codec.decode(line[:, first : last + 1]), TAPS, axis=1)[:, places - places[0]]
    return codec.encode(np.einsum("cot,ot->co", around, _WEIGHTS[parts_of_sample]))
