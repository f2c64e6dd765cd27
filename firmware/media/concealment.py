"""Bridges ticks for which a board had no block, all its channels at once: the last pitch period goes on, fading out.

After ITU-T G.711 Appendix I: the pitch period (5 to 15 ms) is the one whose repetition was most like what was heard
last; the first 10 ms keep their level, then a fifth goes every 10 ms, after 60 ms it is silent; what comes then is
blended in over 4 ms, 8 ms after a longer gap. Unlike there nothing is held back to blend the beginning into (3.75 ms of
delay): the small step to the repeated period is spread over a quarter of it instead. And 8 ms are compared, not 20: in
the shipped prompts, each of their ticks missing once, that brings what is right to 3.1 dB above what is wrong instead
of 1.3 dB (libspandsp: 0.7 dB, silence: 0 dB).

For blocks that come late or not at all between processes. Lost RTP packets are pjsip's to conceal, and are.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw, Linear

HISTORY = 240
"""Samples before the gap that are looked at."""
_COMPARED = 64
_SHORTEST, _LONGEST = 40, 120
_BLEND, _LONGEST_BLEND = 32, 64
"""Samples in which speech comes back after one tick, and after more."""
_LOST_A_TICK = 0.2


class Concealment:
    """One board's channels."""

    def __init__(self) -> None:
        self._place = 0
        """Samples since the gap began; 0 if there is none."""
        self._periods: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._cycles: Linear = np.zeros((0, _LONGEST), dtype=np.float32)
        self._offsets: Linear = np.zeros(0, dtype=np.float32)
        """How far the first repeated sample is from where the signal was going."""

    @property
    def is_bridging(self) -> bool:
        """A gap is open."""
        return self._place > 0

    @property
    def is_over(self) -> bool:
        """The gap is longer than anything that goes on: `bridge` would give silence."""
        return self._place >= BLOCK + round(BLOCK / _LOST_A_TICK)

    def bridge(self, history: Alaw) -> Alaw:
        """[channels, 80] for a tick that has no block. `history` [channels, 280]: the last samples that were there."""
        if not self._place:
            self._begin(codec.decode(history))
        block = codec.encode(self._next(self._place))
        self._place += BLOCK
        return block

    def rejoin(self, block: Alaw) -> Alaw:
        """The first block after the gap, its beginning blended with what was going on. The gap is closed."""
        samples = min(_LONGEST_BLEND, _BLEND * (self._place // BLOCK))
        weights = (np.arange(samples, dtype=np.float32) + np.float32(0.5)) / np.float32(samples)
        going_on = self._next(self._place)[:, :samples]
        self._place = 0
        joined = block.copy()
        joined[:, :samples] = codec.encode(going_on + (codec.decode(block[:, :samples]) - going_on) * weights)
        return joined

    def _begin(self, history: Linear) -> None:
        channels = np.arange(history.shape[0])
        self._periods = _pitch_periods(history)
        # The last period of each channel, and how the one before it ran on into it: its end must run on into its start.
        places = np.arange(_LONGEST)[None, :] - self._periods[:, None]
        self._cycles = np.where(places < 0, history[channels[:, None], places], np.float32(0.0))
        earlier = history[channels[:, None], np.maximum(places - self._periods[:, None], -HISTORY)]
        quarter = self._periods[:, None] // 4
        weights = np.clip((places + quarter + 0.5) / quarter, 0.0, 1.0).astype(np.float32)
        self._cycles += (earlier - self._cycles) * weights * (places < 0)
        self._offsets = history[:, -1] - history[channels, -1 - self._periods]

    def _next(self, begin: int) -> Linear:
        """[channels, 80] from `begin` samples after the gap began."""
        place = begin + np.arange(BLOCK)
        wave = np.take_along_axis(self._cycles, place[None, :] % self._periods[:, None], axis=1)
        step = self._offsets[:, None] * np.clip(1.0 - (place + 1) / (self._periods[:, None] // 4), 0.0, 1.0)
        gain = np.clip(1.0 - _LOST_A_TICK * (place - BLOCK) / BLOCK, 0.0, 1.0)
        bridged: Linear = ((wave + step) * gain).astype(np.float32)
        return bridged


def _pitch_periods(history: Linear) -> NDArray[np.intp]:
    """[channels] samples: the shift by which the last 8 ms are most like what was before (normalised correlation)."""
    last = history[:, -_COMPARED:]
    shifted = sliding_window_view(history[:, HISTORY - _COMPARED - _LONGEST : HISTORY - _SHORTEST], _COMPARED, axis=1)
    likeness = np.einsum("cst,ct->cs", shifted, last)
    energy = np.einsum("cst,cst->cs", shifted, shifted)
    likeness /= np.sqrt(np.maximum(energy, 1.0))
    best: NDArray[np.intp] = _LONGEST - likeness.argmax(axis=1)
    return best
