"""The elastic buffer between a board that is not the clock and the tick: it may deliver 0, 1 or 2 blocks a tick."""

from __future__ import annotations

from collections import deque

from boards.base import Block

DEPTH = 4
"""Blocks that may wait (40 ms); more than that is delay that a talker would notice."""
WATCHED_TICKS = 500
"""A buffer that was never emptier than one block for this long (5 s) gives a block of delay back."""


class ElasticBuffer:
    """Blocks in when they come, one out a tick. The delay adapts itself: a late block leaves one more waiting
    afterwards, which bridges the next late one; when that was not needed for a while, it is given back."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self._started = False
        self._least = DEPTH
        self._watched = 0
        self.underruns = 0
        """Ticks for which there was no block, since the first block."""
        self.overruns = 0
        """Blocks thrown away because too many waited."""
        self.slips = 0
        """Blocks thrown away to give delay back."""

    def __len__(self) -> int:
        return len(self._blocks)

    def put(self, block: Block) -> None:
        """A block came. If too many wait, the oldest goes."""
        self._started = True
        self._blocks.append(block)
        if len(self._blocks) > DEPTH:
            self._blocks.popleft()
            self.overruns += 1

    def take(self) -> Block | None:
        """The block for this tick, or None if there is none."""
        if not self._blocks:
            self.underruns += self._started
            self._watch(0)
            return None
        block = self._blocks.popleft()
        self._watch(len(self._blocks))
        return block

    def _watch(self, left: int) -> None:
        self._least = min(self._least, left)
        self._watched += 1
        if self._watched >= WATCHED_TICKS:
            if self._least > 0:
                self._blocks.popleft()
                self.slips += 1
            self._least, self._watched = DEPTH, 0
