"""The states of an R2 line, their names elsewhere, and what is heard on it. What happens in them is line.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class R2State(StrEnum):
    IDLE = "idle"
    # incoming
    SEIZED = "seized"
    """Acknowledged; the registers are at work. No leg yet."""
    OFFERED = "offered"
    """Told as IncomingCall; the far end waits for KB."""
    ACCEPTING = "accepting"
    """KB says that the called side is free; it is still being sent."""
    ALERTING = "alerting"
    # outgoing
    SEIZING = "seizing"
    DIALLING = "dialling"
    RINGING = "ringing"
    # both
    UP = "up"
    HANGING_UP = "hanging_up"
    """Incoming: the box gave up, or the registers failed; the far end has still to clear forward."""
    GIVING_BACK = "giving_back"
    """Incoming: the far end cleared forward; the line is idle in a moment."""
    CLEARING_FORWARD = "clearing_forward"
    """Outgoing: we cleared; the far end has still to show idle."""


INCOMING = frozenset(
    (R2State.SEIZED, R2State.OFFERED, R2State.ACCEPTING, R2State.ALERTING, R2State.HANGING_UP, R2State.GIVING_BACK)
)
DISPLAYED: dict[R2State, str] = {
    R2State.SEIZED: "seized",
    R2State.OFFERED: "seized",
    R2State.ACCEPTING: "ringing",
    R2State.ALERTING: "ringing",
    R2State.SEIZING: "seized",
    R2State.DIALLING: "seized",
    R2State.RINGING: "ringing",
    R2State.UP: "up",
}
LEG_STATES: dict[R2State, str] = {
    R2State.OFFERED: "incoming",
    R2State.ACCEPTING: "alerting",
    R2State.ALERTING: "alerting",
    R2State.SEIZING: "dialling",
    R2State.DIALLING: "dialling",
    R2State.RINGING: "dialling",
    R2State.UP: "up",
}


@dataclass(frozen=True, slots=True)
class HeardTone:
    """A register tone came (`on`) or went on the channel, as the detector tells it."""

    signal: int
    on: bool
