"""Whether somebody speaks on a line on which the far phone rang: sound that is no tone, and not what we say ourselves.

For lines that tell no answer. What is a tone, and when it rang, `call_progress.py` knows; what follows is the line
machines' business. An announcement of the network after ringback tone counts as somebody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw, Linear

LOUD_DBM0 = -40.0
"""A hop that is louder holds speech; noise of a line is not (P.53 measures -50 dBm0p on bad ones)."""
HOPS = 12
"""So many more loud hops (10 ms each) than quiet ones are speech; clicks and the ends of tones are shorter."""
ECHO_HOPS = 20
"""So long after we said something what is heard may be its echo."""

_LOUD = np.float32(codec.peak_of(LOUD_DBM0) ** 2 / 2 * BLOCK)

Indexes = NDArray[np.intp]


class AnswerDetector:
    """Watches chosen channels of a fixed number."""

    def __init__(self, channels: int) -> None:
        self._heard = np.zeros(channels, dtype=np.int64)
        self._ours = np.zeros(channels, dtype=np.int64)
        """Hops for which our own voice may still come back."""

    def reset(self, channel: int) -> None:
        """Begin anew with a channel: nobody has spoken."""
        self._heard[channel] = 0
        self._ours[channel] = ECHO_HOPS

    def process(self, linear: Linear, sent: Alaw, is_tone: NDArray[np.bool_], rows: Indexes) -> Indexes:
        """One tick: `linear` [channels, 80] came, `sent` [channels, 80] went. `is_tone`: which of `rows`, the channels
        watched, have a tone. Those of them on which somebody speaks."""
        ours = _is_loud(codec.decode(sent[rows]))
        self._ours[rows] = np.where(ours, ECHO_HOPS, np.maximum(0, self._ours[rows] - 1))
        speaks = _is_loud(linear[rows]) & ~is_tone & (self._ours[rows] == 0)
        self._heard[rows] = np.where(speaks, self._heard[rows] + 1, np.maximum(0, self._heard[rows] - 1))
        return rows[self._heard[rows] >= HOPS]


def _is_loud(hops: Linear) -> NDArray[np.bool_]:
    return np.asarray(np.einsum("ij,ij->i", hops, hops) > _LOUD)
