"""Commits what the callserver wants kept: all rows of a batch in one transaction, durable when `commit` returns.

One journal, one process, one thread at a time. Reading for pages is `queries.py`. Links of the chain of recordings
are completed here, in the transaction that holds what they speak of (`chain.py`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from firmware.core.clock import SystemClock
from firmware.records.chain import Anchor, LinkKind, complete_link, fits, read_anchor, write_anchor
from firmware.records.database import open_database
from firmware.records.tables import SEQUENCED, live, recording_chain, recordings

_log = logging.getLogger("linebox.journal")

Value = str | int | float | bool | None


class NewRow(Protocol):
    """A row to insert: table name and columns, without box and region."""

    @property
    def table(self) -> str: ...
    @property
    def values(self) -> dict[str, Value]: ...


class ChangedRow(Protocol):
    """New values for a numbered row."""

    @property
    def table(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def values(self) -> dict[str, Value]: ...


class _Row(NamedTuple):
    table: str
    values: dict[str, Value]


class Journal:
    """The writing end of `calls.db`. Raises sqlalchemy.exc.SQLAlchemyError when the disk does not take it."""

    def __init__(
        self, path: Path, box_id: str, region: str, synchronous: str = "FULL", anchor: Path | None = None
    ) -> None:
        """`anchor`: where the last link of the chain is noted; None: nowhere."""
        self._engine = open_database(path, synchronous)
        self._connection: Connection = self._engine.connect()
        self._key = {"box_id": box_id, "region": region}
        self._anchor = anchor
        self._connection.rollback()
        if anchor is not None:
            self._keep_strange_anchor(anchor)
        self._adopt()

    def _keep_strange_anchor(self, anchor: Path) -> None:
        """An anchor that the chain does not fit any more is not written over: `verify-recordings` names it until a
        person has found out why."""
        try:
            known = read_anchor(anchor)
            if known is None or fits(self._connection, known):
                return
            what = f"link {known.number} that it names is not in the chain"
        except (OSError, ValueError) as error:
            what = str(error)
        finally:
            self._connection.rollback()
        kept = anchor.with_name(f"{anchor.stem}.{SystemClock().now().utc_us}{anchor.suffix}")
        _log.error("the anchor of the recordings does not fit: %s. It is kept as %s", what, kept.name)
        try:
            os.rename(anchor, kept)
        except OSError as error:
            _log.error("%s cannot be renamed: %s", anchor.name, error)

    def _adopt(self) -> None:
        """Link recordings that were closed by a version of this program that knew no chain."""
        linked = select(recording_chain.c.recording).where(recording_chain.c.box_id == self._key["box_id"])
        found = self._connection.execute(
            select(recordings.c.number, recordings.c.sha256)
            .where(
                recordings.c.box_id == self._key["box_id"],
                recordings.c.state == "closed",
                recordings.c.number.not_in(linked),
            )
            .order_by(recordings.c.number)
        ).all()
        self._connection.rollback()
        if not found:
            return
        last, now = self.last_numbers()[recording_chain.name], SystemClock().now()
        moment = {"at_mono_us": now.mono_us, "at_utc_us": now.utc_us, "at_trusted": now.trusted}
        kind = str(LinkKind.ADOPTED)
        self.commit(
            [
                _Row(
                    recording_chain.name,
                    {"number": last + one, "kind": kind, "recording": number, "audio_sha256": sha256 or "", **moment},
                )
                for one, (number, sha256) in enumerate(found, 1)
            ],
            {},
        )

    def last_numbers(self) -> dict[str, int]:
        """The number given last in each table, 0 for an empty one."""
        numbers = {
            name: self._connection.execute(
                select(func.coalesce(func.max(table.c.number), 0)).where(table.c.box_id == self._key["box_id"])
            ).scalar_one()
            for name, table in SEQUENCED.items()
        }
        self._connection.rollback()
        return numbers

    def live(self) -> dict[tuple[str, str], bytes]:
        """What was going on when the last batch was committed."""
        rows = self._connection.execute(select(live.c.kind, live.c.key, live.c.body)).all()
        self._connection.rollback()
        return {(kind, key): body.encode() for kind, key, body in rows}

    def commit(self, rows: Iterable[NewRow | ChangedRow], changes: Mapping[tuple[str, str], bytes | None]) -> None:
        """All or nothing; on return it survives a power cut (WAL, synchronous=FULL)."""
        connection = self._connection
        last_link: Anchor | None = None
        try:
            for row in rows:
                table = SEQUENCED[row.table]
                number = getattr(row, "number", None)
                if table is recording_chain:
                    last_link = self._link(row.values)
                elif number is None:
                    connection.execute(insert(table).values(**self._key, **row.values))
                else:
                    connection.execute(
                        update(table)
                        .where(table.c.number == number, table.c.box_id == self._key["box_id"])
                        .values(**row.values)
                    )
            self._change_live(changes)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        if last_link is not None:
            self._note(last_link)

    def _link(self, values: Mapping[str, Value]) -> Anchor:
        """Append a link to the chain; one that ends a recording is also named in its row."""
        link = complete_link(self._connection, self._key["box_id"], self._key["region"], values)
        self._connection.execute(insert(recording_chain).values(**link))
        if link["kind"] in (LinkKind.CLOSED, LinkKind.ADOPTED):
            self._connection.execute(
                update(recordings)
                .where(recordings.c.number == link["recording"], recordings.c.box_id == self._key["box_id"])
                .values(chain=link["hash"])
            )
        return Anchor(box_id=self._key["box_id"], number=link["number"], hash=link["hash"])

    def _note(self, last: Anchor) -> None:
        """After the commit: an anchor that is a link behind is true, one that is ahead would be a lie."""
        if self._anchor is None:
            return
        _log.info("recording chain: link %d has the hash %s", last.number, last.hash)
        try:
            write_anchor(self._anchor, last)
        except OSError as error:
            _log.error("the anchor of the recordings cannot be written: %s", error)

    def _change_live(self, changes: Mapping[tuple[str, str], bytes | None]) -> None:
        for (kind, key), body in changes.items():
            if body is None:
                self._connection.execute(delete(live).where(live.c.kind == kind, live.c.key == key))
            else:
                statement = upsert(live).values(kind=kind, key=key, body=body.decode())
                self._connection.execute(
                    statement.on_conflict_do_update(index_elements=["kind", "key"], set_={"body": body.decode()})
                )

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
