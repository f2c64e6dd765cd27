"""What is whispered: voices that a channel hears over anything else, and that no recording of what it heard gets.

Not here: who may whisper to whom. A whisper comes and goes with a fade of one tick, like every change of the switch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, FADE, Alaw, Linear
from firmware.media.mixing import Entries, Mixes, sums_of, turn_down, without

NOBODY = (np.zeros(0, dtype=np.intp), np.zeros((0, BLOCK), dtype=np.uint8))
"""What `lay_over` gives when nobody whispers."""


class Whispers:
    """All whispers of the switch."""

    def __init__(self, channels: int) -> None:
        self._mixes = Mixes(channels)
        self._whispered: dict[int, Entries] = {}
        self._before: dict[int, Entries] = {}
        self._changed = False

    def set(self, channel: int, whispered: Entries) -> None:
        """From the next tick on the channel hears these, too; nobody ends the whisper."""
        before = self._whispered.get(channel, ())
        if whispered != before:
            self._before.setdefault(channel, before)
            self._whispered[channel] = whispered  # an empty one until it has faded out
            self._changed = True

    def forget(self, channel: int) -> None:
        """Nobody whispers to the channel, and it whispers to nobody any more."""
        self.set(channel, ())
        for listener, whispered in list(self._whispered.items()):
            self.set(listener, without(channel, whispered))

    def skip(self) -> None:
        """Time passed without audio: the fades are over."""
        self._before.clear()

    def lay_over(self, sent: Alaw, linear: Linear) -> tuple[NDArray[np.intp], Alaw]:
        """Add to `sent` [channels, 80] what is whispered of `linear` [channels, 80]; which rows were changed, and what
        they were before."""
        if not self._whispered:
            return NOBODY
        mixes = self._mixes
        if self._changed:
            mixes.set(self._whispered)
            self._changed = False
        rows = mixes.rows
        whispers = mixes.sums(linear)
        if self._before:
            before, self._before = self._before, {}
            places = np.searchsorted(rows, list(before))
            old = sums_of(list(before.values()), linear)
            whispers[places] = old + (whispers[places] - old) * FADE
        unwhispered = sent[rows]
        heard = codec.decode(unwhispered) + whispers
        mixes.turned_down[rows] = turn_down(heard, mixes.turned_down[rows])
        sent[rows] = codec.encode(heard)
        self._drop_ended()
        return rows, unwhispered

    def _drop_ended(self) -> None:
        for channel in [channel for channel, whispered in self._whispered.items() if not whispered]:
            if self._mixes.turned_down[channel] == 1.0:
                del self._whispered[channel]
                self._changed = True
