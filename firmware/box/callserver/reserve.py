"""Room on the disk that is kept for the records of calls: a file that is given up when the database finds it full.

The recorder stops long before the disk is full, but it is not the only one who writes. With this file given up, calls
are stored for days; it is taken anew as soon as there is room again.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

BYTES = 16 << 20
"""Records of some ten thousand calls."""
ROOM_FACTOR = 4
"""How many times its size must be free before the file is taken again."""

_log = logging.getLogger("linebox.callserver")


class DiskReserve:
    """The file; all methods may be called from any thread, none raises."""

    def __init__(self, path: Path, size: int = BYTES) -> None:
        self._path = path
        self._size = size

    @property
    def is_there(self) -> bool:
        try:
            return self._path.stat().st_size >= self._size
        except OSError:
            return False

    def take(self) -> bool:
        """Make the file if it is not there and there is room for it; True if it is there now."""
        if self.is_there:
            return True
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < ROOM_FACTOR * self._size:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            _log.warning("no room is kept for the records of calls: %s", error.strerror)
            return False
        return True

    def give_up(self) -> bool:
        """True if there was something to give up."""
        try:
            self._path.unlink()
        except OSError:
            return False
        _log.error("the disk is full: the records of calls use the room that was kept for them. Make room now")
        return True
