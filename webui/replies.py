"""What the REST interface answers of what is live: state and events. What is stored of calls is `record_replies.py`.

The replies are encoded from these structs, and the description's schemas are made from them. Times are ISO 8601 in UTC.
Who may not see a caller's number gets it masked: 138****0000.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from firmware.calls.messages import BoxState, CallEvent, ContactView
from firmware.core.clock import Stamp
from firmware.lines.loop_messages import LoopOutcome
from firmware.lines.messages import BoardState
from firmware.tones.cadence import LearnedTone
from webui.channel_replies import ChannelReply, LiveChannelReply, channel_reply, live_channels
from webui.fault_replies import FaultReply, fault_reply
from webui.formats import moment
from webui.record_replies import SeesNumber, numbers
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
    direction: str
    """`in`, or `out`: an agent calls the citizen, whose number is then `called`."""
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
    """One board. `faults`: why it does not work; while it does, its alarms. `counters`: what was counted since it was
    opened, by name (slips, crc_errors, lost_inward, …); none that is 0."""

    board: str
    working: bool
    channels: int
    faults: tuple[FaultReply, ...]
    counters: dict[str, int]


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
    fault: FaultReply | None = None
    """Why a recording could not be completed; `reason` is its code."""


def _live_call(view: ContactView, sees_number: SeesNumber) -> LiveCallReply:
    return LiveCallReply(
        id=view.contact,
        state=view.state,
        direction="out" if view.outgoing else "in",
        **numbers(view.calling, view.called, view.outgoing, sees_number(view.agent)),
        service=view.service,
        queue=view.queue,
        agent=view.agent,
        seat=view.seat,
        trunk=view.trunk,
        started=moment(view.arrived.utc_us),
        since=moment(view.since.utc_us),
        recorded=view.recorded,
    )


def _board(state: BoardState, words: Words) -> BoardReply:
    return BoardReply(
        board=state.board,
        working=state.working,
        channels=state.channels,
        faults=tuple(fault_reply(one, words) for one in state.faults),
        counters=state.counted(),
    )


def state_reply(
    state: BoxState, connected: bool, at: Stamp, today: TodayReply | None, sees_number: SeesNumber, words: Words
) -> StateReply:
    """The state as one reader may see it, in the reader's words. `at`: the moment of which it speaks."""
    return StateReply(
        connected=connected,
        number=state.number,
        at=moment(at.utc_us),
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
        at=moment(event.at.utc_us),
        call=event.contact,
        leg=event.leg,
        service=event.service,
        queue=event.queue,
        agent=event.agent,
        seat=event.seat,
        **numbers(event.calling, event.called, event.outgoing, sees_number(event.agent)),
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
        fault=None if event.fault is None else fault_reply(event.fault, words),
    )
