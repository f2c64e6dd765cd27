"""Reads the rows of recordings that requests are about: in a thread, so that no call waits for a slow disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from firmware.box.callserver.errands import Errands
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


class StoredRecordings(Errands[tuple[int, Request, int], Found]):
    """Every request is answered."""

    def __init__(self, database: Path) -> None:
        self._engine = open_for_reading(database)
        super().__init__("stored recordings", STOP_SECONDS)

    def ask(self, client: int, request: Request, number: int) -> None:
        self._asked.put((client, request, number))

    def stop(self) -> bool:
        ended = super().stop()
        if ended:
            self._engine.dispose()
        return ended

    def _do(self, asked: tuple[int, Request, int]) -> Found:
        client, request, number = asked
        try:
            with self._engine.connect() as connection:
                return Found(client, request, stored_recording(connection, number), True)
        except Exception as error:  # the database; whatever else it is, who asked waits for an answer
            _log.error("recording %d cannot be looked up: %s", number, error)
            return Found(client, request, None, False)
