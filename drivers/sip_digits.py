"""One digit from the many packets that RFC 4733 sends of it. No packets and no clock here: it is told of each update.

An event counts when it ends. If all packets of its end are lost it counts after `OVERDUE_MS` without an update, or when
the next digit begins (RFC 4733, 2.5.2.2), with the duration known so far. What then still comes of it (the network, or
this machine, stood still in the middle of it) is known by its time stamp, and counts no more.
"""

from __future__ import annotations

OVERDUE_MS = 150
"""Updates come every 20 to 50 ms."""


class DigitEvents:
    """The digits of one call. Durations and moments are milliseconds; in `now_ms` stalls are left out."""

    def __init__(self) -> None:
        self._digit = ""
        self._duration_ms = 0
        self._updated_ms = 0.0
        self._began = self._overdue = -1

    def event(self, digit: str, began: int, duration_ms: int, is_over: bool, now_ms: float) -> list[tuple[str, int]]:
        """An update; repeated ends must have been taken out. `began`: the event's time stamp, in any unit, the same in
        all its packets. Returns the digits that are over, with duration."""
        if began == self._overdue:
            return []
        found = []
        if self._digit and (digit != self._digit or duration_ms < self._duration_ms):
            found.append((self._digit, self._duration_ms))
        if is_over:
            found.append((digit, duration_ms))
            self._digit = ""
        else:
            self._digit, self._began, self._updated_ms = digit, began, now_ms
        self._duration_ms = 0 if is_over else duration_ms
        return found

    def overdue(self, now_ms: float) -> list[tuple[str, int]]:
        """The digit whose end was lost, if there is one."""
        if not self._digit or now_ms - self._updated_ms < OVERDUE_MS:
            return []
        found = [(self._digit, self._duration_ms)]
        self._digit, self._duration_ms, self._overdue = "", 0, self._began
        return found
