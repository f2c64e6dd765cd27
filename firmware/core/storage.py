"""Document files that survive a power cut at any moment, and that a person can read and compare. Not for records.

TinyDB's own `JSONStorage` truncates the file in place: a power cut then leaves nothing. Here the new text is written
beside the old one, brought to the disk, renamed over it, and the folder brought to the disk: a reader finds the old
document or the new one, whole. One writer at a time is the caller's business (`configuration.save_subjects` locks).
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from tinydb.storages import Storage


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in the place of the file at `path`, on the disk when this returns. Raises OSError: the old one stands.

    The name of the new file is always the same, so that deaths do not pile up left-overs.
    """
    new = path.with_name(f".{path.name}.new")
    # A left-over with another mode would keep it: O_CREAT only sets the mode of a file that it makes.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(new, path)
    sync_folder(path.parent)


def _document_order(item: tuple[str, Any]) -> tuple[bool, int, str]:
    """Numbered documents by number (2 before 10), then whatever else by name."""
    name = item[0]
    number = name.isascii() and name.isdigit()
    return (not number, int(name) if number else 0, name)


def document_text(tables: dict[str, dict[Any, Any]]) -> str:
    """The text of a file: tables by name, documents by number, fields in the order in which they were given.

    Two spaces, one field a line, Chinese as it is: a changed value is one changed line. Raises TypeError or ValueError
    for what JSON cannot hold (also NaN and infinity, which JSON readers of others refuse).
    """
    ordered = {
        name: dict(sorted(((str(key), value) for key, value in table.items()), key=_document_order))
        for name, table in sorted(tables.items())
    }
    return json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


class DurableStorage(Storage):
    """TinyDB storage in one durable, readable file: `TinyDB(path, storage=DurableStorage)`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """All tables; None for a file that is absent or empty. Raises OSError, ValueError (not UTF-8, not JSON)."""
        try:
            # Windows editors put a byte order mark in front.
            text = self._path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return None
        tables: dict[str, dict[str, Any]] | None = json.loads(text) if text.strip() else None
        return tables

    def write(self, data: dict[str, dict[Any, Any]]) -> None:
        """Replace the file. Raises OSError, TypeError or ValueError (JSON cannot hold it): the old file stands."""
        write_durably(self._path, document_text(data).encode("utf-8"))

    def close(self) -> None:
        """Nothing is kept open."""
