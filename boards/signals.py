"""Line signals between a board and the gateway: what happened on a channel, what shall happen. No samples here.

A *message-signalled* channel (SIP trunk, ISDN B channel, the simulator's E1) speaks Setup … Release.
An *extension port* (FXS) speaks hook, flash and ring. A *CAS channel* (R2) speaks line bits. An *analogue trunk* (FXO,
a subscriber's line of the exchange) speaks ringing, loop and polarity. Channel numbers are indexes into the board's
`channels`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from drivers.pri_stack import NumberPlan, NumberType
from firmware.core.faults import Arguments


class ChannelKind(StrEnum):
    """What a channel is, which decides the line machine that drives it."""

    TRUNK = "trunk"
    """Message-signalled trunk channel: E1 B channel or SIP line."""
    EXTENSION = "extension"
    """Analogue extension port (FXS): an attached phone."""
    CAS = "cas"
    """E1 channel with line bits of its own (R2, China No.1)."""
    EXCHANGE_LINE = "fxo"
    """Analogue trunk (FXO): a line of the public exchange, on which the box is the telephone."""


class Cause(StrEnum):
    """Why a leg or call ended, in field words (Q.850 numbers in brackets)."""

    NORMAL = "normal"
    """Somebody hung up (16)."""
    BUSY = "busy"
    """User busy (17)."""
    NO_ANSWER = "no_answer"
    """Rang and nobody answered (19)."""
    REJECTED = "rejected"
    """Call rejected (21)."""
    UNALLOCATED = "unallocated"
    """Number not in use (1)."""
    CONGESTION = "congestion"
    """No channel or no resource (34, 42)."""
    FAILURE = "failure"
    """The line, board or network failed (27, 38, 41)."""
    RESTART = "restart"
    """A process of the box that held the line ended."""


class LoopWay(StrEnum):
    """Where an E1 is looped, so that what was sent comes back and can be compared."""

    FAR = "far"
    """At the far end, or by a plug: the box sets nothing."""
    LOCAL = "local"
    """In the board: what it sends comes back to itself."""
    TOWARD_EXCHANGE = "toward_exchange"
    """In the board, outward: what comes in goes back to the line."""


class Setup(msgspec.Struct, tag="setup", frozen=True):
    """A call arrives on (from board) or is to be placed on (to board) a trunk channel."""

    channel: int
    called: str
    calling: str = ""
    calling_name: str = ""
    presentation: Literal["allowed", "restricted", "unavailable"] = "allowed"
    digits: Literal["inband", "events"] = "inband"
    """How digits will come on this call: as tones in the audio, or as Digit signals (RFC 4733)."""
    calling_type: NumberType = ""
    calling_plan: NumberPlan = ""
    called_type: NumberType = ""
    called_plan: NumberPlan = ""


class Proceeding(msgspec.Struct, tag="proceeding", frozen=True):
    """To the far end: the call is being handled, wait."""

    channel: int


class Alerting(msgspec.Struct, tag="alerting", frozen=True):
    """The called side rings. To the far end, or from it for a call that the box placed."""

    channel: int


class Connect(msgspec.Struct, tag="connect", frozen=True):
    """The called side answered. To the far end, or from it for a call that the box placed."""

    channel: int


class Release(msgspec.Struct, tag="release", frozen=True):
    """The connection is given up; either direction. The channel is idle again when both sides have sent it."""

    channel: int
    cause: Cause = Cause.NORMAL


class Digit(msgspec.Struct, tag="digit", frozen=True):
    """A digit that came as a signal and not as a tone (RFC 4733, pulse dialling)."""

    channel: int
    digit: str
    duration_ms: int = 0


class HookChange(msgspec.Struct, tag="hook", frozen=True):
    """The phone on an extension port was lifted or put down."""

    channel: int
    off_hook: bool


class Flash(msgspec.Struct, tag="flash", frozen=True):
    """A short press of the hook (timed break recall) on an extension port."""

    channel: int


class Ring(msgspec.Struct, tag="ring", frozen=True):
    """To an extension port: ringing current on or off, now. The cadence is the line machine's business."""

    channel: int
    on: bool


class OnHookData(msgspec.Struct, tag="on_hook_data", frozen=True):
    """To an extension port whose phone lies on its hook: what is sent from now on is for its display (FSK), so the line
    must carry it for so long. Line drivers save power on hook and carry nothing otherwise."""

    channel: int
    milliseconds: int


class RingDetected(msgspec.Struct, tag="ring_detected", frozen=True):
    """Ringing current from the exchange began or ended on an analogue trunk: each ring of the cadence by itself."""

    channel: int
    on: bool


class LoopCurrent(msgspec.Struct, tag="loop_current", frozen=True):
    """The exchange feeds the closed loop of an analogue trunk, or does no more (loop drop)."""

    channel: int
    flows: bool


class Polarity(msgspec.Struct, tag="polarity", frozen=True):
    """The exchange turned the wires of an analogue trunk round, or back. A board tells each change."""

    channel: int
    reversed: bool


class Loop(msgspec.Struct, tag="loop", frozen=True):
    """To an analogue trunk: close the loop (seize, answer) or open it (give up), now."""

    channel: int
    closed: bool


class DialPulses(msgspec.Struct, tag="dial_pulses", frozen=True):
    """To a closed analogue trunk: dial digits by breaking the loop (10 a second). Optional: NotSupported where the chip
    cannot."""

    channel: int
    digits: str


class Bits(msgspec.Struct, tag="bits", frozen=True):
    """Line bits of a CAS channel as they are now; either direction. `abcd`: a in the highest of four places."""

    channel: int
    abcd: int


class Alarm(msgspec.Struct, tag="alarm", frozen=True):
    """An alarm came or went: the code and arguments of a fault (firmware/core/fault_texts.py), e.g. LOS, LOF, AIS."""

    alarm: str
    raised: bool
    channels: tuple[int, ...] = ()
    """The channels that are out of service because of it, or are no more; empty means all of the board."""
    arguments: Arguments = ()


class Blocked(msgspec.Struct, tag="blocked", frozen=True):
    """The far end took a channel out of service, or gave it back."""

    channel: int
    blocked: bool


FromBoard = (
    Setup
    | Proceeding
    | Alerting
    | Connect
    | Release
    | Digit
    | HookChange
    | Flash
    | Alarm
    | Blocked
    | Bits
    | RingDetected
    | LoopCurrent
    | Polarity
)
ToBoard = Setup | Proceeding | Alerting | Connect | Release | Ring | OnHookData | Blocked | Bits | Loop | DialPulses
Signal = FromBoard | ToBoard

FROM_KIND: dict[ChannelKind, tuple[type[FromBoard], ...]] = {
    ChannelKind.TRUNK: (Setup, Proceeding, Alerting, Connect, Release, Digit, Blocked),
    ChannelKind.EXTENSION: (HookChange, Flash, Digit),
    ChannelKind.CAS: (Bits,),
    ChannelKind.EXCHANGE_LINE: (RingDetected, LoopCurrent, Polarity),
}
"""Signals that come from a channel of each kind; Alarm is the board's."""
TO_KIND: dict[ChannelKind, tuple[type[ToBoard], ...]] = {
    ChannelKind.TRUNK: (Setup, Proceeding, Alerting, Connect, Release, Blocked),
    ChannelKind.EXTENSION: (Ring, OnHookData),
    ChannelKind.CAS: (Bits,),
    ChannelKind.EXCHANGE_LINE: (Loop, DialPulses),
}
"""Signals that a channel of each kind can be sent."""
