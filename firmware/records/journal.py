"""Commits what the callserver wants kept: all rows of a batch in one transaction, durable when `commit` returns.

One journal, one process, one thread at a time. Reading for pages is `queries.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from firmware.records.database import open_database
from firmware.records.tables import SEQUENCED, live

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


class Journal:
    """The writing end of `calls.db`. Raises sqlalchemy.exc.SQLAlchemyError when the disk does not take it."""

    def __init__(self, path: Path, box_id: str, region: str, synchronous: str = "FULL") -> None:
        self._engine = open_database(path, synchronous)
        self._connection: Connection = self._engine.connect()
        self._key = {"box_id": box_id, "region": region}
        self._connection.rollback()

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
        try:
            for row in rows:
                table = SEQUENCED[row.table]
                number = getattr(row, "number", None)
                if number is None:
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
