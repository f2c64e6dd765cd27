"""The phones of the seats: what is known of each extension port, and what a lifted or ringing handset means."""

from __future__ import annotations

from firmware.calls.messages import AgentState
from firmware.calls.model import Contact, ContactState
from firmware.contacts.agents import Agents
from firmware.contacts.ledger import Ledger
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.lines.line_commands import ClearLeg, GiveDialTone
from firmware.lines.messages import LegAlerting, LegAnswered, LegCleared, LegReleasing, PhoneLifted, RingFailed


class Phones:
    """Follows the hooks."""

    def __init__(self, office: Office, ledger: Ledger, agents: Agents, offering: Offering) -> None:
        self._office = office
        self._ledger = ledger
        self._agents = agents
        self._offering = offering

    def lifted(self, event: PhoneLifted) -> None:
        phone = self._office.phone_on(event.channel)
        if phone is None:
            self._ledger.effects.orders.append(GiveDialTone(event.leg, barred=True))  # a port that belongs to no seat
            return
        phone.gateway_leg, phone.off_hook = event.leg, True
        self._office.touch(phone)
        if not phone.headset:
            self._ledger.effects.orders.append(GiveDialTone(event.leg))

    def rings(self, event: LegAlerting) -> None:
        phone = self._office.phone_on(event.channel)
        if phone is not None:
            phone.gateway_leg = event.leg
            if phone.request == event.request:
                phone.request = ""
            self._office.touch(phone)
        contact = self._offered(event.request)
        if contact is None:  # the caller left, or the offer was taken back, before the phone began to ring
            self._ledger.effects.orders.append(ClearLeg(event.leg))
        else:
            self._offering.ring_began(contact, event.leg, event.at, event.sample)

    def answered(self, event: LegAnswered) -> None:
        for phone in self._office.phones.values():
            if phone.gateway_leg == event.leg and not phone.off_hook:
                phone.off_hook = True
                self._office.touch(phone)

    def releasing(self, event: LegReleasing) -> None:
        """The line has given the handset up, which is not put down yet: it hears busy tone and can be used no more."""
        for phone in self._office.phones.values():
            if phone.gateway_leg == event.leg and phone.off_hook:
                phone.off_hook = False
                self._office.touch(phone)

    def ring_failed(self, event: RingFailed) -> None:
        for phone in self._office.phones.values():
            if phone.request == event.request:
                phone.request = ""
                self._office.touch(phone)
        contact = self._offered(event.request)
        if contact is None:
            return
        phone = self._office.phones[self._office.agents[contact.agent].seat]
        # A handset that was lifted in the moment of the offer is no fault: the agent is served when it is put down.
        self._offering.take_back(contact, event.at, "" if phone.gateway_leg else "phone_failed")

    def idle(self, event: LegCleared) -> None:
        phone = self._office.phone_on(event.channel)
        if phone is None or phone.gateway_leg != event.leg:
            return
        phone.gateway_leg, phone.off_hook = "", False
        self._office.touch(phone)
        if phone.headset:
            for agent in list(self._office.agents.values()):
                if agent.seat == phone.seat and agent.state is AgentState.READY:
                    self._agents.free(agent, event.at)  # not ready: it says why nothing comes

    def _offered(self, request: str) -> Contact | None:
        for contact in self._office.contacts.values():
            if contact.state is ContactState.OFFERED and contact.request == request:
                return contact
        return None
