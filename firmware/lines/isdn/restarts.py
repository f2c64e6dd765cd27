"""Restarts of B channels that we ask the far end for: one at a time, as Q.931 5.5 wants it. Sans-I/O.

The calls on a restarted channel are not its business; firmware/lines/isdn/channels.py knows them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from drivers.pri_stack import Restart
from firmware.lines.isdn.timers import RESTART_US


class ChannelRestarts:
    """What is to be restarted, and what is being restarted."""

    def __init__(self, is_restartable: Callable[[int], bool]) -> None:
        """`is_restartable(slot)`: asked when its turn comes; one that is not is left out."""
        self._is_restartable = is_restartable
        self._waiting: deque[int] = deque()
        self._slot: int | None = None
        """Restarted just now; the far end takes no call on it before it has acknowledged."""
        self._is_up = False
        self.deadline: int | None = None
        """When the next is begun although the far end has not acknowledged this one."""

    def is_under_way(self, slot: int) -> bool:
        return slot == self._slot

    def ask(self, slots: Iterable[int], now_us: int) -> list[Restart]:
        self._waiting.extend(slot for slot in slots if slot not in self._waiting)
        return self._next(now_us)

    def layer_two(self, up: bool, now_us: int) -> list[Restart]:
        """Layer 2 went down or came up, perhaps anew: what was on its way then is lost, so that it is said again."""
        self._is_up = up
        if self._slot is not None:
            self._waiting.appendleft(self._slot)
        self._slot = self.deadline = None
        return self._next(now_us)

    def done(self, slot: int | None, now_us: int) -> list[Restart]:
        """The far end acknowledged. A late answer to one that was given up begins nothing."""
        if self._slot is None or slot not in (None, self._slot):
            return []
        self._slot = self.deadline = None
        return self._next(now_us)

    def advance(self, now_us: int) -> list[Restart]:
        if self.deadline is None or self.deadline > now_us:
            return []
        self._slot = self.deadline = None
        return self._next(now_us)

    def _next(self, now_us: int) -> list[Restart]:
        while self._is_up and self._slot is None and self._waiting:
            slot = self._waiting.popleft()
            if self._is_restartable(slot):
                self._slot, self.deadline = slot, now_us + RESTART_US
                return [Restart(slot)]
        return []
