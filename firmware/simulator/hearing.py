"""What the simulated people notice in what they hear: any sound, a certain tone, busy tone. Measures, decides nothing.

Much simpler than the box's own detectors, on purpose: a check of the box must not share its code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import BLOCK, DECODE, SAMPLE_RATE, ZERO_DBM0_PEAK, Alaw

QUIETEST_DBM0 = -45.0
ENOUGH_BLOCKS = 5
"""Blocks in a row (50 ms) that must hold the sound before it is noticed."""
TONE_SHARE = 0.7
"""Share of a block's power that must be in the tone: neighbours 100 Hz away are told apart."""

BUSY_HZ = 450
BUSY_ON_BLOCKS = (25, 45)
"""Busy tone, GB/T 3380: 0.35 s on, 0.35 s off; a person allows it some."""
BUSY_OFF_MOST_BLOCKS = 45
BUSY_CYCLES = 3

_LEAST_POWER = ZERO_DBM0_PEAK**2 / 2.0 * 10.0 ** (QUIETEST_DBM0 / 10.0)


def _wave(hz: int) -> NDArray[np.complex64]:
    angles = 2.0 * np.pi * hz / SAMPLE_RATE * np.arange(BLOCK)
    wave: NDArray[np.complex64] = (np.cos(angles) + 1j * np.sin(angles)).astype(np.complex64)
    return wave


class Hearing:
    """Watches chosen channels, each for one thing. All measures of a block are one array operation over its rows."""

    def __init__(self) -> None:
        self._tones: dict[int, int] = {}
        """Channel → frequency waited for, 0 for any sound."""
        self._busy: set[int] = set()
        self._fresh: set[int] = set()
        """Channels whose watch was set anew since the last block."""
        self._changed = False
        self._rows: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._waves: NDArray[np.complex64] = np.zeros((0, BLOCK), dtype=np.complex64)
        self._any: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._watches_busy: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._inside: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._blocks: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._cycles: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    @property
    def watching(self) -> bool:
        return bool(self._tones or self._busy)

    def watch_sound(self, channel: int, hz: int = 0) -> None:
        """Notice a tone of `hz` on the channel, or any sound (0)."""
        self._busy.discard(channel)
        self._tones[channel] = hz
        self._fresh.add(channel)
        self._changed = True

    def watch_busy(self, channel: int) -> None:
        """Notice busy tone on the channel."""
        self._tones.pop(channel, None)
        self._busy.add(channel)
        self._fresh.add(channel)
        self._changed = True

    def forget(self, channel: int) -> None:
        """Watch the channel no more."""
        if channel in self._tones or channel in self._busy:
            self._tones.pop(channel, None)
            self._busy.discard(channel)
            self._changed = True

    def _take_changes(self) -> None:
        self._changed = False
        rows = [*self._tones, *sorted(self._busy)]
        watched = [*self._tones.values(), *(BUSY_HZ for _ in self._busy)]
        known = {int(row): index for index, row in enumerate(self._rows) if int(row) not in self._fresh}
        self._fresh.clear()
        # A channel that is watched on keeps its counts; one that is new begins with none.
        kept = np.array([known.get(row, -1) for row in rows], dtype=np.intp)
        self._inside = np.append(self._inside, False)[kept]
        self._blocks = np.append(self._blocks, 0)[kept]
        self._cycles = np.append(self._cycles, 0)[kept]
        self._watches_busy = np.array([channel in self._busy for channel in rows], dtype=np.bool_)
        self._rows = np.array(rows, dtype=np.intp)
        self._any = np.array([hz == 0 for hz in watched], dtype=np.bool_)
        self._waves = np.array([_wave(hz) for hz in watched], dtype=np.complex64).reshape(-1, BLOCK)

    def hear(self, block: Alaw) -> list[int]:
        """Take a block [channels, 80]. Gives channels that just noticed what they are watched for; watching goes on."""
        if self._changed:
            self._take_changes()
        if not len(self._rows):
            return []
        linear = DECODE[block[self._rows]]
        power = np.einsum("rs,rs->r", linear, linear) / BLOCK
        at_tone = np.abs(np.einsum("rs,rs->r", linear, self._waves)) ** 2 * (2.0 / BLOCK**2)
        inside = (power > _LEAST_POWER) & (self._any | (at_tone > TONE_SHARE * power))
        turned = inside != self._inside
        if self._busy:
            self._count_cycles(inside, turned)
        self._blocks = np.where(turned, 1, self._blocks + 1)
        self._inside = inside
        noticed = np.where(
            self._watches_busy, turned & (self._cycles == BUSY_CYCLES), inside & (self._blocks == ENOUGH_BLOCKS)
        )
        return [int(row) for row in self._rows[noticed]] if noticed.any() else []

    def _count_cycles(self, inside: NDArray[np.bool_], turned: NDArray[np.bool_]) -> None:
        on_ended = turned & ~inside
        lasted_right = (self._blocks >= BUSY_ON_BLOCKS[0]) & (self._blocks <= BUSY_ON_BLOCKS[1])
        too_long = ~inside & ~turned & (self._blocks > BUSY_OFF_MOST_BLOCKS)
        self._cycles = np.where(on_ended, np.where(lasted_right, self._cycles + 1, 0), self._cycles)
        self._cycles = np.where(too_long, 0, self._cycles)
