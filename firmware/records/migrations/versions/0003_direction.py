"""Contacts that an agent began by calling out are told from those that came in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contacts", sa.Column("direction", sa.String(length=8), server_default="in", nullable=False))
