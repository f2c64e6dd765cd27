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

import cmath
import math
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
# A first sieve works on products that the tones' leakage may have changed: looser than what follows.
_ROUGH_SHARE = 0.6
_ROUGH_TWIST = 10.0 ** (-1.7)
_ROUGH_MINIMUM = (0.5 * _MINIMUM_PEAK * BLOCK / 2) ** 2

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
_COLUMNS_OF_PAIR: Indexes = np.array([_columns_of(pair) for pair in range(16)], dtype=np.intp).T
"""[6, 16]: which columns a pair and the dial tone are."""
_INVERSE: Linear = _inverse_of_pairs()
"""[16, 6, 6]: inverse Gram matrix of these columns."""
_HZ_OF_PAIR = np.array([(LOW_HZ[pair // 4], HIGH_HZ[pair % 4]) for pair in range(16)]).T
_TURN_OF_PAIR: Complex = np.exp(-2j * np.pi * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE).astype(np.complex64)
"""[2, 16]: what takes back the turn of each tone's phase in one hop."""
_STEADY_OF_PAIR: Linear = np.cos(2 * np.pi * FREQUENCY_TOLERANCE * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE).astype(np.float32)
"""[2, 16]: cosine of the angle by which that turn may be off."""

# Rows of the state of a channel. Sums are over good hops; strength is that of both tones together.
_POWER = slice(0, 2)
_UNEXPLAINED, _STRONGEST, _GOOD, _STEPS, _STEADY, _MISSING, _TAIL = range(2, 9)
_EDGES = slice(9, 13)
"""Strength of the hop before, the first, the last, the one after."""
_FIRST_EDGE, _LAST_EDGE, _AFTER_EDGE = 10, 11, 12
_STATE_ROWS = 13


class DtmfDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._next_sample = 0
        # Channels are the last axis of everything, so that each step runs along memory.
        self._products: Linear = np.zeros((18, channels), dtype=np.float32)
        self._last_products: Linear = np.zeros((18, channels), dtype=np.float32)
        # What is sounding on each channel: the pair (-1: nothing), its first and last good hop, and the rest.
        self._pair: NDArray[np.intp] = np.full(channels, -1, dtype=np.intp)
        self._first = np.zeros(channels, dtype=np.int64)
        self._last = np.zeros(channels, dtype=np.int64)
        self._state: Linear = np.zeros((_STATE_ROWS, channels), dtype=np.float32)
        self._amplitude: Complex = np.zeros((2, channels), dtype=np.complex64)
        self._turned: Complex = np.zeros((2, channels), dtype=np.complex64)

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._pair[channel] = -1
        self._last_products[:, channel] = 0.0

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
        products = self._products
        products[:] = np.matmul(linear, _COLUMNS).T
        energy = np.einsum("ij,ij->i", linear, linear)
        squares = np.square(products)
        powers = squares[:9] + squares[9:]
        low, high = powers[:4].max(axis=0), powers[4:8].max(axis=0)
        # Rough, to leave out most channels: leakage between the tones and from the dial tone may take their part.
        weaker, stronger = np.minimum(low, high), np.maximum(low, high)
        maybe = (low + high + np.float32(_ROUGH_SHARE) * powers[8] > np.float32(_ROUGH_SHARE * BLOCK / 2) * energy) & (
            weaker > np.maximum(np.float32(_ROUGH_MINIMUM), np.float32(_ROUGH_TWIST) * stronger)
        )
        if active is not None:
            mask = np.zeros(self.channels, dtype=bool)
            mask[active] = True
            maybe &= mask
            self._pair[~mask] = -1
        found: list[DetectedDigit] = []
        rows = np.flatnonzero(maybe | (self._pair >= 0))
        if rows.size:
            strongest = powers[:8, rows]
            best = strongest[:4].argmax(axis=0) * 4 + strongest[4:].argmax(axis=0)
            self._follow(rows, best, energy[rows], sample, found)
        self._last_products, self._products = products, last
        return found

    def _follow(self, rows: Indexes, best: Indexes, energy: Linear, sample: int, found: list[DetectedDigit]) -> None:
        """The channels on which something is or may be sounding. `best`: the strongest pair of each."""
        amplitude, power, residual, dial = _fit(self._products, rows, best, energy)
        tones = (power[0] + power[1]) * np.float32(BLOCK / 2)
        good = (
            (tones * np.float32(1.0 / TONE_SHARE - 1.0) >= residual)
            & (dial <= np.float32(DIAL_SHARE) * tones)
            & (np.minimum(power[0], power[1]) >= np.float32(_MINIMUM_PEAK**2))
            & (power[1] >= np.float32(10 ** ((TWIST_DB[0] - HOP_TWIST_MARGIN_DB) / 10)) * power[0])
            & (power[1] <= np.float32(10 ** ((TWIST_DB[1] + HOP_TWIST_MARGIN_DB) / 10)) * power[0])
        )
        pair = self._pair[rows]
        goes_on = good & (pair == best)
        falters = (pair >= 0) & ~goes_on
        begins = good & ~goes_on
        if falters.any():
            self._falter(rows[falters], good[falters], energy[falters], found)
        if begins.any():
            at = np.flatnonzero(begins)
            self._begin(rows[at], best[at], amplitude[:, at], power[:, at], residual[at], sample)
        if goes_on.any():
            at = np.flatnonzero(goes_on)
            self._go_on(rows[at], best[at], amplitude[:, at], power[:, at], residual[at], sample)

    def _begin(
        self, rows: Indexes, pair: Indexes, amplitude: Complex, power: Linear, residual: Linear, sample: int
    ) -> None:
        before = _fit(self._last_products, rows, pair, np.zeros(rows.size, dtype=np.float32))[1]
        strength = np.sqrt(power).sum(axis=0)
        state = np.zeros((_STATE_ROWS, rows.size), dtype=np.float32)
        state[_POWER] = power
        state[_UNEXPLAINED] = residual
        state[_GOOD] = 1.0
        state[_EDGES] = np.sqrt(before).sum(axis=0), strength, strength, 0.0 * strength
        state[_STRONGEST] = strength
        self._state[:, rows] = state
        self._pair[rows] = pair
        self._first[rows] = self._last[rows] = sample
        self._amplitude[:, rows] = amplitude
        self._turned[:, rows] = 0.0

    def _go_on(
        self, rows: Indexes, pair: Indexes, amplitude: Complex, power: Linear, residual: Linear, sample: int
    ) -> None:
        state = self._state[:, rows]
        # Phase is followed only from one hop to the very next.
        next_hop = state[_TAIL] == 0.0
        turned = amplitude * self._amplitude[:, rows].conj() * _TURN_OF_PAIR[:, pair]
        steady = next_hop & (turned.real >= np.abs(turned) * _STEADY_OF_PAIR[:, pair]).all(axis=0)
        self._turned[:, rows] += turned * steady
        self._amplitude[:, rows] = amplitude
        self._last[rows] = sample
        strength = np.sqrt(power).sum(axis=0)
        state[_POWER] += power
        state[_UNEXPLAINED] += residual
        state[_STRONGEST] = np.maximum(state[_STRONGEST], strength)
        state[_GOOD] += 1.0
        state[_STEPS] += next_hop
        state[_STEADY] += steady
        state[_MISSING] = state[_TAIL] = state[_AFTER_EDGE] = 0.0
        state[_LAST_EDGE] = strength
        self._state[:, rows] = state

    def _falter(self, rows: Indexes, other: NDArray[np.bool_], energy: Linear, found: list[DetectedDigit]) -> None:
        """Hops in which the sounding pair is not as it should be; `other`: another pair sounds."""
        strength = np.sqrt(_fit(self._products, rows, self._pair[rows], energy)[1]).sum(axis=0)
        state = self._state[:, rows]
        state[_AFTER_EDGE] = np.where(state[_TAIL] == 0.0, strength, state[_AFTER_EDGE])
        state[_MISSING] += 1.0 - np.minimum(np.float32(1.0), strength / state[_STRONGEST])
        state[_TAIL] += 1.0
        self._state[:, rows] = state
        over = rows[other | (state[_MISSING] >= BREAK) | (state[_TAIL] >= LONGEST_TAIL)]
        for channel in over.tolist():
            digit = self._judge(channel)
            if digit is not None:
                found.append(digit)
        self._pair[over] = -1

    def _judge(self, channel: int) -> DetectedDigit | None:
        """What was sounding has ended: was it a digit?"""
        state = self._state[:, channel].tolist()
        good, steady = state[_GOOD], state[_STEADY]
        if good < MINIMUM_HOPS or steady < MINIMUM_HOPS - 1 or steady < STEADY_SHARE * state[_STEPS]:
            return None
        before, first, last, after = (min(1.0, edge / state[_STRONGEST]) for edge in state[_EDGES])
        start = int(self._first[channel]) + round(BLOCK * (1.0 - first - before))
        end = int(self._last[channel]) + round(BLOCK * (last + after))
        if end - start < MINIMUM_DURATION:
            return None
        pair = int(self._pair[channel])
        # A hop hears a tone that is off its frequency a little weaker than it is.
        turns_off = [cmath.phase(turned) / math.tau for turned in self._turned[:, channel].tolist()]
        weakened = [math.sin(math.pi * turn) / (math.pi * turn) if turn else 1.0 for turn in turns_off]
        power = [heard / weak**2 for heard, weak in zip(state[_POWER], weakened, strict=True)]
        # What is left over when even this is accounted for is noise, voice or music.
        foreign = state[_UNEXPLAINED] - (sum(power) - sum(state[_POWER])) * BLOCK / 2
        if foreign > FOREIGN_SHARE * sum(power) * BLOCK / 2:
            return None
        low, high = (10.0 * math.log10(tone / good / codec.ZERO_DBM0_PEAK**2) for tone in power)
        if not TWIST_DB[0] <= high - low <= TWIST_DB[1]:
            return None
        return DetectedDigit(channel, DIGITS[pair], start, end - start, max(low, high), high - low)


def _fit(products: Linear, rows: Indexes, pair: Indexes, energy: Linear) -> tuple[Complex, Linear, Linear, Linear]:
    """Least squares of a pair and the dial tone in one hop of some channels.

    Complex peaks [2, rows] (low, high) and their squares; the energy that is left unexplained; that of the dial tone.
    """
    chosen = products[_COLUMNS_OF_PAIR[:, pair], rows]
    weights = np.einsum("kij,jk->ik", _INVERSE[pair], chosen)
    residual = energy - (weights * chosen).sum(axis=0)
    squares = np.square(weights)
    power = squares[:2] + squares[3:5]
    amplitude = np.empty((2, rows.size), dtype=np.complex64)
    amplitude.real = weights[:2]
    np.negative(weights[3:5], out=amplitude.imag)
    return amplitude, power, residual, (squares[2] + squares[5]) * np.float32(BLOCK / 2)
