"""DTMF digits in the audio of all channels at once. It finds digits; what they mean, and to whom, is not its part.

Each tick is one hop of 10 ms, in two steps. The first is for all channels, a fixed row of array operations: one product
with the eight tones gives for each channel the strongest pair, or none if it is too weak or too little of what is
heard. A dial tone does not count: what lies at 345 to 460 Hz is taken out of the tones and of the energy.
The second step is for what ended: a pair that was the strongest for three hops and then no more for two. It looks back
over what the ring keeps: least squares gives the amplitudes of both tones in each hop without the leakage of one into
the other; the turn of phase from hop to hop measures the frequency far finer than a hop resolves; the amplitudes of the
hops at the edges give start and end finer than a hop. It takes many array operations, so on a busy box what ended in
four ticks is judged together.

The products are of whole numbers that float32 holds exactly, so that every BLAS kernel finds the same digits.

Limits (ITU-T Q.23, Q.24; all conditions are in tests/tones/conditions.toml): ±1.8 % accepted, ±3 % not; high tone from
10 dB below to 9 dB above the low one; 40 ms on and 23 ms off accepted; 24 ms not a digit; a break of 10 ms does not
make two digits of one.
"""

from __future__ import annotations

from itertools import starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones.generate import DIGITS, HIGH_HZ, LOW_HZ

DIAL_BAND_HZ = (345, 460)
"""Dial tones: 350+440 Hz, 425 Hz, 450 Hz."""

MINIMUM_DBM0 = -39.5
"""The weaker tone of a digit must be as strong as this; -38 must be heard, and tones 1.8 % off look 0.7 dB weaker."""
TONE_SHARE = 0.70
"""Share of a hop's energy (without the dial tone) that the pair must explain (0.8 at 1.5 % off in 15 dB of noise)."""
DIAL_SHARE = 4.0
"""A dial tone may have this many times the energy of the pair."""
TWIST_DB = (-13.5, 10.0)
"""High tone over low tone. Required are -8 and +4 dB; an echo 6 dB down can add 9.5 dB to the part that it overlaps."""
HOP_TWIST_DB = (-18.5, 11.5)
"""The same for a single hop."""
FREQUENCY_TOLERANCE = 0.02
"""Of each tone over the whole digit: 1.8 % must be accepted, 3 % must not. Music is full of pairs 2.1 % off."""
STEP_TOLERANCE = 0.024
"""Of each tone from one hop to the next."""
STEADY_SHARE = 0.6
"""Share of the steps from one good hop to the next in which both tones turn as tones of that frequency do. A break or
the onset of an echo disturbs one or two steps."""
MINIMUM_HOPS = 3
"""A tone of 40 ms fills at least three hops."""
FOREIGN_SHARE = 0.12
"""Share of a digit's energy that may be something else. Measured: at most 0.10 for digits in 15 dB of noise, with
breaks or echoes; 0.15 and more for voices and music that pass all other conditions."""
MINIMUM_DURATION = 272
"""Samples (34 ms): between what must not be a digit (24 ms) and what must (40 ms, measured as 37.7 ms at the least)."""
BREAK = 1.6
"""Hops of missing tone that end a digit; three hops in a row do in any case."""
CLEAN_SHARE = 0.1
"""What a hop may have besides the pair to be of it for certain."""
MINIMUM_STRENGTH = 0.4
"""Of a digit's strongest hop: what is weaker is its echo."""
STRETCH = 4
"""Ticks between two looks at what ended."""
LONGEST_PRESS_S = 10.24
"""A longer press is told as one of this length."""

# The sieve of the first step works on products that leakage has changed: looser than the second.
_SIEVE_SHARE = 0.6
_SIEVE_TWIST = 0.012
_SIEVE_DBM0 = MINIMUM_DBM0 - 3.0
_ECHO_POWER = 0.2
"""A hop this much weaker than the hop of a tone shortly before is its echo."""
_ECHO_DECAY = 0.9

Indexes = NDArray[np.intp]

_LOOK_BACK = 12
"""Hops of a press, from its end, that the second step measures; of one that is longer the rest is only counted."""
_BEYOND = 3
"""Hops after the last good one that it waits for."""
_RING = 32
_CODES = round(LONGEST_PRESS_S * SAMPLE_RATE / BLOCK)
_WINDOW: Indexes = np.arange(1 - _LOOK_BACK, _BEYOND + 1)[:, None]
"""[hops, 1], the last good hop of a press being 0."""
_PLACES: Indexes = np.arange(_LOOK_BACK + _BEYOND)[:, None]


class DetectedDigit(NamedTuple):
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


# ---- tables ----------------------------------------------------------------------------------------------------------

_TONE_ORDER = (0, 1, 4, 5, 2, 3, 6, 7)
"""The eight tones (four low, four high) in the order of the products, in which two maxima of halves give the strongest
low and the strongest high one."""
_EXACT = 2**24
_HIGHEST = int(codec.DECODE.max()) // 8
"""A-law decodes to multiples of 8; in units of 8 a product with small whole numbers is exact in float32."""


def _columns() -> tuple[NDArray[np.float64], float, float]:
    """[80, 22] whole numbers: the cosines of the eight tones, their sines, six that span the dial band; the scale of
    the tones and that of the dial band. Time counts from the middle of the hop, so that cosines and sines of any two
    tones are orthogonal."""
    time = (np.arange(BLOCK) - (BLOCK - 1) / 2) * 2.0 * np.pi / SAMPLE_RATE
    band = np.outer(time, np.arange(DIAL_BAND_HZ[0], DIAL_BAND_HZ[1] + 1))
    dial = np.concatenate([np.linalg.svd(waves(band))[0][:, :3] for waves in (np.cos, np.sin)], axis=1)
    angle = np.outer(time, np.array([*LOW_HZ, *HIGH_HZ])[list(_TONE_ORDER)])
    tones = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    tones -= dial @ (dial.T @ tones)
    scales = [np.floor(_EXACT / _HIGHEST - BLOCK / 2) / np.abs(part).sum(axis=0).max() for part in (tones, dial)]
    whole = np.concatenate([np.rint(tones * scales[0]), np.rint(dial * scales[1])], axis=1)
    assert np.abs(whole).sum(axis=0).max() * _HIGHEST <= _EXACT
    return whole, float(scales[0]), float(scales[1])


_WHOLE, _SCALE, _DIAL_SCALE = _columns()
_COLUMNS: Linear = _WHOLE.astype(np.float32)
_PLACE = [_TONE_ORDER.index(tone) for tone in range(8)]
"""Row of each tone among the products."""
_LOW_PLACE = np.array([_PLACE[pair // 4] for pair in range(16)])
_HIGH_PLACE = np.array([_PLACE[4 + pair % 4] for pair in range(16)])
_ENERGY, _DIAL, _KEPT = 16, 17, 18
"""Rows of the ring behind the products of the tones: energy without that of the dial band, and the latter."""
_ROWS_OF_PAIR: Indexes = np.stack(
    [_LOW_PLACE, _LOW_PLACE + 8, _HIGH_PLACE, _HIGH_PLACE + 8, np.full(16, _ENERGY), np.full(16, _DIAL)]
)
"""[6, 16]: cosine and sine of the low tone, of the high tone, and both energies."""


def _inverses() -> Linear:
    """[3, 2, 1, 16]: what gives the amplitudes of a pair's tones out of their products: the inverse Gram matrix (low
    with low, low with high, high with high), for cosines and for sines."""
    found = np.empty((3, 2, 1, 16))
    for pair in range(16):
        for part in range(2):
            columns = _WHOLE[:, [_LOW_PLACE[pair] + 8 * part, _HIGH_PLACE[pair] + 8 * part]]
            inverse = np.linalg.inv(columns.T @ columns) * _SCALE
            found[:, part, 0, pair] = inverse[0, 0], inverse[0, 1], inverse[1, 1]
    return found.astype(np.float32)


_INVERSE = _inverses()
_HZ_OF_PAIR = np.array([(LOW_HZ[pair // 4], HIGH_HZ[pair % 4]) for pair in range(16)]).T
_TURN_OF_PAIR = np.exp(-2j * np.pi * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE).astype(np.complex64)[:, None]
"""[2, 1, 16]: what takes back the turn of each tone's phase in one hop."""
_STEADY_OF_PAIR: Linear = np.cos(2 * np.pi * STEP_TOLERANCE * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE)[:, None].astype(
    np.float32
)
"""[2, 1, 16]: cosine of the angle by which that turn may be off."""
_TURNS_OF_PAIR = FREQUENCY_TOLERANCE * _HZ_OF_PAIR * BLOCK / SAMPLE_RATE
"""[2, 16]: by how many turns the phase of each may be off after one hop, on average."""
_BIT_OF_TONE = np.array([1 << tone for tone in _TONE_ORDER], dtype=np.uint8)[:, None]


def _pairs_of_codes() -> Indexes:
    pairs = np.full(256, -1, dtype=np.intp)
    for pair in range(16):
        pairs[1 << pair // 4 | 16 << pair % 4] = pair
    return pairs


_PAIR_OF_CODE = _pairs_of_codes()
"""A code has one bit for each tone that is the strongest of its group: 0 none, two of a group: no pair either (-1)."""
_ENDED = np.array([steps & 2 == 0 and (steps >> 2).bit_count() >= MINIMUM_HOPS - 1 for steps in range(256)])
"""By the last eight steps from hop to hop (the last is the lowest bit; 1: the pair stayed): may a digit have ended?"""

_POWER_OF_PEAK = BLOCK / 2
_SIEVE = np.float32(_SIEVE_SHARE * _SCALE**2 * _POWER_OF_PEAK)
_SIEVE_LEAST = np.float32(codec.peak_of(_SIEVE_DBM0) ** 2 * (_SCALE * _POWER_OF_PEAK) ** 2)
_SIEVE_RATIO = np.float32(_SIEVE_TWIST / _SIEVE_SHARE)
_PER_DIAL = np.float32(_DIAL_SCALE**-2)
_LEAST_POWER = np.float32(codec.peak_of(MINIMUM_DBM0) ** 2)
_LEAST_RATIO, _GREATEST_RATIO = (np.float32(10 ** (twist / 10)) for twist in HOP_TWIST_DB)


class DtmfDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._next_sample = 0
        self._hop = 0
        """Ticks since the start; the sample count of a hop is `_origin` + 80 × its number."""
        self._origin = 0
        # Channels are the last axis, so that each step runs along memory. All that a tick writes to is made here.
        self._ring: Linear = np.zeros((_RING, _KEPT, channels), dtype=np.float32)
        self._codes: NDArray[np.uint8] = np.zeros((_CODES, channels), dtype=np.uint8)
        self._steps: NDArray[np.uint8] = np.zeros(channels, dtype=np.uint8)
        self._loudest: Linear = np.zeros(channels, dtype=np.float32)
        self._rows_of_pair = _ROWS_OF_PAIR * channels
        self._pending: list[tuple[int, Indexes]] = []
        self._not_before = 0
        self._products: Linear = np.zeros((channels, _COLUMNS.shape[1]), dtype=np.float32)
        self._tones = self._products[:, :16].T
        self._dial = self._products[:, 16:]
        self._squares: Linear = np.zeros((16, channels), dtype=np.float32)
        self._powers: Linear = np.zeros((8, channels), dtype=np.float32)
        self._quarters: Linear = np.zeros((4, channels), dtype=np.float32)
        self._strongest: Linear = np.zeros((2, channels), dtype=np.float32)
        self._is_strongest = np.zeros((8, channels), dtype=np.bool_)
        self._bits: NDArray[np.uint8] = np.zeros((8, channels), dtype=np.uint8)
        self._number: Linear = np.zeros((3, channels), dtype=np.float32)
        self._flag = np.zeros((3, channels), dtype=np.bool_)
        self._listened = np.ones(channels, dtype=np.bool_)

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._ring[:, :, channel] = 0.0
        self._codes[:, channel] = 0
        self._steps[channel] = 0
        self._loudest[channel] = 0.0
        self._pending = [(end, rows[rows != channel]) for end, rows in self._pending]

    def process(
        self, linear: Linear, sample: int, active: NDArray[np.bool_] | Indexes | None = None
    ) -> list[DetectedDigit]:
        """One tick: `linear` [channels, 80] out of A-law, whose first sample has the count `sample`. Digits that ended,
        30 to 40 ms after their end; on a busy box up to 30 ms later.

        `active`: the channels to listen to, as a mask or indexes; None is all. The others are forgotten.
        """
        if sample != self._next_sample:
            self._forget(sample)
        self._next_sample = sample + BLOCK
        hop = self._hop
        self._hop = hop + 1
        codes = self._sieve(linear, hop)
        if active is not None:
            self._listened.fill(False)
            self._listened[active] = True
            codes *= self._listened
        ended = self._ended(codes, hop)
        if active is not None:
            ended = ended[self._listened[ended]]
        if ended.size:
            self._pending.append((hop - 2, ended))
        if self._pending and hop >= self._not_before and self._pending[0][0] + _BEYOND <= hop:
            self._not_before = hop + STRETCH
            ready = [look for look in self._pending if look[0] + _BEYOND <= hop]
            self._pending = self._pending[len(ready) :]
            rows = np.concatenate([rows for _, rows in ready])
            ends = np.repeat([end for end, _ in ready], [rows.size for _, rows in ready])
            if active is not None:
                ends, rows = ends[self._listened[rows]], rows[self._listened[rows]]
            return self._judge(rows, ends) if rows.size else []
        return []

    def _forget(self, sample: int) -> None:
        self._ring.fill(0.0)
        self._codes.fill(0)
        self._steps.fill(0)
        self._loudest.fill(0.0)
        self._pending.clear()
        self._origin = sample - BLOCK * self._hop

    # ---- for all channels in each tick -------------------------------------------------------------------------------

    def _sieve(self, linear: Linear, hop: int) -> NDArray[np.uint8]:
        """The code of the strongest pair of each channel, 0 where none can be a digit's."""
        kept = self._ring[hop % _RING]
        energy, dial = kept[_ENERGY], kept[_DIAL]
        np.dot(linear, _COLUMNS, out=self._products)
        tones = kept[:16]
        np.copyto(tones, self._tones)
        squares, powers, quarters, strongest = self._squares, self._powers, self._quarters, self._strongest
        np.multiply(tones, tones, out=squares)
        np.add(squares[:8], squares[8:], out=powers)
        np.maximum(powers[:4], powers[4:], out=quarters)
        np.maximum(quarters[0::2], quarters[1::2], out=strongest)
        np.einsum("ij,ij->i", self._dial, self._dial, out=dial)
        dial *= _PER_DIAL
        np.einsum("ij,ij->i", linear, linear, out=energy)
        energy -= dial

        # Which of the tones are the strongest of their group, as bits.
        is_strongest = self._is_strongest
        np.equal(powers.reshape(2, 2, 2, -1), strongest[:, None], out=is_strongest.reshape(2, 2, 2, -1))
        np.multiply(is_strongest, _BIT_OF_TONE, out=self._bits)
        codes: NDArray[np.uint8] = self._codes[hop % _CODES]
        np.bitwise_or.reduce(self._bits, axis=0, out=codes)

        # Enough of what is heard, neither tone too weak, and no echo of what was just there.
        (both, least, loudest), (enough, strong, _) = self._number, self._flag
        low, high = strongest
        np.add(low, high, out=both)
        np.multiply(energy, _SIEVE, out=least)
        np.greater_equal(both, least, out=enough)
        least *= _SIEVE_RATIO
        np.maximum(least, _SIEVE_LEAST, out=least)
        np.minimum(low, high, out=loudest)
        np.greater_equal(loudest, least, out=strong)
        enough &= strong
        np.multiply(self._loudest, _ECHO_POWER, out=least)
        np.greater_equal(both, least, out=strong)
        enough &= strong
        codes *= enough
        return codes

    def _ended(self, codes: NDArray[np.uint8], hop: int) -> Indexes:
        """Channels on which the pair of the hop before last may have been a digit that ended there."""
        stays, ended, other = self._flag
        np.equal(codes, self._codes[(hop - 1) % _CODES], out=stays)
        np.logical_and(stays, codes, out=stays)
        steps = self._steps
        np.add(steps, steps, out=steps)
        np.add(steps, stays, out=steps)
        # What an echo is compared with: the loudest hop that went on with its pair, slowly forgotten.
        both = self._number[0]
        both *= stays
        self._loudest *= _ECHO_DECAY
        np.maximum(self._loudest, both, out=self._loudest)
        last = self._codes[(hop - 2) % _CODES]
        np.take(_ENDED, steps, out=ended, mode="clip")
        np.not_equal(last, codes, out=other)
        ended &= other
        np.logical_and(ended, last, out=ended)
        return ended.nonzero()[0]

    # ---- for what ended ----------------------------------------------------------------------------------------------

    def _judge(self, rows: Indexes, ends: Indexes) -> list[DetectedDigit]:
        """Which of the pairs that sounded last in the hops `ends` on the channels `rows` were digits."""
        channels = self.channels
        code = self._codes[ends % _CODES, rows]
        pair = _PAIR_OF_CODE[code]
        hops = ends + _WINDOW
        products = self._ring.reshape(-1).take(
            (hops % _RING * (_KEPT * channels) + rows) + self._rows_of_pair[:, pair][:, None]
        )
        same = self._codes.reshape(-1).take(hops % _CODES * channels + rows) == code
        energy, dial = products[4], products[5]

        # Amplitudes [cosine and sine, hops, rows] of both tones, and what they leave unexplained.
        straight_low, cross, straight_high = _INVERSE[..., pair]
        low = straight_low * products[0:2] + cross * products[2:4]
        high = cross * products[0:2] + straight_high * products[2:4]
        explained = low * products[0:2]
        explained += high * products[2:4]
        residual = energy - (explained[0] + explained[1]) * np.float32(1.0 / _SCALE)
        power = np.empty((2, *hops.shape), dtype=np.float32)
        for tone, amplitude in enumerate((low, high)):
            np.multiply(amplitude[0], amplitude[0], out=power[tone])
            power[tone] += amplitude[1] * amplitude[1]

        # Which hops belong to it: back from its end to the break before it. An echo may make one tone so weak that
        # another looks stronger; a hop that the pair explains cleanly is of it all the same.
        tones = (power[0] + power[1]) * np.float32(_POWER_OF_PEAK)
        fair = (power[1] >= _LEAST_RATIO * power[0]) & (power[1] <= _GREATEST_RATIO * power[0])
        peaks = np.sqrt(power)
        strength = peaks[0] + peaks[1]
        share = strength / np.where(same, strength, np.float32(0.0)).max(axis=0)
        sounds = same.copy()
        sounds[:_LOOK_BACK] |= (fair & (residual <= np.float32(CLEAN_SHARE) * tones))[:_LOOK_BACK]
        sounds &= share >= MINIMUM_STRENGTH
        edge = np.minimum(share, np.float32(1.0))
        missing = np.where(sounds, np.float32(0.0), np.float32(1.0) - edge)
        breaks = ~(sounds[:-1] | sounds[1:])
        breaks[:-1] &= (missing[:-2] + missing[1:-1] >= BREAK) | ~sounds[2:]
        last = _LOOK_BACK - 1 - sounds[_LOOK_BACK - 1 :: -1].argmax(axis=0)
        stopped = breaks[_LOOK_BACK] | (last < _LOOK_BACK - 1)
        before = breaks[: _LOOK_BACK - 1] & (_PLACES[: _LOOK_BACK - 1] < last)
        whole = before.any(axis=0)
        first = np.where(whole, _LOOK_BACK - before[::-1].argmax(axis=0), 0)
        place = _PLACES
        belongs = sounds & (place >= first) & (place <= last)

        good = (
            belongs
            & fair
            & (tones * np.float32(1.0 / TONE_SHARE - 1.0) >= residual)
            & (dial <= np.float32(DIAL_SHARE) * tones)
            & (np.minimum(power[0], power[1]) >= _LEAST_POWER)
        )
        steps = good[1:] & good[:-1]
        turned = np.empty((2, *hops.shape), dtype=np.complex64)
        turned.real[0], turned.real[1] = low[0], high[0]
        turned.imag[0], turned.imag[1] = -low[1], -high[1]
        turned = turned[:, 1:] * turned[:, :-1].conj()
        turned *= _TURN_OF_PAIR[..., pair]
        steady = steps & (turned.real >= peaks[:, 1:] * peaks[:, :-1] * _STEADY_OF_PAIR[..., pair]).all(axis=0)
        hops_good, steps_taken, steps_steady = good.sum(axis=0), steps.sum(axis=0), steady.sum(axis=0)
        # A hop hears a tone that is off its frequency a little weaker than it is; what is left over when even this is
        # accounted for is noise, voice or music.
        heard = (power * good).sum(axis=1)
        turns_off = np.angle((turned * steady).sum(axis=1)) / (2.0 * np.pi)
        weakened = np.sinc(turns_off)
        true = heard / np.square(weakened)
        foreign = (residual * good).sum(axis=0) - (true - heard).sum(axis=0) * _POWER_OF_PEAK
        with np.errstate(divide="ignore", invalid="ignore"):
            level = 10.0 * np.log10(true / (hops_good * codec.ZERO_DBM0_PEAK**2))
        twist = level[1] - level[0]

        # To its hops belongs what sounds in the hops at its edges.
        edge = np.minimum(share, np.float32(1.0))
        every = np.arange(rows.size)
        first = belongs.argmax(axis=0)
        start = np.where(
            whole,
            BLOCK * (hops[first, every] + 1.0 - edge[first, every] - edge[first - 1, every]),
            BLOCK * self._first_hops(rows, ends, code, whole),
        )
        end = BLOCK * (hops[last, every] + edge[last, every] + edge[last + 1, every])
        duration = np.rint(end) - np.rint(start)
        digits = (
            stopped
            & (pair >= 0)
            & (hops_good >= MINIMUM_HOPS)
            & (steps_steady >= np.maximum(MINIMUM_HOPS - 1, STEADY_SHARE * steps_taken))
            & (np.abs(turns_off) <= _TURNS_OF_PAIR[:, pair]).all(axis=0)
            & (foreign <= FOREIGN_SHARE * _POWER_OF_PEAK * true.sum(axis=0))
            & (twist >= TWIST_DB[0])
            & (twist <= TWIST_DB[1])
            & (duration >= MINIMUM_DURATION)
        ).nonzero()[0]
        if not digits.size:
            return []
        found = zip(
            rows[digits].tolist(),
            [DIGITS[each] for each in pair[digits].tolist()],
            (np.rint(start[digits]).astype(np.int64) + self._origin).tolist(),
            duration[digits].astype(np.int64).tolist(),
            level[:, digits].max(axis=0).tolist(),
            twist[digits].tolist(),
            strict=True,
        )
        return list(starmap(DetectedDigit, found))

    def _first_hops(
        self, rows: Indexes, ends: Indexes, code: NDArray[np.uint8], whole: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The first hop of the presses that are longer than the look back; the others' are not asked for."""
        first = ends.astype(np.float64)
        for place in (~whole).nonzero()[0].tolist():
            end = int(ends[place])
            others = (np.roll(self._codes[:, rows[place]], -(end + 1) % _CODES) != code[place])[::-1]
            # Back to the first two hops in a row that are not of it.
            pauses = (others[:-1] & others[1:])[_LOOK_BACK - 2 :].nonzero()[0]
            first[place] = end + 1 - (int(pauses[0]) + _LOOK_BACK - 2 if pauses.size else _CODES - STRETCH - _BEYOND)
        return first
