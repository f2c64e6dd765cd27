"""The chain of recordings: what a link says, and how it is hashed. Writing is `journal.py`, checking is `verify.py`.

The end of a recording, and each thing that is decided about it (legal hold also before its end), appends one link,
numbered without gaps by the callserver in the same commit as the row that it speaks of. A link's hash covers its own
fields, the hash of the raw A-law, the hash of the recording's row (with who called whom, on which line), and the hash
of the link before: to change one byte of an old recording and not be found, all links after it have to be made anew.
Against that, and against cutting off the newest links, stands the anchor: number and hash of the last link in a file of
its own, and in the log (RFC 5424), which may be kept elsewhere. Who can write the database, the anchor and every copy
of the log can forge all; nobody else can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from firmware.core.storage import write_durably
from firmware.records.tables import contacts, legs, recording_chain, recordings

FORM = 1
"""Which fields are hashed, and how; a link keeps the form that it was made with."""
MADE_AT_COMMIT = frozenset({"form", "row_sha256", "previous", "hash"})
"""Columns of a link that nobody gives: `complete_link` makes them."""
BEFORE_THE_FIRST = "0" * 64


class LinkKind(StrEnum):
    """What happened to the recording."""

    CLOSED = "closed"
    """It is complete. `audio_sha256` is that of the raw A-law; of a derivative, that of its file."""
    FAILED = "failed"
    """It ended and could not be completed."""
    ADOPTED = "adopted"
    """A version of the program without a chain had closed it."""
    HELD = "held"
    """Legal hold: it may not be deleted. `by` and `reason` say for whom."""
    RELEASED = "released"
    DELETED = "deleted"
    """Its file was removed; row and links stay. `by` and `reason` say why."""


def hash_of(content: Mapping[str, Any]) -> str:
    """SHA-256 over JSON with sorted keys, no spaces, UTF-8. Hexadecimal."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(link: Mapping[str, Any]) -> str:
    """The hash that a link must have, by all its other columns."""
    fields = {column.name: link[column.name] for column in recording_chain.c if column.name != "hash"}
    return hash_of({**fields, "at_trusted": bool(fields["at_trusted"])})


_ROW = (
    *("number", "box_id", "region", "contact", "call", "leg", "file", "gateway_boot", "channel", "from_sample"),
    *("to_sample", "opened_mono_us", "opened_utc_us", "opened_trusted", "closed_mono_us", "closed_utc_us"),
    *("closed_trusted", "state", "reason", "samples", "missing", "sha256", "derived_from", "bytes"),
)
_CONTACT = (
    *("medium", "arrived_utc_us", "calling_received", "calling", "presentation", "called_received", "called"),
    *("service", "agent", "seat"),
)
_LEG = ("channel_label", "party", "started_utc_us")


def row_hash(connection: Connection, box_id: str, recording: int) -> str:
    """Hash of all that the box knows for good of a complete recording: its row, and of whose call it is. Empty if the
    row is not there."""
    found = connection.execute(
        select(
            *(recordings.c[name] for name in _ROW),
            *(contacts.c[name].label(f"contact_{name}") for name in _CONTACT),
            *(legs.c[name].label(f"leg_{name}") for name in _LEG),
        )
        .select_from(recordings)
        .outerjoin(contacts, (contacts.c.number == recordings.c.contact) & (contacts.c.box_id == box_id))
        .outerjoin(legs, (legs.c.number == recordings.c.leg) & (legs.c.box_id == box_id))
        .where(recordings.c.number == recording, recordings.c.box_id == box_id)
    ).one_or_none()
    return "" if found is None else hash_of(dict(found._mapping))


def complete_link(connection: Connection, box_id: str, region: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole link of what the ledger says (number, kind, recording, moment, …), hashed over rows and link before it
    as they are on this connection."""
    previous = connection.execute(
        select(recording_chain.c.hash).where(
            recording_chain.c.number == values["number"] - 1, recording_chain.c.box_id == box_id
        )
    ).scalar_one_or_none()
    link = {
        "audio_sha256": "",
        "by": "",
        "reason": "",
        **values,
        "box_id": box_id,
        "region": region,
        "form": FORM,
        "row_sha256": row_hash(connection, box_id, values["recording"]),
        "previous": previous or BEFORE_THE_FIRST,
    }
    return {**link, "hash": link_hash(link)}


# ---- the anchor ------------------------------------------------------------------------------------------------------


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The last link as it was noted outside the database."""

    number: int
    hash: str
    box_id: str = ""
    """Empty for one that a person noted."""


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Durable when it returns. Raises OSError."""
    write_durably(path, msgspec.json.format(msgspec.json.encode(anchor)) + b"\n")


def read_anchor(path: Path) -> Anchor | None:
    """None if there is none. Raises OSError, and ValueError if it is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path.name} is not an anchor: {error}") from error


def fits(connection: Connection, anchor: Anchor) -> bool:
    """Does the chain still hold the link that was noted?"""
    query = select(recording_chain.c.hash).where(recording_chain.c.number == anchor.number)
    if anchor.box_id:
        query = query.where(recording_chain.c.box_id == anchor.box_id)
    return anchor.hash in connection.execute(query).scalars().all()
