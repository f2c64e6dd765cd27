"""On which B channels the exchange may have a call of this worker: kept for the worker's next life, which restarts
those and no other channel (a restart ends whatever is there). Not for calls as such: those end with the worker.

One short line in the run folder, written in place: it has to outlive the process, and is worth nothing after the
machine has started anew.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from drivers.pri_stack import TIME_SLOTS

_log = logging.getLogger(__name__)


class HeldChannels:
    """Of one span. Without a file that can be written and read, all channels count as held."""

    def __init__(self, path: Path, machine_boot: str) -> None:
        """`machine_boot`: 36 characters, another for each start of the machine."""
        self._boot = machine_boot
        self.before = self._read(path)
        """What the life before left."""
        self._noted: frozenset[int] | None = None
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.warning("after a crash all channels will be restarted, for %s cannot be written (%s)", path, error)
        self.note(self.before)

    def note(self, slots: Iterable[int]) -> None:
        """These are held now. To be said before the exchange can know more than the file."""
        held = frozenset(slots)
        if self._file is None or held == self._noted:
            return
        self._noted = held
        try:
            os.pwrite(self._file, self._line(held), 0)
        except OSError as error:
            _log.warning("which channels have calls could not be noted (%s)", error)

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _line(self, slots: frozenset[int]) -> bytes:
        return f"{self._boot} {sum(1 << slot for slot in slots):08x}\n".encode()

    def _read(self, path: Path) -> frozenset[int]:
        everything = frozenset(TIME_SLOTS)
        try:
            boot, held = path.read_text().split()
            mask = int(held, 16)
        except (OSError, ValueError):
            return everything
        return frozenset(slot for slot in TIME_SLOTS if mask >> slot & 1) if boot == self._boot else everything
