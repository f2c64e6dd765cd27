"""Who is signed in to the pages, and who has tried too often. Sessions outlive a restart of the web process.

A session is a random id in a cookie; `office.db` keeps its SHA-256, so that a copy of the database signs nobody in.
Lock-out: after five failures of one login from one address, that pair waits a minute. It is kept in memory only.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, delete, insert, select

from firmware.core.clock import MICROSECONDS, Stamp

session_metadata = MetaData()
sessions_table = Table(
    "sessions",
    session_metadata,
    Column("id_sha256", String(64), primary_key=True),
    Column("login", String(64), nullable=False),
    Column("started_utc_us", BigInteger, nullable=False),
    Column("ends_utc_us", BigInteger, nullable=False),
)

LONGEST_US = 16 * 3600 * MICROSECONDS
"""A session ends after a double shift."""
IDLE_US = 2 * 3600 * MICROSECONDS
"""... or when no page has been open for two hours."""

FAILURES_BEFORE_LOCK = 5
LOCKED_US = 60 * MICROSECONDS
_MOST_REMEMBERED = 10_000


@dataclass
class Session:
    """One browser that is signed in. `tag` names it without giving it away."""

    id_sha256: str
    login: str
    started_utc_us: int
    ends_utc_us: int
    seen_mono_us: int

    @property
    def tag(self) -> str:
        return self.id_sha256[:12]


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


class Sessions:
    """All sessions. Reads the stored ones at the start; writes at sign-in and sign-out only."""

    def __init__(self, database: Engine, now: Stamp) -> None:
        self._database = database
        session_metadata.create_all(database)
        with database.begin() as connection:
            connection.execute(delete(sessions_table).where(sessions_table.c.ends_utc_us <= now.utc_us))
            rows = connection.execute(select(sessions_table)).all()
        self._sessions = {
            row.id_sha256: Session(row.id_sha256, row.login, row.started_utc_us, row.ends_utc_us, now.mono_us)
            for row in rows
        }

    def begin(self, login: str, now: Stamp) -> str:
        """A new session; returns the id for the cookie, which is not kept."""
        session_id = secrets.token_urlsafe(32)
        session = Session(_digest(session_id), login, now.utc_us, now.utc_us + LONGEST_US, now.mono_us)
        with self._database.begin() as connection:
            connection.execute(
                insert(sessions_table).values(
                    id_sha256=session.id_sha256,
                    login=login,
                    started_utc_us=session.started_utc_us,
                    ends_utc_us=session.ends_utc_us,
                )
            )
        self._sessions[session.id_sha256] = session
        return session_id

    def find(self, session_id: str, now: Stamp) -> Session | None:
        """The session of a cookie, if it still holds. Counts as use."""
        session = self._sessions.get(_digest(session_id)) if session_id else None
        return session if session is not None and self.is_alive(session, now) else None

    def is_alive(self, session: Session, now: Stamp) -> bool:
        """Whether it still holds; an open page asks this again and again, which keeps it in use."""
        if session.id_sha256 not in self._sessions:
            return False
        if now.utc_us >= session.ends_utc_us or now.mono_us - session.seen_mono_us >= IDLE_US:
            self.end(session)
            return False
        session.seen_mono_us = now.mono_us
        return True

    def end(self, session: Session) -> None:
        """Sign out. Harmless if it has ended."""
        self._sessions.pop(session.id_sha256, None)
        with self._database.begin() as connection:
            connection.execute(delete(sessions_table).where(sessions_table.c.id_sha256 == session.id_sha256))


class LockOut:
    """Counts failed sign-ins per login and address. Time is monotonic, so a clock step unlocks nothing."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def locked_for_us(self, login: str, address: str, now: Stamp) -> int:
        """Microseconds that this pair still has to wait; 0 if it may try."""
        failures = self._failures.get((login, address), [])
        if len(failures) < FAILURES_BEFORE_LOCK:
            return 0
        return max(0, failures[-1] + LOCKED_US - now.mono_us)

    def failed(self, login: str, address: str, now: Stamp) -> None:
        """One more failure; those older than a minute are forgotten."""
        recent = [at for at in self._failures.pop((login, address), []) if now.mono_us - at < LOCKED_US]
        self._failures[login, address] = [*recent, now.mono_us][-FAILURES_BEFORE_LOCK:]
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, login: str, address: str) -> None:
        self._failures.pop((login, address), None)
