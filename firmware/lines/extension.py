"""The machine of an analogue extension port (FXS): an attached phone that is lifted, put down and rung.

Ringing is 1 s on, 4 s off (GB/T 3380); who calls is said by FSK after the first ring. A phone that is lifted and not
used hears dial tone, then, like one that is left off hook when its call is over, busy tone, the howler, and nothing
until it is put down (`phone_limits.toml`). At a blocked port it hears these from the beginning. A headset phone is not
given dial tone, and nothing follows. While messages wait, dial tone is the special one and the lamp is lit by FSK. The
board tells a short press of the hook (100 to 800 ms) as Flash, so on-hook is final. Nothing that happens, in whatever
order, leaves a phone ringing without a leg that is alerting.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from boards.signals import Cause, OnHookData, Ring
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line import BusyTone, DialTone, Effect, Howler, Line, PhoneData, Report, Send, Side, StopSound
from firmware.lines.line_commands import GiveDialTone, RingExtension, TellPhone
from firmware.lines.messages import (
    HookFlashed,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    PhoneLifted,
    RingFailed,
)
from firmware.lines.phone_limits import PhoneLimits
from firmware.tones import fsk
from firmware.tones.caller_id import CallerId, date_time, message_waiting, multiple_data

RING_ON_US = 1 * MICROSECONDS
RING_OFF_US = 4 * MICROSECONDS

CALLER_ID_US = 600_000
"""From the end of the first ring to the caller ID (GR-30-CORE: 0.5 to 1.5 s; it must end 0.2 s before the next)."""
CARRIED_LONGER_MS = 500
"""The board is asked to carry a message for longer than it lasts: samples take their time to the line."""
TELL_APART_US = 500_000
"""Silence before a message to a phone that has just been put down or told something. Ours, editable."""


def ring_failed(request: str, cause: Cause, now: Stamp) -> RingFailed:
    """The event that a wish to ring cannot be done."""
    return RingFailed(number=0, leg="", sample=0, at=now, request=request, cause=cause)


class ExtensionState(StrEnum):
    IDLE = "idle"
    RINGING = "ringing"
    UP = "up"
    RELEASING = "releasing"
    """The box gave up the leg; the phone still has to be put down."""
    REFUSED = "refused"
    """Lifted while the port is blocked: it hears busy tone like one that is left off hook, and has no leg."""


class ExtensionLine(Line, kw_only=True):
    """One extension port."""

    limits: PhoneLimits
    state: ExtensionState = ExtensionState.IDLE
    off_hook: bool = False
    """As the board told last; lifted without a leg only while the port is blocked, alarmed or out of service."""
    ringing: bool = False
    """Ringing current is on at this moment."""
    request: str = ""
    calling: str = ""
    caller_id: bytes = b""
    """Message that the phone is sent after the first ring; empty once it was sent."""
    telling: bool = False
    """A message is or was on its way to the phone and may still sound."""
    to_tell: dict[str, bytes] = msgspec.field(default_factory=dict)
    """Messages that wait for their turn or for the handset to be put down: `lamp` before `text`, the newest of each."""
    lamp_on_its_way: bool = False
    """What is being told is the lamp: if it is cut short it is told again."""
    messages_wait: bool = False
    dialling: bool = False
    """Has dial tone, or is heard dialling; nothing else was done with the leg yet."""
    was_given_dial_tone: bool = False
    """In this leg: it is given once."""
    clear_cause: Cause = Cause.NORMAL

    def display_state(self) -> str:
        rests = self.state in (ExtensionState.IDLE, ExtensionState.REFUSED)
        return self.resting_state() if rests else self.state.value

    def leg_state(self) -> str:
        return "alerting" if self.state is ExtensionState.RINGING else self.state.value

    def _set_state(self, state: ExtensionState) -> list[Effect]:
        """The effects are what leaving the old state takes: a phone that leaves RINGING stops ringing, and a message
        that is on its way to it ends, so that it is not heard."""
        self.state = state
        self.stop_timer("cadence", "caller_id", "dial", "digits", "howler", "lockout", "tell")
        self.caller_id = b""
        self.dialling = False
        if self.lamp_on_its_way:
            self.to_tell["lamp"] = message_waiting(self.messages_wait)
            self.lamp_on_its_way = False
        if state is ExtensionState.IDLE:
            self.leg = self.request = self.calling = ""
            self.was_given_dial_tone = False
        else:
            self.to_tell.pop("text", None)  # what a display shall show after a call is another text
        return [*self._ring(False), *self._end_telling()]

    def _tell(self, message: bytes) -> list[Effect]:
        self.telling = True
        milliseconds = fsk.duration_us(message) // 1000 + CARRIED_LONGER_MS
        return [Send(OnHookData(self.channel, milliseconds)), PhoneData(message)]

    def _end_telling(self) -> list[Effect]:
        telling, self.telling = self.telling, False
        return [StopSound()] if telling else []

    def _ring(self, on: bool) -> list[Effect]:
        if on == self.ringing:
            return []
        self.ringing = on
        return [Send(Ring(self.channel, on))]

    # ---- from the line -----------------------------------------------------------------------------------------------

    def hook(self, off_hook: bool, now: Stamp) -> list[Effect]:
        """The phone was lifted or put down, or the board tells at its start how it lies."""
        self.off_hook = off_hook
        match self.state, off_hook:
            case ExtensionState.IDLE, _:
                return self._resume(now)
            case ExtensionState.RINGING, True:
                effects = self._set_state(ExtensionState.UP)
                return [*effects, Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]
            case ExtensionState.UP, False:
                return self._cleared(Cause.NORMAL, "line", now)
            case ((ExtensionState.RELEASING | ExtensionState.REFUSED), False):
                return self._cleared(self.clear_cause, "box", now)
            case _:
                return []

    def flash(self, now: Stamp) -> list[Effect]:
        if self.state is not ExtensionState.UP:
            return []
        return [Report(HookFlashed(number=0, leg=self.leg, sample=0, at=now))]

    def _lifted(self, now: Stamp) -> list[Effect]:
        if not self.in_service or self.alarmed:
            return []
        if self.blocked:
            effects = self._set_state(ExtensionState.REFUSED)
            self.start_timer("howler", self.limits.busy.microseconds, now)
            return [*effects, BusyTone()]
        leg = self.new_leg()
        effects = self._set_state(ExtensionState.UP)
        return [*effects, Report(PhoneLifted(number=0, leg=leg, sample=0, at=now, channel=self.channel))]

    # ---- from the callserver -----------------------------------------------------------------------------------------

    def ring(self, command: RingExtension, now: Stamp) -> list[Effect]:
        """Ring the idle phone. The gateway has seen to it that a request which comes twice arrives here once."""
        if self.display_state() in ("blocked", "out_of_service"):
            return [Report(ring_failed(command.request, Cause.FAILURE, now))]
        if self.state is not ExtensionState.IDLE or self.off_hook:
            return [Report(ring_failed(command.request, Cause.BUSY, now))]
        leg = self.new_leg()
        effects = self._set_state(ExtensionState.RINGING)
        self.request, self.calling = command.request, command.calling
        said = date_time(now.utc_us) if now.trusted else ""
        caller = CallerId(command.calling, command.calling_name, said, command.presentation)
        self.caller_id = multiple_data(caller, in_place_of_name=command.calling_name)
        self.start_timer("cadence", RING_ON_US, now)
        return [
            *effects,
            *self._ring(True),
            Report(LegAlerting(number=0, leg=leg, sample=0, at=now, channel=self.channel, request=command.request)),
        ]

    def clear(self, cause: Cause, now: Stamp) -> list[Effect]:
        match self.state:
            case ExtensionState.RINGING:
                return self._cleared(cause, "box", now)
            case ExtensionState.UP:
                effects = self._set_state(ExtensionState.RELEASING)
                self.clear_cause = cause
                self.start_timer("howler", self.limits.busy.microseconds, now)
                return [*effects, Report(LegReleasing(number=0, leg=self.leg, sample=0, at=now)), BusyTone()]
            case _:
                return []

    def give_dial_tone(self, command: GiveDialTone, now: Stamp) -> list[Effect]:
        """The lifted phone may dial, or hears that it may not. Once for a leg."""
        if self.state is not ExtensionState.UP or self.was_given_dial_tone:
            return []
        self.dialling = self.was_given_dial_tone = True
        self.start_timer("dial", self.limits.dial.microseconds, now)
        return [DialTone("congestion" if command.barred else "special_dial" if self.messages_wait else "dial")]

    def digit(self, now: Stamp) -> list[Effect]:
        """A digit was dialled: dial tone ends with the first."""
        if not self.dialling:
            return []
        has_begun = "digits" in self.timers
        self.stop_timer("dial")
        self.start_timer("digits", self.limits.digits.microseconds, now)
        return [] if has_begun else [StopSound()]

    def used(self) -> None:
        """The leg is played something or joined: it is no handset that lies about any more."""
        self.dialling = False
        self.stop_timer("dial", "digits")

    def tell(self, command: TellPhone, now: Stamp) -> list[Effect]:
        """Send a phone on hook what its display or its lamp shall show. The lamp of any other phone is told when it is
        on hook again; a text is dropped."""
        if command.messages is not None:
            self.messages_wait = command.messages
            self.to_tell["lamp"] = message_waiting(command.messages)
        elif self._can_be_told():
            self.to_tell["text"] = multiple_data(CallerId(command.number, command.text))
        return [] if "tell" in self.timers else self._tell_next(now)

    def _can_be_told(self) -> bool:
        on_hook = self.state is ExtensionState.IDLE and not self.off_hook
        return on_hook and self.in_service and not self.alarmed

    def _tell_next(self, now: Stamp) -> list[Effect]:
        """Send the next message that waits; the timer `tell` runs until the one after it may be sent."""
        if not self.to_tell or not self._can_be_told():
            return []
        self.lamp_on_its_way = "lamp" in self.to_tell
        message = self.to_tell.pop("lamp" if self.lamp_on_its_way else "text")
        self.start_timer("tell", fsk.duration_us(message) + TELL_APART_US, now)
        return self._tell(message)

    def block(self, blocked: bool, now: Stamp) -> list[Effect]:
        """A phone that lies lifted when its port is given back is lifted anew."""
        if blocked == self.blocked:
            return []
        self.blocked = blocked
        refused = self._cleared(Cause.NORMAL, "box", now) if self.state is ExtensionState.REFUSED else []
        return [*refused, *self._resume(now)]

    # ---- from time and board -----------------------------------------------------------------------------------------

    def fire(self, timer: str, now: Stamp) -> list[Effect]:
        match timer:
            case "caller_id":
                message, self.caller_id = self.caller_id, b""
                return self._tell(message)
            case "tell":
                self.lamp_on_its_way = False
                return self._tell_next(now)
            case "dial" | "digits":
                return self.clear(Cause.NO_ANSWER, now)
            case "howler":
                self.start_timer("lockout", self.limits.howler.microseconds, now)
                return [Howler()]
            case "lockout":
                return [StopSound()]
        effects = self._ring(not self.ringing)
        self.start_timer("cadence", RING_ON_US if self.ringing else RING_OFF_US, now)
        if self.caller_id and not self.ringing:
            self.start_timer("caller_id", CALLER_ID_US, now)
        return effects

    def fail(self, cause: Cause, now: Stamp) -> list[Effect]:
        effects = self._cleared(cause, "line", now) if self.state is not ExtensionState.IDLE else []
        if not self.in_service:
            self.off_hook = False  # a board that comes back tells how the phones lie
            return [effect for effect in effects if not isinstance(effect, Send)]
        return effects

    def alarm(self, raised: bool, now: Stamp) -> list[Effect]:
        """As for every line; a phone that lies lifted without a leg when the alarm goes is lifted anew."""
        return [*Line.alarm(self, raised, now), *([] if raised else self._resume(now))]

    def _resume(self, now: Stamp) -> list[Effect]:
        """A port at rest: a phone that lies lifted is lifted now, one on its hook is told what waits for it."""
        if self.state is ExtensionState.IDLE and self.off_hook:
            return self._lifted(now)
        return [] if "tell" in self.timers else self._tell_next(now)

    def _cleared(self, cause: Cause, by: Side, now: Stamp) -> list[Effect]:
        leg = self.leg
        effects = self._set_state(ExtensionState.IDLE)
        if self.to_tell:
            self.start_timer("tell", TELL_APART_US, now)
        if not leg:
            return [*effects, StopSound()]
        event = LegCleared(number=0, leg=leg, sample=0, at=now, channel=self.channel, cause=cause, by=by)
        return [*effects, Report(event)]
