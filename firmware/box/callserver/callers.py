"""Asks the records how often a number has called before: a thread that reads, so that no call waits for a slow disk.

An answer that does not come leaves the number of calls unknown, and nothing else.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from firmware.contacts.effects import CallerLookup
from firmware.records.database import open_for_reading
from firmware.records.queries import earlier_contacts

STOP_SECONDS = 2.0

_log = logging.getLogger("linebox.callserver")


class Callers:
    """`fileno()` becomes readable when there are answers."""

    def __init__(self, database: Path) -> None:
        self._engine = open_for_reading(database)
        self._asked: queue.SimpleQueue[CallerLookup | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="callers", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._signal

    def ask(self, lookups: Iterable[CallerLookup]) -> None:
        for lookup in lookups:
            self._asked.put(lookup)

    def answers(self) -> list[tuple[int, int]]:
        """(contact, contacts before it from the same number) of what was asked, in order."""
        try:
            os.eventfd_read(self._signal)
        except BlockingIOError:
            pass
        found = []
        while not self._answered.empty():
            found.append(self._answered.get())
        return found

    def stop(self) -> None:
        """End the thread; one that hangs in a read is left behind and dies with the process."""
        self._asked.put(None)
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            os.close(self._signal)
            self._engine.dispose()

    def _run(self) -> None:
        while (lookup := self._asked.get()) is not None:
            try:
                with self._engine.connect() as connection:
                    earlier = earlier_contacts(connection, lookup.calling, lookup.contact)
            except SQLAlchemyError as error:
                _log.warning("how often this caller has called cannot be read: %s", error)
                continue
            self._answered.put((lookup.contact, earlier))
            os.eventfd_write(self._signal, 1)
