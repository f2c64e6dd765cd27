"""After an interruption: what of the live contacts is still true, what is over, and what has to be said again."""

from __future__ import annotations

from boards.signals import Cause
from firmware.calls.model import ContactState
from firmware.contacts.arrival import Arrival
from firmware.contacts.conversation import Conversation
from firmware.contacts.ledger import Ledger
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.lines.messages import AnswerLeg, ClearLeg, IncomingCall, Snapshot


class Recovery:
    """Brings the office and the gateway to the same view."""

    def __init__(
        self, office: Office, ledger: Ledger, arrival: Arrival, offering: Offering, conversation: Conversation
    ) -> None:
        self._office = office
        self._ledger = ledger
        self._arrival = arrival
        self._offering = offering
        self._conversation = conversation

    def end_everything(self, lost: Stamp, now: Stamp) -> None:
        """The gateway that held the lines is gone, and all of its calls with it."""
        for phone in self._office.phones.values():
            phone.gateway_leg, phone.off_hook, phone.request = "", False, ""
            self._office.touch(phone)
        for contact in list(self._office.contacts.values()):
            self._conversation.finish(contact, max(lost, contact.since), now, Cause.RESTART, "box", None)

    def end_missing(self, snapshot: Snapshot, now: Stamp) -> None:
        """The gateway no longer knows what it did: whatever is not in its snapshot is over."""
        there = {state.leg for state in snapshot.legs}
        for contact in list(self._office.contacts.values()):
            if self._office.legs[contact.citizen_leg].gateway_leg not in there:
                self._conversation.finish(contact, now, now, Cause.FAILURE, "line", None)
        for phone in self._office.phones.values():
            if phone.gateway_leg and phone.gateway_leg not in there:
                phone.gateway_leg, phone.off_hook = "", False
                self._office.touch(phone)

    def take_up_legs(self, snapshot: Snapshot, now: Stamp) -> None:
        """Legs that came to be while nobody listened: phones that are off hook are taken up, calls are answered."""
        for state in snapshot.legs:
            if self._office.leg_at(state.leg) is not None:
                continue
            phone = self._office.phone_on(state.channel)
            if phone is not None:
                phone.gateway_leg, phone.off_hook = state.leg, state.state == "up"
                self._office.touch(phone)
            elif state.state in ("incoming", "alerting"):
                self._arrival.arrive(
                    IncomingCall(
                        number=0,
                        leg=state.leg,
                        sample=snapshot.sample,
                        at=now,
                        channel=state.channel,
                        called=state.called,
                        calling=state.calling,
                    )
                )
            else:
                self._ledger.effects.orders.append(ClearLeg(state.leg, Cause.FAILURE))

    def order_again(self) -> None:
        """Orders of the last moments before an interruption may not have been given: say again what shall be."""
        for contact in self._office.contacts.values():
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
                    self._conversation.order_speech(contact)
                case ContactState.HELD:
                    self._conversation.order_hold(contact)
                case ContactState.ENDING:
                    self._conversation.order_clear(contact)
                case ContactState.ANNOUNCED | ContactState.MENU:
                    self._arrival.order_prompt(contact)
