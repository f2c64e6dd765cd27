"""The log file of one process, bounded in size. The supervisor writes it, so that no other process touches the disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MAXIMUM_BYTES = 4 << 20
"""Of one file; one older file (`.1`) of the same size is kept."""


class LogFile:
    """Appends what comes. A full or failing disk loses log lines and nothing else."""

    def __init__(self, path: Path, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        self._path = path
        self._maximum = maximum_bytes
        self._descriptor = -1
        self.lost_bytes = 0
        """What could not be written."""
        self._open()

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            if self._path.stat().st_size >= self._maximum:
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._descriptor).st_size

    def append(self, data: bytes) -> None:
        """Write at the end; begins a new file when this one is full."""
        if self._descriptor < 0:
            self._open()
        if self._descriptor < 0:
            self.lost_bytes += len(data)
            return
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        self._size += written
        self.lost_bytes += len(data) - written
        if self._size >= self._maximum:
            self.close()
            self._open()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
