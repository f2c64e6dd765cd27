"""Restarts of B channels that we ask the far end for: one at a time, as Q.931 5.5 wants it. Sans-I/O.

A restart ends whatever the far end has on the channel, also a call that it has just sent us (5.5.2): only a channel of
which both ends may think differently is worth one. The calls on a restarted channel are not the business of this file;
firmware/lines/isdn/channels.py knows them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from drivers.pri_stack import Restart
from firmware.lines.isdn.timers import RESTART_US, SETTLE_US


class ChannelRestarts:
    """What is to be restarted, and what is being restarted."""

    def __init__(self, is_restartable: Callable[[int], bool], slots: Iterable[int] = ()) -> None:
        """`is_restartable(slot)`: asked when its turn comes; one that is not is left out. `slots`: to be restarted as
        soon as layer 2 is up."""
        self._is_restartable = is_restartable
        self._waiting: deque[int] = deque(sorted(slots))
        self._slot: int | None = None
        """Restarted just now; the far end takes no call on it before it has acknowledged."""
        self._give_up_us = 0
        """When the next is begun although the far end has not acknowledged this one."""
        self._begin_us: int | None = None
        """Layer 2 is up, and from then on restarts go out."""

    @property
    def deadline(self) -> int | None:
        """Microseconds of the next timer, or None."""
        if self._slot is not None:
            return self._give_up_us
        return self._begin_us if self._waiting else None

    @property
    def slots(self) -> frozenset[int]:
        """All that wait or are being restarted."""
        return frozenset(self._waiting) | ({self._slot} if self._slot is not None else frozenset())

    def is_under_way(self, slot: int) -> bool:
        return slot == self._slot

    def ask(self, slots: Iterable[int], now_us: int) -> list[Restart]:
        self._waiting.extend(slot for slot in slots if slot not in self._waiting)
        return self._next(now_us)

    def needless(self, slot: int | None) -> None:
        """The far end has restarted the slot (None: all) by itself: both ends have it idle. One that is under way goes
        on: each is handled for itself (Q.931 5.5, note 2)."""
        self._waiting = deque(waiting for waiting in self._waiting if slot not in (None, waiting))

    def layer_two(self, up: bool, now_us: int) -> None:
        """Layer 2 went down or came up, perhaps anew: what was on its way then is lost, so that it is said again. Calls
        that have waited at the far end for layer 2 come first: a restart that meets one would end it."""
        if self._slot is not None:
            self._waiting.appendleft(self._slot)
        self._slot = None
        self._begin_us = now_us + SETTLE_US if up else None

    def done(self, slot: int | None, now_us: int) -> list[Restart]:
        """The far end acknowledged. A late answer to one that was given up begins nothing."""
        if self._slot is None or slot not in (None, self._slot):
            return []
        self._slot = None
        return self._next(now_us)

    def advance(self, now_us: int) -> list[Restart]:
        if self._slot is not None and self._give_up_us <= now_us:
            self._slot = None
        return self._next(now_us)

    def _next(self, now_us: int) -> list[Restart]:
        while self._begin_us is not None and self._begin_us <= now_us and self._slot is None and self._waiting:
            slot = self._waiting.popleft()
            if self._is_restartable(slot):
                self._slot, self._give_up_us = slot, now_us + RESTART_US
                return [Restart(slot)]
        return []
