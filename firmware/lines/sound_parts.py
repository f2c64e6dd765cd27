"""A recording on its way from the callserver into the gateway's store: cut into parts, put together again. No I/O.

Not for texts that were spoken for one play: those go with the play (`Play.spoken`).
"""

from __future__ import annotations

import numpy as np

from firmware.lines.load_sound import LoadSound
from firmware.media.codec import SAMPLE_RATE, Alaw

PART_SAMPLES = 10 * SAMPLE_RATE
"""So short that taking one does not delay the gateway's next tick."""


def parts_of(sound: str, samples: Alaw) -> list[LoadSound]:
    """The recording as the messages that carry it, in their order; at least one."""
    ends = range(PART_SAMPLES, max(samples.size, 1) + PART_SAMPLES, PART_SAMPLES)
    return [
        LoadSound(sound, end - PART_SAMPLES, samples[end - PART_SAMPLES : end].tobytes(), end >= samples.size)
        for end in ends
    ]


class SoundParts:
    """What has come of recordings. A sender that went away in the middle of one harms nobody: the next begins at 0."""

    def __init__(self) -> None:
        self._sound = ""
        self._come = bytearray()

    def take(self, part: LoadSound) -> Alaw | None:
        """The whole recording when this was its last part, else None."""
        if part.at == 0:
            self._sound, self._come = part.sound, bytearray()
        if part.sound != self._sound or part.at != len(self._come):
            return None
        self._come += part.samples
        if not part.last:
            return None
        whole, self._sound, self._come = np.frombuffer(bytes(self._come), np.uint8), "", bytearray()
        return whole
