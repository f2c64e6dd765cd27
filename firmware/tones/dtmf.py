"""DTMF digits in the audio of all channels at once. It finds digits; what they mean, and to whom, is not its part.

Each tick is one hop of 10 ms, in two steps. The first is for all channels, a fixed row of array operations: one product
with the eight tones (dtmf_products.py) gives for each channel the strongest pair, or none if it is too weak or too
little of what is heard. The second step (dtmf_press.py) is for what ended: a pair that was the strongest for three hops
and then no more for two. It takes many array operations, so on a busy box what ended in a few ticks is judged together.

Limits (ITU-T Q.23, Q.24; all conditions are in tests/tones/conditions.toml): ±1.8 % accepted, ±3 % not; high tone from
10 dB below to 9 dB above the low one; 40 ms on and 23 ms off accepted; 24 ms not a digit; a break of 10 ms does not
make two digits of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.tones import dtmf_press, dtmf_products
from firmware.tones.dtmf_press import BEYOND, CODES, MINIMUM_HOPS, RING, DetectedDigit, Indexes

__all__ = ["DetectedDigit", "DtmfDetector"]

STRETCH = 6
"""Ticks between two looks at what ended."""

# The sieve of the first step works on products that leakage has changed: looser than the second step.
SIEVE_SHARE = 0.6
"""Of what is heard in a hop, for the two tones together."""
SIEVE_TWIST = 0.02
"""Of what both tones must be, for the weaker one."""
SIEVE_DBM0 = dtmf_press.MINIMUM_DBM0 - 3.0
ECHO_POWER = 0.2
"""A hop this much weaker than that of a tone shortly before is its echo."""
ECHO_DECAY = 0.9
"""For one hop of "shortly before"."""

# Scalars as arrays of no dimension: numpy takes them quicker.
_LEAST_SUM = np.array(SIEVE_SHARE * dtmf_products.SCALE**2 * BLOCK / 2, dtype=np.float32)
_LEAST_TONE = np.array((codec.peak_of(SIEVE_DBM0) * dtmf_products.SCALE * BLOCK / 2) ** 2, dtype=np.float32)
_LEAST_TWIST = np.array(SIEVE_TWIST, dtype=np.float32)
_DIAL_ENERGY = np.array(dtmf_products.DIAL_ENERGY, dtype=np.float32)
_ECHO_POWER = np.array(ECHO_POWER, dtype=np.float32)
_ECHO_DECAY = np.array(ECHO_DECAY, dtype=np.float32)

_ENDED = np.array([steps & 2 == 0 and (steps >> 2).bit_count() >= MINIMUM_HOPS - 1 for steps in range(256)])
"""By the last eight steps from hop to hop (the last is the lowest bit; 1: the pair stayed): may a digit have ended?"""

Codes = NDArray[np.uint8]


class DtmfDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._next_sample = 0
        self._hop = 0
        """Ticks since the start; the sample count of a hop is `_origin` + 80 × its number."""
        self._origin = 0
        self._pending: list[tuple[int, Indexes]] = []
        """What ended: the last hop, and the channels on which it was that."""
        self._not_before = 0
        self._listened = np.ones(channels, dtype=np.bool_)

        # What is kept of past hops, and views of each: making a view takes as long as a small operation.
        self._ring: Linear = np.zeros((RING, channels, dtmf_products.COUNT), dtype=np.float32)
        self._energies: Linear = np.zeros((2, RING, channels), dtype=np.float32)
        self._codes: Codes = np.zeros((CODES, channels), dtype=np.uint8)
        self._kept = [(hop, hop.T, *self._energies[:, place]) for place, hop in enumerate(self._ring)]
        self._kept_codes = list(self._codes)
        self._steps: Codes = np.zeros(channels, dtype=np.uint8)
        self._loudest: Linear = np.zeros(channels, dtype=np.float32)

        # What a tick works in; channels are the last axis, so that each operation runs along memory.
        self._squares: Linear = np.zeros((dtmf_products.COUNT, channels), dtype=np.float32)
        self._halves = self._squares[: dtmf_products.SINES], self._squares[dtmf_products.SINES : dtmf_products.DIAL]
        self._dial = self._squares[dtmf_products.DIAL :]
        self._powers: Linear = np.zeros((8, channels), dtype=np.float32)
        self._quarters: Linear = np.zeros((4, channels), dtype=np.float32)
        self._strongest: Linear = np.zeros((2, channels), dtype=np.float32)
        self._leading = np.zeros((4, 2, channels), dtype=np.bool_)
        self._bits: Codes = np.repeat(np.uint8(1) << np.arange(8, dtype=np.uint8), channels).reshape(8, channels)
        self._marks: Codes = np.zeros((8, channels), dtype=np.uint8)
        self._numbers = tuple(np.zeros((3, channels), dtype=np.float32))
        self._flags = tuple(np.zeros((2, channels), dtype=np.bool_))
        self._views = (
            *(part for half in (self._powers, self._quarters) for part in np.split(half, 2)),
            self._powers.reshape(4, 2, channels),
            *self._strongest,
            self._leading.view(np.uint8).reshape(8, channels),
            *(flag.view(np.uint8) for flag in self._flags),
        )

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._ring[:, channel] = 0.0
        self._energies[:, :, channel] = 0.0
        self._codes[:, channel] = 0
        self._steps[channel] = 0
        self._loudest[channel] = 0.0
        self._pending = [(end, rows[rows != channel]) for end, rows in self._pending]

    def process(
        self, linear: Linear, sample: int, active: NDArray[np.bool_] | Indexes | None = None
    ) -> list[DetectedDigit]:
        """One tick: `linear` [channels, 80] out of A-law, whose first sample has the count `sample`. Digits that ended,
        at most 40 ms after their end; on a busy box up to 50 ms later.

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
        if ended.size:
            self._pending.append((hop - 2, ended))
        if not self._pending or hop < self._not_before or self._pending[0][0] + BEYOND > hop:
            return []
        self._not_before = hop + STRETCH
        ready = [look for look in self._pending if look[0] + BEYOND <= hop]
        self._pending = self._pending[len(ready) :]
        rows = np.concatenate([rows for _, rows in ready])
        ends = np.repeat([end for end, _ in ready], [rows.size for _, rows in ready])
        if active is not None:
            listened = self._listened[rows]
            rows, ends = rows[listened], ends[listened]
        return dtmf_press.digits_of(self._ring, self._energies, self._codes, rows, ends, self._origin)

    def _forget(self, sample: int) -> None:
        for kept in (self._ring, self._energies, self._codes, self._steps, self._loudest):
            kept.fill(0)
        self._pending.clear()
        self._origin = sample - BLOCK * self._hop

    def _sieve(self, linear: Linear, hop: int) -> Codes:
        """The code of the strongest pair of each channel, 0 where none can be a digit's."""
        products, products_of_channels, energy, dial = self._kept[hop % RING]
        powers_1, powers_2, quarters_1, quarters_2, powers, low, high, leading, enough_bits, strong_bits = self._views
        np.dot(linear, dtmf_products.COLUMNS, out=products)
        np.square(products_of_channels, out=self._squares)
        np.add(*self._halves, out=self._powers)
        np.maximum(powers_1, powers_2, out=self._quarters)
        np.maximum(quarters_1, quarters_2, out=self._strongest)
        np.add.reduce(self._dial, axis=0, out=dial)
        np.multiply(dial, _DIAL_ENERGY, out=dial)
        np.einsum("ij,ij->i", linear, linear, out=energy)
        np.subtract(energy, dial, out=energy)

        # Which of the tones are the strongest of their group, as bits.
        codes: Codes = self._kept_codes[hop % CODES]
        np.equal(powers, self._strongest, out=self._leading)
        np.multiply(leading, self._bits, out=self._marks)
        np.bitwise_or.reduce(self._marks, axis=0, out=codes)

        # Both together enough of what is heard and no echo of what was just there; neither too weak.
        both, least, number = self._numbers
        enough, strong = self._flags
        np.add(low, high, out=both)
        np.multiply(energy, _LEAST_SUM, out=least)
        np.multiply(self._loudest, _ECHO_POWER, out=number)
        np.maximum(number, least, out=number)
        np.greater_equal(both, number, out=enough)
        np.multiply(least, _LEAST_TWIST, out=least)
        np.maximum(least, _LEAST_TONE, out=least)
        np.minimum(low, high, out=number)
        np.greater_equal(number, least, out=strong)
        np.multiply(enough_bits, strong_bits, out=enough_bits)
        np.multiply(codes, enough_bits, out=codes)
        return codes

    def _ended(self, codes: Codes, hop: int) -> Indexes:
        """Channels on which the pair of the hop before last may have been a digit that ended there."""
        steps, loudest = self._steps, self._loudest
        stays, other = self._flags
        stays_bits, other_bits = self._views[-2:]
        both = self._numbers[0]
        np.equal(codes, self._kept_codes[(hop - 1) % CODES], out=stays)
        np.logical_and(stays, codes, out=stays)
        np.add(steps, steps, out=steps)
        np.add(steps, stays_bits, out=steps)
        # What an echo is compared with: the loudest hop that went on with its pair, slowly forgotten.
        np.multiply(both, stays, out=both)
        np.multiply(loudest, _ECHO_DECAY, out=loudest)
        np.maximum(loudest, both, out=loudest)
        last = self._kept_codes[(hop - 2) % CODES]
        np.not_equal(last, codes, out=other)
        np.multiply(other_bits, last, out=stays_bits)
        np.logical_and(stays_bits, _ENDED.take(steps), out=stays)
        return stays.nonzero()[0]
