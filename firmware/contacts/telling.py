"""What the displays of the attached phones are told: who calls with the ring, state and queue while a phone is idle.

The rule for idle texts, so that they never flood: a text is sent only if the phone does not show it already, a second
after the last change, at most once in ten seconds to one phone, and to one phone after the other. What a phone shows is
not known any more once it was used, was out of service, or the gateway or this process is another one: then it is told
again. Only phones whose seat says `phone_display` are told. Words are made by `firmware/calls/seat_display.py`.
"""

from __future__ import annotations

from firmware.calls.messages import AgentState
from firmware.calls.model import Contact, Phone
from firmware.calls.seat_display import Presentation, SeatShown, caller_shown, phone_text, seat_shown
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.contacts.views import box_state, contact_view
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line_commands import TellPhone

SETTLE_US = 1 * MICROSECONDS
"""From a change to the look at what phones should show: one that comes with others is one."""
REST_US = 10 * MICROSECONDS
"""A phone that was told something is left in peace so long."""
APART_US = 100_000
"""Between two phones: the gateway makes one message at a time, and holds a few at most."""


class Telling:
    """Knows what each phone was told last. Nothing of it is stored: a new callserver tells everything again."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger
        self._told: dict[int, tuple[str, str]] = {}
        """Channel → (number, text) that its phone shows."""
        self._rests_until_us: dict[int, int] = {}
        self._look_us: int | None = None

    def caller_text(self, contact: Contact) -> tuple[str, str, Presentation]:
        """(number, text, presentation) that the ringing phone is sent: number; name, region, how often the citizen has
        called; whether the number is withheld or not known."""
        caller = caller_shown(contact_view(self._office, contact))
        shown = SeatShown(AgentState.OFFERED, caller=caller)
        return *phone_text(shown, self._office.configuration.box.language), caller.presentation

    def changed(self, now: Stamp) -> None:
        """Something happened that a phone may have to show."""
        if self._look_us is None and any(seat.phone_display for seat in self._office.seats.values()):
            self._look_us = now.mono_us + SETTLE_US

    def forget(self, channel: int) -> None:
        """The phone is in use or out of service: what it shows is not known any more."""
        self._told.pop(channel, None)

    def forget_all(self) -> None:
        """The gateway is another one: messages that were on their way may be lost."""
        self._told.clear()

    def next_deadline(self) -> int | None:
        """Monotonic microseconds at which `advance` has something to do."""
        return self._look_us

    def advance(self, now: Stamp) -> None:
        """Tell the first phone that shows something else than it should and may be told; the next one has its turn
        soon after."""
        if self._look_us is None or self._look_us > now.mono_us:
            return
        self._look_us = None
        state = box_state(self._office, 0, now, gateway_connected=True, recorder_connected=True)
        language = self._office.configuration.box.language
        turns: list[int] = []
        has_told = False
        for phone in self._office.phones.values():
            if not self._can_be_told(phone):
                continue
            text = phone_text(seat_shown(state, phone.seat), language)
            if self._told.get(phone.channel) == text:
                continue
            rests_until_us = self._rests_until_us.get(phone.channel, 0)
            if has_told or rests_until_us > now.mono_us:
                turns.append(max(rests_until_us, now.mono_us + APART_US))
                continue
            has_told = True
            self._told[phone.channel] = text
            self._rests_until_us[phone.channel] = now.mono_us + REST_US
            self._ledger.effects.orders.append(TellPhone(phone.channel, *text))
        self._look_us = min(turns, default=None)

    def _can_be_told(self, phone: Phone) -> bool:
        seat = self._office.seats.get(phone.seat)
        port = self._office.channels.get(phone.channel)
        is_idle = port is not None and port.state == "idle" and not phone.gateway_leg and not phone.request
        return is_idle and seat is not None and seat.phone_display
