"""The audit of the web process in `office.db`: who signed in, read personal data, or changed something, and from where.

The web process is the only writer of that file. Rows are numbered without gaps; a row is on the disk before the data
that it speaks of leaves the box.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, create_engine, event, func, insert, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from firmware.core.clock import Clock
from firmware.records.tables import audit_metadata, office_audit


def open_office_database(path: Path) -> Engine:
    """Open or make `office.db` for the one process that writes it. Raises sqlalchemy.exc.OperationalError.

    WAL with synchronous=FULL: a commit is on the disk when it returns. One connection, used by one greenlet at a time
    since no SQLite call yields.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    audit_metadata.create_all(engine)
    return engine


class AuditLog:
    """Appends rows. `write` raises sqlalchemy.exc.OperationalError, for example for a full disk."""

    def __init__(self, database: Engine, clock: Clock, box_id: str, region: str) -> None:
        self._database = database
        self._clock = clock
        self._box_id = box_id
        self._region = region

    def write(self, login: str, source: str, action: str, subject: str, outcome: str) -> None:
        """One row, on the disk when this returns. Over-long values are cut: a reader's text must not stop the audit."""
        now = self._clock.now()
        with self._database.begin() as connection:
            last = connection.execute(
                select(func.max(office_audit.c.number)).where(office_audit.c.box_id == self._box_id)
            ).scalar()
            connection.execute(
                insert(office_audit).values(
                    number=(last or 0) + 1,
                    box_id=self._box_id,
                    region=self._region,
                    at_mono_us=now.mono_us,
                    at_utc_us=now.utc_us,
                    at_trusted=now.trusted,
                    login=login[:64],
                    source=source[:64],
                    action=action[:64],
                    subject=subject[:200],
                    outcome=outcome[:64],
                )
            )
