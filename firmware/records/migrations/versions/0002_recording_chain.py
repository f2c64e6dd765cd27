"""The chain of recordings; why a segment was not recorded; sizes of derivatives; indexes for search and retention."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = (
    ("contacts_by_agent", "contacts", ["agent"]),
    ("contacts_by_seat", "contacts", ["seat"]),
    ("legs_by_channel_label", "legs", ["channel_label"]),
    ("recordings_by_contact", "recordings", ["contact"]),
    ("recordings_by_derivation", "recordings", ["derived_from"]),
    ("recordings_by_age", "recordings", ["deleted_utc_us", "opened_utc_us"]),
    ("recording_chain_by_recording", "recording_chain", ["recording"]),
)


def upgrade() -> None:
    op.create_table(
        "recording_chain",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("form", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("recording", sa.BigInteger(), nullable=False),
        sa.Column("at_mono_us", sa.BigInteger(), nullable=False),
        sa.Column("at_utc_us", sa.BigInteger(), nullable=False),
        sa.Column("at_trusted", sa.Boolean(), nullable=False),
        sa.Column("audio_sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("row_sha256", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=200), server_default="", nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", "box_id"),
    )
    op.add_column("segments", sa.Column("not_recorded", sa.String(length=32), server_default="", nullable=False))
    op.add_column("recordings", sa.Column("bytes", sa.BigInteger(), nullable=True))
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns, unique=False)
