"""Was it a digit? The second step of the DTMF detector: it looks back over the hops of pairs that have ended.

Least squares gives the amplitudes of both tones in each hop without the leakage of one into the other; the turn of
phase from hop to hop measures the frequency far finer than a hop resolves; the amplitudes of the hops at the edges give
start and end finer than a hop. What asks for it, and when, is dtmf.py. All presses are looked at together.
"""

from __future__ import annotations

from itertools import starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones import dtmf_products as products
from firmware.tones.generate import DIGITS, HIGH_HZ, LOW_HZ

MINIMUM_DBM0 = -39.5
"""The weaker tone of a digit must be as strong as this; -38 must be heard, and tones 1.8 % off look 0.7 dB weaker."""
TONE_SHARE = 0.70
"""Share of a hop's energy (without the dial tone) that the pair must explain (0.8 at 1.5 % off in 15 dB of noise)."""
FOREIGN_SHARE_OF_VOICE = 0.11
"""The same if as much as the digit's energy lies in the band of dial tones: voices are there as well, noise is not."""
DIAL_SHARE = 30.0
"""A dial tone may have this many times the energy of the pair."""
TWIST_DB = (-13.5, 10.0)
"""High tone over low tone. Required are -8 and +4 dB; an echo 6 dB down can add 9.5 dB to the part that it overlaps."""
HOP_TWIST_DB = (-18.5, 11.5)
"""The same for a single hop."""
FREQUENCY_TOLERANCE = 0.02
"""Of each tone over a whole clean digit: 1.8 % must be accepted, 3 % must not. Music is full of pairs 2.1 % off. The
share of what is foreign is taken off it."""
STEP_TOLERANCE = 0.024
"""Of each tone from one hop to the next."""
STEADY_SHARE = 0.6
"""Share of the steps from one good hop to the next in which both tones turn as tones of that frequency do. A break or
the onset of an echo disturbs one or two steps."""
MINIMUM_HOPS = 3
"""A tone of 40 ms fills at least three hops."""
FOREIGN_SHARE = 0.14
"""Share of a digit's energy that may be something else. Measured: at most 0.13 for digits of 40 ms in 12 dB of noise;
0.16 and more for voices and music that pass all other conditions."""
MINIMUM_DURATION = 272
"""Samples (34 ms): between what must not be a digit (24 ms) and what must (40 ms, measured as 37.7 ms at the least)."""
BREAK = 1.6
"""Hops of missing tone that end a digit; three hops in a row do in any case."""
CLEAN_SHARE = 0.1
"""What a hop may have besides the pair to be of it for certain."""
MINIMUM_STRENGTH = 0.4
"""Of a digit's strongest hop: what is weaker is its echo."""

LOOK_BACK = 12
"""Hops of a press, from its end, that are measured; of one that is longer the rest is only counted."""
BEYOND = 3
"""Hops after the last good one that it waits for."""
RING = 32
"""Hops of which products and energies are kept, and ..."""
CODES = 1024
"""... of which the codes are: a press of more than 9.92 s is told as one of this length. Both are powers of two."""

Indexes = NDArray[np.intp]


class DetectedDigit(NamedTuple):
    """A digit that has ended."""

    channel: int
    digit: str
    start: int
    """Sample count of its beginning: to 2 ms, of a press of more than 100 ms to 10 ms."""
    duration: int
    """Samples."""
    level_dbm0: float
    """Of the stronger tone."""
    twist_db: float
    """High tone over low tone."""


_HOPS: Indexes = np.arange(LOOK_BACK + BEYOND)[:, None]
_LAST = LOOK_BACK - 1
"""Place of the last good hop among those looked at."""


def _columns_of_pairs() -> Indexes:
    low, high = np.array(products.LOW_OF_PAIR), np.array(products.HIGH_OF_PAIR)
    return np.stack([low, low + products.SINES, high, high + products.SINES])


def _figures_of_pairs() -> Linear:
    """[14, 16]: the inverses, [tone] what takes back the turn of the phase in one hop (cosine, then sine), the cosine
    of the angle by which that turn may be off from hop to hop, and the turns that it may be off on average."""
    hz = np.array([(LOW_HZ[pair // 4], HIGH_HZ[pair % 4]) for pair in range(16)]).T
    angle = 2.0 * np.pi * hz * BLOCK / SAMPLE_RATE
    rows = [*products.inverses_of_pairs().reshape(6, 16), *np.cos(angle), *np.sin(angle)]
    rows += [*np.cos(angle * STEP_TOLERANCE), *(angle * FREQUENCY_TOLERANCE / (2.0 * np.pi))]
    return np.array(rows, dtype=np.float32)


_COLUMNS_OF_PAIR = _columns_of_pairs()
"""[4, 16]: cosine and sine of the low tone, then of the high tone."""
_FIGURES = _figures_of_pairs()

PAIR_OF_CODE: Indexes = np.zeros(256, dtype=np.intp)
"""A code has one bit for each tone that is the strongest of its group; 0 is none, and a draw counts as none."""
IS_PAIR = np.zeros(256, dtype=np.bool_)
for _pair in range(16):
    _code = 1 << products.LOW_OF_PAIR[_pair] | 1 << products.HIGH_OF_PAIR[_pair]
    PAIR_OF_CODE[_code], IS_PAIR[_code] = _pair, True

# Scalars as arrays of no dimension: numpy takes them quicker.
_ENERGY_OF_PEAK = np.array(BLOCK / 2, dtype=np.float32)
_EXPLAINED = np.array(1.0 / products.SCALE, dtype=np.float32)
_LEAST_POWER = np.array(codec.peak_of(MINIMUM_DBM0) ** 2, dtype=np.float32)
_LEAST_HOP_RATIO, _GREATEST_HOP_RATIO = (np.array(10 ** (twist / 10), dtype=np.float32) for twist in HOP_TWIST_DB)
_LEAST_RATIO, _GREATEST_RATIO = (np.array(10 ** (twist / 10), dtype=np.float32) for twist in TWIST_DB)
_REST = np.array((1.0 / TONE_SHARE - 1.0) * BLOCK / 2, dtype=np.float32)
_CLEAN = np.array(CLEAN_SHARE * BLOCK / 2, dtype=np.float32)
_DIAL = np.array(DIAL_SHARE * BLOCK / 2, dtype=np.float32)
_FOREIGN = np.array(FOREIGN_SHARE, dtype=np.float32)
_VOICE = np.array(FOREIGN_SHARE - FOREIGN_SHARE_OF_VOICE, dtype=np.float32)
_STRENGTH = np.array(MINIMUM_STRENGTH, dtype=np.float32)
_BREAK = np.array(2.0 - BREAK, dtype=np.float32)
_STEADY = np.array(STEADY_SHARE, dtype=np.float32)
_TURNS, _PI = np.array(0.5 / np.pi, dtype=np.float32), np.array(np.pi, dtype=np.float32)
_ZERO_DBM0, _TEN = np.array(codec.ZERO_DBM0_PEAK**2, dtype=np.float32), np.array(10.0, dtype=np.float32)
_ONE = np.array(1.0, dtype=np.float32)
_all, _any, _sum, _largest = np.logical_and.reduce, np.logical_or.reduce, np.add.reduce, np.maximum.reduce


def digits_of(
    ring: Linear, energies: Linear, codes: NDArray[np.uint8], channels: Indexes, ends: Indexes, origin: int
) -> list[DetectedDigit]:
    """Which of the pairs that sounded last in the hops `ends` on the channels `channels` were digits.

    `ring` [32, channels, 22], `energies` [2, 32, channels] (without the dial band, of the dial band) and `codes`
    [1024, channels] keep the hops at their number modulo their length; hop 0 begins at the sample count `origin`.
    """
    count = ring.shape[1]
    code = codes.take((ends & CODES - 1) * count + channels)
    pair = PAIR_OF_CODE.take(code)
    figures = _FIGURES.take(pair, axis=1)
    hops = ends - _LAST + _HOPS
    at = (hops & RING - 1) * count + channels
    heard = ring.take((at * products.COUNT) + _COLUMNS_OF_PAIR.take(pair, axis=1)[:, None]).reshape(2, 2, *hops.shape)
    energy, dial = energies.reshape(2, -1).take(at, axis=1)
    same = codes.take((hops & CODES - 1) * count + channels) == code

    # Amplitudes [tone, cosine and sine, hops, presses], and what they leave unexplained.
    straight_low, cross, straight_high = figures[:6].reshape(3, 2, 1, -1)
    peaks = heard[::-1] * cross
    peaks[0] += heard[0] * straight_low
    peaks[1] += heard[1] * straight_high
    heard *= peaks
    heard[0] += heard[1]
    explained = heard[0, 0] + heard[0, 1]
    explained *= _EXPLAINED
    residual = energy - explained
    squares = peaks * peaks
    power: Linear = squares[:, 0] + squares[:, 1]
    peak = np.sqrt(power)

    # Which hops belong to it: back from its end to the break before it. An echo may make one tone so weak that another
    # looks stronger; a hop that the pair explains cleanly is of it all the same.
    tones = power[0] + power[1]
    fair = power[1] >= power[0] * _LEAST_HOP_RATIO
    fair &= power[1] <= power[0] * _GREATEST_HOP_RATIO
    strength = peak[0] + peak[1]
    share = strength / _largest(strength * same, axis=0)
    np.minimum(share, _ONE, out=share)
    clean = residual[:LOOK_BACK] <= tones[:LOOK_BACK] * _CLEAN
    clean &= fair[:LOOK_BACK]
    same[:LOOK_BACK] |= clean
    sounds = same
    sounds &= share >= _STRENGTH
    missing = ~sounds
    breaks = missing[:-1] & missing[1:]
    enough = share[:-2] + share[1:-1] <= _BREAK
    enough |= missing[2:]
    breaks[:-1] &= enough
    last = _LAST - sounds[_LAST::-1].argmax(axis=0)
    before = breaks[:_LAST] & (_HOPS[:_LAST] < last)
    whole = _any(before, axis=0)
    first = (LOOK_BACK - before[::-1].argmax(axis=0)) * whole
    belongs = sounds & (first <= _HOPS)
    belongs &= last >= _HOPS

    good = belongs & fair
    good &= residual <= tones * _REST
    good &= dial <= tones * _DIAL
    good &= np.minimum(power[0], power[1]) >= _LEAST_POWER
    steps = good[1:] & good[:-1]

    turned = np.empty(power.shape, dtype=np.complex64)
    turned.real, turned.imag = peaks[:, 0], peaks[:, 1]  # the sine's amplitude has the other sign: all is conjugate
    turned = turned[:, :-1].conj() * turned[:, 1:]
    turn_back = np.empty((2, 1, pair.size), dtype=np.complex64)
    turn_back.real[:, 0], turn_back.imag[:, 0] = figures[6:8], figures[8:10]
    turned *= turn_back
    limit = peak[:, 1:] * peak[:, :-1]
    limit *= figures[10:12, None]
    near = turned.real >= limit
    steady = steps & near[0]
    steady &= near[1]

    # A hop hears a tone that is off its frequency a little weaker than it is; what is left over when even this is
    # accounted for is noise, voice or music.
    powers_heard = _sum(power * good, axis=1)
    offset = _sum(turned * steady, axis=1)
    turns_off = np.arctan2(offset.imag, offset.real) * _TURNS
    square = np.square(turns_off * _PI)
    weakened = 1.0 - square * (1.0 / 6.0 - square * (1.0 / 120.0))
    powers = powers_heard / np.square(weakened)
    together, together_heard = powers[0] + powers[1], powers_heard[0] + powers_heard[1]
    foreign = _sum(residual * good, axis=0) - (together - together_heard) * _ENERGY_OF_PEAK
    good_hops = _sum(good, axis=0, dtype=np.int8)
    steady_steps = _sum(steady, axis=0, dtype=np.int8)

    digits = IS_PAIR.take(code)
    digits &= breaks[LOOK_BACK] | (last < _LAST)
    digits &= good_hops >= MINIMUM_HOPS
    digits &= steady_steps >= MINIMUM_HOPS - 1
    digits &= steady_steps >= _sum(steps, axis=0, dtype=np.float32) * _STEADY
    energy_heard = np.maximum(together, _LEAST_POWER) * _ENERGY_OF_PEAK
    share_foreign = foreign / energy_heard
    share_dial = _sum(dial * good, axis=0) / energy_heard
    digits &= share_foreign <= _FOREIGN - np.minimum(share_dial, _ONE) * _VOICE
    digits &= powers[1] >= powers[0] * _LEAST_RATIO
    digits &= powers[1] <= powers[0] * _GREATEST_RATIO
    digits &= _all(np.abs(turns_off) <= figures[12:14] * (_ONE - share_foreign), axis=0)

    # To its hops belongs what sounds in the hops at its edges.
    presses = np.arange(pair.size)
    first = belongs.argmax(axis=0)
    edge = share.reshape(-1)
    head, tail = first * pair.size + presses, last * pair.size + presses
    begin = first + _ONE - edge.take(head) - edge.take(head - pair.size, mode="wrap")
    end = last + edge.take(tail) + edge.take(tail + pair.size)
    starts = np.rint((begin + (ends - _LAST)) * BLOCK).astype(np.int64)
    lengths = np.rint((end + (ends - _LAST)) * BLOCK).astype(np.int64) - starts
    for press in (digits & ~whole).nonzero()[0].tolist():
        hop = _first_hop(codes[:, channels[press]], int(ends[press]))
        lengths[press] += starts[press] - hop * BLOCK
        starts[press] = hop * BLOCK
    digits &= lengths >= MINIMUM_DURATION

    chosen = digits.nonzero()[0]
    if not chosen.size:
        return []
    levels = np.log10(powers.take(chosen, axis=1) / (good_hops.take(chosen) * _ZERO_DBM0)) * _TEN
    found = zip(
        channels[chosen].tolist(),
        [DIGITS[each] for each in pair[chosen].tolist()],
        (starts[chosen] + origin).tolist(),
        lengths[chosen].tolist(),
        _largest(levels, axis=0).tolist(),
        (levels[1] - levels[0]).tolist(),
        strict=True,
    )
    return list(starmap(DetectedDigit, found))


def _first_hop(codes: NDArray[np.uint8], end: int) -> int:
    """The first hop of a press that is longer than the look back: after two hops in a row that are not of it."""
    backwards = codes[(end - np.arange(CODES - RING)) & CODES - 1]
    others = backwards != backwards[0]
    pauses = (others[:-1] & others[1:])[LOOK_BACK - 2 :].nonzero()[0]
    return end + 1 - (int(pauses[0]) + LOOK_BACK - 2 if pauses.size else CODES - RING)
