"""The machine of a message-signalled trunk channel: SIP line, ISDN B channel, the simulator's E1. Calls of either side.

Setup → Proceeding at once → (Alerting) → Connect → … → Release from both sides. Whatever the far end does, the channel
comes back to idle: a Release that is not confirmed is given up after `RELEASE_US`. How long a call that is placed may
take is known to whoever signals it (ISDN: T303, T310, T301). Not here: what the caller hears.
"""

from __future__ import annotations

from enum import StrEnum

from boards.signals import Alerting, Blocked, Cause, Connect, Proceeding, Release, Setup
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line import UNATTENDED_US, Effect, Line, Report, Send, Side, Unattended
from firmware.lines.line_commands import PlaceCall
from firmware.lines.messages import CallPlaced, IncomingCall, LegAlerting, LegAnswered, LegCleared, RingFailed

RELEASE_US = 4 * MICROSECONDS
"""How long the far end may take to confirm a Release (Q.931 T308: 4 s)."""


class TrunkState(StrEnum):
    IDLE = "idle"
    INCOMING = "incoming"
    """Seized and told that the call is proceeding."""
    ALERTING = "alerting"
    PLACED = "placed"
    """Our Setup is on its way; the far end has not taken the call, so one of its own may cross it."""
    DIALLING = "dialling"
    """The far end works on our call; its phone may ring."""
    UP = "up"
    RELEASING = "releasing"
    """We sent Release; the far end has still to confirm. Without a leg if the Setup was refused."""


class TrunkLine(Line, kw_only=True):
    """One trunk channel."""

    state: TrunkState = TrunkState.IDLE
    blocked_far: bool = False
    """Taken out of service by the far end."""
    calling: str = ""
    called: str = ""
    request: str = ""
    """The wish that the call placed by the box came from; empty for one that came in."""
    rings: bool = False
    """The far phone of a call placed by the box rings."""
    digits: str = "inband"
    clear_cause: Cause = Cause.NORMAL
    """Why the box gave up the leg; kept while releasing."""
    protocol_errors: int = 0

    def display_state(self) -> str:
        match self.state:
            case TrunkState.IDLE:
                resting = self.resting_state()
                return "blocked" if resting == "idle" and self.blocked_far else resting
            case TrunkState.INCOMING | TrunkState.PLACED:
                return "seized"
            case TrunkState.DIALLING:
                return "ringing" if self.rings else "seized"
            case TrunkState.ALERTING:
                return "ringing"
            case _:
                return self.state.value

    def leg_state(self) -> str:
        return "dialling" if self.state is TrunkState.PLACED else self.state.value

    def _set_state(self, state: TrunkState) -> None:
        self.state = state
        self.stop_timer("release", "unattended")
        if state is TrunkState.IDLE:
            self.leg = self.calling = self.called = self.request = ""
            self.rings = False

    # ---- from the line -----------------------------------------------------------------------------------------------

    def setup(self, signal: Setup, now: Stamp) -> list[Effect]:
        """A call arrives. On a busy channel the far end has lost the old call: that ends, the new one counts. So it
        does if it crossed our own Setup, which the far end then passes over."""
        effects: list[Effect] = []
        if self.state is TrunkState.PLACED:
            effects += self._cleared(Cause.CONGESTION, "line", now)
        elif self.state is not TrunkState.IDLE:
            self.protocol_errors += 1
            if self.state is TrunkState.RELEASING:
                effects += self._cleared(self.clear_cause, "box", now)
            else:
                effects += self._cleared(Cause.FAILURE, "line", now)
        if self.blocked or not self.in_service:
            self._set_state(TrunkState.RELEASING)
            self.start_timer("release", RELEASE_US, now)
            return [*effects, Send(Release(self.channel, Cause.CONGESTION))]
        leg = self.new_leg()
        self._set_state(TrunkState.INCOMING)
        self.calling, self.called, self.digits = signal.calling, signal.called, signal.digits
        self.start_timer("unattended", UNATTENDED_US, now)
        return [
            *effects,
            Send(Proceeding(self.channel)),
            Report(
                IncomingCall(
                    number=0,
                    leg=leg,
                    sample=0,
                    at=now,
                    channel=self.channel,
                    called=signal.called,
                    calling=signal.calling,
                    calling_name=signal.calling_name,
                    presentation=signal.presentation,
                    calling_type=signal.calling_type,
                    calling_plan=signal.calling_plan,
                )
            ),
        ]

    def release(self, signal: Release, now: Stamp) -> list[Effect]:
        """The far end gives the call up, or confirms that we did. On an idle channel it is a late confirmation: an
        answer to that could hit the next call."""
        match self.state:
            case TrunkState.IDLE:
                return []
            case TrunkState.RELEASING:
                return self._cleared(self.clear_cause, "box", now)
            case _:
                return [Send(Release(self.channel)), *self._cleared(signal.cause, "line", now)]

    def block_far(self, blocked: bool) -> list[Effect]:
        """The far end takes the channel out of service or gives it back. A call that is up goes on."""
        self.blocked_far = blocked
        return []

    def progress(self, signal: Proceeding | Alerting | Connect, now: Stamp) -> list[Effect]:
        """How far a call is that the box placed. Of any other call it makes no sense."""
        if self.state not in (TrunkState.PLACED, TrunkState.DIALLING):
            self.protocol_errors += self.state is not TrunkState.RELEASING  # there it crossed our Release
            return []
        if isinstance(signal, Connect):
            self._set_state(TrunkState.UP)
            return [Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]
        self._set_state(TrunkState.DIALLING)
        if isinstance(signal, Proceeding) or self.rings:
            return []
        self.rings = True
        alerting = LegAlerting(number=0, leg=self.leg, sample=0, at=now, channel=self.channel, request=self.request)
        return [Report(alerting)]

    # ---- from the callserver -----------------------------------------------------------------------------------------

    def place(self, command: PlaceCall, now: Stamp) -> list[Effect]:
        """Call a number. The gateway has seen to it that a request which comes twice arrives here once."""
        if (cause := self._not_placed_because(command)) is not None:
            return [Report(RingFailed(number=0, leg="", sample=0, at=now, request=command.request, cause=cause))]
        leg = self.new_leg()
        self._set_state(TrunkState.PLACED)
        self.called, self.calling, self.request = command.called, command.calling, command.request
        setup = Setup(self.channel, command.called, command.calling, presentation=command.presentation)
        placed = CallPlaced(number=0, leg=leg, sample=0, at=now, channel=self.channel, request=command.request)
        return [Report(placed), Send(setup)]

    def _not_placed_because(self, command: PlaceCall) -> Cause | None:
        if self.state is not TrunkState.IDLE:
            return Cause.BUSY
        if self.resting_state() != "idle" or self.blocked_far:
            return Cause.FAILURE
        return None if command.called else Cause.UNALLOCATED

    def answer(self, now: Stamp) -> list[Effect]:
        if self.state not in (TrunkState.INCOMING, TrunkState.ALERTING):
            return []
        self._set_state(TrunkState.UP)
        return [Send(Connect(self.channel)), Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]

    def alert(self, now: Stamp) -> list[Effect]:
        if self.state is not TrunkState.INCOMING:
            return []
        self._set_state(TrunkState.ALERTING)
        return [Send(Alerting(self.channel))]

    def clear(self, cause: Cause, now: Stamp) -> list[Effect]:
        if self.state in (TrunkState.IDLE, TrunkState.RELEASING):
            return []
        self._set_state(TrunkState.RELEASING)
        self.clear_cause = cause
        self.start_timer("release", RELEASE_US, now)
        return [Send(Release(self.channel, cause))]

    def block(self, blocked: bool, now: Stamp) -> list[Effect]:
        """The board is told, so that the far end is offered another channel."""
        if blocked == self.blocked:
            return []
        self.blocked = blocked
        return [Send(Blocked(self.channel, blocked))] if self.in_service else []

    # ---- from time and board -----------------------------------------------------------------------------------------

    def fire(self, timer: str, now: Stamp) -> list[Effect]:
        if timer == "release":
            return self._cleared(self.clear_cause, "box", now)
        return [Unattended()]

    def watch_unattended(self, now: Stamp) -> None:
        """The callserver has gone: a call that it had not alerted yet is the gateway's to keep alive."""
        if self.state is TrunkState.INCOMING:
            self.start_timer("unattended", UNATTENDED_US, now)

    def fail(self, cause: Cause, now: Stamp) -> list[Effect]:
        self.blocked_far = False
        if self.state is TrunkState.IDLE:
            return []
        # The board may still work (an alarm, not a dead board); it must not believe that the call goes on.
        told = (
            [Send(Release(self.channel, cause))] if self.in_service and self.state is not TrunkState.RELEASING else []
        )
        return [*told, *self._cleared(cause, "line", now)]

    def _cleared(self, cause: Cause, by: Side, now: Stamp) -> list[Effect]:
        leg = self.leg
        self._set_state(TrunkState.IDLE)
        if not leg:
            return []
        return [Report(LegCleared(number=0, leg=leg, sample=0, at=now, channel=self.channel, cause=cause, by=by))]
