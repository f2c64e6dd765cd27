"""What the routes work with, handed to them at the start: live state, callserver, records, audit, sessions, clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from firmware.core.clock import Clock
from firmware.core.schemas import Configuration, Login
from firmware.records import queries
from webui.audit import AuditLog
from webui.cti_connection import CtiRequests
from webui.formats import day_begins
from webui.live import Live
from webui.problems import Refusal
from webui.replies import TodayReply
from webui.sessions import LockOut, Sessions

IN_TIME_US = 15_000_000
"""Answered in time: within 15 s (GB/T 33358-2016)."""
FIGURES_KEPT_US = 2_000_000


@dataclass
class Office:
    """One box as the pages see it."""

    live: Live
    cti: CtiRequests
    calls: Engine
    recordings: Path
    audit: AuditLog
    sessions: Sessions
    configuration: Callable[[], Configuration]
    """The configuration in force."""
    verify_token: Callable[[str], str | None]
    """The login of a bearer token that is genuine and holds."""
    check_password: Callable[[str, str], bool]
    """(argon2id hash, password) → right?"""
    clock: Clock
    version: str
    lock_out: LockOut = field(default_factory=LockOut)
    _today: tuple[int, int, TodayReply] | None = None

    def login(self, name: str) -> Login | None:
        """The login as it is configured now: one that was removed, or lost a role, feels it at once."""
        return next((one for one in self.configuration().logins if one.login == name), None)

    @contextmanager
    def records(self) -> Iterator[Connection]:
        """A connection to the call records. Raises Refusal records_away when they cannot be read."""
        try:
            with self.calls.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise Refusal("records_away") from error

    def today(self) -> TodayReply | None:
        """Figures since midnight, counted anew when events came and two seconds have passed; None if not readable."""
        now, newest = self.clock.now(), self.live.newest_event
        if self._today is not None:
            counted_us, event, figures = self._today
            if now.mono_us - counted_us < (FIGURES_KEPT_US if event != newest else 30 * FIGURES_KEPT_US):
                return figures
        try:
            with self.records() as connection:
                day = queries.figures_since(connection, day_begins(now.utc_us), IN_TIME_US)
        except Refusal:
            return None
        judged = day.answered + day.abandoned
        figures = TodayReply(
            arrived=day.arrived,
            answered=day.answered,
            answered_in_15_seconds=day.answered_in_time,
            abandoned=day.abandoned,
            connection_rate=round(day.answered / judged, 4) if judged else None,
        )
        self._today = (now.mono_us, newest, figures)
        return figures
