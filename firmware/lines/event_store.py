"""Line events that a callserver has not confirmed yet, so that one that comes back misses nothing. In memory only."""

from __future__ import annotations

from firmware.lines.messages import AnyLineEvent

CAPACITY = 50_000
"""Events that are kept; a busy hour of a full box makes about 20,000."""


class EventStore:
    """A row of events with consecutive numbers from 1. The oldest make room when there are too many."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: list[AnyLineEvent] = []
        self._first = 1

    @property
    def last_number(self) -> int:
        """Number of the newest event ever, 0 if there was none."""
        return self._first + len(self._events) - 1

    def append(self, event: AnyLineEvent) -> None:
        """Keep an event, whose number is `last_number + 1`. Raises ValueError for any other number."""
        if event.number != self.last_number + 1:
            raise ValueError(f"event {event.number} follows event {self.last_number}")
        self._events.append(event)
        # Cut in strides: moving the whole list for each event would cost 20 µs each time.
        if len(self._events) > self._capacity + self._capacity // 16:
            self._drop(len(self._events) - self._capacity)

    def confirm(self, number: int) -> None:
        """Events up to `number` need not be kept."""
        if number >= self._first:
            self._drop(min(number - self._first + 1, len(self._events)))

    def can_resume(self, number: int) -> bool:
        """True if all events after `number` are still here (and `number` is one that was given out)."""
        return self._first - 1 <= number <= self.last_number

    def after(self, number: int, limit: int | None = None) -> list[AnyLineEvent]:
        """The events after `number` that are still here, the oldest first, at most `limit`."""
        start = max(0, number + 1 - self._first)
        return self._events[start:] if limit is None else self._events[start : start + limit]

    def _drop(self, count: int) -> None:
        del self._events[:count]
        self._first += count
