"""Sums of channels at given levels, without clipping. Not here: who hears whom, fades, A-law (plane.py, codec.py).

A sum that fits is exact. Factors are whole multiples of 2^-20, A-law samples of 8: products and sums of hundreds of
them are exact in float64, so their order, and with it the BLAS kernel, makes no difference to a single bit.

A sum that does not fit is turned down as a whole, not cut off. The gain falls along a straight line that reaches what
the loudest samples of the block need just in time (all of a tick's samples are known when it begins: a look ahead that
costs no delay), stays there, and comes back with a time constant of 0.2 s. Measured with sines: of four talkers of
+3 dBm0 at once, all that is not one of the four is 32 dB below them, cut off at the encoder it would be 6 dB; of eight
of -10 dBm0, 28 and 14 dB; what fits has A-law's own 35 dB. In speech of -20 dBm0 (active level) no sum of up to eight
talkers at once goes beyond overload, of -10 dBm0 in 4 % of the ticks of three talkers and 35 % of eight.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import BLOCK, OVERLOAD, Linear

Entries = tuple[tuple[int, float], ...]
"""Whom a row hears: (channel, factor), by channel, each once."""

LOWEST_DB, HIGHEST_DB = -60.0, 24.0
"""Levels of an entry that mean anything: A-law has 64 dB between its smallest step and overload."""

_GRID = 2.0**20
_RELEASE = 0.05
"""Share of its way back that the gain makes in a tick."""
_UNITY = 0.999
"""From here on back is all the way back."""
_STEPS = np.arange(1, BLOCK + 1) / BLOCK

Sums = NDArray[np.float64]


@lru_cache(maxsize=256)
def factor_of(db: float) -> float:
    """The factor of a level in dB, on the grid. Raises ValueError outside of LOWEST_DB to HIGHEST_DB."""
    if not LOWEST_DB <= db <= HIGHEST_DB:
        raise ValueError(f"a level of {db} dB is not between {LOWEST_DB:g} and {HIGHEST_DB:g} dB")
    factor: float = round(10.0 ** (db / 20.0) * _GRID) / _GRID
    return factor


def without(channel: int, heard: Entries) -> Entries:
    """The row when that channel is heard no more."""
    return tuple(entry for entry in heard if entry[0] != channel)


class Mixes:
    """The rows that are sums, as one product. Keeps of each channel how far its sum is turned down."""

    def __init__(self, channels: int) -> None:
        self.turned_down = np.ones(channels)
        """Gain of each channel's sum at the end of the last tick: 1 while it fits."""
        self.set({})

    def set(self, rows: Mapping[int, Entries]) -> None:
        """Which channels hear which sums from now on."""
        self.rows: NDArray[np.intp] = np.array(sorted(rows), dtype=np.intp)
        self._columns, self._factors = _matrix([rows[channel] for channel in sorted(rows)])
        gone = np.ones(self.turned_down.size, dtype=bool)
        gone[self.rows] = False
        self.turned_down[gone] = 1.0

    def sums(self, linear: Linear) -> Sums:
        """[len(rows), 80] the sums over `linear` [channels, 80] (16-bit scale), as large as they are."""
        sums: Sums = self._factors @ linear[self._columns].astype(np.float64)
        return sums

    def mix(self, linear: Linear) -> Sums:
        """The same, none beyond overload."""
        sums = self.sums(linear)
        self.turned_down[self.rows] = turn_down(sums, self.turned_down[self.rows])
        return sums


def sums_of(rows: list[Entries], linear: Linear) -> Sums:
    """[len(rows), 80] sums that are needed for this tick only, as large as they are."""
    columns, factors = _matrix(rows)
    sums: Sums = factors @ linear[columns].astype(np.float64)
    return sums


def _matrix(rows: list[Entries]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The channels that are heard at all, and the factors [len(rows), channels heard]."""
    columns = sorted({channel for row in rows for channel, _ in row})
    place = {channel: index for index, channel in enumerate(columns)}
    factors = np.zeros((len(rows), len(columns)))
    for index, row in enumerate(rows):
        for channel, factor in row:
            factors[index, place[channel]] = factor
    return np.array(columns, dtype=np.intp), factors


def turn_down(sums: Sums, begin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring `sums` [rows, 80] below overload, in place, with gains that begin at `begin` [rows]; the gains at the end.

    Elementwise arithmetic only: the same bits on every machine.
    """
    loud = np.abs(sums).max(axis=1, initial=0.0) > OVERLOAD
    chosen = np.flatnonzero(loud | (begin < 1.0))
    if not chosen.size:
        return begin
    first = begin[chosen, None]
    needed = np.minimum(1.0, OVERLOAD / np.maximum(np.abs(sums[chosen]), 1.0))
    least = needed.min(axis=1, keepdims=True)
    # Down: the steepest line that some sample needs, no further than the least that any needs.
    steepest = ((needed - first) / _STEPS).min(axis=1, keepdims=True)
    down = np.maximum(least, first + steepest * _STEPS)
    # Up: a part of the way back, as far as every sample allows.
    goal = first + (1.0 - first) * _RELEASE
    goal = np.minimum(np.where(goal > _UNITY, 1.0, goal), least)
    gains = np.where(least < first, down, first + (goal - first) * _STEPS)
    sums[chosen] *= gains
    end = begin.copy()
    end[chosen] = gains[:, -1]
    return end
