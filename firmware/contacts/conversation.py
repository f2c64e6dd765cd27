"""Agent and citizen on the line: the agent's number is told, both are joined, held, retrieved, and the end from either
side. The record is complete then."""

from __future__ import annotations

from boards.signals import Cause
from firmware.calls.messages import AgentState, EventName
from firmware.calls.model import Contact, ContactState, Leg, Party
from firmware.contacts.agents import Agents, Refused
from firmware.contacts.keeper import Keeper
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.ivr.announcements import Values, expand
from firmware.lines.line_commands import ClearLeg, Hear, Join, Play
from firmware.lines.messages import LegAnswered, LegCleared, PlayEnded

SPEECH_OPENS = ("tone:connected",)
CONNECTED = (ContactState.TALKING, ContactState.HELD)


class Conversation:
    """From the agent's answer until the citizen's line is idle."""

    def __init__(self, office: Office, ledger: Ledger, keeper: Keeper, agents: Agents, offering: Offering) -> None:
        self._office = office
        self._ledger = ledger
        self._keeper = keeper
        self._agents = agents
        self._offering = offering

    def answered(self, event: LegAnswered, leg: Leg) -> None:
        """An agent lifted the ringing phone. If the offer has ended in the meantime, nothing happens."""
        contact = self._office.contacts.get(leg.contact)
        if contact is not None and contact.state is ContactState.OFFERED and contact.agent_leg == leg.number:
            self.connect(contact, event.at, event.sample)

    def connect(self, contact: Contact, at: Stamp, sample: int | None = None) -> None:
        """The agent answered: the citizen hears the agent's number where the queue says so, then both hear each
        other."""
        agent = self._office.agents[contact.agent]
        citizen, leg = self._office.legs[contact.citizen_leg], self._office.legs[contact.agent_leg]
        leg.answered = True
        leg.served_queue, leg.served_since = contact.queue, at
        contact.deadline_us = 0
        self._keeper.set_state(contact, ContactState.TALKING, at)
        self._ledger.update("legs", leg.number, answered_sample=sample, **moment("answered", at))
        if not contact.was_answered:
            contact.was_answered = True
            self._ledger.update(
                "contacts", contact.number, agent=agent.agent, seat=agent.seat, **moment("answered", at)
            )
        for one in (citizen, leg):
            self._ledger.begin_segment(one, "talking", at, contact.queue)
            self._office.touch(one)
        self._agents.set_state(agent, AgentState.TALKING, at)
        self._keeper.emit(EventName.ESTABLISHED, contact, at, leg=leg.number)
        contact.play = f"agent-{leg.number}" if self._announcement(contact) else ""
        self.order_connection(contact)

    def _announcement(self, contact: Contact) -> tuple[str, ...]:
        queue = self._office.queues.get(contact.queue)
        return expand(queue.agent_announcement, Values(agent=contact.agent)) if queue is not None else ()

    def order_connection(self, contact: Contact) -> None:
        """What both hear now: the citizen the agent's number 报工号 and the agent silence, or each other. Harmless when
        given again."""
        if not contact.play:
            self.order_speech(contact)
            return
        citizen, leg = self._office.legs[contact.citizen_leg], self._office.legs[contact.agent_leg]
        self._keeper.order(Join((Hear(leg.gateway_leg, ()),)))
        self._keeper.order(Play(citizen.gateway_leg, contact.play, self._announcement(contact)))

    def play_ended(self, event: PlayEnded, leg: Leg) -> None:
        """The agent's number has been told: a short tone tells the agent that the citizen hears from now on."""
        contact = self._office.contacts.get(leg.contact)
        if contact is None or contact.state is not ContactState.TALKING or contact.play != event.play:
            return
        contact.play = ""
        self._office.touch(contact)
        self.order_speech(contact)
        agent_leg = self._office.legs[contact.agent_leg].gateway_leg
        self._keeper.order(Play(agent_leg, f"{event.play}-open", SPEECH_OPENS))

    def order_speech(self, contact: Contact) -> None:
        """Join the two parties. Harmless when given again."""
        citizen, leg = self._office.legs[contact.citizen_leg], self._office.legs[contact.agent_leg]
        self._keeper.order(
            Join((Hear(citizen.gateway_leg, (leg.gateway_leg,)), Hear(leg.gateway_leg, (citizen.gateway_leg,))))
        )

    def order_hold(self, contact: Contact) -> None:
        """The citizen hears music, the agent silence."""
        self._keeper.order(Join((Hear(self._office.legs[contact.agent_leg].gateway_leg, ()),)))
        self._keeper.play_music(contact, "hold")

    def hold(self, contact: Contact, at: Stamp) -> None:
        self._between(contact, ContactState.TALKING, ContactState.HELD, "held", EventName.HELD, at)
        self.order_hold(contact)

    def retrieve(self, contact: Contact, at: Stamp) -> None:
        self._between(contact, ContactState.HELD, ContactState.TALKING, "talking", EventName.RETRIEVED, at)
        self.order_speech(contact)

    def flashed(self, contact: Contact, at: Stamp) -> None:
        """The agent pressed the phone's flash key: hold, and back. At any other time it means nothing."""
        if contact.state is ContactState.TALKING:
            self.hold(contact, at)
        elif contact.state is ContactState.HELD:
            self.retrieve(contact, at)

    def _between(
        self, contact: Contact, left: ContactState, entered: ContactState, segment: str, name: EventName, at: Stamp
    ) -> None:
        if contact.state is not left:
            raise Refused("not_possible_now")
        contact.play = ""
        self._keeper.set_state(contact, entered, at)
        for number in (contact.citizen_leg, contact.agent_leg):
            leg = self._office.legs[number]
            self._ledger.begin_segment(leg, segment, at, contact.queue)
            self._office.touch(leg)
        self._keeper.emit(name, contact, at, leg=contact.agent_leg)

    # ---- end --------------------------------------------------------------------------------------------------------

    def cleared(self, event: LegCleared, leg: Leg, now: Stamp) -> None:
        """A line became idle: the citizen's (the contact is over) or the agent's."""
        contact = self._office.contacts.get(leg.contact)
        if contact is None:
            return
        if leg.party is Party.CITIZEN:
            self.finish(contact, event.at, now, event.cause, event.by, event.sample)
        elif contact.agent_leg != leg.number:
            return
        elif contact.state is ContactState.OFFERED:
            self._offering.take_back(contact, event.at, "phone_failed")
        elif contact.state in CONNECTED and event.cause is Cause.FAILURE and not contact.outgoing:
            self._back_to_queue(contact, event.at, now)
        elif contact.state in (*CONNECTED, ContactState.CALLING):
            self.agent_left(contact, event.at, now, event.by, event.cause)

    def agent_left(self, contact: Contact, at: Stamp, now: Stamp, by: str, cause: Cause = Cause.NORMAL) -> None:
        """The agent's phone was put down or failed, or release was pressed: clears the citizen's line, then wrap-up."""
        self._leave_agent(contact, at, now, by, cause)
        self._keeper.set_state(contact, ContactState.ENDING, at)
        self.order_clear(contact)

    def _back_to_queue(self, contact: Contact, at: Stamp, now: Stamp) -> None:
        """The agent's phone broke down in the conversation. The citizen has done nothing: on to the next agent, and at
        the head of the queue, since the place is by the moment of queueing."""
        self._keeper.emit(EventName.DIVERTED, contact, at, leg=contact.agent_leg, reason="phone_failed")
        self._leave_agent(contact, at, now, "line", Cause.FAILURE)
        contact.agent = ""
        self._keeper.set_state(contact, ContactState.QUEUED, at)
        citizen = self._office.legs[contact.citizen_leg]
        self._ledger.begin_segment(citizen, "queued", at, contact.queue)
        self._office.touch(citizen)
        self._offering.announcements.plan(contact, now)
        self._offering.order_wait(contact)

    def order_clear(self, contact: Contact) -> None:
        self._keeper.order(ClearLeg(self._office.legs[contact.citizen_leg].gateway_leg))

    def finish(self, contact: Contact, at: Stamp, now: Stamp, cause: Cause, by: str, sample: int | None) -> None:
        """The citizen's line is idle: nothing of the contact rings, waits or talks any more. The record is complete."""
        stage = contact.state
        if stage is ContactState.OFFERED:
            agent = self._office.agents[contact.agent]
            self._keeper.drop_agent_leg(contact, at, cause, "box")
            self._agents.free(agent, at)
        elif stage in (*CONNECTED, ContactState.CALLING):
            self._leave_agent(contact, at, now, "box", Cause.NORMAL)
        leg = self._office.legs[contact.citizen_leg]
        self._keeper.end_leg(leg, at, cause, by, sample)
        self._keeper.close_recording(contact, sample)
        self._ledger.update("calls", contact.call, **moment("ended", at))
        result = _result(contact, stage, cause)
        self._ledger.update("contacts", contact.number, result=result, cause=str(cause), **moment("ended", at))
        self._keeper.emit(EventName.CONTACT_ENDED, contact, at, leg=leg.number, reason=result, cause=str(cause))
        self._office.remove(leg)
        self._office.remove(contact)

    def _leave_agent(self, contact: Contact, at: Stamp, now: Stamp, by: str, cause: Cause) -> None:
        agent = self._office.agents[contact.agent]
        queue = self._office.queues.get(contact.queue)
        leg_number = contact.agent_leg
        contact.play = ""
        self._keeper.drop_agent_leg(contact, at, cause, by, keep=True)
        if cause is Cause.FAILURE:
            agent.pending_reason = agent.pending_reason or "phone_failed"
        self._agents.after_call(agent, at, now, leg_number, queue.wrap_up_seconds if queue else 0.0)


def _result(contact: Contact, stage: ContactState, cause: Cause) -> str:
    """How the contact ended, for lists and statistics."""
    if contact.was_answered:
        return "answered"
    if cause in (Cause.RESTART, Cause.FAILURE):
        return "failed"
    if contact.outgoing:
        return "unanswered"
    return "abandoned" if stage in (ContactState.QUEUED, ContactState.OFFERED) else "left_early"
