"""After an interruption: what of the live contacts is still true, what is over, and what has to be said again."""

from __future__ import annotations

from boards.signals import Cause, ChannelKind
from firmware.calls.messages import AgentState
from firmware.calls.model import ContactState, Phone
from firmware.contacts.agents import Agents
from firmware.contacts.arrival import Arrival
from firmware.contacts.conversation import Conversation
from firmware.contacts.ledger import Ledger
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.contacts.outgoing import Outgoing
from firmware.core.clock import Stamp
from firmware.lines.line_commands import AnswerLeg, ClearLeg, GiveDialTone, Hear, Join
from firmware.lines.messages import IncomingCall, Snapshot


class Recovery:
    """Brings the office and the gateway to the same view."""

    def __init__(
        self,
        office: Office,
        ledger: Ledger,
        agents: Agents,
        arrival: Arrival,
        offering: Offering,
        conversation: Conversation,
        outgoing: Outgoing,
    ) -> None:
        self._office = office
        self._ledger = ledger
        self._agents = agents
        self._arrival = arrival
        self._offering = offering
        self._conversation = conversation
        self._outgoing = outgoing

    def end_everything(self, lost: Stamp, now: Stamp, cause: Cause) -> None:
        """Nothing that the gateway held is known to be there any more: all calls ended at the moment `lost`."""
        for contact in list(self._office.contacts.values()):
            self._conversation.finish(contact, max(lost, contact.since), now, cause, "box", None)
        for phone in self._office.phones.values():
            phone.gateway_leg, phone.off_hook, phone.request = "", False, ""
            self._office.touch(phone)

    def end_machine_boot(self, lost: Stamp) -> None:
        """The machine started anew, so everything is over, and monotonic times from before mean nothing from here on:
        what was open ends at the last moment that is known, in the time of then."""
        self.end_everything(lost, lost, Cause.RESTART)
        for agent in list(self._office.agents.values()):
            agent.idle_since_us = 0
            self._office.touch(agent)
            if agent.state is AgentState.WRAP_UP:
                self._agents.free(agent, lost)

    def take_up_legs(self, snapshot: Snapshot, now: Stamp) -> None:
        """The gateway has forgotten some of what it did, so no call can be gone on with: legs that are up are cleared,
        phones are known again, calls that nobody answered yet are answered."""
        for state in snapshot.legs:
            phone = self._office.phone_on(state.channel)
            if phone is not None:
                phone.gateway_leg, phone.off_hook = state.leg, state.state == "up"
                self._office.touch(phone)
            if phone is not None and phone.headset and phone.off_hook:
                continue
            if self._is_trunk(state.channel) and state.state in ("incoming", "alerting"):
                self._arrival.arrive(
                    IncomingCall(
                        number=0,
                        leg=state.leg,
                        sample=snapshot.sample,
                        at=now,
                        channel=state.channel,
                        called=state.called,
                        calling=state.calling,
                        presentation="unavailable",  # the snapshot does not say: a withheld number stays withheld
                    )
                )
            else:
                self._ledger.effects.orders.append(ClearLeg(state.leg, Cause.FAILURE))

    def _is_trunk(self, channel: int) -> bool:
        return channel in self._office.channels and self._office.channels[channel].kind is not ChannelKind.EXTENSION

    def order_again(self) -> None:
        """Orders of the last moments before an interruption may not have been given: say again what shall be."""
        for contact in list(self._office.contacts.values()):
            citizen = self._office.legs[contact.citizen_leg]
            match contact.state:
                case ContactState.ARRIVING:
                    self._ledger.effects.orders.append(AnswerLeg(citizen.gateway_leg))
                case ContactState.QUEUED:
                    self._offering.order_wait(contact)
                case ContactState.OFFERED:
                    self._offering.order_wait(contact)
                    self._offering.order_alert(contact)
                case ContactState.TALKING:
                    self._conversation.order_connection(contact)
                case ContactState.HELD:
                    self._conversation.order_hold(contact)
                case ContactState.CALLING:
                    self._outgoing.order_again(contact)
                case ContactState.ENDING if contact.placing:  # no trunk is known to be taken for it
                    contact.placing = ""
                    self._conversation.finish(contact, contact.since, contact.since, Cause.NORMAL, "box", None)
                case ContactState.ENDING:
                    self._conversation.order_clear(contact)
                case ContactState.ANNOUNCED | ContactState.MENU:
                    self._arrival.order_prompt(contact)
        for phone in self._office.phones.values():
            self._quiet(phone)

    def _quiet(self, phone: Phone) -> None:
        """A phone that has no part in a call rings and hears nothing; a wish to ring that got lost is none any more."""
        contacts = self._office.contacts.values()
        if phone.request and not any(contact.request == phone.request for contact in contacts):
            phone.request = ""
            self._office.touch(phone)
        leg = self._office.leg_at(phone.gateway_leg)
        if not phone.gateway_leg or (leg is not None and any(one.agent_leg == leg.number for one in contacts)):
            return
        if phone.headset:
            self._ledger.effects.orders.append(Join((Hear(phone.gateway_leg, ()),)))
        elif leg is not None or not phone.off_hook:
            self._ledger.effects.orders.append(ClearLeg(phone.gateway_leg))
        else:  # it was lifted by somebody who hears dial tone, or should
            self._ledger.effects.orders.append(GiveDialTone(phone.gateway_leg))
