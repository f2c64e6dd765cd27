"""What the gateway is told: line commands. What it tells is in messages.py; commands.py carries them out.

Commands say what shall be, not what to change, so that a command given twice does no harm.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from boards.signals import Cause
from firmware.core.line_schemas import ExchangeLineEntry, LineLevels, R2Settings
from firmware.lines.load_sound import LoadSound
from firmware.lines.loop_messages import BeginLoopTest, StopLoopTest


class AnswerLeg(msgspec.Struct, tag="answer_leg", frozen=True):
    """Answer an incoming call. Harmless if it is answered or gone."""

    leg: str


class AlertLeg(msgspec.Struct, tag="alert_leg", frozen=True):
    """Tell the caller's exchange that the called side rings."""

    leg: str


class ClearLeg(msgspec.Struct, tag="clear_leg", frozen=True):
    """Give up the leg. A phone that stays off hook hears busy tone until it is put down: LegReleasing, LegCleared."""

    leg: str
    cause: Cause = Cause.NORMAL


class RingExtension(msgspec.Struct, tag="ring_extension", frozen=True):
    """Ring an idle extension port. `request` names the wish: given twice it rings once.

    Answer: LegAlerting or RingFailed. The phone's display is told number and name; or, by `presentation`, that the
    number is withheld or not known, and `calling_name` is what it says in the place of the name.
    """

    request: str
    channel: int
    calling: str = ""
    calling_name: str = ""
    presentation: Literal["allowed", "restricted", "unavailable"] = "allowed"


class GiveDialTone(msgspec.Struct, tag="give_dial_tone", frozen=True):
    """Let a lifted phone hear dial tone (the special one while messages wait), or congestion tone if it may not dial.

    Unused too long it hears busy tone and the howler and is parked: LegReleasing, and LegCleared when it is put down
    (`phone_limits.toml`). A digit ends the tone, Play or Join ends the waiting. Given twice, it does nothing.
    """

    leg: str
    barred: bool = False


class TellPhone(msgspec.Struct, tag="tell_phone", frozen=True):
    """Send an idle phone that lies on its hook a caller ID message without ringing: what its display shall show, or,
    if `messages` is not None, whether messages wait for it: its lamp (FSK), and its dial tone from then on. A phone
    that is not idle is not told a text; its lamp is told when it is."""

    channel: int
    number: str = ""
    text: str = ""
    """In GB 2312 at most 50 bytes are sent."""
    messages: bool | None = None


class PlaceCall(msgspec.Struct, tag="place_call", frozen=True):
    """Place a call on an idle trunk channel. `request` names the wish: given twice it calls once.

    Answer: CallPlaced or RingFailed.
    """

    request: str
    channel: int
    called: str
    calling: str = ""
    presentation: Literal["allowed", "restricted"] = "allowed"


class Play(msgspec.Struct, tag="play", frozen=True):
    """Let the leg's party hear sounds, one after the other, instead of anything else.

    `play` names it for PlayEnded; the name of what plays already changes nothing. A sound is a prompt or tone of the
    gateway's store: `prompt:welcome`, `tone:busy`, `music:waiting`. One that is not there has no length and is logged.
    They follow each other without a gap, to the sample, and the play has one end.
    """

    leg: str
    play: str
    sounds: tuple[str, ...]
    loop: bool = False
    interruptible: bool = False
    """The first digit from the leg's party stops it, at the gateway, before the digit is told. No PlayEnded."""
    spoken: dict[str, bytes] = {}
    """A-law of those among `sounds` that were made for this play (text-to-speech); at most a minute each."""


class StopPlay(msgspec.Struct, tag="stop_play", frozen=True):
    """Stop what the leg's party is played; it hears again whom it is joined to."""

    leg: str


class Hear(msgspec.Struct, frozen=True):
    """Whom one leg hears: the sum of these legs, and no play any more."""

    leg: str
    sources: tuple[str, ...]


class Join(msgspec.Struct, tag="join", frozen=True):
    """Set whom the named legs hear, all in one tick. Hold is `Hear(agent, ())`, and Play music to the citizen."""

    hearing: tuple[Hear, ...]


class Conference(msgspec.Struct, tag="conference", frozen=True):
    """Who is in a conference from now on, all in one tick: each hears all the others, and no play any more.

    Who was in it and is not named has left it and hears silence. A leg is in one conference at a time, the one that
    named it last; Join, Supervise and Leave take it out. Hold within a conference is `Join((Hear(leg, ()),))`, retrieve
    the same conference again.
    """

    conference: str
    legs: tuple[str, ...]


class Supervise(msgspec.Struct, tag="supervise", frozen=True):
    """Let a leg (a supervisor's) hear another (an agent's) and all whom that hears, whoever these are from now on.

    `monitor`: nobody hears the leg. `whisper`: only the target hears it, over plays too, and no recording gets it.
    `barge`: whoever hears the target hears the leg as well, and so does the target. Said with another `how` it changes
    to that. It ends with either leg, or when Join, Conference or Leave names the leg. A target that supervises itself
    is heard alone. A target that is no leg: nothing changes.
    """

    leg: str
    target: str
    how: Literal["monitor", "whisper", "barge"]


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """The leg takes part in nothing any more: it hears silence (a play goes on), and nobody hears it."""

    leg: str


class SetLevel(msgspec.Struct, tag="set_level", frozen=True):
    """How loud the leg's party is to others, and others are to it, in dB; plays keep the level that the plan gives
    them. With the levels of the lines at most 24 dB and at least -60 dB count. A recording's left track keeps what the
    line gave."""

    leg: str
    speaks_db: float = 0.0
    hears_db: float = 0.0


class LearnTone(msgspec.Struct, tag="learn_tone", frozen=True, kw_only=True):
    """Learn the busy tone of an idle analogue trunk: answer the next call there, or call a number, and measure what
    sounds when the far end hangs up. It is nobody's leg. `request` names the wish. Answer: ToneLearnt or LearnFailed.
    """

    request: str
    channel: int
    called: str = ""
    """Empty: somebody calls in."""
    seconds: float = 120.0
    """How long at most."""


class ConfigureLines(msgspec.Struct, tag="configure_lines", frozen=True, kw_only=True):
    """How lines are set from now on: those that are not named are as usual. Calls that are up go on."""

    exchange_lines: tuple[ExchangeLineEntry, ...] = ()
    """Analogue trunks, by channel label."""
    numbers: dict[str, str] = {}
    """The number of a board's analogue trunks that have none of their own, by board."""
    r2: dict[str, R2Settings] = {}
    """Spans with line bits, by board."""
    blocked: tuple[str, ...] = ()
    """Labels of the channels that are out of service by hand: at once, or when the call there is over."""
    levels: dict[str, LineLevels] = {}
    """Analogue trunks and attached phones that are not 0 dB both ways, by channel label."""


class Attach(msgspec.Struct, tag="attach", frozen=True):
    """First message of a callserver: the gateway boot and last event number that it has stored (empty, 0 if none)."""

    boot: str
    last_number: int


class Resume(msgspec.Struct, tag="resume", frozen=True):
    """Confirms what is stored: events up to here need not be kept any more. Said every second as a sign of life."""

    last_number: int


AnyLineCommand = (
    AnswerLeg
    | AlertLeg
    | ClearLeg
    | RingExtension
    | GiveDialTone
    | TellPhone
    | PlaceCall
    | Play
    | StopPlay
    | Join
    | Conference
    | Supervise
    | Leave
    | SetLevel
    | ConfigureLines
    | LearnTone
    | BeginLoopTest
    | StopLoopTest
    | LoadSound
    | Attach
    | Resume
)

decode_command = msgspec.json.Decoder(AnyLineCommand).decode
