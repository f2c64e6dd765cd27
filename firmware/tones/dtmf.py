"""DTMF digits in the audio of all channels at once. It finds digits; what they mean, and to whom, is not its part.

Each tick is one hop of 10 ms: one product of all channels with the eight tones (and 450 Hz, so that a dial tone does
not hide a digit). For channels on which a digit may be sounding, a least-squares fit of the strongest low and high tone
and the dial tone gives their complex amplitudes without leakage, and the energy that they do not explain. Hops that the
same pair explains are put together coherently: the turn of phase from hop to hop measures the frequency far finer than
a hop resolves, and the amplitudes of the hops at the edges give start and end finer than a hop.

Limits (ITU-T Q.23, Q.24): ±1.5 % accepted, ±3.5 % not; high tone from 8 dB below to 4 dB above the low one; 40 ms on
and 40 ms off accepted; 23 ms not a digit; a break of 10 ms does not make two digits of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones.generate import DIGITS, HIGH_HZ, LOW_HZ

DIAL_HZ = 450.0

MINIMUM_DBM0 = -37.0
"""The weaker tone of a digit must be as strong as this."""
TONE_SHARE = 0.70
"""Share of a hop's energy (without the dial tone) that the pair must explain (0.8 at 1.5 % off in 15 dB of noise)."""
DIAL_SHARE = 2.0
"""A dial tone may have this many times the energy of the pair."""
TWIST_DB = (-12.0, 10.0)
"""High tone over low tone. Required are -8 and +4 dB; an echo 6 dB down alone can make 9.5 dB of an even pair."""
HOP_TWIST_MARGIN_DB = 1.5
"""A single hop may go beyond these limits by this much."""
FREQUENCY_TOLERANCE = 0.024
"""Half-way between what must be accepted and what must not."""
STEADY_SHARE = 0.6
"""Share of the steps from one good hop to the next in which both tones turn as tones of that frequency do. A break or
the onset of an echo disturbs one or two steps."""
MINIMUM_HOPS = 3
"""A tone of 40 ms fills at least three hops."""
FOREIGN_SHARE = 0.12
"""Share of a digit's energy that may be something else. Measured: at most 0.10 for digits in 15 dB of noise, with
breaks or echoes; 0.15 and more for voices and music that pass all other conditions."""
MINIMUM_DURATION = 272
"""Samples (34 ms): between what must not be a digit (23 ms) and what must (40 ms, measured as 37.7 ms at the least)."""
BREAK = 1.6
"""Hops of missing tone that end a digit."""
LONGEST_TAIL = 3
"""Hops after its last good one in which a digit is reported at the latest."""

_HZ = np.array([*LOW_HZ, *HIGH_HZ, DIAL_HZ])
_MINIMUM_PEAK = codec.peak_of(MINIMUM_DBM0)

Indexes = NDArray[np.intp]
Complex = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class DetectedDigit:
    """A digit that has ended."""

    channel: int
    digit: str
    start: int
    """Sample count of its beginning, to a few milliseconds."""
    duration: int
    """Samples."""
    level_dbm0: float
    """Of the stronger tone."""
    twist_db: float
    """High tone over low tone."""


def _columns_of(pair: int) -> list[int]:
    low, high, dial = pair // 4, 4 + pair % 4, 8
    return [low, high, dial, low + 9, high + 9, dial + 9]


def _columns() -> NDArray[np.float64]:
    angle = 2.0 * np.pi / SAMPLE_RATE * np.outer(np.arange(BLOCK), _HZ)
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


def _inverse_of_pairs() -> Linear:
    chosen = [_columns()[:, _columns_of(pair)] for pair in range(16)]
    return np.array([np.linalg.inv(columns.T @ columns) for columns in chosen], dtype=np.float32)


_COLUMNS: Linear = _columns().astype(np.float32)
"""[80, 18]: cosines of the nine frequencies, then sines."""
_COLUMNS_OF_PAIR: Indexes = np.array([_columns_of(pair) for pair in range(16)], dtype=np.intp)
"""[16, 6]: which columns a pair and the dial tone are."""
_INVERSE: Linear = _inverse_of_pairs()
"""[16, 6, 6]: inverse Gram matrix of these columns."""
_HZ_OF_PAIR = np.array([(LOW_HZ[pair // 4], HIGH_HZ[pair % 4]) for pair in range(16)])
_TURN_OF_PAIR: Complex = np.exp(-2j * np.pi * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE).astype(np.complex64)
"""[16, 2]: what takes back the turn of each tone's phase in one hop."""
_TOLERANCE_OF_PAIR: Linear = (2 * np.pi * FREQUENCY_TOLERANCE * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE).astype(np.float32)
"""[16, 2]: by how much (radians) that turn may be off."""


class DtmfDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._next_sample = 0
        self._products: Linear = np.zeros((channels, 18), dtype=np.float32)
        self._last_products: Linear = np.zeros((channels, 18), dtype=np.float32)
        # What is sounding on each channel: the pair (-1: nothing), first and last good hop, and sums over good hops.
        self._pair: NDArray[np.intp] = np.full(channels, -1, dtype=np.intp)
        self._first = np.zeros(channels, dtype=np.int64)
        self._last = np.zeros(channels, dtype=np.int64)
        self._good = np.zeros(channels, dtype=np.int64)
        self._missing = np.zeros(channels, dtype=np.float32)
        self._tail_hops = np.zeros(channels, dtype=np.int64)
        self._amplitude: Complex = np.zeros((channels, 2), dtype=np.complex64)
        self._turned: Complex = np.zeros((channels, 2), dtype=np.complex64)
        self._steps = np.zeros(channels, dtype=np.int64)
        self._steady_steps = np.zeros(channels, dtype=np.int64)
        self._power: Linear = np.zeros((channels, 2), dtype=np.float32)
        self._unexplained: Linear = np.zeros(channels, dtype=np.float32)
        # Strength (both tones) of the edges: hop before, first, last, after; and the strongest.
        self._edges: Linear = np.zeros((channels, 4), dtype=np.float32)
        self._strongest: Linear = np.zeros(channels, dtype=np.float32)

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._pair[channel] = -1
        self._last_products[channel] = 0.0

    def process(
        self, linear: Linear, sample: int, active: NDArray[np.bool_] | Indexes | None = None
    ) -> list[DetectedDigit]:
        """One tick: `linear` [channels, 80], whose first sample has the count `sample`. Digits that ended, by channel,
        at most 40 ms after their end.

        `active`: the channels to listen to, as a mask or indexes; None is all. The others are forgotten.
        """
        if sample != self._next_sample:
            self._pair.fill(-1)
            self._last_products.fill(0.0)
        self._next_sample = sample + BLOCK
        last = self._last_products
        products = np.matmul(linear, _COLUMNS, out=self._products)
        energy = np.einsum("ij,ij->i", linear, linear)
        powers = products[:, :8] ** 2 + products[:, 9:17] ** 2
        low = powers[:, :4].argmax(axis=1)
        high = powers[:, 4:].argmax(axis=1)
        every = np.arange(self.channels)
        # Rough, to leave out most channels: leakage between the tones and a dial tone may take their part.
        tones = (powers[every, low] + powers[every, 4 + high]) * np.float32(2.0 / BLOCK)
        maybe = (tones > energy * np.float32(0.5 * TONE_SHARE / (1.0 + DIAL_SHARE))) & (
            energy > np.float32(_MINIMUM_PEAK**2 * BLOCK / 2)
        )
        if active is not None:
            mask = np.zeros(self.channels, dtype=bool)
            mask[active] = True
            maybe &= mask
            self._pair[~mask] = -1
        found: list[DetectedDigit] = []
        rows = np.flatnonzero(maybe | (self._pair >= 0))
        if rows.size:
            self._follow(rows, low[rows] * 4 + high[rows], energy[rows], last, sample, found)
        self._last_products, self._products = products, last
        return found

    def _follow(
        self, rows: Indexes, best: Indexes, energy: Linear, last: Linear, sample: int, found: list[DetectedDigit]
    ) -> None:
        """The channels on which something is or may be sounding. `best`: the strongest pair of each."""
        amplitude, residual, dial = _fit(self._products[rows], best, energy)
        power = amplitude.real**2 + amplitude.imag**2
        tones = power.sum(axis=1) * np.float32(BLOCK / 2)
        twist = power[:, 1] / np.maximum(power[:, 0], np.float32(1e-6))
        good = (
            (tones >= np.float32(TONE_SHARE) * (tones + residual))
            & (dial <= np.float32(DIAL_SHARE) * tones)
            & (power.min(axis=1) >= np.float32(_MINIMUM_PEAK**2))
            & (twist >= np.float32(10 ** ((TWIST_DB[0] - HOP_TWIST_MARGIN_DB) / 10)))
            & (twist <= np.float32(10 ** ((TWIST_DB[1] + HOP_TWIST_MARGIN_DB) / 10)))
        )
        pair = self._pair[rows]
        goes_on = good & (pair == best)
        falters = (pair >= 0) & ~goes_on
        begins = good & ~goes_on

        if falters.any():
            self._falter(rows[falters], good[falters], energy[falters], sample, found)
        if begins.any():
            self._begin(rows[begins], best[begins], amplitude[begins], residual[begins], last, sample)
        if goes_on.any():
            self._go_on(rows[goes_on], best[goes_on], amplitude[goes_on], residual[goes_on], sample)

    def _begin(
        self, rows: Indexes, pair: Indexes, amplitude: Complex, residual: Linear, last: Linear, sample: int
    ) -> None:
        before, _, _ = _fit(last[rows], pair, np.zeros(rows.size, dtype=np.float32))
        strength = np.abs(amplitude).sum(axis=1)
        self._pair[rows] = pair
        self._first[rows] = self._last[rows] = sample
        self._good[rows] = 1
        self._missing[rows] = 0.0
        self._tail_hops[rows] = 0
        self._amplitude[rows] = amplitude
        self._turned[rows] = 0.0
        self._steps[rows] = self._steady_steps[rows] = 0
        self._power[rows] = np.abs(amplitude) ** 2
        self._unexplained[rows] = residual
        self._edges[rows] = np.stack([np.abs(before).sum(axis=1), strength, strength, np.zeros_like(strength)], axis=1)
        self._strongest[rows] = strength

    def _go_on(self, rows: Indexes, pair: Indexes, amplitude: Complex, residual: Linear, sample: int) -> None:
        size = np.abs(amplitude)
        strength = size.sum(axis=1)
        # Phase is followed only from one hop to the very next.
        next_hop = self._tail_hops[rows] == 0
        turned = amplitude * self._amplitude[rows].conj() * _TURN_OF_PAIR[pair]
        steady = next_hop & (np.abs(np.angle(turned)) <= _TOLERANCE_OF_PAIR[pair]).all(axis=1)
        self._turned[rows] += turned * steady[:, None]
        self._steps[rows] += next_hop
        self._steady_steps[rows] += steady
        self._amplitude[rows] = amplitude
        self._power[rows] += size**2
        self._unexplained[rows] += residual
        self._last[rows] = sample
        self._good[rows] += 1
        self._missing[rows] = 0.0
        self._tail_hops[rows] = 0
        self._edges[rows, 2] = strength
        self._edges[rows, 3] = 0.0
        self._strongest[rows] = np.maximum(self._strongest[rows], strength)

    def _falter(
        self, rows: Indexes, other: NDArray[np.bool_], energy: Linear, sample: int, found: list[DetectedDigit]
    ) -> None:
        """Hops in which the sounding pair is not as it should be; `other`: another pair sounds."""
        amplitude, _, _ = _fit(self._products[rows], self._pair[rows], energy)
        strength = np.abs(amplitude).sum(axis=1)
        first = self._tail_hops[rows] == 0
        self._edges[rows[first], 3] = strength[first]
        self._missing[rows] += 1.0 - np.minimum(1.0, strength / self._strongest[rows])
        self._tail_hops[rows] += 1
        over = other | (self._missing[rows] >= BREAK) | (self._tail_hops[rows] >= LONGEST_TAIL)
        for channel in rows[over].tolist():
            digit = self._judge(channel)
            if digit is not None:
                found.append(digit)
        self._pair[rows[over]] = -1

    def _judge(self, channel: int) -> DetectedDigit | None:
        """What was sounding has ended: was it a digit?"""
        good = int(self._good[channel])
        if good < MINIMUM_HOPS:
            return None
        strongest = float(self._strongest[channel])
        before, first, last, after = np.minimum(1.0, self._edges[channel] / strongest).tolist()
        start = int(self._first[channel]) + round(BLOCK * (1.0 - first - before))
        end = int(self._last[channel]) + round(BLOCK * (last + after))
        if end - start < MINIMUM_DURATION:
            return None
        steady = int(self._steady_steps[channel])
        if steady < MINIMUM_HOPS - 1 or steady < STEADY_SHARE * int(self._steps[channel]):
            return None
        pair = int(self._pair[channel])
        # A hop hears a tone that is off its frequency a little weaker than it is.
        turns_off = np.angle(self._turned[channel]) / (2.0 * np.pi)
        power = self._power[channel] / np.sinc(turns_off) ** 2
        total = float(power.sum()) * BLOCK / 2
        # What is left over when even the weakening is accounted for is noise, voice or music.
        foreign = float(self._unexplained[channel]) - (total - float(self._power[channel].sum()) * BLOCK / 2)
        if foreign > FOREIGN_SHARE * total:
            return None
        peak = np.sqrt(power / good)
        levels = 20.0 * np.log10(peak / codec.ZERO_DBM0_PEAK)
        twist = float(levels[1] - levels[0])
        if not TWIST_DB[0] <= twist <= TWIST_DB[1]:
            return None
        return DetectedDigit(channel, DIGITS[pair], start, end - start, float(levels.max()), twist)


def _fit(products: Linear, pair: Indexes, energy: Linear) -> tuple[Complex, Linear, Linear]:
    """Least squares of pair and dial tone in one hop of some channels: complex peaks [rows, 2] (low, high), the energy
    that is left unexplained, the energy of the dial tone."""
    chosen = np.take_along_axis(products, _COLUMNS_OF_PAIR[pair], axis=1)
    weights = np.matmul(_INVERSE[pair], chosen[:, :, None])[:, :, 0]
    residual = np.maximum(energy - np.einsum("ij,ij->i", weights, chosen), np.float32(0.0))
    amplitude = (weights[:, 0:2] - 1j * weights[:, 3:5]).astype(np.complex64)
    dial = (weights[:, 2] ** 2 + weights[:, 5] ** 2) * np.float32(BLOCK / 2)
    return amplitude, residual, dial
