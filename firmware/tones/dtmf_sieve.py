"""The first step of the DTMF detector: where a digit may have ended, on all channels. Judged in dtmf_press.py.

It looks at the products of a few hops of all channels together, by a fixed row of array operations: one of them costs
hardly more for fifteen hops than for one. They give for each channel and hop the strongest pair of tones, or none if it
is too weak or too little of what is heard.
"""

from __future__ import annotations

import numpy as np

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.tones import dtmf_press, dtmf_products
from firmware.tones.dtmf_memory import CODES, RING, STEPS, Codes, Indexes, Memory

# It works on products that leakage has changed: looser than the judgement.
SHARE = 0.6
"""Of what is heard in a hop, for the two tones together."""
TWIST = 0.02
"""Of what both tones must be, for the weaker one."""
LEAST_DBM0 = dtmf_press.MINIMUM_DBM0 - 3.0
ECHO_POWER = 0.2
"""A hop this much weaker than that of a tone shortly before is its echo."""
ECHO_DECAY = 0.9
"""For one hop of "shortly before"."""
STAYED = dtmf_press.MINIMUM_HOPS - 1
"""Of the steps from hop to hop before the one with which a pair ended, so many at least left it as it was."""

# Scalars as arrays of no dimension: numpy takes them quicker.
_LEAST_SUM = np.array(SHARE * dtmf_products.SCALE**2 * BLOCK / 2, dtype=np.float32)
_LEAST_TONE = np.array((codec.peak_of(LEAST_DBM0) * dtmf_products.SCALE * BLOCK / 2) ** 2, dtype=np.float32)
_LEAST_TWIST = np.array(TWIST, dtype=np.float32)
_DIAL_ENERGY = np.array(dtmf_products.DIAL_ENERGY, dtype=np.float32)
_ECHO_POWER = np.array(ECHO_POWER, dtype=np.float32)
_FEW = np.array(STAYED - 1, dtype=np.uint8)


class Sieve:
    """Looks at `hops` hops together. Sieves of several sizes may take turns on one memory."""

    def __init__(self, memory: Memory, hops: int) -> None:
        assert RING % hops == 0 and CODES % hops == 0
        self._memory, self._hops = memory, hops
        channels = memory.recent.shape[1]
        self._batches = [
            (
                memory.ring[first : first + hops].reshape(-1, dtmf_products.COUNT).T,
                *memory.energies[:, first : first + hops].reshape(2, -1),
                memory.recent[first : first + hops],
            )
            for first in range(0, RING, hops)
        ]
        self._batches_of_codes = [memory.codes[first : first + hops] for first in range(0, CODES, hops)]

        # Hops and channels are one axis, the last, so that each operation runs along memory. Making a view takes as
        # long as a small operation: they are made here.
        size = hops * channels
        self._squares: Linear = np.zeros((dtmf_products.COUNT, size), dtype=np.float32)
        self._parts = (
            self._squares[: dtmf_products.SINES],
            self._squares[dtmf_products.SINES : dtmf_products.DIAL],
            self._squares[dtmf_products.DIAL :],
        )
        self._powers: Linear = np.zeros((4, 2, size), dtype=np.float32)
        self._quarters: Linear = np.zeros((2, 2, size), dtype=np.float32)
        self._strongest: Linear = np.zeros((2, size), dtype=np.float32)
        leading = np.zeros((4, 2, size), dtype=np.bool_)
        self._leading = leading, leading.view(np.uint8).reshape(8, size)
        self._bits: Codes = np.repeat(np.uint8(1) << np.arange(8, dtype=np.uint8), size).reshape(8, size)
        self._marks: Codes = np.zeros((8, size), dtype=np.uint8)
        self._numbers = tuple(np.zeros((3, size), dtype=np.float32))
        self._flags = tuple(np.zeros((2, size), dtype=np.bool_))
        self._flag_bits = tuple(flag.view(np.uint8) for flag in self._flags)

        # Rows by hops, of which the first are of the hops before.
        heard: Codes = np.zeros((1 + hops, channels), dtype=np.uint8)
        self._heard = heard[:1], heard[hops:], heard[1:].reshape(-1), heard[:-1].reshape(-1)
        latest: Codes = np.zeros((2 + hops, channels), dtype=np.uint8)
        self._latest_parts = latest[:2], latest[hops:], latest[2:], latest[1:-1], latest[:-2]
        stays: Codes = np.zeros((STEPS + 1 + hops, channels), dtype=np.uint8)
        self._stays = stays[: STEPS + 1], stays[hops:], stays[STEPS + 1 :], stays[STEPS:-1]
        pairs: Codes = np.zeros((STEPS - 2 + hops, channels), dtype=np.uint8)
        self._pairs = stays[: STEPS - 2 + hops], stays[1 : STEPS - 1 + hops], pairs
        self._sixes = [pairs[place : place + hops] for place in range(0, STEPS, 2)]
        loudest: Linear = np.zeros((1 + hops, channels), dtype=np.float32)
        faded = np.zeros_like(loudest)
        self._loudest = loudest[:1], loudest[hops:], loudest[1:].reshape(-1), loudest[:-1].reshape(-1)
        spans = [1 << power for power in range(hops.bit_length())]
        self._fading = [
            (loudest[:-span], np.array(ECHO_DECAY**span, dtype=np.float32), faded[span:], loudest[span:])
            for span in spans
        ]

    def look(self, batch: int) -> Indexes:
        """Take the hops of the batch (the first is hop `batch` × hops); their products and energies are in the memory.
        What has ended and may have been a digit, in ascending order: the last hop in which a pair sounded (two before
        the batch at the earliest) times the number of channels, plus the channel."""
        self._find_codes(batch)
        return self._find_ends(batch)

    def _find_codes(self, batch: int) -> None:
        """The codes of the strongest pairs, 0 where none can be a digit's."""
        memory = self._memory
        products, energy, dial, codes = self._batches[batch % len(self._batches)]
        cosines, sines, dials = self._parts
        powers, quarters, strongest = self._powers, self._quarters, self._strongest
        leading, leading_bits = self._leading
        both, least, number = self._numbers
        enough, strong = self._flags
        enough_bits, strong_bits = self._flag_bits
        heard_before, heard_last, heard, heard_shifted = self._heard
        loudest_before, loudest_last, loudest, loudest_shifted = self._loudest
        np.square(products, out=self._squares)
        np.add(cosines, sines, out=powers.reshape(8, -1))
        np.maximum(powers[:2], powers[2:], out=quarters)
        np.maximum(quarters[0], quarters[1], out=strongest)
        np.add.reduce(dials, axis=0, out=dial)
        np.multiply(dial, _DIAL_ENERGY, out=dial)
        np.subtract(energy, dial, out=energy)

        # Which of the tones are the strongest of their group, as bits.
        np.copyto(heard_before, memory.heard)
        np.equal(powers, strongest, out=leading)
        np.multiply(leading_bits, self._bits, out=self._marks)
        np.bitwise_or.reduce(self._marks, axis=0, out=heard)

        # Both together enough of what is heard; neither too weak.
        low, high = strongest
        np.add(low, high, out=both)
        np.multiply(energy, _LEAST_SUM, out=least)
        np.greater_equal(both, least, out=enough)
        np.multiply(least, _LEAST_TWIST, out=least)
        np.maximum(least, _LEAST_TONE, out=least)
        np.minimum(low, high, out=number)
        np.greater_equal(number, least, out=strong)
        np.logical_and(enough, strong, out=enough)
        np.multiply(heard, enough_bits, out=heard)
        np.copyto(memory.heard, heard_last)

        # No echo of what was just there. Nothing may fade into numbers so small that they are slow to handle.
        np.equal(heard, heard_shifted, out=strong)
        np.logical_and(strong_bits, heard, out=strong)
        np.copyto(loudest_before, memory.loudest)
        np.multiply(both, strong, out=loudest)
        np.maximum(loudest, _LEAST_TONE, out=loudest)
        for earlier, decay, faded, later in self._fading:
            np.multiply(earlier, decay, out=faded)
            np.maximum(later, faded, out=later)
        np.copyto(memory.loudest, loudest_last)
        np.multiply(loudest_shifted, _ECHO_POWER, out=number)
        np.greater_equal(both, number, out=enough)
        np.multiply(heard, enough_bits, out=codes.reshape(-1))
        np.copyto(self._batches_of_codes[batch % len(self._batches_of_codes)], codes)

    def _find_ends(self, batch: int) -> Indexes:
        memory = self._memory
        before, last, now, one_before, two_before = self._latest_parts
        stays_before, stays_last, stays, stayed_at_last = self._stays
        ended, other = (flag.reshape(now.shape) for flag in self._flags)
        np.copyto(before, memory.last)
        np.copyto(now, self._batches[batch % len(self._batches)][3])
        np.copyto(memory.last, last)
        np.copyto(stays_before, memory.stays)
        np.equal(now, one_before, out=ended)
        np.logical_and(ended.view(np.uint8), now, out=stays.view(np.bool_))
        np.copyto(memory.stays, stays_last)

        # Of the six steps before the last but one enough stayed, the last but one did not, nor was the last a return.
        first, second, pairs = self._pairs
        np.add(first, second, out=pairs)
        count = other.view(np.uint8)
        np.add(self._sixes[0], self._sixes[1], out=count)
        np.add(count, self._sixes[2], out=count)
        np.greater(count, _FEW, out=ended)
        np.greater(ended.view(np.uint8), stayed_at_last, out=ended)
        np.logical_and(ended.view(np.uint8), two_before, out=ended)
        np.not_equal(now, two_before, out=other)
        np.logical_and(ended, other, out=ended)
        keys: Indexes = self._flags[0].nonzero()[0] + (batch * self._hops - 2) * now.shape[1]
        return keys
