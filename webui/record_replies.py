"""What the REST interface answers of calls that are stored: lists, legs, segments, a caller's earlier calls.

Times are ISO 8601 in UTC. Who may not see a caller's number gets it masked: 138****0000. What is live is `replies.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from firmware.core.faults import from_store
from firmware.records.queries import CallRow, LegRow, RecordingRow, SegmentRow
from webui.fault_replies import FaultReply, fault_reply
from webui.formats import masked, moment
from webui.words import Words


class CallReply(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the list. `recording` is the recording's number, null if there is none (any more)."""

    id: int
    direction: str
    """`in`, or `out`: an agent called the citizen."""
    caller: str
    called: str
    service: str
    queue: str
    agent: str
    seat: str
    trunk: str
    """The citizen's line."""
    started: datetime
    queued: datetime | None
    answered: datetime | None
    ended: datetime | None
    result: str
    cause: str
    recording: int | None
    recording_state: str
    clock_trusted: bool


class LegReply(msgspec.Struct, frozen=True, kw_only=True):
    leg: int
    party: str
    number: str
    agent: str
    seat: str
    channel: str
    started: datetime
    answered: datetime | None
    ended: datetime | None
    cause: str
    ended_by: str


class SegmentReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a leg lived through from one moment to the next."""

    segment: int
    leg: int
    kind: str
    started: datetime
    ended: datetime
    queue: str
    agent: str
    seat: str
    outcome: str
    not_recorded: str
    """Why this part of the citizen's line was not recorded; empty if it was, and on other lines."""


class CallDetailReply(CallReply, frozen=True, kw_only=True):
    recording_fault: FaultReply | None
    """Why the recording could not be made, or not yet be completed."""
    legs: tuple[LegReply, ...]
    segments: tuple[SegmentReply, ...]


class CallListReply(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `next_before`: give it as `before` to get the calls that follow; null at the end."""

    calls: tuple[CallReply, ...]
    next_before: int | None


class SegmentListReply(msgspec.Struct, frozen=True, kw_only=True):
    segments: tuple[SegmentReply, ...]


class HistoryReply(msgspec.Struct, frozen=True, kw_only=True):
    """The last calls of the citizen whom the agent has now; `call` is the present call, null if there is none.
    `caller` is the citizen's number, also when the agent called."""

    call: int | None
    caller: str
    calls: tuple[CallReply, ...]


SeesNumber = Callable[[str], bool]
"""Told the agent number that has the call: may the reader see the caller's number?"""


def numbers(calling: str, called: str, outgoing: bool, sees: bool) -> dict[str, str]:
    """Who called whom; who may not see the citizen's number sees it masked, whichever of the two it is."""
    return {
        "caller": calling if sees or outgoing else masked(calling),
        "called": called if sees or not outgoing else masked(called),
    }


def call_reply(row: CallRow, sees_number: SeesNumber) -> CallReply:
    return CallReply(
        id=row.number,
        direction=row.direction,
        **numbers(row.calling, row.called, row.direction == "out", sees_number(row.agent)),
        service=row.service,
        queue=row.queue,
        agent=row.agent,
        seat=row.seat,
        trunk=row.trunk,
        started=moment(row.arrived_utc_us),
        queued=moment(row.queued_utc_us),
        answered=moment(row.answered_utc_us),
        ended=moment(row.ended_utc_us),
        result=row.result,
        cause=row.cause,
        recording=row.recording,
        recording_state=row.recording_state,
        clock_trusted=row.trusted,
    )


def recording_fault(row: RecordingRow | None, words: Words) -> FaultReply | None:
    """What keeps the recording from being complete; None if nothing does, or there is none (any more)."""
    if row is None or row.deleted or row.state == "closed" or not row.reason:
        return None
    return fault_reply(from_store(row.reason), words)


def leg_reply(row: LegRow, sees_number: bool) -> LegReply:
    return LegReply(
        leg=row.number,
        party=row.party,
        number=row.party_number if sees_number else masked(row.party_number),
        agent=row.agent,
        seat=row.seat,
        channel=row.channel_label,
        started=moment(row.started_utc_us),
        answered=moment(row.answered_utc_us),
        ended=moment(row.ended_utc_us),
        cause=row.cause,
        ended_by=row.ended_by,
    )


def segment_reply(row: SegmentRow) -> SegmentReply:
    return SegmentReply(
        segment=row.number,
        leg=row.leg,
        kind=row.kind,
        started=moment(row.started_utc_us),
        ended=moment(row.ended_utc_us),
        queue=row.queue,
        agent=row.agent,
        seat=row.seat,
        outcome=row.outcome,
        not_recorded=row.not_recorded,
    )
