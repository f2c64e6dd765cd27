"""Is there a voice (or any sound) on a channel, or silence? By level and time, with hysteresis, all channels at once.

It does not tell a voice from noise or a tone: what is loud is not silence. Limits are data (signals.toml).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.tones.signal_plan import PresencePlan, load_signals


class PresenceChange(NamedTuple):
    """A channel fell silent or is so no more."""

    channel: int
    voice: bool
    sample: int
    """Since when: the count of the first sample of the first hop that was so."""


class PresenceDetector:
    """For a fixed number of channels; all are silent at first."""

    def __init__(self, channels: int, plan: PresencePlan | None = None) -> None:
        """`plan`: None is the one that is shipped. Raises PlanError."""
        plan = plan or load_signals().presence
        self.voice = np.zeros(channels, dtype=np.bool_)
        """Which channels are not silent."""
        self._levels = [_energy(plan.silence_dbm0), _energy(plan.voice_dbm0)]
        self._hops = [max(1, round(milliseconds / 10)) for milliseconds in (plan.silence_ms, plan.voice_ms)]
        self._against: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        """Hops in a row, the last one included, that were unlike what is told."""

    def reset(self, channel: int) -> None:
        """The channel is silent."""
        self.voice[channel] = False
        self._against[channel] = 0

    def process(self, energy: Linear, sample: int) -> list[PresenceChange]:
        """One tick: `energy` [channels] is the sum of the squares of a hop (SignalDetector.energy), whose first sample
        has the count `sample`."""
        silence, voice = self._levels
        unlike = np.where(self.voice, energy < silence, energy >= voice)
        self._against += 1
        self._against *= unlike
        needed = np.where(self.voice, *self._hops)
        changed = (self._against >= needed).nonzero()[0]
        if not changed.size:
            return []
        since = sample + BLOCK - self._against[changed] * BLOCK
        self.voice[changed] ^= True
        return [
            PresenceChange(channel, voice, start)
            for channel, voice, start in zip(
                changed.tolist(), self.voice[changed].tolist(), since.tolist(), strict=True
            )
        ]


def _energy(dbm0: float) -> np.float32:
    return np.float32(codec.peak_of(dbm0) ** 2 / 2 * BLOCK)
