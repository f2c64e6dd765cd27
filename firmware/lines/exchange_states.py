"""The states of an analogue trunk, what is heard on one, and what follows from a state alone.

The machine is `exchange_line.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from boards.signals import Cause
from firmware.core.clock import Stamp
from firmware.lines.line import Listening
from firmware.lines.line_commands import LearnTone
from firmware.lines.messages import LearnFailed
from firmware.tones.cadence import LearnedTone
from firmware.tones.caller_id import CallerId


class HeardCaller(msgspec.Struct, frozen=True):
    """The line said by FSK who calls."""

    caller: CallerId


class HeardLesson(msgspec.Struct, frozen=True):
    """A tone that has repeated often enough to be learnt; more of it follow while it goes on."""

    tone: LearnedTone


Progress = Literal[
    "busy_tone", "congestion_tone", "vacant_tone", "dial_tone", "ringback", "some_tone", "speech", "silence"
]


class HeardProgress(msgspec.Struct, frozen=True):
    """What the exchange says, or a silence that lasted too long. Of a call out that is not answered also: its way is
    congested (in all other states that is busy tone), the far phone rings, and speech after that; and a tone that
    sounds and of which nobody can say yet what it will be."""

    what: Progress


class ExchangeLineState(StrEnum):
    IDLE = "idle"
    RINGING = "ringing"
    """It rings; who calls is waited for until the second ring, and nobody has been told yet."""
    INCOMING = "incoming"
    CAUGHT = "caught"
    """It rang just as we took the line for a call of ours: the caller has been answered by that, and is told to the
    callserver as one who rings."""
    REFUSED = "refused"
    """The box gave the call up, but an analogue line cannot refuse: it rings until the caller tires."""
    SEIZED = "seized"
    """We call: the loop is closed, dial tone is awaited."""
    DIALLING = "dialling"
    CALLING = "calling"
    """Dialled; the exchange will tell the answer by polarity, or by a tone that there is none."""
    UP = "up"
    LEARNING = "learning"
    """The loop is closed for a busy tone to be learnt."""
    GUARD = "guard"
    """The loop is open again; the exchange still needs to see it."""


RINGS = (ExchangeLineState.RINGING, ExchangeLineState.INCOMING, ExchangeLineState.REFUSED)
WE_CALL = (ExchangeLineState.SEIZED, ExchangeLineState.DIALLING, ExchangeLineState.CALLING)
IN_CALL = (*WE_CALL, ExchangeLineState.CAUGHT, ExchangeLineState.UP)
"""The loop is closed for a leg."""
LOOP_COUNTS = (ExchangeLineState.UP, ExchangeLineState.CAUGHT, ExchangeLineState.CALLING, ExchangeLineState.LEARNING)
WHY_NOT_LEARNT = {Cause.CONGESTION: "no_dial_tone", Cause.NORMAL: "loop_drop", Cause.FAILURE: "line_failed"}
LISTENS: dict[ExchangeLineState, Listening] = {
    ExchangeLineState.RINGING: "caller",
    ExchangeLineState.SEIZED: "dial_tone",
    ExchangeLineState.CALLING: "answer",
    ExchangeLineState.UP: "end",
    ExchangeLineState.CAUGHT: "end",
    ExchangeLineState.LEARNING: "lesson",
}


def learn_failed(command: LearnTone, reason: str, now: Stamp) -> LearnFailed:
    """The answer to a LearnTone that cannot be done."""
    return LearnFailed(
        number=0, leg="", sample=0, at=now, channel=command.channel, request=command.request, reason=reason
    )
