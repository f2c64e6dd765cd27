"""Was it a digit? The second step of the DTMF detector: it looks back over the hops of pairs that have ended.

Least squares gives the amplitudes of both tones in each hop without the leakage of one into the other; the turn of
phase from hop to hop measures the frequency far finer than a hop resolves; the amplitudes of the hops at the edges give
start and end finer than a hop. What asks for it, and when, is dtmf.py. All presses are looked at together.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones import dtmf_products as products
from firmware.tones.dtmf_memory import CODES, RING, Codes, Indexes, Memory
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
_HOP_NUMBERS = _HOPS[:LOOK_BACK].astype(np.uint8)
_NUMBERS_AFTER = _HOP_NUMBERS[:_LAST] + np.uint8(2)
"""Of the first hop after a break that begins in that hop."""
_HOP_NUMBERS_BACK = _HOP_NUMBERS[::-1] + np.uint8(1)
_LAST_NUMBER = np.array(_LAST, dtype=np.uint8)


def _columns_of_pairs() -> Indexes:
    low, high = np.array(products.LOW_OF_PAIR), np.array(products.HIGH_OF_PAIR)
    return np.stack([low, low + products.SINES, high, high + products.SINES])


def _turn() -> NDArray[np.float64]:
    """[2, 16]: by how much the phases of a pair's tones turn in one hop."""
    hz = np.array([(LOW_HZ[pair // 4], HIGH_HZ[pair % 4]) for pair in range(16)]).T
    return 2.0 * np.pi * hz * BLOCK / SAMPLE_RATE


def _figures_of_pairs() -> Linear:
    """[10, 16]: the inverses (low with low and high with high, for cosines and for sines; low with high, for both), the
    cosine of the angle by which each tone may be off from hop to hop, and the angle that it may be off on average."""
    low, cross, high = products.inverses_of_pairs()
    rows = [*low, *high, *cross, *np.cos(_turn() * STEP_TOLERANCE), *(_turn() * FREQUENCY_TOLERANCE)]
    return np.array(rows, dtype=np.float32)


_COLUMNS_OF_PAIR = _columns_of_pairs()
"""[4, 16]: cosine and sine of the low tone, then of the high tone."""
_FIGURES = _figures_of_pairs()
_TURN_BACK = np.exp(1j * _turn()).astype(np.complex64)
"""[2, 16]: what takes back the turn of the phase in one hop."""

_DIGIT_OF_PAIR = np.array(list(DIGITS), dtype=np.object_)

PAIR_OF_CODE: Indexes = np.zeros(256, dtype=np.intp)
"""A code has one bit for each tone that is the strongest of its group; 0 is none, and a draw counts as none."""
IS_PAIR = np.zeros(256, dtype=np.bool_)
for _pair in range(16):
    _code = 1 << products.LOW_OF_PAIR[_pair] | 1 << products.HIGH_OF_PAIR[_pair]
    PAIR_OF_CODE[_code], IS_PAIR[_code] = _pair, True

_STEADY_STEPS = np.array(
    [max(MINIMUM_HOPS - 1, math.ceil(STEADY_SHARE * steps)) for steps in range(LOOK_BACK + BEYOND)], dtype=np.int8
)
"""How many of so many steps must be steady."""
_EDGES: Indexes = np.array([[0, 0], [-1, 1]])[:, :, None]
"""The hops at the edges of a press, and those beyond them."""

# Scalars as arrays of no dimension: numpy takes them quicker.
_ENERGY_OF_PEAK = np.array(BLOCK / 2, dtype=np.float32)
_EXPLAINED = np.array(1.0 / products.SCALE, dtype=np.float32)
_LEAST_POWER = np.array(codec.peak_of(MINIMUM_DBM0) ** 2, dtype=np.float32)
_HOP_RATIOS = np.array([10 ** (twist / 10) for twist in HOP_TWIST_DB], dtype=np.float32)[:, None, None]
_RATIOS = np.array([10 ** (twist / 10) for twist in TWIST_DB], dtype=np.float32)[:, None]
_REST_AND_DIAL = np.array([1.0 / TONE_SHARE - 1.0, DIAL_SHARE], dtype=np.float32)[:, None, None] * (BLOCK / 2)
_CLEAN = np.array(CLEAN_SHARE * BLOCK / 2, dtype=np.float32)
_FOREIGN = np.array(FOREIGN_SHARE, dtype=np.float32)
_VOICE = np.array(FOREIGN_SHARE - FOREIGN_SHARE_OF_VOICE, dtype=np.float32)
_STRENGTH = np.array(MINIMUM_STRENGTH, dtype=np.float32)
_BREAK = np.array(2.0 - BREAK, dtype=np.float32)
_BLOCK = np.array(BLOCK, dtype=np.float32)
_WEAKENED = np.array([2.0 / 189.0 / 64.0, 1.0 / 15.0 / 16.0, 1.0 / 3.0 / 4.0], dtype=np.float32)
"""1/sinc² of half an angle, by powers of its square."""
_ZERO_DBM0, _TEN = np.array(codec.ZERO_DBM0_PEAK**2, dtype=np.float32), np.array(10.0, dtype=np.float32)
_ONE = np.array(1.0, dtype=np.float32)
_all, _any, _sum, _largest = np.logical_and.reduce, np.logical_or.reduce, np.add.reduce, np.maximum.reduce
_new_digit = partial(tuple.__new__, DetectedDigit)
"""`DetectedDigit` from a tuple of its fields; all of it in C."""


def digits_of(memory: Memory, keys: Indexes, origin: int) -> list[DetectedDigit]:
    """Which of these pairs were digits: each given by the last hop in which it sounded, times the number of channels,
    plus the channel. Hop 0 began at the sample count `origin`."""
    ring, energies, recent, codes = memory.ring, memory.energies, memory.recent, memory.codes
    count = ring.shape[1]
    presses = keys.size
    at_end = keys % (RING * count)
    # Places before the first are those at the end: take() wraps them.
    offsets = (_HOPS - _LAST) * count
    at = at_end + offsets
    code = recent.take(at_end)
    pair = PAIR_OF_CODE.take(code)
    figures = _FIGURES.take(pair, axis=1)
    columns = _COLUMNS_OF_PAIR.take(pair, axis=1)
    columns += at_end * products.COUNT
    heard = ring.take(columns[:, None] + offsets * products.COUNT, mode="wrap").reshape(2, 2, -1, presses)
    same = recent.take(at, mode="wrap") == code

    # Amplitudes [tone, cosine and sine, hops, presses]. From here on, what is of hops that may be of it has no others.
    peaks = heard[::-1] * figures[4:6, None]
    straight = heard * figures[:4].reshape(2, 2, 1, -1)
    peaks += straight
    np.multiply(peaks, peaks, out=straight)
    power = straight[:, 0] + straight[:, 1]
    peak = np.sqrt(power)
    strength = peak[0] + peak[1]
    peaks, peak = peaks[:, :, :LOOK_BACK], peak[:, :LOOK_BACK]
    power = power[:, :LOOK_BACK]
    low, high = power

    # [5, hops, presses]: the powers of both tones, what they leave unexplained, the dial band, and ones: how many.
    measured: Linear = np.empty((5, LOOK_BACK, presses), dtype=np.float32)
    residual, rest_and_dial = measured[2], measured[2:4]
    energies.reshape(2, -1).take(at[:LOOK_BACK], axis=1, out=rest_and_dial, mode="wrap")
    explained = (heard[:, :, :LOOK_BACK] * peaks).reshape(4, LOOK_BACK, presses)
    explained = _sum(explained, axis=0)
    explained *= _EXPLAINED
    residual -= explained

    # Which hops belong to it: back from its end to the break before it. An echo may make one tone so weak that another
    # looks stronger; a hop that the pair explains cleanly is of it all the same.
    tones = low + high
    least, greatest = low * _HOP_RATIOS
    fair = high >= least
    fair &= high <= greatest
    share = strength / _largest(strength * same, axis=0)
    np.minimum(share, _ONE, out=share)
    clean = residual <= tones * _CLEAN
    clean &= fair
    same[:LOOK_BACK] |= clean
    sounds = same
    sounds &= share >= _STRENGTH
    missing = ~sounds
    breaks = missing[:-1] & missing[1:]
    enough = share[:-2] + share[1:-1] <= _BREAK
    enough |= missing[2:]
    breaks[:-1] &= enough
    sounds = sounds[:LOOK_BACK]
    last = _largest(sounds.view(np.uint8) * _HOP_NUMBERS, axis=0)
    before = breaks[:_LAST]
    before &= _HOP_NUMBERS[:_LAST] < last
    first = _largest(before.view(np.uint8) * _NUMBERS_AFTER, axis=0)
    belongs = sounds
    belongs &= first <= _HOP_NUMBERS
    belongs &= last >= _HOP_NUMBERS

    good = belongs & fair
    few, little = rest_and_dial <= tones * _REST_AND_DIAL
    good &= few
    good &= little
    good &= np.minimum(low, high) >= _LEAST_POWER
    steps = np.empty((2, _LAST, presses), dtype=np.bool_)
    np.logical_and(good[1:], good[:-1], out=steps[0])

    turned = np.empty(power.shape, dtype=np.complex64)
    turned.real, turned.imag = peaks[:, 0], peaks[:, 1]  # the sine's amplitude has the other sign: all is conjugate
    turned = turned[:, :-1].conj() * turned[:, 1:]
    turned *= _TURN_BACK.take(pair, axis=1)[:, None]
    limit = peak[:, 1:] * peak[:, :-1]
    limit *= figures[6:8, None]
    near_low, near_high = turned.real >= limit
    steady = steps[1]
    np.logical_and(steps[0], near_low, out=steady)
    steady &= near_high

    # A hop hears a tone that is off its frequency a little weaker than it is; what is left over when even this is
    # accounted for is noise, voice or music.
    np.multiply(power, good, out=measured[:2])
    rest_and_dial *= good
    measured[4] = good
    sums = _sum(measured, axis=1)
    powers_heard, unexplained, dial, good_hops = sums[:2], sums[2], sums[3], sums[4]
    turned *= steady
    offset = _sum(turned, axis=1)
    angle = np.arctan2(offset.imag, offset.real)
    square = np.square(angle)
    powers = square * _WEAKENED[0]
    powers += _WEAKENED[1]
    powers *= square
    powers += _WEAKENED[2]
    powers *= square
    powers *= powers_heard
    unexplained -= (powers[0] + powers[1]) * _ENERGY_OF_PEAK
    powers += powers_heard
    energy_heard = powers[0] + powers[1]
    np.maximum(energy_heard, _LEAST_POWER, out=energy_heard)
    energy_heard *= _ENERGY_OF_PEAK
    sums[2:4] /= energy_heard
    np.minimum(dial, _ONE, out=dial)
    dial *= _VOICE
    step_count, steady_count = _sum(steps.view(np.int8), axis=1, dtype=np.int8)

    digits = IS_PAIR.take(code)
    digits &= breaks[LOOK_BACK] | (last < _LAST_NUMBER)
    digits &= good_hops >= MINIMUM_HOPS
    digits &= steady_count >= _STEADY_STEPS.take(step_count)
    digits &= unexplained <= _FOREIGN - dial
    least, greatest = powers[0] * _RATIOS
    digits &= powers[1] >= least
    digits &= powers[1] <= greatest
    digits &= _all(np.abs(angle) <= figures[8:10] * (_ONE - unexplained), axis=0)

    # To its hops belongs what sounds in the hops at its edges.
    ends, channels = np.divmod(keys, count)
    edges = np.empty((2, presses), dtype=np.intp)
    edges[0] = LOOK_BACK - _largest(belongs.view(np.uint8) * _HOP_NUMBERS_BACK, axis=0)
    edges[1] = last
    sounding = _sum(share.take((edges + _EDGES) * presses + np.arange(presses), mode="wrap"), axis=0)
    edges += ends - _LAST
    sounding[0] = _ONE - sounding[0]
    sounding += edges
    sounding *= _BLOCK
    # Channel, start and length of each press; where it stops.
    told = np.empty((3, presses), dtype=np.int64)
    told[0] = channels
    starts, stops = np.rint(sounding).astype(np.int64)
    for press in (digits & (first == 0)).nonzero()[0].tolist():
        starts[press] = _first_hop(codes[:, channels[press]], int(ends[press])) * BLOCK
    # What an echo makes longer ends twice; what ends no later than a digit that was told is that digit.
    np.maximum(starts, memory.told.take(channels), out=told[1])
    np.subtract(stops, told[1], out=told[2])
    digits &= told[2] >= MINIMUM_DURATION

    chosen = digits.nonzero()[0]
    if not chosen.size:
        return []
    told = told.take(chosen, axis=1)
    rows, starts, lengths = told
    stops = starts + lengths
    memory.told[rows] = stops
    order = rows.argsort(kind="stable")
    by_channel = rows.take(order)
    twice = by_channel[1:] == by_channel[:-1]
    twice &= starts.take(order)[1:] < stops.take(order)[:-1]
    starts += origin
    levels = np.log10(powers.take(chosen, axis=1) / (good_hops.take(chosen) * _ZERO_DBM0)) * _TEN
    numbers, begins, durations = told.tolist()
    found = zip(
        numbers,
        _DIGIT_OF_PAIR.take(pair.take(chosen)).tolist(),
        begins,
        durations,
        _largest(levels, axis=0).tolist(),
        (levels[1] - levels[0]).tolist(),
        strict=True,
    )
    digits_found = list(map(_new_digit, found))
    return _each_once(digits_found) if twice.any() else digits_found


def _each_once(digits: list[DetectedDigit]) -> list[DetectedDigit]:
    """Without those that the same channel told before, in the same look. They come in the order of their ends."""
    told: dict[int, int] = {}
    kept: list[DetectedDigit] = []
    for digit in digits:
        end = digit.start + digit.duration
        before = told.get(digit.channel, digit.start - MINIMUM_DURATION)
        if end - before >= MINIMUM_DURATION:
            start = max(digit.start, before)
            kept.append(digit._replace(start=start, duration=end - start))
            told[digit.channel] = end
    return kept


def _first_hop(codes: Codes, end: int) -> int:
    """The first hop of a press that is longer than the look back: after two hops in a row that are not of it."""
    backwards = codes[(end - np.arange(CODES - RING)) % CODES]
    others = backwards != backwards[0]
    pauses = (others[:-1] & others[1:])[LOOK_BACK - 2 :].nonzero()[0]
    return end + 1 - (int(pauses[0]) + LOOK_BACK - 2 if pauses.size else CODES - RING)
