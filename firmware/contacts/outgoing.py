"""A call that an agent places: on a free trunk of a group, on the next if that cannot, until it is answered or over.

From its answer on it is a conversation like any other (`conversation.py`). Not here: which trunks (`trunk_hunt.py`).
"""

from __future__ import annotations

from boards.signals import Cause
from firmware.calls.messages import AgentState, EventName, MakeCall
from firmware.calls.model import Agent, Contact, ContactState, Leg, Party, Phone
from firmware.calls.numbers import normalise
from firmware.contacts.agents import IN_CALL, Agents, Refused
from firmware.contacts.conversation import Conversation
from firmware.contacts.keeper import Keeper
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.office import Office
from firmware.contacts.trunk_hunt import TrunkHunt
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line_commands import ClearLeg, PlaceCall
from firmware.lines.messages import CallPlaced, LegAlerting, LegAnswered, LegCleared, RingFailed

LONGEST_CALLING_US = 180 * MICROSECONDS
"""After this long without an answer the call is given up (Q.931 T301 is as long)."""
MOST_TRUNKS = 4
"""Tried for one call: an exchange that has no way to the number would else be asked on all of them."""
TRY_NEXT = (Cause.BUSY, Cause.CONGESTION, Cause.FAILURE)
"""Why a trunk could not begin the call, so that the next one may: it was taken in that moment, gave no dial tone, or
broke down."""


class Outgoing:
    """From the wish to call until the far phone is lifted."""

    def __init__(
        self,
        office: Office,
        ledger: Ledger,
        keeper: Keeper,
        agents: Agents,
        conversation: Conversation,
        hunt: TrunkHunt,
    ) -> None:
        self._office = office
        self._ledger = ledger
        self._keeper = keeper
        self._agents = agents
        self._conversation = conversation
        self._hunt = hunt

    def call(self, body: MakeCall, now: Stamp) -> None:
        """An agent whose handset is lifted, or who has a headset, calls a number. Raises Refused."""
        agent = self._agents.named(body.agent)
        phone = self._free_phone(agent)
        group = self._hunt.group(body.group)
        free = self._hunt.free(group)
        if not free:
            raise Refused("no_free_trunk")
        boot, service = self._ledger.machine_boot, self._office.service_for(normalise(group.number)).service
        number = self._ledger.insert(
            "contacts",
            medium="voice",
            direction="out",
            machine_boot=boot,
            calling_received=group.number,
            calling=normalise(group.number),
            presentation="allowed",
            called_received=body.number,
            called=normalise(body.number),
            service=service,
            agent=agent.agent,
            seat=agent.seat,
            **moment("arrived", now),
        )
        call = self._ledger.insert("calls", contact=number, machine_boot=boot, **moment("started", now))
        leg = self._keeper.new_leg(
            number, call, Party.AGENT, phone.channel, now, "", gateway_leg=phone.gateway_leg, agent=agent
        )
        contact = Contact(
            number=number,
            call=call,
            state=ContactState.CALLING,
            since=now,
            arrived=now,
            service=service,
            calling=normalise(group.number),
            called=normalise(body.number),
            trunk="",
            citizen_leg=0,
            agent_leg=leg.number,
            agent=agent.agent,
            deadline_us=now.mono_us + LONGEST_CALLING_US,
            times=1,
            outgoing=body.number,
            trunk_group=group.group,
            trunks=tuple(free[:MOST_TRUNKS]),
        )
        self._office.add(contact)
        self._ledger.begin_segment(leg, "calling", now)
        agent.contact = number
        if agent.state is AgentState.NOT_READY:
            agent.pending_reason = agent.reason or "break"  # and so again after the call
        self._agents.set_state(agent, AgentState.TALKING, now)
        self._keeper.emit(EventName.ORIGINATED, contact, now, leg=leg.number)
        self._try_next(contact, now)

    def _free_phone(self, agent: Agent) -> Phone:
        if agent.state is AgentState.LOGGED_OUT:
            raise Refused("not_signed_in")
        if agent.state in IN_CALL:
            raise Refused("in_call")
        phone = self._office.phone_of(agent)
        if phone is None or not phone.gateway_leg or not phone.off_hook:
            raise Refused("headset_on_hook" if phone is not None and phone.headset else "lift_the_handset_first")
        return phone

    def _try_next(self, contact: Contact, at: Stamp) -> None:
        """Place the call on the first of the trunks that are left."""
        channel, *left = contact.trunks
        contact.trunks = tuple(left)
        group = next((one for one in self._office.configuration.trunk_groups if one.group == contact.trunk_group), None)
        if group is not None:
            self._hunt.take(group, channel)
        leg = self._keeper.new_leg(contact.number, contact.call, Party.CITIZEN, channel, at, contact.called)
        contact.citizen_leg = leg.number
        contact.trunk = self._office.channels[channel].label if channel in self._office.channels else ""
        contact.placing = f"call/{contact.number}/{leg.number}/{at.mono_us}"
        self._ledger.begin_segment(leg, "calling", at)
        self._office.touch(leg)
        self._office.touch(contact)
        self.order_again(contact)

    def order_again(self, contact: Contact) -> None:
        """Say what shall be. Harmless when given again."""
        if contact.placing:
            leg = self._office.legs[contact.citizen_leg]
            calling = contact.calling
            self._keeper.order(PlaceCall(contact.placing, leg.channel, contact.outgoing, calling=calling))
        else:
            self._conversation.order_speech(contact)

    # ---- what the line says ------------------------------------------------------------------------------------------

    def placed(self, event: CallPlaced) -> None:
        """The trunk is seized. From here on the agent hears it."""
        contact = self._placing(event.request)
        if contact is None:  # of a call that is over, or of a time that nobody remembers
            self._keeper.order(ClearLeg(event.leg))
            return
        contact.placing = ""
        leg = self._office.legs[contact.citizen_leg]
        self._office.name_leg(leg, event.leg)
        self._ledger.update("legs", leg.number, gateway_leg=event.leg, started_sample=event.sample)
        self._office.touch(contact)
        if contact.state is ContactState.CALLING:
            self._conversation.order_speech(contact)
        else:
            self._conversation.order_clear(contact)  # the agent has given up meanwhile

    def alerting(self, event: LegAlerting, leg: Leg) -> None:
        """The far phone rings."""
        contact = self._office.contacts[leg.contact]
        if contact.state is ContactState.CALLING:
            self._ledger.begin_segment(leg, "alerting", event.at)
            self._office.touch(leg)
            self._keeper.emit(EventName.DELIVERED, contact, event.at, leg=leg.number)

    def answered(self, event: LegAnswered, leg: Leg) -> None:
        """The far phone was lifted: recorded from here on."""
        contact = self._office.contacts[leg.contact]
        if contact.state is not ContactState.CALLING:
            return
        leg.answered = True
        self._ledger.update("legs", leg.number, answered_sample=event.sample, **moment("answered", event.at))
        self._keeper.open_recording(contact, leg, event)
        self._conversation.connect(contact, event.at, event.sample)

    def failed(self, event: RingFailed, now: Stamp) -> bool:
        """The trunk could not be seized. True if it was one of ours."""
        contact = self._placing(event.request)
        if contact is None:
            return False
        contact.placing = ""
        if not self._goes_on(contact, event.cause, event.at):
            self._conversation.finish(contact, event.at, now, event.cause, "line", None)
        return True

    def tries_next(self, event: LegCleared, leg: Leg) -> bool:
        """The trunk gave the call up before the far phone rang. True if the call goes on on another one."""
        contact = self._office.contacts.get(leg.contact)
        if contact is None or leg.number != contact.citizen_leg or leg.segment != "calling" or event.by != "line":
            return False
        # Busy is what the far phone is by now, not the trunk.
        return event.cause is not Cause.BUSY and self._goes_on(contact, event.cause, event.at)

    def _goes_on(self, contact: Contact, cause: Cause, at: Stamp) -> bool:
        if contact.state is not ContactState.CALLING or cause not in TRY_NEXT or not contact.trunks:
            return False
        old = self._office.legs[contact.citizen_leg]
        self._keeper.end_leg(old, at, cause, "line", None)
        self._office.remove(old)
        self._try_next(contact, at)
        return True

    def _placing(self, request: str) -> Contact | None:
        """The contact that waits for this trunk; most contacts wait for none and their `placing` is empty."""
        return next((one for one in self._office.contacts.values() if one.placing and one.placing == request), None)
