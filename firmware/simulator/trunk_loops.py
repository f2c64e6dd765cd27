"""The loops that the simulated exchange has put on its E1: on each channel that the box took out of service, as an
engineer there does for a test. So a newcomer can try `linebox loop-test`; nobody talks on such a channel.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from firmware.media.codec import SILENCE, Alaw

WAITING_BLOCKS = 2
"""Blocks that the loop holds before it gives the first: the box's blocks come in their own time."""
MOST_BLOCKS = 8


class TrunkLoops:
    """Channels from 0 to `channels` - 1 of the board."""

    def __init__(self, channels: int) -> None:
        self._is_looped = np.zeros(channels, np.bool_)
        self._heard: deque[Alaw] = deque(maxlen=MOST_BLOCKS)
        self._runs = False

    def set(self, channel: int, looped: bool) -> None:
        """The box took a channel out of service, or gives it back."""
        if channel < len(self._is_looped):
            self._is_looped[channel] = looped

    def clear(self) -> None:
        self._is_looped[:] = False
        self._heard.clear()

    def hear(self, block: Alaw) -> None:
        """A block of the box [channels of the board, 80]."""
        if self._is_looped.any():
            self._heard.append(block[: len(self._is_looped)].copy())
            self._runs |= len(self._heard) >= WAITING_BLOCKS
        elif self._heard:
            self._heard.clear()

    def answer(self, block: Alaw) -> Alaw:
        """What goes to the box, if the people say `block`. It may be changed."""
        rows = np.flatnonzero(self._is_looped)
        if len(rows):
            self._runs &= bool(self._heard)
            block[rows] = self._heard.popleft()[rows] if self._runs else SILENCE
        return block
