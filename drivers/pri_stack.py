"""A span's ISDN stack as its user sees it: events and commands of calls on B channels. Neither libpri nor I/O.

It knows Q.931's calls, channels and causes, and nothing of boards, Setup or Release. `drivers/libpri.py` implements
`PriStack`. A *time slot* is the number of a B channel on the E1: 1 to 15 and 17 to 31 (16 is the D channel).
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, Protocol

import msgspec

NumberType = Literal["", "unknown", "international", "national", "network", "subscriber", "abbreviated"]
"""Type of number, Q.931 table 4-9; empty: not told."""
NumberPlan = Literal["", "unknown", "isdn", "data", "telex", "national", "private"]
"""Numbering plan, Q.931 table 4-9 (`isdn` is E.164); empty: not told."""
Presentation = Literal["allowed", "restricted", "unavailable"]
"""Q.931 table 4-10: may the number be shown. `unavailable` also: no number came at all."""

TIME_SLOTS = (*range(1, 16), *range(17, 32))
"""The B channels of an E1 in order."""


class PriError(Exception):
    """The stack cannot start or go on; says what happened."""


class PriSettings(msgspec.Struct, frozen=True, kw_only=True):
    network: bool = False
    """We are the network side; the public exchange is it when we are a subscriber."""
    overlap: bool = False
    """We may send numbers digit by digit: without Sending Complete."""
    called_type: NumberType = ""
    called_plan: NumberPlan = ""
    """Of numbers that are called and say nothing of it themselves; `calling_…` likewise. Exchanges differ in what they
    take."""
    calling_type: NumberType = ""
    calling_plan: NumberPlan = ""
    t309_seconds: float = 90.0
    """How long calls that are up wait for layer 2 to come back (Q.931 table 9-1: 90 s; libpri's own default is 6 s)."""


# ---- events ----------------------------------------------------------------------------------------------------------


class LayerTwo(msgspec.Struct, frozen=True):
    """The data link of the D channel came up (also: came up anew) or went down."""

    up: bool


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """SETUP came. `call` names the call from here on and is never used again; nothing has been answered yet."""

    call: int
    slot: int | None
    """The time slot asked for; None: any."""
    exclusive: bool
    """No other slot will do."""
    called: str
    called_type: NumberType = ""
    called_plan: NumberPlan = ""
    complete: bool
    """Sending Complete was in it: no digits will follow."""
    calling: str = ""
    calling_type: NumberType = ""
    calling_plan: NumberPlan = ""
    calling_name: str = ""
    presentation: Presentation = "unavailable"
    is_voice: bool = True
    """Speech or 3.1 kHz audio. What else comes (data, video) is no call for a hotline."""


class MoreDigits(msgspec.Struct, frozen=True):
    """INFORMATION: more digits of the called number, or keys pressed while the call is up."""

    call: int
    digits: str
    complete: bool = False


class DigitsWanted(msgspec.Struct, frozen=True):
    """SETUP ACKNOWLEDGE to our call: the rest of the number is to be sent."""

    call: int
    slot: int | None


class Progress(Enum):
    PROCEEDING = "proceeding"
    ALERTING = "alerting"
    ANSWERED = "answered"
    IN_BAND = "in_band"
    """PROGRESS: something is to be heard, the call goes on."""


class Progressed(msgspec.Struct, frozen=True):
    """The far end takes our call a step on. `slot` is where it wants it."""

    call: int
    progress: Progress
    slot: int | None


class Cleared(msgspec.Struct, frozen=True):
    """The call is over for its parties: the far end cleared it, confirmed that we did, or it was lost. The stack has
    already answered. The channel is free when `Gone` follows."""

    call: int
    cause: int
    """Q.850 cause; 0: none was given."""


class Gone(msgspec.Struct, frozen=True):
    """The stack has forgotten the call: its channel is free, its name is dead."""

    call: int
    is_released: bool = True
    """False: RELEASE went out twice and was not answered (T308), so that the far end may hold the channel still: it is
    to be restarted (Q.931 5.5)."""


class Restarted(msgspec.Struct, frozen=True):
    """RESTART came and is being acknowledged: what was on the slot (None: on all) is no more."""

    slot: int | None


class RestartDone(msgspec.Struct, frozen=True):
    """Our RESTART of the slot was acknowledged."""

    slot: int | None


class InService(msgspec.Struct, frozen=True):
    """SERVICE: the far end takes a slot out of service or gives it back."""

    slot: int
    in_service: bool


PriEvent = (
    LayerTwo | Incoming | MoreDigits | DigitsWanted | Progressed | Cleared | Gone | Restarted | RestartDone | InService
)

# ---- commands --------------------------------------------------------------------------------------------------------


class PlaceCall(msgspec.Struct, frozen=True, kw_only=True):
    """SETUP. `call` is a name of the caller's choice below zero, never used before. Refused: Gone follows at once."""

    call: int
    slot: int
    exclusive: bool = True
    called: str
    called_type: NumberType = ""
    called_plan: NumberPlan = ""
    complete: bool = True
    calling: str = ""
    calling_type: NumberType = ""
    calling_plan: NumberPlan = ""
    calling_name: str = ""
    """Only the network side sends names: ETSI DSS1 has no display from the user."""
    presentation: Presentation = "allowed"


class AskForDigits(msgspec.Struct, frozen=True):
    """SETUP ACKNOWLEDGE."""

    call: int
    slot: int


class Proceed(msgspec.Struct, frozen=True):
    """CALL PROCEEDING."""

    call: int
    slot: int


class Alert(msgspec.Struct, frozen=True):
    """ALERTING."""

    call: int
    slot: int


class Answer(msgspec.Struct, frozen=True):
    """CONNECT."""

    call: int
    slot: int


class Clear(msgspec.Struct, frozen=True):
    """Give the call up, by the message that its state wants: DISCONNECT, RELEASE or RELEASE COMPLETE."""

    call: int
    cause: int


class Forget(msgspec.Struct, frozen=True):
    """Drop the call without a word (after a RESTART). Gone follows at once."""

    call: int


class Probe(msgspec.Struct, frozen=True):
    """STATUS ENQUIRY: does the far end still know the call? If not, Cleared and Gone follow (Q.931 5.8.10)."""

    call: int


class SendDigit(msgspec.Struct, frozen=True):
    """INFORMATION with one more digit of the called number."""

    call: int
    digit: str


class Restart(msgspec.Struct, frozen=True):
    """RESTART of one slot. One at a time: the next after RestartDone."""

    slot: int


PriCommand = PlaceCall | AskForDigits | Proceed | Alert | Answer | Clear | Forget | Probe | SendDigit | Restart


class PriStack(Protocol):
    """One span. Sans-I/O: frames are without FCS, `now_us` is monotonic time. Never waits; raises PriError."""

    def receive(self, frame: bytes, now_us: int) -> list[PriEvent]:
        """A frame came from the D channel. One that makes no sense is passed over."""
        ...

    def run_timers(self, now_us: int) -> list[PriEvent]:
        """Fire what is due."""
        ...

    def do(self, command: PriCommand, now_us: int) -> list[PriEvent]:
        """Do it; one for a call that is gone does nothing. Gives what happened because of it."""
        ...

    def take_frames(self) -> list[bytes]:
        """What is to be sent since the last call, oldest first."""
        ...

    def next_deadline(self) -> int | None:
        """Microseconds of the next timer."""
        ...

    def close(self) -> None:
        """Let go. May be called twice."""
        ...
