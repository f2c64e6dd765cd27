"""What the DTMF detector keeps of the hops that were, for all channels. Who fills it: dtmf.py and dtmf_sieve.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import Linear
from firmware.tones import dtmf_products

RING = 30
"""Hops of which products and energies are kept, and ..."""
CODES = 1020
"""... of which the codes are: a press of more than 9.9 s is told as one of this length."""
STEPS = 6
"""Steps from hop to hop that are looked at to see whether a pair had lasted."""

Codes = NDArray[np.uint8]
Indexes = NDArray[np.intp]


class Memory:
    """What is known of the hops before, for all channels. Hop `n` is at place `n` modulo the length."""

    def __init__(self, channels: int) -> None:
        self.ring: Linear = np.zeros((RING, channels, dtmf_products.COUNT), dtype=np.float32)
        """Products."""
        self.energies: Linear = np.zeros((2, RING, channels), dtype=np.float32)
        """Without the dial band once they were looked at; of the dial band."""
        self.recent: Codes = np.zeros((RING, channels), dtype=np.uint8)
        """Of the strongest pair: a bit for each of its tones; 0: none."""
        self.codes: Codes = np.zeros((CODES, channels), dtype=np.uint8)
        """The same, for long."""
        # Of the last hops that were looked at:
        self.heard: Codes = np.zeros((1, channels), dtype=np.uint8)
        """Codes before echoes were taken out."""
        self.last: Codes = np.zeros((2, channels), dtype=np.uint8)
        self.stays: Codes = np.zeros((STEPS + 1, channels), dtype=np.uint8)
        """1 where the pair was that of the hop before."""
        self.loudest: Linear = np.zeros((1, channels), dtype=np.float32)
        """With what a hop is compared to see whether it is an echo: the loudest before it that went on with its pair,
        slowly forgotten."""
        self.told: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        """Samples since hop 0: up to here a digit was told."""

    def forget(self, channels: int | slice) -> None:
        """Nothing was heard on these channels."""
        for each in (self.ring, self.recent, self.codes, self.heard, self.last, self.stays, self.loudest):
            each[:, channels] = 0
        self.energies[:, :, channels] = 0.0
