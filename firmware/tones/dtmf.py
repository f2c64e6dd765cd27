"""DTMF digits in the audio of all channels at once. It finds digits; what they mean, and to whom, is not its part.

Each tick is one hop of 10 ms: one product with the eight tones (dtmf_products.py) for all channels. What the products
say is looked at for some hops together (dtmf_sieve.py): a pair that was the strongest for three hops and then no more
for two has ended. What has, on all channels, is judged together (dtmf_press.py). Looking and judging take many array
operations, whose number counts and not their size: when digits come one upon the other they are done for fifteen hops
at once, otherwise for three.

Limits (ITU-T Q.23, Q.24; all conditions are in tests/tones/conditions.toml): ±1.8 % accepted, ±3 % not; high tone from
10 dB below to 9 dB above the low one; 40 ms on and 23 ms off accepted; 24 ms not a digit; a break of 10 ms does not
make two digits of one.
"""

from __future__ import annotations

import numpy as np

from firmware.media.codec import BLOCK, Linear
from firmware.tones import dtmf_press, dtmf_products
from firmware.tones.dtmf_memory import RING, Indexes, Memory
from firmware.tones.dtmf_press import BEYOND, DetectedDigit
from firmware.tones.dtmf_sieve import Sieve

__all__ = ["DetectedDigit", "DtmfDetector"]

QUIET_HOPS = 3
BUSY_HOPS = 15
"""Hops looked at together, as long as it is quiet and when it is busy."""
BUSY_PRESSES = 2
"""Presses to be judged in fifteen hops, on all channels, that make the next fifteen busy."""


class DtmfDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._next_sample = 0
        self._hop = 0
        """Ticks since the start; the sample count of a hop is `_origin` + 80 × its number."""
        self._origin = 0
        self._pending: Indexes = np.zeros(0, dtype=np.intp)
        """What ended but is not yet judged: the last hop in which it sounded, times the channels, plus the channel."""
        self._memory = Memory(channels)
        self._places = list(zip(self._memory.ring, self._memory.energies[0], strict=True))
        self._quiet, self._busy = Sieve(self._memory, QUIET_HOPS), Sieve(self._memory, BUSY_HOPS)
        self._judged = 0
        """Presses since the last fifteenth hop."""
        self._is_busy = False

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._memory.forget(channel)
        self._pending = self._pending[self._pending % self.channels != channel]

    def process(self, linear: Linear, sample: int) -> list[DetectedDigit]:
        """One tick: `linear` [channels, 80] out of A-law, whose first sample has the count `sample`. Digits that ended:
        at most 60 ms after their end, when digits come one upon the other 180 ms."""
        if sample != self._next_sample:
            self._memory.forget(slice(None))
            self._pending = self._pending[:0]
            self._origin = sample - BLOCK * self._hop
        self._next_sample = sample + BLOCK
        hop = self._hop
        self._hop = hop + 1
        products, energy = self._places[hop % RING]
        np.dot(linear, dtmf_products.COLUMNS, out=products)
        np.einsum("ij,ij->i", linear, linear, out=energy)
        return self._look(hop)

    def _look(self, hop: int) -> list[DetectedDigit]:
        """The digits that are certain after this hop, if it is one after which they are looked for."""
        is_last = hop % BUSY_HOPS == BUSY_HOPS - 1
        if not is_last and (self._is_busy or hop % QUIET_HOPS != QUIET_HOPS - 1):
            return []
        ended = self._busy.look(hop // BUSY_HOPS) if self._is_busy else self._quiet.look(hop // QUIET_HOPS)
        if self._pending.size:
            ended = np.concatenate((self._pending, ended))
        ready = int(ended.searchsorted((hop - BEYOND + 1) * self.channels))
        self._pending = ended[ready:]
        self._judged += ready
        if is_last:
            self._is_busy, self._judged = self._judged >= BUSY_PRESSES, 0
        return dtmf_press.digits_of(self._memory, ended[:ready], self._origin) if ready else []
