"""Opens `calls.db`: the pragmas that make commits durable, and the migrations. Writing is in `journal.py`."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

_log = logging.getLogger(__name__)

NEWEST_REVISION = "0003"
"""The newest migration in `migrations/versions`; a database that has it is opened without loading alembic."""


def _engine(url: str, pragmas: tuple[str, ...], begin: str = "") -> Engine:
    """`begin`: the statement that begins a transaction, where Python's sqlite3 shall not choose."""
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if begin:
            connection.exec_driver_sql(begin)

    return engine


def open_database(path: Path, synchronous: str = "FULL") -> Engine:
    """Open for writing, create or bring up to date. One process only may do this.

    WAL with synchronous=FULL: a commit returns after fdatasync of the log (SQLite documentation, "PRAGMA synchronous").
    `synchronous` is an argument so that a test can show what would happen without it.
    """
    engine = _engine(
        f"sqlite:///{path}", ("journal_mode=WAL", f"synchronous={synchronous}", "busy_timeout=5000", "foreign_keys=ON")
    )
    with engine.connect() as connection:
        if _revision_of(connection) != NEWEST_REVISION:
            _migrate(connection)
    return engine


def open_for_reading(path: Path) -> Engine:
    """Open for readers in other processes: sees what is committed, can write nothing. The file must exist.

    All that one transaction reads is of one moment, that of its first SELECT; so keep none open for long.
    """
    # Python's sqlite3 begins no transaction for a SELECT: two would see what was committed between them.
    return _engine(f"sqlite:///file:{path}?mode=ro&uri=true", ("query_only=ON", "busy_timeout=5000"), "BEGIN")


def _revision_of(connection: Connection) -> str:
    known = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).scalar()
    if not known:
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _migrate(connection: Connection) -> None:
    """Apply missing migrations. A database newer than this program (after a roll-back) is used as it is."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its own words tell a reader of the log nothing
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.attributes["connection"] = connection
    found = _revision_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(configuration).walk_revisions()}
    if found and found not in known:
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a death in the middle leaves nothing half made
    command.upgrade(configuration, "head")
    connection.commit()
    if found != (now := _revision_of(connection)):
        _log.info("the tables of the records are now of revision %s%s", now, f", before {found}" if found else "")
