"""Reads `calls.db` for pages and the REST interface: call list, one call, history, figures of a day, events.

Every function takes a connection of `database.open_for_reading` and returns plain structs with times in whole
microseconds of UTC. A *call* in these lists is a contact: what a citizen would name one call, with its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select

from firmware.records.tables import contacts, events, legs, recordings, segments

MOST_CALLS = 500
"""The most calls of one list; more are asked for with `before`."""


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls; empty means all. `caller`: anywhere in the number of the citizen, who called or was called. `trunk`:
    the citizen's line (`E1-1/3`), or the part before its slash for all lines of a span. Times include `since`, exclude
    `until`."""

    caller: str = ""
    called: str = ""
    service: str = ""
    queue: str = ""
    agent: str = ""
    seat: str = ""
    trunk: str = ""
    result: str = ""
    since_utc_us: int | None = None
    until_utc_us: int | None = None
    recorded: bool | None = None


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the list. `recording` is the number of the citizen's recording, its state as in the table."""

    number: int
    direction: str
    calling: str
    called: str
    service: str
    queue: str
    agent: str
    seat: str
    trunk: str
    arrived_utc_us: int
    queued_utc_us: int | None
    answered_utc_us: int | None
    ended_utc_us: int | None
    trusted: bool
    result: str
    cause: str
    presentation: str
    confidential: bool
    recording: int | None
    recording_state: str


class LegRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    party: str
    party_number: str
    agent: str
    seat: str
    channel_label: str
    started_utc_us: int
    answered_utc_us: int | None
    ended_utc_us: int | None
    cause: str
    ended_by: str


class SegmentRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    leg: int
    kind: str
    started_utc_us: int
    ended_utc_us: int
    queue: str
    agent: str
    seat: str
    outcome: str
    not_recorded: str


class RecordingRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording lies, `file` relative to the recordings folder. `samples` is known once it is closed. Decisions
    (hold, deletion) are taken on the `original`, whose number a copy names."""

    number: int
    original: int
    legal_hold: bool
    file: str
    state: str
    reason: str
    samples: int | None
    missing: int | None
    deleted: bool


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that arrived since a moment. Those still waiting are in `arrived` only."""

    arrived: int
    answered: int
    answered_in_time: int
    """Answered by a person within the seconds asked for, counted from joining the queue."""
    abandoned: int
    """Over without having been answered by a person."""


def _recorded() -> Any:
    """The first recording of each contact of which anything is left; its own file, or a copy of it."""
    original = func.coalesce(recordings.c.derived_from, recordings.c.number)
    return (
        select(recordings.c.contact, func.min(original).label("number"))
        .where(recordings.c.deleted_utc_us.is_(None))
        .group_by(recordings.c.contact)
        .subquery()
    )


def _calls() -> tuple[Select[Any], Any]:
    recorded = _recorded()
    trunk = (
        select(legs.c.channel_label)
        .where(legs.c.contact == contacts.c.number, legs.c.party == "citizen")
        .order_by(legs.c.number.desc())  # of a call out that several trunks were tried for, the last
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            contacts.c.number,
            contacts.c.direction,
            contacts.c.calling,
            contacts.c.called,
            contacts.c.service,
            contacts.c.queue,
            contacts.c.agent,
            contacts.c.seat,
            func.coalesce(trunk, "").label("trunk"),
            contacts.c.arrived_utc_us,
            contacts.c.queued_utc_us,
            contacts.c.answered_utc_us,
            contacts.c.ended_utc_us,
            contacts.c.arrived_trusted.label("trusted"),
            contacts.c.result,
            contacts.c.cause,
            contacts.c.presentation,
            contacts.c.confidential,
            recorded.c.number.label("recording"),
            func.coalesce(recordings.c.state, "").label("recording_state"),
        )
        .select_from(contacts)
        .outerjoin(recorded, recorded.c.contact == contacts.c.number)
        .outerjoin(recordings, recordings.c.number == recorded.c.number)
        .order_by(contacts.c.number.desc())
    )
    return query, recorded


def _call_row(row: Row[Any]) -> CallRow:
    return CallRow(**row._mapping)


def list_calls(
    connection: Connection, wanted: CallFilter, limit: int = 50, before: int | None = None
) -> Sequence[CallRow]:
    """The newest calls that fit, newest first, at most `limit`; `before`: only those with a smaller number."""
    query, recorded = _calls()
    conditions = [
        getattr(contacts.c, field) == getattr(wanted, field)
        for field in ("called", "service", "queue", "agent", "seat", "result")
        if getattr(wanted, field)
    ]
    if wanted.caller:
        citizen = case((contacts.c.direction == "out", contacts.c.called), else_=contacts.c.calling)
        conditions.append(citizen.contains(wanted.caller, autoescape=True))
    if wanted.trunk:
        label = legs.c.channel_label
        on_trunk = or_(label == wanted.trunk, label.startswith(wanted.trunk + "/", autoescape=True))
        conditions.append(contacts.c.number.in_(select(legs.c.contact).where(legs.c.party == "citizen", on_trunk)))
    if wanted.since_utc_us is not None:
        conditions.append(contacts.c.arrived_utc_us >= wanted.since_utc_us)
    if wanted.until_utc_us is not None:
        conditions.append(contacts.c.arrived_utc_us < wanted.until_utc_us)
    if wanted.recorded is not None:
        conditions.append(recorded.c.number.is_not(None) if wanted.recorded else recorded.c.number.is_(None))
    if before is not None:
        conditions.append(contacts.c.number < before)
    query = query.where(*conditions).limit(min(limit, MOST_CALLS))
    return [_call_row(row) for row in connection.execute(query)]


def one_call(connection: Connection, number: int) -> CallRow | None:
    """The call of that number, or None."""
    query, _ = _calls()
    row = connection.execute(query.where(contacts.c.number == number)).one_or_none()
    return _call_row(row) if row is not None else None


def calls_of_caller(connection: Connection, calling: str, limit: int, before: int) -> Sequence[CallRow]:
    """The last calls of exactly this number before call `before`. None for a withheld number: that is no person."""
    if not calling:
        return []
    query, _ = _calls()
    query = query.where(contacts.c.calling == calling, contacts.c.number < before).limit(limit)
    return [_call_row(row) for row in connection.execute(query)]


def legs_of_call(connection: Connection, contact: int) -> Sequence[LegRow]:
    columns = [getattr(legs.c, name) for name in LegRow.__struct_fields__]
    rows = connection.execute(select(*columns).where(legs.c.contact == contact).order_by(legs.c.number))
    return [LegRow(**row._mapping) for row in rows]


def segments_of_call(connection: Connection, contact: int) -> Sequence[SegmentRow]:
    """What the call lived through, in order of beginning."""
    columns = [getattr(segments.c, name) for name in SegmentRow.__struct_fields__]
    rows = connection.execute(
        select(*columns)
        .where(segments.c.contact == contact)
        .order_by(segments.c.started_utc_us, segments.c.ended_utc_us, segments.c.number)
    )
    return [SegmentRow(**row._mapping) for row in rows]


def recording_of_call(connection: Connection, contact: int) -> RecordingRow | None:
    """The recording of a call: the original, a copy if only that is left, or what was deleted; None if there never was
    one."""
    original = recordings.alias("original")
    row = connection.execute(
        select(
            recordings.c.number,
            original.c.number.label("original"),
            original.c.legal_hold,
            recordings.c.file,
            recordings.c.state,
            recordings.c.reason,
            recordings.c.samples,
            recordings.c.missing,
            recordings.c.deleted_utc_us.is_not(None).label("deleted"),
        )
        .join(original, original.c.number == func.coalesce(recordings.c.derived_from, recordings.c.number))
        .where(recordings.c.contact == contact)
        .order_by(recordings.c.deleted_utc_us.is_not(None), recordings.c.derived_from.is_not(None), recordings.c.number)
        .limit(1)
    ).one_or_none()
    return RecordingRow(**row._mapping) if row is not None else None


def figures_since(connection: Connection, since_utc_us: int, in_time_us: int = 15_000_000) -> DayFigures:
    """How many calls arrived, were answered, and left unanswered since a moment (GB/T 33358 counts 15 s as in time)."""
    answered = contacts.c.answered_utc_us.is_not(None)
    waited = contacts.c.answered_utc_us - func.coalesce(contacts.c.queued_utc_us, contacts.c.arrived_utc_us)

    def count(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    row = connection.execute(
        select(
            func.count().label("arrived"),
            count(answered).label("answered"),
            count(and_(answered, waited <= in_time_us)).label("answered_in_time"),
            count(and_(contacts.c.answered_utc_us.is_(None), contacts.c.ended_utc_us.is_not(None))).label("abandoned"),
        ).where(contacts.c.arrived_utc_us >= since_utc_us, contacts.c.direction == "in")
    ).one()
    return DayFigures(**row._mapping)


MOST_EARLIER = 999
"""Earlier calls of one number are counted so far: a list that never ends must not cost anything."""


def earlier_contacts(connection: Connection, calling: str, before: int) -> int:
    """How many contacts with a number below `before` came from this normalised number, at most MOST_EARLIER."""
    found = select(contacts.c.number).where(contacts.c.calling == calling, contacts.c.number < before)
    return int(connection.execute(select(func.count()).select_from(found.limit(MOST_EARLIER).subquery())).scalar_one())


def events_after(connection: Connection, number: int, limit: int = 1000) -> Sequence[bytes]:
    """The stored events after a number, oldest first, each as the JSON of the callserver's own struct."""
    rows = connection.execute(
        select(events.c.body).where(events.c.number > number).order_by(events.c.number).limit(limit)
    )
    return [row.body.encode() for row in rows]
