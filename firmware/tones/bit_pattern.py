"""A pseudo-random bit pattern on all time slots of an E1 at once, and what is found of it when it comes back. No I/O.

The pattern is the 2047 bits of ITU-T O.150 (5.2), O.152 for 64 kbit/s: a shift register of eleven stages whose ninth
and eleventh are added into the first; the highest bit of an octet goes first (G.704). Octets are compared as they are,
before any law or level. Before it each slot sends its own number for a while, so that one that comes back as another is
known: the place in the pattern does not tell that, as the way through one slot may take longer than through another
(exchanges switch slot by slot, and drivers buffer channel by channel).

2047 and 8 have no common divisor, so the octets, too, have a period of 2047 (256 ms), and eleven bits say where in it
an octet stands. Everything is counted in such places.

A block of 30 channels takes 30 µs of an x86 core, while the pattern is looked for 190 µs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from boards.base import BLOCK, Block

STAGES, TAP = 11, 9
PERIOD = 2**STAGES - 1
"""Bits, and octets, after which the pattern begins again."""
BITS = 8 * BLOCK
"""Bits of a slot in a block of 10 ms."""
LOST_FROM = BITS // 5
"""Wrong bits in a block from which on it is not the pattern that comes (O.150 4.2: an error ratio of 0.2)."""
FOUND_BELOW = BITS // 10
"""With fewer wrong bits a block is the pattern; of noise half are wrong."""
LOOKS = (0, BLOCK // 4, BLOCK // 2, BLOCK * 3 // 4)
"""Octets of a block from which its place is read: a wrong bit spoils one of them."""

Places = NDArray[np.int64]
"""Of each channel, a place in the pattern: 0 to 2046; -1: none."""


def sequence() -> NDArray[np.uint8]:
    """The 2047 bits, beginning with eleven ones."""
    bits = np.ones(PERIOD, np.uint8)
    for index in range(STAGES, PERIOD):
        bits[index] = bits[index - TAP] ^ bits[index - STAGES]
    return bits


_BITS = sequence()
OCTETS: NDArray[np.uint8] = np.packbits(np.tile(_BITS, 8))
"""Octet of each place."""
_BLOCKS = np.lib.stride_tricks.sliding_window_view(np.concatenate((OCTETS, OCTETS[:BLOCK])), BLOCK)
_PLACE_OF = np.full(PERIOD + 1, -1, np.int64)
"""Eleven bits → the place of the octet that begins with them. Eleven zeros are nowhere in the pattern; any place that
is taken for theirs shows too many wrong bits."""
_PLACE_OF[(OCTETS.astype(np.int64) << 3) | (np.roll(OCTETS, -1).astype(np.int64) >> 5)] = np.arange(PERIOD)
_WRONG = np.array([value.bit_count() for value in range(256)], np.int64)


class PatternSender:
    """What is sent: on each channel its slot's number, then the pattern. Each is somewhere else in it."""

    def __init__(self, slots: NDArray[np.int64]) -> None:
        """`slots`: time slot of each channel."""
        self._next: Places = slots * (PERIOD // 32)
        self._numbers: Block = np.repeat(slots.astype(np.uint8)[:, None], BLOCK, axis=1)

    def numbers(self) -> Block:
        """10 ms in which each channel says which it is, [channels, 80]."""
        return self._numbers.copy()

    def block(self) -> Block:
        """The next 10 ms of the pattern, [channels, 80]."""
        block: Block = _BLOCKS[self._next]
        self._next = (self._next + BLOCK) % PERIOD
        return block


class PatternFindings(NamedTuple):
    """What came back of it, by channel."""

    bits: NDArray[np.int64]
    """Compared while synchronised."""
    errors: NDArray[np.int64]
    """Of these, wrong."""
    interruptions: NDArray[np.int64]
    """Times that the pattern was lost, or went on at another place: octets were lost or put in."""
    source: NDArray[np.int64]
    """The time slot whose number came back last; -1: none."""


class PatternChecker:
    """Compares what comes with the pattern. A block counts when the next one goes on with it: what stands around a loss
    is no bit error."""

    def __init__(self, slots: NDArray[np.int64]) -> None:
        """`slots`: time slot of each channel."""
        channels = len(slots)
        self._slots = slots
        self._source: NDArray[np.int64] = np.full(channels, -1, np.int64)
        self._expected: Places = np.full(channels, -1, np.int64)
        self._waiting: NDArray[np.int64] = self._expected.copy()
        """Wrong bits of the last block; -1: it does not count."""
        self.forget()

    def forget(self) -> None:
        """Counting begins now. Who is in step stays so."""
        channels = len(self._slots)
        self._bits = np.zeros(channels, np.int64)
        self._errors = np.zeros(channels, np.int64)
        self._interruptions = np.zeros(channels, np.int64)
        self._waiting = np.full(channels, -1, np.int64)

    @property
    def synchronised(self) -> NDArray[np.bool_]:
        """Channels on which the pattern comes now."""
        found: NDArray[np.bool_] = self._expected >= 0
        return found

    def take(self, block: Block) -> None:
        """The next 10 ms came, [channels, 80]."""
        was = self.synchronised
        wrong = np.where(was, _wrong_bits(block, self._expected), BITS)
        good = wrong < LOST_FROM
        self._interruptions += was & ~good
        counts = good & (self._waiting >= 0)
        self._bits += counts * BITS
        self._errors += np.where(counts, self._waiting, 0)
        self._waiting = np.where(good, wrong, -1)
        found = _found(block, ~good)
        at = np.where(good, self._expected, found)
        self._expected = np.where(at >= 0, (at + BLOCK) % PERIOD, -1)
        if not good.all():
            number = block[:, 0].astype(np.int64)
            is_number = (block == block[:, :1]).all(axis=1) & np.isin(number, self._slots)
            self._source = np.where(is_number, number, self._source)

    def findings(self) -> PatternFindings:
        """What has been counted, the last block too."""
        last = self._waiting >= 0
        return PatternFindings(
            bits=self._bits + last * BITS,
            errors=self._errors + np.where(last, self._waiting, 0),
            interruptions=self._interruptions.copy(),
            source=self._source.copy(),
        )


def _wrong_bits(block: Block, places: Places) -> NDArray[np.int64]:
    """Bits of each channel's block that are not those of the pattern from `places` on."""
    wrong: NDArray[np.int64] = _WRONG[block ^ _BLOCKS[places % PERIOD]].sum(axis=1)
    return wrong


def _found(block: Block, wanted: NDArray[np.bool_]) -> Places:
    """Where in the pattern the blocks of the channels `wanted` begin; -1: they are not of it."""
    found: Places = np.full(len(block), -1, np.int64)
    if not wanted.any():
        return found
    least = np.full(len(block), FOUND_BELOW, np.int64)
    for look in LOOKS:
        word = (block[:, look].astype(np.int64) << 3) | (block[:, look + 1].astype(np.int64) >> 5)
        begin = (_PLACE_OF[word] - look) % PERIOD
        wrong = np.where(wanted, _wrong_bits(block, begin), BITS)
        better = wrong < least
        found = np.where(better, begin, found)
        least = np.where(better, wrong, least)
    return found
