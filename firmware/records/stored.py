"""What the archive asks of `calls.db`: one recording with its copies, what is oldest, what has no copy yet. Reads only.

A *copy* is a derivative: a recording of its own whose `derived_from` names the original, holding the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from firmware.records.recording import HEADER_SIZE, TRACKS
from firmware.records.tables import recordings

_FINISHED = ("closed", "failed")


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A recording's file, or a copy's. `sha256` is that of the raw A-law, of a copy that of its file."""

    number: int
    file: str
    bytes: int
    sha256: str
    deleted: bool


class StoredRecording(msgspec.Struct, frozen=True, kw_only=True):
    """An original recording: its row, its file and its copies."""

    original: StoredFile
    state: str
    legal_hold: bool
    row: dict[str, Any]
    """All columns, for a copy that takes them over."""
    copies: tuple[StoredFile, ...] = ()

    @property
    def live_copy(self) -> StoredFile | None:
        """A copy that is not deleted."""
        return next((one for one in self.copies if not one.deleted), None)


class OldRecording(msgspec.Struct, frozen=True, kw_only=True):
    """One that retention may look at: the original, or its last copy if that is all that is left."""

    number: int
    """Of the original."""
    opened_utc_us: int
    bytes: int
    retain_until_utc_us: int | None


def _bytes(row: Row[Any]) -> int:
    if row.bytes is not None:
        return int(row.bytes)
    return HEADER_SIZE + (row.samples or 0) * TRACKS


def _file(row: Row[Any]) -> StoredFile:
    return StoredFile(
        number=row.number,
        file=row.file,
        bytes=_bytes(row),
        sha256=row.sha256 or "",
        deleted=row.deleted_utc_us is not None,
    )


def stored_recording(connection: Connection, number: int) -> StoredRecording | None:
    """The original recording of that number; None if there is none (a copy's number names none)."""
    row = connection.execute(
        select(recordings).where(recordings.c.number == number, recordings.c.derived_from.is_(None))
    ).one_or_none()
    if row is None:
        return None
    copies = connection.execute(
        select(recordings).where(recordings.c.derived_from == number).order_by(recordings.c.number)
    )
    return StoredRecording(
        original=_file(row),
        state=row.state,
        legal_hold=bool(row.legal_hold),
        row=dict(row._mapping),
        copies=tuple(_file(copy) for copy in copies),
    )


def used_bytes(connection: Connection) -> int:
    """What all files take that are not deleted."""
    size = func.coalesce(recordings.c.bytes, HEADER_SIZE + func.coalesce(recordings.c.samples, 0) * TRACKS)
    query = select(func.coalesce(func.sum(size), 0)).where(
        recordings.c.deleted_utc_us.is_(None), recordings.c.state.in_(_FINISHED)
    )
    return int(connection.execute(query).scalar_one())


def newest_utc_us(connection: Connection) -> int:
    """When the newest recording began; 0 if there is none."""
    return int(connection.execute(select(func.coalesce(func.max(recordings.c.opened_utc_us), 0))).scalar_one())


def recording_goes_on(connection: Connection) -> bool:
    """True while any call is being recorded."""
    query = select(recordings.c.number).where(
        recordings.c.samples.is_(None), recordings.c.state.in_(("open", "closing"))
    )
    return connection.execute(query.limit(1)).first() is not None


def oldest(connection: Connection, limit: int) -> Sequence[OldRecording]:
    """The oldest finished recordings of which anything is left and that are not on legal hold, oldest first."""
    original = recordings.alias("original")
    query = (
        select(recordings, func.coalesce(recordings.c.derived_from, recordings.c.number).label("of"))
        .outerjoin(original, original.c.number == recordings.c.derived_from)
        .where(
            recordings.c.deleted_utc_us.is_(None),
            recordings.c.state.in_(_FINISHED),
            recordings.c.legal_hold.is_(False),
            recordings.c.derived_from.is_(None)
            | (original.c.deleted_utc_us.is_not(None) & original.c.legal_hold.is_(False)),
        )
        .order_by(recordings.c.opened_utc_us, recordings.c.number)
        .limit(limit)
    )
    return [
        OldRecording(
            number=row.of,
            opened_utc_us=row.opened_utc_us,
            bytes=_bytes(row),
            retain_until_utc_us=row.retain_until_utc_us,
        )
        for row in connection.execute(query)
    ]


def _originals(has_copy: bool) -> Select[Any]:
    copy = recordings.alias("copy")
    copies = select(copy.c.number).where(copy.c.derived_from == recordings.c.number, copy.c.deleted_utc_us.is_(None))
    return (
        select(recordings)
        .where(
            recordings.c.deleted_utc_us.is_(None),
            recordings.c.derived_from.is_(None),
            recordings.c.state == "closed",
            recordings.c.samples > 0,
            copies.exists() if has_copy else ~copies.exists(),
        )
        .order_by(recordings.c.opened_utc_us, recordings.c.number)
    )


def without_copy(connection: Connection, leave_out: Sequence[int], limit: int) -> Sequence[StoredFile]:
    """The oldest closed recordings that have no copy."""
    query = _originals(has_copy=False).where(recordings.c.number.not_in(leave_out)).limit(limit)
    return [_file(row) for row in connection.execute(query)]


def with_copy_before(connection: Connection, utc_us: int, limit: int) -> Sequence[int]:
    """Numbers of originals that began before a moment, have a copy, and are not on legal hold."""
    query = _originals(has_copy=True).where(recordings.c.opened_utc_us < utc_us, recordings.c.legal_hold.is_(False))
    return [row.number for row in connection.execute(query.limit(limit))]


def deleted_since(connection: Connection, utc_us: int) -> Sequence[str]:
    """Files of recordings that were deleted at or after a moment."""
    query = select(recordings.c.file).where(recordings.c.deleted_utc_us >= utc_us)
    return list(connection.execute(query).scalars())
