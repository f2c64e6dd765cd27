"""What the gateway tells: line events and the snapshot. What it is told is in line_commands.py.

A *leg* at the gateway is one party on one line, from seizure or lifting the handset until the line is idle again. Its
name is unique for ever: `<gateway boot>.<channel>.<sequence>`. Events are numbered from 1 in each start of the gateway
and kept for a callserver that comes back: it attaches with the last number that it has stored and misses nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from boards.signals import Cause, ChannelKind
from firmware.core.clock import Stamp
from firmware.core.faults import Fault
from firmware.lines.loop_messages import LoopOutcome
from firmware.tones.cadence import LearnedTone

# ---- line events -----------------------------------------------------------------------------------------------------


class LineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Common to all: consecutive number, leg (empty for channel and board events), sample count and moment."""

    number: int
    leg: str
    sample: int
    """Gateway samples (8000 a second) since its start; the same count that positions in the audio ring are given in."""
    at: Stamp


class IncomingCall(LineEvent, tag="incoming_call", frozen=True, kw_only=True):
    """A trunk channel was seized from outside; the gateway has already said that the call is proceeding."""

    channel: int
    called: str
    calling: str = ""
    calling_name: str = ""
    presentation: str = "allowed"
    calling_type: str = ""
    """Type of number and numbering plan as ISDN told them (drivers/pri_stack.py); empty: not told."""
    calling_plan: str = ""


class PhoneLifted(LineEvent, tag="phone_lifted", frozen=True, kw_only=True):
    """The handset of an idle extension was lifted: a new leg that hears nothing until told what."""

    channel: int


class LegAlerting(LineEvent, tag="leg_alerting", frozen=True, kw_only=True):
    """The phone of a leg rings that was asked for with RingExtension (it exists from now on) or PlaceCall."""

    channel: int
    request: str


class LegAnswered(LineEvent, tag="leg_answered", frozen=True, kw_only=True):
    """Speech path open: the ringing phone was lifted, or our Answer went out to the trunk."""


class LegCleared(LineEvent, tag="leg_cleared", frozen=True, kw_only=True):
    """The line is idle again; the leg is no more. `by` says which side ended it first."""

    channel: int
    cause: Cause
    by: Literal["line", "box"]


class CallPlaced(LineEvent, tag="call_placed", frozen=True, kw_only=True):
    """A leg asked for with PlaceCall exists: the trunk channel is seized. LegAlerting follows when the far phone rings,
    LegAnswered when it is lifted, LegCleared in any case."""

    channel: int
    request: str


class RingFailed(LineEvent, tag="ring_failed", frozen=True, kw_only=True):
    """RingExtension or PlaceCall could not be done: the channel is busy, out of service, or not of that kind."""

    request: str
    cause: Cause


class LegReleasing(LineEvent, tag="leg_releasing", frozen=True, kw_only=True):
    """The far party is gone but its line is not idle yet (an extension whose phone must still be put down)."""


class DigitReceived(LineEvent, tag="digit_received", frozen=True, kw_only=True):
    """A digit from the party on the leg; `start` and `duration` in samples, level of the stronger tone in dBm0."""

    digit: str
    source: Literal["inband", "events", "pulse"]
    start: int
    duration: int
    level_dbm0: float | None = None


class HookFlashed(LineEvent, tag="hook_flashed", frozen=True, kw_only=True):
    """The hook was pressed shortly (register recall)."""


class PlayEnded(LineEvent, tag="play_ended", frozen=True, kw_only=True):
    """A play that does not loop reached its last sample. A play that is replaced or stopped does not say so."""

    play: str


class ChannelState(msgspec.Struct, frozen=True):
    """One channel as pages show it."""

    channel: int
    board: str
    label: str
    kind: ChannelKind
    state: str
    """`idle`, `seized`, `ringing`, `up`, `releasing`, `blocked` (by hand or by the far end), `testing` (in a loop),
    `out_of_service`."""
    leg: str = ""


class BoardState(msgspec.Struct, frozen=True):
    """One board as pages show it."""

    board: str
    working: bool
    faults: tuple[Fault, ...] = ()
    """Why it does not work; while it does, its alarms. Each with the channels that it covers, if it is not all."""
    channels: int = 0
    lost_inward: int = 0
    lost_outward: int = 0
    counters: dict[str, int] = {}
    """More of the kind, by name; none that is 0. `slips` and `crc_errors` of any board; `underruns` of a board without
    clock (ticks that had no block of it); of the board by whose clock the gateway runs `stalls` (ticks that came more
    than 20 ms after the last) and `worst_gap_ms`; and what only one kind of board counts."""

    def counted(self) -> dict[str, int]:
        """All that was counted since the board was opened, blocks lost too, by name; none that is 0."""
        lost = {"lost_inward": self.lost_inward, "lost_outward": self.lost_outward}
        return {name: count for name, count in {**self.counters, **lost}.items() if count}


class ChannelChanged(LineEvent, tag="channel_changed", frozen=True, kw_only=True):
    state: ChannelState


class BoardChanged(LineEvent, tag="board_changed", frozen=True, kw_only=True):
    """A board came, failed, or its alarms changed. Legs on a failed board are cleared by events of their own."""

    state: BoardState
    news: bool = True
    """False if only the words of its faults are others: they are shown, but nobody is told anew."""


class ToneLearnt(LineEvent, tag="tone_learnt", frozen=True, kw_only=True):
    """The busy tone of an analogue trunk was measured (LearnTone). The line is being given up."""

    channel: int
    request: str
    tone: LearnedTone


class LearnFailed(LineEvent, tag="learn_failed", frozen=True, kw_only=True):
    """LearnTone came to nothing. `reason`: `no_such_line`, `busy`, `out_of_service`; `no_call` (nobody called in),
    `no_dial_tone`, `no_tone` (none repeated often enough), `loop_drop` (the exchange ended the call by that: no tone is
    needed), `line_failed`."""

    channel: int
    request: str
    reason: str


class LoopTested(LineEvent, tag="loop_tested", frozen=True, kw_only=True):
    """A loop test is over, or could not be (BeginLoopTest)."""

    request: str
    outcome: LoopOutcome


AnyLineEvent = (
    IncomingCall
    | PhoneLifted
    | LegAlerting
    | CallPlaced
    | LegAnswered
    | LegCleared
    | LegReleasing
    | RingFailed
    | DigitReceived
    | HookFlashed
    | ToneLearnt
    | LearnFailed
    | LoopTested
    | PlayEnded
    | ChannelChanged
    | BoardChanged
)

# ---- snapshot --------------------------------------------------------------------------------------------------------


class LegState(msgspec.Struct, frozen=True):
    """One leg as the gateway holds it."""

    leg: str
    channel: int
    state: str
    """`incoming`, `alerting`, `dialling` (placed by the box, not answered), `up`, `releasing`."""
    calling: str = ""
    called: str = ""
    request: str = ""
    hearing: tuple[str, ...] = ()
    play: str = ""


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True, kw_only=True):
    """First message of the gateway to a callserver that attached.

    If `resumed`, every event follows that the callserver does not know: those after the attached number or, when this
    is another start of the gateway (all legs of the old one are gone), those from 1 on. Otherwise the gateway has
    forgotten some: `legs` are those that exist now, and events after `last_number` follow.
    """

    boot: str
    machine_boot: str
    resumed: bool
    last_number: int
    sample: int
    at: Stamp
    legs: tuple[LegState, ...]
    channels: tuple[ChannelState, ...]
    boards: tuple[BoardState, ...]
    sounds: tuple[str, ...] = ()
    """What the gateway can play."""


FromGateway = AnyLineEvent | Snapshot
decode_from_gateway = msgspec.json.Decoder(FromGateway).decode
