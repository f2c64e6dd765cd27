"""One B channel as the PRI worker keeps it: which call has it, what the gateway has been told. Data, no decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from boards.signals import Setup
from drivers.pri_stack import Incoming


class Phase(StrEnum):
    IDLE = "idle"
    COLLECTING = "collecting"
    """SETUP ACKNOWLEDGE went out: digits are coming; the gateway knows nothing yet."""
    WAITING = "waiting"
    """CALL PROCEEDING went out; Setup waits until the gateway has let go of the call before."""
    OFFERED = "offered"
    """Setup went to the gateway."""
    PLACED = "placed"
    """The box calls; the far end has not answered."""
    UP = "up"
    CLEARING = "clearing"
    """Over for its parties; the stack still has the call."""


@dataclass
class PriLine:
    """A B channel. `call` is the stack's call on it, until the stack has forgotten it."""

    channel: int
    """Index of the channel for the gateway."""
    slot: int
    phase: Phase = Phase.IDLE
    call: int | None = None
    incoming: Incoming | None = None
    digits: str = ""
    confirmed: bool = False
    """The far end has answered our SETUP: the channel is ours, no collision (Q.931 5.7) any more."""
    contested: bool = False
    """A SETUP of the far end for the channel crossed ours, and was refused or got another channel."""
    told: frozenset[str] = frozenset()
    """What the gateway has been told of the call that the box places: each step once."""
    setup: Setup | None = None
    """Waits for the gateway."""
    has_gateway: bool = False
    """A Setup crossed the link, in either direction, and not both Releases."""
    awaits_release: bool = False
    """We sent Release; the gateway has still to confirm."""
    blocked: bool = False
    blocked_far: bool = False
    timers: dict[str, int] = field(default_factory=dict)
    """Name → deadline in monotonic microseconds."""

    @property
    def is_free(self) -> bool:
        """Free for a call of either side."""
        return self.call is None and self.phase is Phase.IDLE and not self.blocked and not self.blocked_far

    def rest(self) -> None:
        """No call any more. What the gateway has still to confirm stays."""
        self.phase = Phase.IDLE
        self.call = self.incoming = self.setup = None
        self.digits = ""
        self.confirmed = self.contested = False
        self.told = frozenset()
        for name in [name for name in self.timers if name != "release"]:
            del self.timers[name]
