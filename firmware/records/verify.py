"""Checks recordings against their chain: what `linebox verify-recordings` says. Reads only, while the box runs.

Found are: a changed, removed or inserted link; links cut off at the end, as far as an anchor reaches; a changed row (or
number of a caller, agent, line); a changed, shortened, lengthened or removed file; a recording that was deleted, or
complete, without a link that says so. Not found is what who can write the database, the anchors and every copy of the
log does with care; and cutting off links that no anchor names yet (the anchor is written right after each commit).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine, Row, func, select

from firmware.media.codec import SAMPLE_RATE
from firmware.records.chain import BEFORE_THE_FIRST, Anchor, LinkKind, fits, link_hash, read_anchor, row_hash
from firmware.records.derivative import DerivativeError, copied_alaw, file_sha256
from firmware.records.recording import HEADER_SIZE, TRACKS, RecordingError, alaw_chunks, content_of
from firmware.records.tables import recording_chain, recordings

LINKS_AT_ONCE = 200
"""Links that are read with one look at the database; files are read in between, with no transaction open."""

PIECE = 10 * SAMPLE_RATE
"""Samples that are compared at once."""

_COMPLETE = (LinkKind.CLOSED, LinkKind.ADOPTED)
_ENDED = (*_COMPLETE, LinkKind.FAILED)


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was. 0 and empty where there is nothing to say."""

    what: str
    """`link_missing`, `link_changed`, `row_missing`, `row_changed`, `file_missing`, `audio_changed`, `copy_changed`,
    `file_damaged`, `deleted_without_link`, `no_link`, `anchor_missing`, `anchor_damaged`."""
    link: int = 0
    recording: int = 0
    file: str = ""
    detail: str = ""

    def __str__(self) -> str:
        where = [f"link {self.link}"] if self.link else []
        where += [f"recording {self.recording}"] if self.recording else []
        where += [self.file] if self.file else []
        return ", ".join([self.what.replace("_", " "), *where]) + (f": {self.detail}" if self.detail else "")


class Verified(msgspec.Struct, kw_only=True):
    """What was looked at."""

    links: int = 0
    recordings: int = 0
    """Whose audio was read and is what it was when they were closed."""
    copies: int = 0
    """Compressed copies that are what they were when they were made."""
    derivative_only: int = 0
    """Recordings whose raw file was removed by rule: the samples of the copy give the hash of the raw audio."""
    deleted: int = 0
    failed: int = 0
    """Ended and never complete: what the disk took of them is not chained."""
    adopted: int = 0
    """Closed by a version without a chain: unchanged since they were adopted."""
    last_link: int = 0
    last_hash: str = ""


class Verification:
    """One walk along the chain. `broken()` gives what is wrong as it is found; `so_far` counts."""

    def __init__(self, engine: Engine, recordings_folder: Path, anchors: Sequence[Anchor | str] = ()) -> None:
        """`anchors`: what was noted outside the database; a text says why one cannot be read."""
        self._engine = engine
        self._folder = recordings_folder
        self._anchors = anchors
        self.so_far = Verified()

    def broken(self) -> Iterator[Broken]:
        """In the order of the links; then what is missing in them. Raises sqlalchemy.exc.SQLAlchemyError."""
        with self._engine.connect() as connection:
            boxes = connection.execute(select(recordings.c.box_id).distinct().order_by(recordings.c.box_id)).scalars()
            known = {*boxes, *connection.execute(select(recording_chain.c.box_id).distinct()).scalars()}
        for box_id in sorted(known):
            yield from self._walk(box_id)
            yield from self._unlinked(box_id)
        for anchor in self._anchors:
            if isinstance(anchor, str):
                yield Broken(what="anchor_damaged", detail=anchor)
                continue
            with self._engine.connect() as connection:
                if not fits(connection, anchor):
                    detail = f"the chain was noted to go up to link {anchor.number} with the hash {anchor.hash}"
                    yield Broken(what="link_missing", link=anchor.number, detail=detail)
        if self.so_far.links and not self._anchors:
            yield Broken(what="anchor_missing", detail="whether links were cut off at the end cannot be told")

    def _walk(self, box_id: str) -> Iterator[Broken]:
        number, previous = 0, BEFORE_THE_FIRST
        while True:
            with self._engine.connect() as connection:
                links = connection.execute(
                    select(recording_chain)
                    .where(recording_chain.c.box_id == box_id, recording_chain.c.number > number)
                    .order_by(recording_chain.c.number)
                    .limit(LINKS_AT_ONCE)
                ).all()
                judged = [(link, *self._judge_row(connection, link._mapping)) for link in links]
            if not links:
                return
            for link, row, wrong in judged:
                if link.number != number + 1:
                    yield Broken(what="link_missing", link=number + 1)
                elif link.previous != previous or link.hash != link_hash(dict(link._mapping)):
                    yield Broken(what="link_changed", link=link.number, recording=link.recording)
                number, previous = link.number, link.hash
                self._count(link)
                if wrong is not None:
                    yield wrong
                elif row is not None and link.kind in _COMPLETE:
                    yield from self._judge_audio(box_id, link, row)

    def _count(self, link: Row[Any]) -> None:
        counts = self.so_far
        counts.links += 1
        counts.last_link, counts.last_hash = link.number, link.hash
        counts.failed += link.kind == LinkKind.FAILED
        counts.adopted += link.kind == LinkKind.ADOPTED
        counts.deleted += link.kind == LinkKind.DELETED

    def _judge_row(self, connection: Connection, link: Any) -> tuple[Row[Any] | None, Broken | None]:
        row = _recording(connection, link["box_id"], link["recording"])
        place = {"link": link["number"], "recording": link["recording"]}
        if row is None:
            return None, Broken(what="row_missing", **place)
        is_same = row_hash(connection, link["box_id"], link["recording"]) == link["row_sha256"]
        if not is_same and self._had_ended(connection, link):
            return row, Broken(what="row_changed", file=row.file, **place)
        return row, None

    def _had_ended(self, connection: Connection, link: Any) -> bool:
        """False for a link from before the recording's end (legal hold): the row was not complete then. What it was
        when it was complete, the link of the end says."""
        of_its_end = select(recording_chain.c.number).where(
            recording_chain.c.box_id == link["box_id"],
            recording_chain.c.recording == link["recording"],
            recording_chain.c.number <= link["number"],
            recording_chain.c.kind.in_(_ENDED),
        )
        return connection.execute(of_its_end.limit(1)).first() is not None

    def _judge_audio(self, box_id: str, link: Row[Any], row: Row[Any]) -> Iterator[Broken]:
        """The file of a complete recording, or of a copy."""
        place: dict[str, Any] = {"link": link.number, "recording": link.recording, "file": row.file}
        if row.deleted_utc_us is not None:
            if not self._deletion_is_linked(box_id, link.recording):
                yield Broken(what="deleted_without_link", **place)
            return
        try:
            wrong = self._wrong_copy(box_id, link, row) if row.derived_from else self._wrong_audio(link, row)
        except FileNotFoundError:
            with self._engine.connect() as connection:  # it may have been deleted while others were read
                again = _recording(connection, box_id, link.recording)
            if again is None or again.deleted_utc_us is None or not self._deletion_is_linked(box_id, link.recording):
                yield Broken(what="file_missing", **place)
        except (OSError, RecordingError, DerivativeError) as error:
            yield Broken(what="file_damaged", detail=str(error), **place)
        else:
            if wrong is not None:
                yield Broken(what=wrong[0], detail=wrong[1], **place)

    def _wrong_audio(self, link: Row[Any], row: Row[Any]) -> tuple[str, str] | None:
        """What is wrong with a raw recording."""
        path = self._folder / row.file
        samples, missing, digest = content_of(path)
        if samples != row.samples:
            return "audio_changed", f"{samples} samples, {row.samples} when it was closed"
        if digest != link.audio_sha256:
            return "audio_changed", "not the audio that was recorded" + self._where_changed(link, path)
        if missing != row.missing:
            return "file_damaged", "its header tells another loss than there was"
        self.so_far.recordings += 1
        return None

    def _where_changed(self, link: Row[Any], path: Path) -> str:
        """Which byte differs from the copy, if there is a good one."""
        with self._engine.connect() as connection:
            query = select(recordings.c.file).where(
                recordings.c.derived_from == link.recording,
                recordings.c.box_id == link.box_id,
                recordings.c.deleted_utc_us.is_(None),
            )
            copy = connection.execute(query).scalars().first()
        if copy is None:
            return ""
        try:
            position = 0
            for ours, theirs in zip(alaw_chunks(path, PIECE), copied_alaw(self._folder / copy, 0, PIECE), strict=False):
                if len(differing := np.flatnonzero(ours.ravel() != theirs.ravel())):
                    at = position + int(differing[0])
                    return f"; its copy differs from byte {HEADER_SIZE + at} on ({at / TRACKS / SAMPLE_RATE:.3f} s)"
                position += ours.size
        except (OSError, RecordingError, DerivativeError):
            pass
        return ""

    def _wrong_copy(self, box_id: str, link: Row[Any], row: Row[Any]) -> tuple[str, str] | None:
        """What is wrong with a compressed copy; one that is all that is left must give the hash of the raw audio."""
        path = self._folder / row.file
        if file_sha256(path) != link.audio_sha256:
            return "copy_changed", "not the copy that was made"
        self.so_far.copies += 1
        with self._engine.connect() as connection:
            original = _recording(connection, box_id, row.derived_from)
        if original is None or original.deleted_utc_us is None:
            return None
        digest = hashlib.sha256()
        for codes in copied_alaw(path):
            digest.update(codes.tobytes())
        if digest.hexdigest() != original.sha256:
            return "copy_changed", f"its samples are not those of recording {row.derived_from}"
        self.so_far.derivative_only += 1
        return None

    def _deletion_is_linked(self, box_id: str, recording: int) -> bool:
        with self._engine.connect() as connection:
            found = connection.execute(
                select(func.count()).where(
                    recording_chain.c.recording == recording,
                    recording_chain.c.box_id == box_id,
                    recording_chain.c.kind == str(LinkKind.DELETED),
                )
            ).scalar_one()
        return found > 0

    def _unlinked(self, box_id: str) -> Iterator[Broken]:
        """Complete recordings that no link tells of, and numbers that were taken out of the rows."""
        with self._engine.connect() as connection:
            linked = select(recording_chain.c.recording).where(recording_chain.c.box_id == box_id)
            own = recordings.c.box_id == box_id
            found = connection.execute(
                select(recordings.c.number, recordings.c.file)
                .where(own, recordings.c.state == "closed", recordings.c.number.not_in(linked))
                .order_by(recordings.c.number)
            ).all()
            count, last = connection.execute(
                select(func.count(), func.coalesce(func.max(recordings.c.number), 0)).where(own)
            ).one()
            there = set(connection.execute(select(recordings.c.number).where(own)).scalars()) if count != last else ()
        for number, file in found:
            yield Broken(what="no_link", recording=number, file=file)
        if there:
            yield from (Broken(what="row_missing", recording=one) for one in range(1, last) if one not in there)


def _recording(connection: Connection, box_id: str, number: int) -> Row[Any] | None:
    return connection.execute(
        select(recordings).where(recordings.c.number == number, recordings.c.box_id == box_id)
    ).one_or_none()


def noted_anchors(anchor: Path) -> list[Anchor | str]:
    """The anchor, and those beside it that once did not fit (`Journal`); a text for one that cannot be read."""
    found: list[Anchor | str] = []
    for path in [anchor, *sorted(anchor.parent.glob(f"{anchor.stem}.*{anchor.suffix}"))]:
        try:
            known = read_anchor(path)
        except (OSError, ValueError) as error:
            found.append(str(error))
            continue
        found += [known] if known is not None else []
    return found
