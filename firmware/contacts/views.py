"""The live picture for pages: agents, seats, queues, contacts, channels, boards as of the last event. Reads only."""

from __future__ import annotations

from collections.abc import Set

from boards.signals import ChannelKind
from firmware.calls.messages import AgentState, AgentView, BoxAlarm, BoxState, ContactView, QueueView, SeatView
from firmware.calls.model import Contact, ContactState
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.core.line_schemas import LineLevels
from firmware.lines.line_settings import line_levels

ANALOGUE = (ChannelKind.EXCHANGE_LINE, ChannelKind.EXTENSION)
"""Kinds of channels whose levels can be set."""
WAITING = (ContactState.QUEUED, ContactState.OFFERED)


def box_state(
    office: Office,
    number: int,
    now: Stamp,
    *,
    gateway_connected: bool,
    recorder_connected: bool,
    alarms: Set[BoxAlarm] = frozenset(),
) -> BoxState:
    """Everything live, as of event `number`."""
    return BoxState(
        number=number,
        at=now,
        box_id=office.configuration.box.box_id,
        gateway_connected=gateway_connected,
        recorder_connected=recorder_connected,
        agents=_agents(office),
        seats=_seats(office),
        queues=_queues(office),
        contacts=tuple(contact_view(office, office.contacts[number]) for number in sorted(office.contacts)),
        channels=tuple(office.channels[channel] for channel in sorted(office.channels)),
        boards=tuple(office.boards[board] for board in sorted(office.boards)),
        alarms=tuple(sorted(alarms)),
        blocked=office.configuration.blocked_channels,
        levels=_levels(office),
        panel_faults=office.panel_faults,
    )


def _levels(office: Office) -> dict[str, LineLevels]:
    analogue = {one.label for one in office.channels.values() if one.kind in ANALOGUE}
    return {label: one for label, one in line_levels(office.configuration).items() if label in analogue}


def _agents(office: Office) -> tuple[AgentView, ...]:
    views = []
    for number, entry in office.agent_entries.items():
        agent = office.agents[number]
        views.append(
            AgentView(
                agent=number,
                name=entry.name,
                state=agent.state,
                reason=agent.reason,
                since=agent.since,
                seat=agent.seat,
                contact=agent.contact,
                queues=entry.queues,
            )
        )
    return tuple(views)


def _seats(office: Office) -> tuple[SeatView, ...]:
    holder = {agent.seat: agent.agent for agent in office.agents.values() if agent.state is not AgentState.LOGGED_OUT}
    return tuple(
        SeatView(
            seat=seat.seat,
            extension=seat.extension,
            headset=seat.headset,
            agent=holder.get(seat.seat, ""),
            display_fault=office.displays.get(seat.seat),
        )
        for seat in office.seats.values()
    )


def _queues(office: Office) -> tuple[QueueView, ...]:
    views = []
    for queue in office.queues.values():
        waiting = [one for one in office.contacts.values() if one.queue == queue.queue and one.state in WAITING]
        ready = [
            number
            for number, entry in office.agent_entries.items()
            if queue.queue in entry.queues and office.agents[number].state is AgentState.READY
        ]
        since = min((one.queued for one in waiting if one.queued is not None), default=None)
        views.append(
            QueueView(
                queue=queue.queue,
                title=queue.title,
                waiting=len(waiting),
                longest_wait_since=since,
                ready_agents=len(ready),
            )
        )
    return tuple(views)


def contact_view(office: Office, contact: Contact) -> ContactView:
    """One live contact."""
    return ContactView(
        contact=contact.number,
        state=str(contact.state),
        calling=contact.calling,
        called=contact.called,
        service=contact.service,
        arrived=contact.arrived,
        since=contact.since,
        queue=contact.queue,
        agent=contact.agent,
        seat=office.agents[contact.agent].seat if contact.agent in office.agents else "",
        trunk=contact.trunk,
        recorded=contact.recording in office.recordings,
        presentation=contact.presentation,
        calling_name=contact.calling_name,
        outgoing=bool(contact.outgoing),
        region=contact.region,
        times=contact.times,
    )
