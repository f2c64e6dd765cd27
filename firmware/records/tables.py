"""The tables of `calls.db` (written by the callserver alone), and the audit table of `office.db`. No queries here.

contact → call → leg → segment: a contact is one citizen's matter of the moment; a call is one connection of legs; a leg
is one party on one line; a segment is what a leg lived through from one moment to the next. Segments are only appended,
all statistics derive from them. Every row carries `box_id`, a number without gaps for each table of the box, and the
region code. Times are whole microseconds, monotonic and UTC side by side, with the start of the machine they belong to.
Columns are only ever added: an older version must run on newer data.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, MetaData, String, Table, Text

metadata = MetaData()
audit_metadata = MetaData()


def _key() -> list[Column[object]]:
    return [
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("box_id", String(32), primary_key=True, nullable=False),
        Column("region", String(12), nullable=False),
    ]


def _moment(name: str, *, nullable: bool = True) -> list[Column[object]]:
    """Monotonic and UTC microseconds of one moment, and whether UTC was trusted."""
    return [
        Column(f"{name}_mono_us", BigInteger, nullable=nullable),
        Column(f"{name}_utc_us", BigInteger, nullable=nullable),
        Column(f"{name}_trusted", Boolean, nullable=nullable),
    ]


def _keeping() -> list[Column[object]]:
    """Retention: until when it is kept, whether the law holds it, when its content was deleted (the row stays)."""
    return [
        Column("retain_until_utc_us", BigInteger),
        Column("legal_hold", Boolean, nullable=False, server_default="0"),
        Column("deleted_utc_us", BigInteger),
    ]


contacts = Table(
    "contacts",
    metadata,
    *_key(),
    Column("medium", String(16), nullable=False),
    Column("direction", String(8), nullable=False, server_default="in"),  # in, or out: placed by an agent
    Column("machine_boot", String(40), nullable=False),
    *_moment("arrived", nullable=False),
    *_moment("queued"),
    *_moment("answered"),
    *_moment("ended"),
    Column("calling_received", String(64), nullable=False),
    Column("calling_type", String(16)),
    Column("calling_plan", String(16)),
    Column("calling", String(64), nullable=False),
    Column("presentation", String(16), nullable=False),
    Column("confidential", Boolean, nullable=False, server_default="0"),
    Column("called_received", String(64), nullable=False),
    Column("called", String(64), nullable=False),
    Column("service", String(64), nullable=False),
    Column("queue", String(64), nullable=False, server_default=""),
    Column("agent", String(32), nullable=False, server_default=""),
    Column("seat", String(32), nullable=False, server_default=""),
    Column("result", String(32), nullable=False, server_default=""),
    Column("cause", String(32), nullable=False, server_default=""),
    *_keeping(),
    Index("contacts_by_arrival", "arrived_utc_us"),
    Index("contacts_by_calling", "calling"),
    Index("contacts_by_agent", "agent"),
    Index("contacts_by_seat", "seat"),
)

calls = Table(
    "calls",
    metadata,
    *_key(),
    Column("contact", BigInteger, nullable=False),
    Column("machine_boot", String(40), nullable=False),
    *_moment("started", nullable=False),
    *_moment("ended"),
    *_keeping(),
    Index("calls_by_contact", "contact"),
)

legs = Table(
    "legs",
    metadata,
    *_key(),
    Column("call", BigInteger, nullable=False),
    Column("contact", BigInteger, nullable=False),
    Column("machine_boot", String(40), nullable=False),
    Column("gateway_leg", String(64), nullable=False),
    Column("channel", BigInteger, nullable=False),
    Column("channel_label", String(32), nullable=False),
    Column("party", String(16), nullable=False),  # citizen or agent
    Column("party_number", String(64), nullable=False, server_default=""),
    Column("agent", String(32), nullable=False, server_default=""),
    Column("seat", String(32), nullable=False, server_default=""),
    *_moment("started", nullable=False),
    Column("started_sample", BigInteger),
    *_moment("answered"),
    Column("answered_sample", BigInteger),
    *_moment("ended"),
    Column("ended_sample", BigInteger),
    Column("cause", String(32), nullable=False, server_default=""),
    Column("ended_by", String(16), nullable=False, server_default=""),
    *_keeping(),
    Index("legs_by_call", "call"),
    Index("legs_by_contact", "contact"),
    Index("legs_by_channel_label", "channel_label"),
)

segments = Table(
    "segments",
    metadata,
    *_key(),
    Column("contact", BigInteger, nullable=False),
    Column("call", BigInteger, nullable=False),
    Column("leg", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),  # announced, menu, queued, offered, talking, held, wrap_up
    Column("machine_boot", String(40), nullable=False),
    *_moment("started", nullable=False),
    *_moment("ended", nullable=False),
    Column("queue", String(64), nullable=False, server_default=""),
    Column("agent", String(32), nullable=False, server_default=""),
    Column("seat", String(32), nullable=False, server_default=""),
    Column("outcome", String(32), nullable=False, server_default=""),
    Column("not_recorded", String(32), nullable=False, server_default=""),  # why, on the outside leg; empty: it was
    Index("segments_by_contact", "contact"),
)

recordings = Table(
    "recordings",
    metadata,
    *_key(),
    Column("contact", BigInteger, nullable=False),
    Column("call", BigInteger, nullable=False),
    Column("leg", BigInteger, nullable=False),
    Column("file", String(200), nullable=False),
    Column("gateway_boot", String(40), nullable=False),
    Column("channel", BigInteger, nullable=False),
    Column("from_sample", BigInteger, nullable=False),
    Column("to_sample", BigInteger),
    *_moment("opened", nullable=False),
    *_moment("closed"),
    Column("state", String(16), nullable=False),  # open, closing, closed, failed
    Column("reason", Text, nullable=False, server_default=""),
    Column("samples", BigInteger),
    Column("missing", BigInteger),
    Column("sha256", String(64)),
    Column("chain", String(64)),
    Column("derived_from", BigInteger),
    Column("bytes", BigInteger),  # of a derivative's file
    *_keeping(),
    Index("recordings_by_leg", "leg"),
    Index("recordings_by_contact", "contact"),
    Index("recordings_by_derivation", "derived_from"),
    Index("recordings_by_age", "deleted_utc_us", "opened_utc_us"),
)

recording_chain = Table(
    "recording_chain",
    metadata,
    *_key(),
    Column("form", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("recording", BigInteger, nullable=False),
    *_moment("at", nullable=False),
    Column("audio_sha256", String(64), nullable=False, server_default=""),
    Column("row_sha256", String(64), nullable=False),
    Column("by", String(64), nullable=False, server_default=""),
    Column("reason", String(200), nullable=False, server_default=""),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("recording_chain_by_recording", "recording"),
)
"""What happened to recordings that are complete, each link hashed over the one before: see `chain.py`."""

events = Table(
    "events",
    metadata,
    *_key(),
    Column("name", String(32), nullable=False),
    *_moment("at", nullable=False),
    Column("body", Text, nullable=False),
)

live = Table(
    "live",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)
"""What is going on now, as the callserver's own structs in JSON: read when it starts again."""


def audit_table(on: MetaData) -> Table:
    """Who did or read what. Each writing process has its own in its own database."""
    return Table(
        "audit",
        on,
        *_key(),
        *_moment("at", nullable=False),
        Column("login", String(64), nullable=False),
        Column("source", String(64), nullable=False, server_default=""),
        Column("action", String(64), nullable=False),
        Column("subject", String(200), nullable=False, server_default=""),
        Column("outcome", String(64), nullable=False, server_default=""),
        Column("seconds", Float),
        Index("audit_by_time", "at_utc_us"),
    )


audit = audit_table(metadata)
office_audit = audit_table(audit_metadata)

SEQUENCED = {
    table.name: table for table in (contacts, calls, legs, segments, recordings, recording_chain, events, audit)
}
"""The tables whose rows are numbered without gaps."""
