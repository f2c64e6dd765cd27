"""The queue at work: contacts wait with music, are offered to agents, and come back when nobody answers."""

from __future__ import annotations

from boards.signals import Cause
from firmware.acd.assignment import Idle, Waiting, assign
from firmware.calls.messages import AgentState, EventName
from firmware.calls.model import Agent, Contact, ContactState, Party
from firmware.contacts.agents import Agents
from firmware.contacts.keeper import Keeper
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.office import Office
from firmware.contacts.queue_announcements import QueueAnnouncements
from firmware.contacts.telling import Telling
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line_commands import Play, RingExtension

HEADSET_ALERT = ("tone:zip",)


class Offering:
    """From the queue to a ringing phone, and back."""

    def __init__(self, office: Office, ledger: Ledger, keeper: Keeper, agents: Agents, telling: Telling) -> None:
        self._office = office
        self._ledger = ledger
        self._keeper = keeper
        self._agents = agents
        self._telling = telling
        self.announcements = QueueAnnouncements(office, keeper)

    def enqueue(self, contact: Contact, queue: str, at: Stamp, now: Stamp) -> None:
        """The contact waits for a person: behind all who wait already, with music."""
        leg = self._office.legs[contact.citizen_leg]
        contact.queue, contact.queued, contact.play = queue, at, ""
        self._keeper.set_state(contact, ContactState.QUEUED, at)
        self._ledger.begin_segment(leg, "queued", at, queue)
        self._ledger.update("contacts", contact.number, queue=queue, **moment("queued", at))
        self._keeper.emit(EventName.QUEUED, contact, at, leg=leg.number)
        self.announcements.plan(contact, now)
        self.order_wait(contact)

    def order_wait(self, contact: Contact) -> None:
        """Waiting music, or the announcement that runs. Harmless when given again."""
        self.announcements.order(contact)

    def match(self, now: Stamp) -> None:
        """Offer waiting contacts to idle agents."""
        for one in self._office.contacts.values():
            if one.state is ContactState.QUEUED and one.queue not in self._office.queues:
                self._move(one, self._office.queue_of(self._office.service_of(one)), now)
        waiting = [
            Waiting(one.number, one.queue, one.queued.mono_us)
            for one in self._office.contacts.values()
            if one.state is ContactState.QUEUED and one.queued is not None
        ]
        if not waiting:
            return
        idle = [
            Idle(one.agent, self._office.agent_entries[one.agent].queues, one.idle_since_us)
            for one in self._office.agents.values()
            if one.state is AgentState.READY and self._agents.is_reachable(one)
        ]
        for contact, agent in assign(waiting, idle):
            self._offer(self._office.contacts[contact], self._office.agents[agent], now)

    def _move(self, contact: Contact, queue: str, now: Stamp) -> None:
        """The queue was taken out of the configuration: on in another, where the moment of queueing gives the place."""
        leg = self._office.legs[contact.citizen_leg]
        contact.queue = queue
        self._ledger.begin_segment(leg, "queued", now, queue)
        self._ledger.update("contacts", contact.number, queue=queue)
        self._keeper.emit(EventName.QUEUED, contact, now, leg=leg.number)
        self._office.touch(leg)
        self._office.touch(contact)

    def _offer(self, contact: Contact, agent: Agent, now: Stamp) -> None:
        """A lease: the agent has the contact until the deadline, then it goes back to the head of the queue."""
        phone = self._office.phones[agent.seat]
        citizen = self._office.legs[contact.citizen_leg]
        contact.agent = agent.agent
        queue = self._office.queues.get(contact.queue)
        contact.deadline_us = now.mono_us + round((queue.offer_seconds if queue else 15.0) * MICROSECONDS)
        self._keeper.set_state(contact, ContactState.OFFERED, now)
        agent.contact = contact.number
        self._agents.set_state(agent, AgentState.OFFERED, now)
        leg = self._keeper.new_leg(contact.number, contact.call, Party.AGENT, phone.channel, now, "", agent=agent)
        contact.agent_leg = leg.number
        # The gateway rings once for a name. It may know one that a crash made us forget: the moment tells them apart.
        contact.request = f"{citizen.gateway_leg}/{leg.number}/{now.mono_us}"
        self._ledger.begin_segment(leg, "offered", now, contact.queue)
        if phone.headset:
            self._office.name_leg(leg, phone.gateway_leg)
            self._ledger.update("legs", leg.number, gateway_leg=phone.gateway_leg)
            self._keeper.emit(EventName.DELIVERED, contact, now, leg=leg.number)
        else:
            phone.request = contact.request
            self._office.touch(phone)
        self.order_alert(contact)

    def order_alert(self, contact: Contact) -> None:
        """Let the offered agent's phone ring, or the headset beep. Harmless when given again."""
        agent = self._office.agents[contact.agent]
        phone = self._office.phones[agent.seat]
        if phone.headset:
            self._keeper.order(Play(phone.gateway_leg, contact.request, HEADSET_ALERT, loop=True))
        else:
            self._keeper.order(RingExtension(contact.request, phone.channel, *self._telling.caller_text(contact)))

    def take_back(self, contact: Contact, at: Stamp, fault: str) -> None:
        """The offer ends without an answer: the contact is at the head of its queue again. `fault` is why the agent is
        not ready now; empty if there is no reason for that."""
        agent = self._office.agents[contact.agent]
        self._keeper.emit(EventName.DIVERTED, contact, at, leg=contact.agent_leg, reason=fault or "phone_busy")
        self._keeper.drop_agent_leg(contact, at, Cause.NO_ANSWER, "box")
        if fault:
            self._agents.set_state(agent, AgentState.NOT_READY, at, fault)
        else:
            self._agents.free(agent, at)
        contact.agent = ""
        self._keeper.set_state(contact, ContactState.QUEUED, at)

    def ring_began(self, contact: Contact, gateway_leg: str, at: Stamp, sample: int) -> None:
        """The offered phone rings: its leg has a name now."""
        leg = self._office.legs[contact.agent_leg]
        self._office.name_leg(leg, gateway_leg)
        self._ledger.update("legs", leg.number, gateway_leg=gateway_leg, started_sample=sample)
        self._keeper.emit(EventName.DELIVERED, contact, at, leg=leg.number)
