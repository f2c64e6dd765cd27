"""Migrations: the tables are what the code says, an old database is brought up to date, a newer one is left alone.
And what readers see of a database that is being written.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, select

from firmware.records import database
from firmware.records.database import NEWEST_REVISION, open_database, open_for_reading
from firmware.records.tables import live, metadata


def schema(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT type, name FROM sqlite_master ORDER BY type, name").fetchall()
    connection.close()
    return [f"{kind} {name}" for kind, name in rows]


def revision(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(found)


def first_tables(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of version 0.1.0."""
    from alembic import command

    monkeypatch.setattr(command, "upgrade", lambda config, _, upgrade=command.upgrade: upgrade(config, "0001"))
    open_database(path).dispose()
    monkeypatch.undo()
    assert revision(path) == "0001"


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "calls.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert revision(tmp_path / "calls.db") == NEWEST_REVISION


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_current_head() == NEWEST_REVISION


def test_an_old_database_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    first_tables(old, monkeypatch)
    open_database(old).dispose()
    open_database(new).dispose()
    assert schema(old) == schema(new)


def test_a_migration_that_died_in_the_middle_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calls.db"
    first_tables(path, monkeypatch)
    before = schema(path)
    from alembic import op

    class PowerCut(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", die)
        with pytest.raises(PowerCut):
            open_database(path)
    assert (schema(path), revision(path)) == (before, "0001")

    open_database(path).dispose()
    assert revision(path) == NEWEST_REVISION


def test_a_newer_database_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    open_database(path).dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("ALTER TABLE contacts ADD COLUMN of_the_future VARCHAR(8) DEFAULT '' NOT NULL")
    connection.close()

    open_database(path).dispose()

    assert revision(path) == "9999"


def test_all_that_one_transaction_reads_is_of_one_moment(tmp_path: Path) -> None:
    writer = open_database(tmp_path / "calls.db")
    reader = open_for_reading(tmp_path / "calls.db")
    count = select(func.count()).select_from(live)
    with reader.connect() as reading:
        before = reading.execute(count).scalar_one()
        with writer.begin() as writing:
            writing.execute(insert(live).values(kind="contact", key="1", body=b""))
        meanwhile = reading.execute(count).scalar_one()
        reading.rollback()
        afterwards = reading.execute(count).scalar_one()
    reader.dispose()
    writer.dispose()

    assert (before, meanwhile, afterwards) == (0, 0, 1)
