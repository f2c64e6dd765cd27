"""Asks the records how often a number has called before: a thread that reads, so that no call waits for a slow disk.

An answer that does not come leaves the number of calls unknown, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from firmware.box.callserver.errands import Errands
from firmware.contacts.effects import CallerLookup
from firmware.records.database import open_for_reading
from firmware.records.queries import earlier_contacts

STOP_SECONDS = 2.0

_log = logging.getLogger("linebox.callserver")


class Callers(Errands[CallerLookup, tuple[int, int]]):
    """Answers are (contact, contacts before it from the same number)."""

    def __init__(self, database: Path) -> None:
        self._engine = open_for_reading(database)
        super().__init__("callers", STOP_SECONDS)

    def ask(self, lookups: Iterable[CallerLookup]) -> None:
        for lookup in lookups:
            self._asked.put(lookup)

    def stop(self) -> bool:
        ended = super().stop()
        if ended:
            self._engine.dispose()
        return ended

    def _do(self, asked: CallerLookup) -> tuple[int, int] | None:
        try:
            with self._engine.connect() as connection:
                return asked.contact, earlier_contacts(connection, asked.calling, asked.contact)
        except SQLAlchemyError as error:
            _log.warning("how often this caller has called cannot be read: %s", error)
            return None
