"""Run by alembic for each migration: works on the connection that `database.open_database` hands over. Online only."""

from __future__ import annotations

from alembic import context

from firmware.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
