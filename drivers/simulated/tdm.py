"""A simulated TDM bus: pyalsaaudio's PCM pair without a sound card. The test gives frames, or a timer does.

Every period that is read lets 10 ms pass for the chips on the card. In real time (`run_by_timer`) a slot hears what is
said to it, as with a loopback plug; a test puts in what it likes.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import deque
from collections.abc import Callable
from select import POLLIN

import numpy as np
from numpy.typing import NDArray

BLOCK = 80
PERIOD_NS = 10_000_000
PLAYED_MOST = 8
"""Periods that the playback side holds when nobody takes them."""
ALAW_SILENCE = 0xD5
CLOCK_MONOTONIC = 1
RUNNING = 3
"""ALSA's SND_PCM_STATE_RUNNING."""

Block = NDArray[np.uint8]


class _TimerSpec(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "s", "ns"))


def period_timer() -> int:
    """A descriptor that becomes readable every 10 ms (Linux timerfd; Python has it from 3.13 on). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    spec = _TimerSpec(0, PERIOD_NS, 0, PERIOD_NS)
    if libc.timerfd_settime(descriptor, 0, ctypes.byref(spec), None) < 0:
        error = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(error, "timerfd_settime")
    return descriptor


class SimulatedTdm:
    """The wires of the bus. `capture` and `playback` are the two ends that the driver sees."""

    def __init__(self, slots: int, passed: Callable[[float], None]) -> None:
        """`passed(ms)`: time has gone by for the chips."""
        self.slots = slots
        self.given: deque[Block | int] = deque()
        """Blocks [slots, 80] that wait to be captured; a negative number is an error code instead (xrun)."""
        self.played: deque[Block] = deque()
        self.pulled = False
        """The card is gone: every call fails."""
        self.next_write = 0
        """An error code that the next write gives (xrun)."""
        self.next_state = RUNNING
        """ALSA's state at the next look; 4: ran over."""
        self.raises = False
        """It is raised as text, as pyalsaaudio 0.10 does, and not given, as 0.11 does."""
        self.descriptor = -1
        self._passed = passed
        self._timed = False

    def open(self, timed: bool) -> tuple[SimulatedCapture, SimulatedPlayback]:
        """Raises OSError if the card is gone."""
        self._fail_if_pulled()
        self._timed = timed
        self.given.clear()
        self.played.clear()
        flags = os.EFD_NONBLOCK | os.EFD_SEMAPHORE | os.EFD_CLOEXEC
        self.descriptor = period_timer() if timed else os.eventfd(0, flags)
        return SimulatedCapture(self), SimulatedPlayback(self)

    def give(self, block: Block | int) -> None:
        """Put a block (or an error code) in front of the driver."""
        self.given.append(block)
        os.eventfd_write(self.descriptor, 1)

    def take(self) -> list[Block]:
        """What was played, oldest first."""
        played = list(self.played)
        self.played.clear()
        return played

    def read(self) -> tuple[int, bytes]:
        self._fail_if_pulled()
        if self._timed:
            try:
                periods = int.from_bytes(os.read(self.descriptor, 8), "little")
            except BlockingIOError:
                periods = 0
            silence = np.full((self.slots, BLOCK), ALAW_SILENCE, np.uint8)
            for _ in range(min(periods, PLAYED_MOST)):
                self.given.append(self.played.popleft() if self.played else silence)
        elif self.given:
            os.eventfd_read(self.descriptor)
        if not self.given:
            return 0, b""
        block = self.given.popleft()
        self._passed(10.0)
        if isinstance(block, int):
            return block, b""
        return BLOCK, np.ascontiguousarray(block.T).tobytes()

    def write(self, data: bytes) -> int:
        self._fail_if_pulled()
        if self.next_write:
            code, self.next_write = self.next_write, 0
            if self.raises:
                raise RuntimeError(f"{os.strerror(-code)} [simulated]")
            return code
        if len(self.played) >= PLAYED_MOST:
            return 0
        self.played.append(np.frombuffer(data, np.uint8).reshape(BLOCK, self.slots).T.copy())
        return BLOCK

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _fail_if_pulled(self) -> None:
        if self.pulled:
            raise OSError(errno.ENODEV, "No such device")


class SimulatedCapture:
    """pyalsaaudio's capture PCM."""

    def __init__(self, tdm: SimulatedTdm) -> None:
        self._tdm = tdm

    def read(self) -> tuple[int, bytes]:
        return self._tdm.read()

    def write(self, data: bytes) -> int:
        raise OSError(errno.EBADF, "Cannot write to capture PCM")

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._tdm.descriptor, POLLIN)]

    def state(self) -> int:
        state, self._tdm.next_state = self._tdm.next_state, RUNNING
        return state

    def close(self) -> None:
        self._tdm.close()


class SimulatedPlayback:
    """pyalsaaudio's playback PCM."""

    def __init__(self, tdm: SimulatedTdm) -> None:
        self._tdm = tdm

    def read(self) -> tuple[int, bytes]:
        raise OSError(errno.EBADF, "Cannot read from playback PCM")

    def write(self, data: bytes) -> int:
        return self._tdm.write(data)

    def polldescriptors(self) -> list[tuple[int, int]]:
        return []

    def state(self) -> int:
        return RUNNING

    def close(self) -> None:
        """The descriptor is the capture's."""
