"""A contact arrives: answered, greeted, asked by a menu where the service is set so, then queued.

Sans-I/O: line events come in with the moment they happened (`event.at`, which goes into the records) and the present
(`now`, from which deadlines count; they differ when a restarted process hears what it missed).
"""

from __future__ import annotations

from firmware.calls.messages import EventName
from firmware.calls.model import Contact, ContactState, Leg, Party
from firmware.calls.numbers import normalise
from firmware.calls.regions import region_of
from firmware.contacts.effects import CallerLookup
from firmware.contacts.keeper import Keeper
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.core.schemas import Menu
from firmware.ivr import flow
from firmware.ivr.announcements import expand
from firmware.lines.line_commands import AnswerLeg, Play
from firmware.lines.messages import DigitReceived, IncomingCall, LegAnswered, PlayEnded

MOST_TYPED_AHEAD = 16
ANNOUNCING = (ContactState.ANNOUNCED, ContactState.MENU)


class Arrival:
    """From the first sign of a call until the contact waits for a person."""

    def __init__(self, office: Office, ledger: Ledger, keeper: Keeper, offering: Offering) -> None:
        self._office = office
        self._ledger = ledger
        self._keeper = keeper
        self._offering = offering

    def arrive(self, event: IncomingCall) -> None:
        """A call from outside: a contact, its first call and the citizen's leg come to be; our answer goes out."""
        service = self._office.service_for(normalise(event.called))
        boot = self._ledger.machine_boot
        calling, called = normalise(event.calling, event.calling_type), normalise(event.called)
        label = self._office.channels[event.channel].label if event.channel in self._office.channels else ""
        number = self._ledger.insert(
            "contacts",
            medium="voice",
            machine_boot=boot,
            calling_received=event.calling,
            calling_type=event.calling_type or None,
            calling_plan=event.calling_plan or None,
            calling=calling,
            presentation=event.presentation,
            called_received=event.called,
            called=called,
            service=service.service,
            **moment("arrived", event.at),
        )
        call = self._ledger.insert("calls", contact=number, machine_boot=boot, **moment("started", event.at))
        leg = self._keeper.new_leg(number, call, Party.CITIZEN, event.channel, event.at, calling, gateway_leg=event.leg)
        self._ledger.update("legs", leg.number, started_sample=event.sample)
        self._ledger.begin_segment(leg, "ringing", event.at)
        shown = calling if event.presentation == "allowed" else ""
        contact = Contact(
            number=number,
            call=call,
            state=ContactState.ARRIVING,
            since=event.at,
            arrived=event.at,
            service=service.service,
            calling=shown,
            calling_name=event.calling_name if event.presentation == "allowed" else "",
            presentation=event.presentation,
            region=region_of(shown, self._office.configuration.box.number_regions),
            called=called,
            trunk=label,
            citizen_leg=leg.number,
        )
        self._office.add(contact)
        self._keeper.emit(EventName.ARRIVED, contact, event.at, leg=leg.number)
        self._keeper.order(AnswerLeg(event.leg))
        if shown:
            self._ledger.effects.lookups.append(CallerLookup(number, shown))

    def answered(self, event: LegAnswered, leg: Leg, now: Stamp) -> None:
        """The citizen's line is open: from here on it is recorded; the service begins to speak."""
        if leg.answered:
            return
        contact = self._office.contacts[leg.contact]
        leg.answered = True
        self._office.touch(leg)
        self._ledger.update("legs", leg.number, answered_sample=event.sample, **moment("answered", event.at))
        self._keeper.open_recording(contact, leg, event)
        self._go(contact, flow.on_answered(self._office.service_of(contact), self._office.menus), event.at, now)

    def play_ended(self, event: PlayEnded, leg: Leg, now: Stamp) -> None:
        """Greeting or prompt reached its last sample: on with the service."""
        contact = self._office.contacts.get(leg.contact)
        if contact is None or contact.state not in ANNOUNCING or contact.play != event.play:
            return
        contact.play = ""
        if contact.state is ContactState.ANNOUNCED:
            self._go(contact, flow.on_greeted(self._office.service_of(contact), self._office.menus), event.at, now)
        elif contact.typed_ahead:
            self._take_typed_ahead(contact, event.at, now)
        else:
            self._go(contact, flow.on_prompt_ended(_menu(contact)), event.at, now)

    def digit(self, event: DigitReceived, leg: Leg, now: Stamp) -> None:
        """A digit chooses from the menu, also one that is pressed before the menu has been spoken."""
        contact = self._office.contacts.get(leg.contact)
        if contact is None or leg.party is not Party.CITIZEN or contact.state not in ANNOUNCING:
            return
        service = self._office.service_of(contact)
        if contact.state is ContactState.ANNOUNCED:
            contact.menu = self._office.menus.get(service.menu)
        if contact.menu is None:
            if contact.play and contact.interruptible:  # the menu is gone since the greeting began, which is stopped
                self._go(contact, flow.on_greeted(service, self._office.menus), event.at, now)
            return
        self._keeper.emit(EventName.DIGIT, contact, event.at, leg=leg.number, digit=event.digit)
        if not contact.play or contact.interruptible:
            self._go(contact, flow.on_digit(contact.menu, event.digit, contact.attempts), event.at, now)
        elif contact.menu.typed_ahead:
            contact.typed_ahead = (contact.typed_ahead + event.digit)[:MOST_TYPED_AHEAD]
            self._office.touch(contact)

    def timeout(self, contact: Contact, now: Stamp) -> None:
        """Nothing was chosen from the menu in time."""
        self._go(contact, flow.on_timeout(_menu(contact), contact.attempts), now, now)

    def order_prompt(self, contact: Contact) -> None:
        """Play what the caller should be hearing. Harmless when given again."""
        announced = contact.state is ContactState.ANNOUNCED
        sounds = self._office.service_of(contact).greeting if announced else _menu(contact).prompt
        if contact.play:
            self._order(contact, sounds)

    def _go(self, contact: Contact, step: flow.Step, at: Stamp, now: Stamp) -> None:
        leg = self._office.legs[contact.citizen_leg]
        contact.deadline_us = 0
        match step:
            case flow.PlayGreeting(sounds):
                self._keeper.set_state(contact, ContactState.ANNOUNCED, at)
                self._ledger.begin_segment(leg, "announced", at)
                service = self._office.service_of(contact)
                interruptible = service.greeting_interruptible and bool(service.menu)
                self._play(contact, "greeting", sounds, interruptible)
            case flow.AskMenu(menu, attempt):
                if contact.state is not ContactState.MENU:
                    self._keeper.set_state(contact, ContactState.MENU, at)
                    self._ledger.begin_segment(leg, "menu", at)
                contact.menu, contact.attempts = menu, attempt
                if contact.typed_ahead:
                    self._take_typed_ahead(contact, at, now)
                else:
                    self._play(contact, f"menu-{attempt}", menu.prompt, menu.interruptible)
            case flow.AwaitDigit(seconds):
                contact.deadline_us = now.mono_us + round(seconds * MICROSECONDS)
            case flow.GoToQueue(queue):
                contact.typed_ahead = ""
                self._offering.enqueue(contact, queue, at, now)
        self._office.touch(contact)
        self._office.touch(leg)

    def _take_typed_ahead(self, contact: Contact, at: Stamp, now: Stamp) -> None:
        """The first of the digits that were kept is the caller's choice."""
        digit, contact.typed_ahead = contact.typed_ahead[0], contact.typed_ahead[1:]
        contact.play = ""
        self._go(contact, flow.on_digit(_menu(contact), digit, contact.attempts), at, now)

    def _play(self, contact: Contact, name: str, sounds: tuple[str, ...], interruptible: bool) -> None:
        contact.play, contact.interruptible = name, interruptible
        self._order(contact, sounds)

    def _order(self, contact: Contact, sounds: tuple[str, ...]) -> None:
        leg = self._office.legs[contact.citizen_leg].gateway_leg
        self._keeper.order(Play(leg, contact.play, expand(sounds), interruptible=contact.interruptible))


def _menu(contact: Contact) -> Menu:
    """The menu that the caller hears: as it was when it was first played, whatever the configuration says by now."""
    assert contact.menu is not None
    return contact.menu
