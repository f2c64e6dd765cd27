"""What the REST interface answers: structs that encode the replies and from which the description's schemas are made.

Times are ISO 8601 in UTC. Who may not see a caller's number gets it masked: 138****0000.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from firmware.calls.messages import BoxState, CallEvent, ContactView
from firmware.core.clock import Stamp
from firmware.lines.loop_messages import LoopOutcome
from firmware.lines.messages import BoardState
from firmware.records.queries import CallRow, LegRow, SegmentRow
from firmware.tones.cadence import LearnedTone
from webui.channel_replies import ChannelReply, LiveChannelReply, channel_reply, live_channels
from webui.fault_replies import FaultReply, fault_reply
from webui.formats import masked, moment
from webui.words import Words


def _at(stamp: Stamp | None) -> datetime | None:
    return None if stamp is None else moment(stamp.utc_us)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the parts of the box are there. `ready`: calls can be taken now."""

    ready: bool
    callserver: bool
    gateway: bool
    recorder: bool
    version: str


class AgentReply(msgspec.Struct, frozen=True, kw_only=True):
    """One agent. `agent` is the agent number; `call` the number of the call that the agent has."""

    agent: str
    name: str
    state: str
    reason: str
    since: datetime | None
    seat: str
    call: int | None
    queues: tuple[str, ...]


class SeatReply(msgspec.Struct, frozen=True, kw_only=True):
    seat: str
    extension: str
    headset: bool
    agent: str
    display_fault: FaultReply | None
    """Why the display at the seat shows nothing; null while it works, or if there is none."""


class QueueReply(msgspec.Struct, frozen=True, kw_only=True):
    queue: str
    title: str
    waiting: int
    longest_wait_since: datetime | None
    ready_agents: int


class LiveCallReply(msgspec.Struct, frozen=True, kw_only=True):
    """One call that is going on."""

    id: int
    state: str
    caller: str
    called: str
    service: str
    queue: str
    agent: str
    seat: str
    trunk: str
    started: datetime
    since: datetime
    recorded: bool


class BoardReply(msgspec.Struct, frozen=True, kw_only=True):
    """One board. `faults`: why it does not work; while it does, its alarms."""

    board: str
    working: bool
    channels: int
    faults: tuple[FaultReply, ...]


class TodayReply(msgspec.Struct, frozen=True, kw_only=True):
    """Since midnight. Connection rate 接通率 = answered / (answered + abandoned); who still waits is not judged."""

    arrived: int
    answered: int
    answered_in_15_seconds: int
    abandoned: int
    connection_rate: float | None


class StateReply(msgspec.Struct, frozen=True, kw_only=True):
    """Everything live, as of event `number`. While `connected` is false it is as of `at`, and old."""

    connected: bool
    number: int
    at: datetime
    box_id: str
    gateway: bool
    recorder: bool
    agents: tuple[AgentReply, ...]
    seats: tuple[SeatReply, ...]
    queues: tuple[QueueReply, ...]
    calls: tuple[LiveCallReply, ...]
    channels: tuple[LiveChannelReply, ...]
    boards: tuple[BoardReply, ...]
    alarms: tuple[str, ...]
    """Codes of what is wrong with the box itself: disk_low, recordings_refused, recordings_stopped,
    records_on_reserve, all_trunks_blocked, stopping."""
    panel_faults: tuple[FaultReply, ...]
    """What is wrong with lamps and buttons at the front of the box; `place` is the field of `panel` in box.json, and
    the line."""
    today: TodayReply | None


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
    legs: tuple[LegReply, ...]
    segments: tuple[SegmentReply, ...]


class CallListReply(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `next_before`: give it as `before` to get the calls that follow; null at the end."""

    calls: tuple[CallReply, ...]
    next_before: int | None


class SegmentListReply(msgspec.Struct, frozen=True, kw_only=True):
    segments: tuple[SegmentReply, ...]


class HistoryReply(msgspec.Struct, frozen=True, kw_only=True):
    """The last calls of the caller whom the agent has now; `call` is the present call, null if there is none."""

    call: int | None
    caller: str
    calls: tuple[CallReply, ...]


class EventReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One numbered event (CSTA names). Fields that do not apply are left out."""

    number: int
    name: str
    at: datetime
    call: int = 0
    leg: int = 0
    service: str = ""
    queue: str = ""
    agent: str = ""
    seat: str = ""
    caller: str = ""
    called: str = ""
    state: str = ""
    reason: str = ""
    cause: str = ""
    digit: str = ""
    recording: int = 0
    channel: ChannelReply | None = None
    board: BoardReply | None = None
    line: str = ""
    tone: LearnedTone | None = None
    loop_test: LoopOutcome | None = None


class SignInBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seat that the agent takes."""

    seat: str


class NotReadyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why: `break`, `meal`, `meeting`, `training`, or a code of your own."""

    reason: str = "break"


SeesNumber = Callable[[str], bool]
"""Told the agent number that has the call: may the reader see the caller's number?"""


def _numbers(calling: str, called: str, outgoing: bool, sees: bool) -> dict[str, str]:
    """Who called whom; who may not see the citizen's number sees it masked, whichever of the two it is."""
    return {
        "caller": calling if sees or outgoing else masked(calling),
        "called": called if sees or not outgoing else masked(called),
    }


def call_reply(row: CallRow, sees_number: SeesNumber) -> CallReply:
    return CallReply(
        id=row.number,
        direction=row.direction,
        **_numbers(row.calling, row.called, row.direction == "out", sees_number(row.agent)),
        service=row.service,
        queue=row.queue,
        agent=row.agent,
        seat=row.seat,
        trunk=row.trunk,
        started=_must(row.arrived_utc_us),
        queued=moment(row.queued_utc_us),
        answered=moment(row.answered_utc_us),
        ended=moment(row.ended_utc_us),
        result=row.result,
        cause=row.cause,
        recording=row.recording,
        recording_state=row.recording_state,
        clock_trusted=row.trusted,
    )


def leg_reply(row: LegRow, sees_number: bool) -> LegReply:
    return LegReply(
        leg=row.number,
        party=row.party,
        number=row.party_number if sees_number else masked(row.party_number),
        agent=row.agent,
        seat=row.seat,
        channel=row.channel_label,
        started=_must(row.started_utc_us),
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
        started=_must(row.started_utc_us),
        ended=_must(row.ended_utc_us),
        queue=row.queue,
        agent=row.agent,
        seat=row.seat,
        outcome=row.outcome,
        not_recorded=row.not_recorded,
    )


def _must(utc_us: int) -> datetime:
    at = moment(utc_us)
    assert at is not None
    return at


def _live_call(view: ContactView, sees_number: SeesNumber) -> LiveCallReply:
    return LiveCallReply(
        id=view.contact,
        state=view.state,
        **_numbers(view.calling, view.called, view.outgoing, sees_number(view.agent)),
        service=view.service,
        queue=view.queue,
        agent=view.agent,
        seat=view.seat,
        trunk=view.trunk,
        started=_must(view.arrived.utc_us),
        since=_must(view.since.utc_us),
        recorded=view.recorded,
    )


def _board(state: BoardState, words: Words) -> BoardReply:
    return BoardReply(
        board=state.board,
        working=state.working,
        channels=state.channels,
        faults=tuple(fault_reply(one, words) for one in state.faults),
    )


def state_reply(
    state: BoxState, connected: bool, at: Stamp, today: TodayReply | None, sees_number: SeesNumber, words: Words
) -> StateReply:
    """The state as one reader may see it, in the reader's words. `at`: the moment of which it speaks."""
    return StateReply(
        connected=connected,
        number=state.number,
        at=_must(at.utc_us),
        box_id=state.box_id,
        gateway=state.gateway_connected,
        recorder=state.recorder_connected,
        agents=tuple(
            AgentReply(
                agent=one.agent,
                name=one.name,
                state=one.state,
                reason=one.reason,
                since=_at(one.since),
                seat=one.seat,
                call=one.contact or None,
                queues=one.queues,
            )
            for one in state.agents
        ),
        seats=tuple(
            SeatReply(
                seat=one.seat,
                extension=one.extension,
                headset=one.headset,
                agent=one.agent,
                display_fault=fault_reply(one.display_fault, words) if one.display_fault else None,
            )
            for one in state.seats
        ),
        queues=tuple(
            QueueReply(
                queue=one.queue,
                title=one.title,
                waiting=one.waiting,
                longest_wait_since=_at(one.longest_wait_since),
                ready_agents=one.ready_agents,
            )
            for one in state.queues
        ),
        calls=tuple(_live_call(one, sees_number) for one in state.contacts),
        channels=live_channels(state),
        boards=tuple(_board(one, words) for one in state.boards),
        alarms=tuple(str(one) for one in state.alarms),
        panel_faults=tuple(fault_reply(one, words) for one in state.panel_faults),
        today=today,
    )


def event_reply(event: CallEvent, sees_number: SeesNumber, words: Words) -> EventReply:
    """The event as one reader may see it, in the reader's words."""
    channel, board = event.channel, event.board
    return EventReply(
        number=event.number,
        name=event.name,
        at=_must(event.at.utc_us),
        call=event.contact,
        leg=event.leg,
        service=event.service,
        queue=event.queue,
        agent=event.agent,
        seat=event.seat,
        **_numbers(event.calling, event.called, event.outgoing, sees_number(event.agent)),
        state=event.state,
        reason=event.reason,
        cause=event.cause,
        digit=event.digit,
        recording=event.recording,
        channel=None if channel is None else channel_reply(channel),
        board=None if board is None else _board(board, words),
        line=event.line,
        tone=event.tone,
        loop_test=event.loop_test,
    )
