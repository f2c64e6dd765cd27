"""Channel-associated signalling in time slot 16 of an E1 (ITU-T G.704), sans-I/O: the line bits of 30 channels.

A multiframe has 16 frames: frame 0 carries 0000 and the word `xyxx`, frame n the bits of channels n and n+15. A block
of 80 frames holds five, so what we send begins anew with each block. What comes may begin anywhere; it is found and
watched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAMES = 16
BLOCK = 80
CHANNELS = 30
FIRST_WORD = 0b0000_1011
"""Frame 0: alignment 0000, spare 1, no remote alarm 0, spare 11."""
REMOTE_ALARM = 0b0000_0100
BLOCKED = 0b1101
"""Sent on a channel until somebody serves it (ITU-T Q.421: b = 1 in both directions); 0000 is forbidden, it would look
like frame 0."""

Samples = NDArray[np.uint8]


class CasSlot:
    """One span's slot 16, both ways. Bits are `abcd` with a in the highest of four places; channels count from 0."""

    def __init__(self) -> None:
        self.aligned = False
        self.remote_alarm = False
        """The far end does not find our multiframes."""
        self._offset = 0
        self._received = np.full(CHANNELS, 0xFF, np.uint8)
        self._frame = np.zeros(FRAMES, np.uint8)
        self._sent = np.full(CHANNELS, BLOCKED, np.uint8)
        self._encode()

    def set(self, channel: int, abcd: int) -> None:
        """Send these bits from the next block on. Raises ValueError for bits that may not be sent."""
        if not 0 < abcd < 16:
            raise ValueError(f"line bits {abcd:04b} cannot be sent")
        self._sent[channel] = abcd
        self._encode()

    def block(self) -> Samples:
        """Slot 16 of one block, uint8 [80]. As long as no multiframes come, the far end is told so (ITU-T G.732)."""
        self._frame[0] = FIRST_WORD if self.aligned else FIRST_WORD | REMOTE_ALARM
        return np.tile(self._frame, BLOCK // FRAMES)

    def receive(self, slot: Samples) -> list[tuple[int, int]]:
        """Slot 16 of a block that came, uint8 [80]: (channel, abcd) of each channel whose bits have changed. Bits count
        when the last two multiframes agree."""
        if not self._align(slot):
            return []
        frames = np.roll(slot, -self._offset).reshape(-1, FRAMES)[:4]  # the fifth may be cut by the block's end
        self.remote_alarm = bool(frames[-1, 0] & REMOTE_ALARM)
        last, before = (np.concatenate((frame[1:] >> 4, frame[1:] & 0x0F)) for frame in (frames[-1], frames[-2]))
        changed = np.flatnonzero((last == before) & (last != self._received))
        self._received[changed] = last[changed]
        return [(int(channel), int(last[channel])) for channel in changed]

    def _align(self, slot: Samples) -> bool:
        """Find frame 0: its upper half is 0000, and no other's is."""
        zeros = (slot.reshape(-1, FRAMES) >> 4 == 0).sum(axis=0)
        found = np.flatnonzero(zeros == BLOCK // FRAMES)
        was = self.aligned
        self.aligned = len(found) == 1 and (not was or int(found[0]) == self._offset or zeros[self._offset] == 0)
        if self.aligned:
            self._offset = int(found[0])
        elif was:
            self._received[:] = 0xFF  # told anew when it is found again
        return self.aligned

    def _encode(self) -> None:
        self._frame[1:] = self._sent[:15] << 4 | self._sent[15:]
