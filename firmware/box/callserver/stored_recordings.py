"""Reads the rows of recordings that requests are about: in a thread, so that no call waits for a slow disk."""

from __future__ import annotations

import logging
import os
import queue
import threading
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from firmware.calls.messages import Request
from firmware.records.database import open_for_reading
from firmware.records.stored import StoredRecording, stored_recording

STOP_SECONDS = 2.0

_log = logging.getLogger("linebox.callserver")


class Found(NamedTuple):
    """A client's request, and what is stored of its recording; not `readable`: the database could not be read."""

    client: int
    request: Request
    recording: StoredRecording | None
    readable: bool


class StoredRecordings:
    """`fileno()` becomes readable when there are answers."""

    def __init__(self, database: Path) -> None:
        self._engine = open_for_reading(database)
        self._asked: queue.SimpleQueue[tuple[int, Request, int] | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[Found] = queue.SimpleQueue()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="stored recordings", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._signal

    def ask(self, client: int, request: Request, number: int) -> None:
        self._asked.put((client, request, number))

    def answers(self) -> list[Found]:
        """What was read, in the order of asking."""
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
        while (asked := self._asked.get()) is not None:
            client, request, number = asked
            try:
                with self._engine.connect() as connection:
                    found = Found(client, request, stored_recording(connection, number), True)
            except SQLAlchemyError as error:
                _log.error("recording %d cannot be looked up: %s", number, error)
                found = Found(client, request, None, False)
            self._answered.put(found)
            os.eventfd_write(self._signal, 1)
