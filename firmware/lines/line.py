"""What all line machines share: effects, named timers, service state, leg names. Not any one kind of line.

A line machine is a plain struct (it can be written down and read back whole) with methods that take what happened and
the moment, and return effects. It does no I/O, reads no clock and knows its channel only by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from boards.signals import Cause, ToBoard
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.messages import AnyLineEvent

Side = Literal["line", "box"]
"""Which side ended a leg first."""
Listening = Literal["caller", "dial_tone", "answer", "end", "lesson"] | None
"""What the gateway listens for on an analogue trunk: who calls, dial tone, what the exchange says of the number that we
called, the end of the call, a tone to learn, nothing."""

FAILURE_HOLD_US = 2 * MICROSECONDS
"""How long an alarm of the line itself (loss of signal or frame, AIS, RAI) may last before the leg on an alarmed
channel is given up: a short break must not end a call. Ours, editable.

Longer makes no sense: such an alarm takes the audio with it, so that nobody can talk, and an agent in front of a dead
line is one who serves nobody. Where only the D channel fails the audio goes on, and so does the call: for 90 s (Q.931
5.8.9, T309; isdn/channels.py raises no alarm before). What both ends see stands in firmware/README.md.
"""


@dataclass(frozen=True, slots=True)
class Send:
    """Effect: a signal to the board. Its channel is the gateway's number; the gateway translates it."""

    signal: ToBoard


@dataclass(frozen=True, slots=True)
class Report:
    """Effect: a line event for the callserver. The gateway fills in `number` and `sample`."""

    event: AnyLineEvent


@dataclass(frozen=True, slots=True)
class BusyTone:
    """Effect: the party on the channel hears busy tone from now on."""


@dataclass(frozen=True, slots=True)
class DialTone:
    """Effect: the lifted phone hears this tone from now on."""

    tone: Literal["dial", "special_dial", "congestion"]


@dataclass(frozen=True, slots=True)
class Howler:
    """Effect: the phone that was left off hook cries for its handset from now on."""


@dataclass(frozen=True, slots=True)
class PhoneData:
    """Effect: a phone on hook is sent a caller ID message (`message` whole, with check byte), once."""

    message: bytes


@dataclass(frozen=True, slots=True)
class StopSound:
    """Effect: what the gateway itself plays on the channel ends."""


@dataclass(frozen=True, slots=True)
class DialTones:
    """Effect: these digits are dialled on the channel by tones, once."""

    digits: str


@dataclass(frozen=True, slots=True)
class ListenTo:
    """Effect: from now on the gateway listens for this on an analogue trunk."""

    what: Listening


UNATTENDED_US = 1 * MICROSECONDS
"""After this long without a word from a callserver the gateway keeps a new call alive by itself."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """Effect: the incoming leg has waited long without being answered or alerted; is there a callserver at all?"""


@dataclass(frozen=True, slots=True)
class RingbackTone:
    """Effect: the party on the channel hears ringback tone until something else is to be heard."""


@dataclass(frozen=True, slots=True)
class RegisterTone:
    """Effect: a register signal (1 to 15) is sent on the channel over all else from now on; 0 ends it."""

    direction: Literal["forward", "backward"]
    signal: int


@dataclass(frozen=True, slots=True)
class RegisterListen:
    """Effect: listen on the channel for register tones of this direction from now on; None: no more."""

    direction: Literal["forward", "backward"] | None


Effect = (
    Send
    | Report
    | BusyTone
    | DialTone
    | RingbackTone
    | Howler
    | PhoneData
    | StopSound
    | DialTones
    | ListenTo
    | Unattended
    | RegisterTone
    | RegisterListen
)


class Line(msgspec.Struct, kw_only=True):
    """State that every kind of line has. `timers`: deadline of each that runs, in monotonic microseconds."""

    channel: int
    boot: str
    sequence: int = 0
    leg: str = ""
    in_service: bool = False
    alarmed: bool = False
    blocked: bool = False
    """Taken out of service by hand: no new call, while one that is there goes on."""
    timers: dict[str, int] = {}

    # What a kind of line must answer. A struct cannot be abstract, so these say so themselves.

    def display_state(self) -> str:
        """The state as `ChannelState.state` has it."""
        raise NotImplementedError

    def leg_state(self) -> str:
        """The state as `LegState.state` has it; only asked while there is a leg."""
        raise NotImplementedError

    def clear(self, cause: Cause, now: Stamp) -> list[Effect]:
        """The box gives up the leg."""
        raise NotImplementedError

    def block(self, blocked: bool, now: Stamp) -> list[Effect]:
        """Take the channel out of service for new calls, or give it back. Said twice, it does nothing."""
        raise NotImplementedError

    def fail(self, cause: Cause, now: Stamp) -> list[Effect]:
        """The line is gone: the leg ends at once and the channel is at rest, whatever was under way."""
        raise NotImplementedError

    def fire(self, timer: str, now: Stamp) -> list[Effect]:
        """A timer ran out."""
        raise NotImplementedError

    # ---- common ------------------------------------------------------------------------------------------------------

    def new_leg(self) -> str:
        """Name the next leg of this channel: unique for ever, as `boot` is a new one at each start."""
        self.sequence += 1
        self.leg = f"{self.boot}.{self.channel}.{self.sequence}"
        return self.leg

    def start_timer(self, name: str, microseconds: int, now: Stamp) -> None:
        self.timers[name] = now.mono_us + microseconds

    def stop_timer(self, *names: str) -> None:
        for name in names:
            self.timers.pop(name, None)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds of the earliest timer, or None."""
        return min(self.timers.values()) if self.timers else None

    def advance(self, now: Stamp) -> list[Effect]:
        """Fire all timers that are due, the earliest first. A timer that its own firing starts again waits its turn."""
        effects: list[Effect] = []
        due = sorted((deadline, name) for name, deadline in self.timers.items() if deadline <= now.mono_us)
        for deadline, name in due:
            if self.timers.get(name) != deadline:
                continue  # stopped by a timer before it
            del self.timers[name]
            if name == "failure":
                effects += self.fail(Cause.FAILURE, now)
            else:
                effects += self.fire(name, now)
        return effects

    def take_out_of_service(self, now: Stamp) -> list[Effect]:
        """The board is gone."""
        self.in_service = False
        self.alarmed = False
        self.stop_timer("failure")
        return self.fail(Cause.FAILURE, now)

    def put_in_service(self) -> None:
        """The board is back; a board tells what its lines are like when it starts, so the line begins at rest."""
        self.in_service = True

    def alarm(self, raised: bool, now: Stamp) -> list[Effect]:
        """An alarm covers this channel, or does no more. A leg is given up only if the alarm stays."""
        if raised and not self.alarmed:
            self.start_timer("failure", FAILURE_HOLD_US, now)
        elif not raised:
            self.stop_timer("failure")
        self.alarmed = raised
        return []

    def resting_state(self) -> str:
        """Display state of a channel without a leg."""
        if not self.in_service or self.alarmed:
            return "out_of_service"
        return "blocked" if self.blocked else "idle"
