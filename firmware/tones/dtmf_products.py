"""The product by which DTMF is found: its columns, and how much of a hop they can explain. No detection here.

80 samples times 22 columns: cosines and sines of the eight tones, and six columns that span the band of dial tones
(345 to 460 Hz: 350+440, 425 and 450 Hz). The latter are taken out of the former, so that a dial tone does not count.
Time runs from the middle of the hop: cosines and sines of any two tones are then orthogonal.

The columns are whole numbers, so small that every sum of products with A-law samples is exact in float32: whatever the
order in which a BLAS kernel adds, the products are the same to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones.generate import HIGH_HZ, LOW_HZ

DIAL_BAND_HZ = (345, 460)
DIAL_COLUMNS = 6
TONES_OF_PLACE = (0, 4, 1, 5, 2, 6, 3, 7)
"""The eight tones (four low, four high) in the order of the columns: low and high by turns, so that two maxima of
halves give the strongest of each group."""
SINES = 8
"""Column of the sine of a tone behind that of its cosine."""
DIAL = 16
"""First column of the dial band."""
COUNT = DIAL + DIAL_COLUMNS

_EXACT = 2**24
_STEP = 8
"""A-law decodes to multiples of this."""
_HIGHEST = int(codec.DECODE.max()) // _STEP


def _columns() -> tuple[NDArray[np.float64], float, float]:
    """[80, 22], and the factors by which the tones and the dial band were made larger."""
    time = (np.arange(BLOCK) - (BLOCK - 1) / 2) * 2.0 * np.pi / SAMPLE_RATE
    band = np.outer(time, np.arange(DIAL_BAND_HZ[0], DIAL_BAND_HZ[1] + 1))
    spans = [np.linalg.svd(waves(band))[0][:, : DIAL_COLUMNS // 2] for waves in (np.cos, np.sin)]
    dial = np.concatenate(spans, axis=1)
    angle = np.outer(time, np.array([*LOW_HZ, *HIGH_HZ])[list(TONES_OF_PLACE)])
    tones = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    tones -= dial @ (dial.T @ tones)
    scales = [np.floor(_EXACT / _HIGHEST - BLOCK / 2) / np.abs(part).sum(axis=0).max() for part in (tones, dial)]
    whole = np.concatenate([np.rint(tones * scales[0]), np.rint(dial * scales[1])], axis=1)
    assert np.abs(whole).sum(axis=0).max() * _HIGHEST <= _EXACT
    return whole, float(scales[0]), float(scales[1])


_WHOLE, SCALE, _DIAL_SCALE = _columns()
COLUMNS: Linear = _WHOLE.astype(np.float32)
"""[80, 22]; a tone of peak p has the product p × SCALE × 40 with its column, about."""
DIAL_ENERGY = _DIAL_SCALE**-2
"""What makes energy of the squares of the products with the dial band."""

PLACE_OF_TONE = [TONES_OF_PLACE.index(tone) for tone in range(8)]
LOW_OF_PAIR = [PLACE_OF_TONE[pair // 4] for pair in range(16)]
HIGH_OF_PAIR = [PLACE_OF_TONE[4 + pair % 4] for pair in range(16)]
"""Columns of the cosines of a pair's tones."""


def inverses_of_pairs() -> NDArray[np.float64]:
    """[3, 2, 16]: what gives the amplitudes of a pair's tones out of their products: the inverse Gram matrix (low with
    low, low with high, high with high), for cosines and for sines."""
    found = np.empty((3, 2, 16))
    for pair in range(16):
        for part in range(2):
            columns = _WHOLE[:, [LOW_OF_PAIR[pair] + SINES * part, HIGH_OF_PAIR[pair] + SINES * part]]
            inverse = np.linalg.inv(columns.T @ columns) * SCALE
            found[:, part, pair] = inverse[0, 0], inverse[0, 1], inverse[1, 1]
    return found
