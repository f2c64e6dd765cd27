"""The stop of the box by its button: announced as an alarm and in the audit log, and over by itself if it comes to
nothing. Who reads the button and has the box stopped is the display process (`box/displays/orderly_stop.py`); should
that die in this moment, nobody else would take the alarm back.
"""

from __future__ import annotations

from firmware.calls.messages import AnnounceStop, BoxAlarm
from firmware.calls.panel import PATIENCE_MS
from firmware.contacts.archive import Archive
from firmware.contacts.ledger import Ledger
from firmware.core.clock import MICROSECONDS, Stamp

PATIENCE_US = PATIENCE_MS * 1000 + 5 * MICROSECONDS
"""A box that is still there so long after the announcement was not stopped. Who announced it has the first word."""


class AnnouncedStop:
    """The alarm `stopping`, from the announcement to its end."""

    def __init__(self, ledger: Ledger, archive: Archive) -> None:
        self._ledger = ledger
        self._archive = archive
        self._deadline_us: int | None = None
        """When it has come to nothing; None: none is announced."""

    def take(self, said: AnnounceStop, by: str, now: Stamp) -> None:
        self._deadline_us = now.mono_us + PATIENCE_US if said.stopping else None
        alarm = {BoxAlarm.STOPPING}
        self._archive.set_alarms(alarm, alarm if said.stopping else set(), now)
        self._ledger.audit(now, by, "AnnounceStop", "", "done" if said.stopping else "not_stopped")

    def next_deadline(self) -> int | None:
        """Monotonic microseconds at which `advance` has something to do."""
        return self._deadline_us

    def advance(self, now: Stamp) -> None:
        """Time has passed."""
        if self._deadline_us is not None and now.mono_us >= self._deadline_us:
            self.take(AnnounceStop(stopping=False), "linebox", now)
