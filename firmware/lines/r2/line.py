"""The machine of an E1 channel with R2 line bits (China No.1), both directions: what bits and numbers mean for a call.
How bits are shown and heard is in bits.py, how numbers come and go in register_line.py.

Incoming: seize → acknowledge → registers → IncomingCall; the state of the called side (KB) goes out when the box
alerts, answers or clears. Outgoing: seize → acknowledged → registers → LegAlerting → answer. Before its answer the
called side cannot clear by bits: the caller hears busy tone until its exchange clears forward. Whatever the far end
does, the channel is idle again when the far end's bits are; a leg never waits longer than its timers.

Sources: Q.421, Q.422; each timer names its own in r2/china.toml.
"""

from __future__ import annotations

from typing import Literal

from boards.signals import Bits, Cause
from firmware.core.clock import Stamp
from firmware.lines.line import (
    UNATTENDED_US,
    BusyTone,
    Effect,
    Line,
    RegisterListen,
    Report,
    RingbackTone,
    Send,
    Side,
    StopSound,
    Unattended,
)
from firmware.lines.line_commands import PlaceCall
from firmware.lines.messages import (
    CallPlaced,
    IncomingCall,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    RingFailed,
)
from firmware.lines.r2.bits import AB
from firmware.lines.r2.register_line import RegisterLine
from firmware.lines.r2.registers import IncomingRegister, OutgoingRegister
from firmware.lines.r2.states import DISPLAYED, INCOMING, LEG_STATES, HeardTone, R2State

R2Event = Bits | HeardTone | PlaceCall


class R2Line(RegisterLine, kw_only=True):
    """One channel. Beside TrunkLine in the gateway; `handle` is for what TrunkLine does not know."""

    state: R2State = R2State.IDLE
    outgoing: bool = False
    """Direction of the call while UP."""
    calling: str = ""
    called: str = ""
    request: str = ""
    digits: Literal["inband"] = "inband"
    answer_wanted: bool = False
    clear_cause: Cause = Cause.NORMAL
    """Why the leg ends; kept while the line is being cleared."""
    clear_side: Side = "line"
    protocol_errors: int = 0

    # ---- what is shown -----------------------------------------------------------------------------------------------

    @property
    def blocked_far(self) -> bool:
        """The far end shows no idle line although there is no call: blocked, at fault, or left over from a call."""
        return self.state is R2State.IDLE and self.heard_bits != self.ab(self.plan.bits.idle)

    def display_state(self) -> str:
        if self.state is R2State.IDLE:
            resting = self.resting_state()
            return "blocked" if resting == "idle" and self.blocked_far else resting
        return DISPLAYED.get(self.state, "releasing")

    def leg_state(self) -> str:
        return LEG_STATES.get(self.state, "releasing")

    # ---- events ------------------------------------------------------------------------------------------------------

    def handle(self, event: R2Event, now: Stamp) -> list[Effect]:
        """Line bits from the board, register tones from the detector, calls to place from the callserver."""
        match event:
            case Bits():
                return self.hear_bits(event.abcd & AB, now)
            case HeardTone():
                return self.hear_tone(event, now)
            case PlaceCall():
                return self._place(event, now)

    def begin(self, now: Stamp) -> list[Effect]:
        """The board works: show the far end how the line is."""
        self.forget_bits()
        return self._show_idle(now)

    def answer(self, now: Stamp) -> list[Effect]:
        match self.state:
            case R2State.OFFERED:
                self.answer_wanted = True
                return self._accept(now)
            case R2State.ACCEPTING:
                self.answer_wanted = True
                return []
            case R2State.ALERTING:
                self.answer_wanted = True
                return [] if "answer_guard" in self.timers else self._answer_now(now)
            case _:
                return []

    def alert(self, now: Stamp) -> list[Effect]:
        return self._accept(now) if self.state is R2State.OFFERED else []

    def clear(self, cause: Cause, now: Stamp) -> list[Effect]:
        match self.state:
            case R2State.OFFERED:
                self._give_up(cause, "box")
                assert isinstance(self.register, IncomingRegister)
                # KB sounds; the far end clears forward when it has heard it.
                self._set_state(R2State.HANGING_UP, keep_register=True)
                self.start_timer("clear_back", self.plan.microseconds("clear_back"), now)
                return self.take_steps(self.register.offer_answer(self.plan.refusal(cause), self.plan), now)
            case R2State.ACCEPTING | R2State.ALERTING | R2State.UP if not self.outgoing:
                return self._hang_up(cause, now)
            case R2State.SEIZING | R2State.DIALLING | R2State.RINGING | R2State.UP:
                return self._clear_forward(cause, "box", now)
            case _:
                return []

    def block(self, blocked: bool, now: Stamp) -> list[Effect]:
        """The far end is shown it by the line bits, as soon as the channel is idle."""
        if blocked == self.blocked:
            return []
        self.blocked = blocked
        return self._show_idle(now) if self.state is R2State.IDLE and self.in_service else []

    def watch_unattended(self, now: Stamp) -> None:
        """The callserver has gone: a call that it had not alerted yet is the gateway's to keep alive."""
        if self.state is R2State.OFFERED:
            self.start_timer("unattended", UNATTENDED_US, now)

    def alarm(self, raised: bool, now: Stamp) -> list[Effect]:
        """As for every line. Bits are not believed during an alarm; those of after it count when it goes."""
        was_alarmed = self.alarmed
        effects = Line.alarm(self, raised, now)
        if raised:
            self.stop_timer("recognition")
        elif was_alarmed and self.unsure_bits >= 0:
            effects += self.hear_bits(self.unsure_bits, now)
        return effects

    def fail(self, cause: Cause, now: Stamp) -> list[Effect]:
        self.heard_bits = -1
        if not self.in_service:
            self.unsure_bits = -1  # a board that comes back tells the bits
            self.stop_timer("recognition")
        effects: list[Effect] = []
        if self.state is not R2State.IDLE:
            self._give_up(cause, "line")
            effects = self._to_idle(now)
        if not self.in_service:
            self.forget_bits()
            effects = [effect for effect in effects if not isinstance(effect, Send)]
        return effects

    def fire(self, timer: str, now: Stamp) -> list[Effect]:
        match timer:
            case "recognition":
                return self.recognised(now)
            case "shortest_signal":
                return self.next_bits(now)
            case "register" if self.register is not None:
                return self.take_steps(self.register.expire(self.plan), now)
            case "unattended":
                return [Unattended()]
            case "answer_guard":
                return self._answer_now(now) if self.answer_wanted else []
            case "seize":
                return self._clear_forward(Cause.FAILURE, "line", now)
            case "answer":
                return self._clear_forward(Cause.NO_ANSWER, "box", now)
            case "clear_back":
                # The caller's exchange holds the line; that is no reason to hold the leg.
                return self._end_leg(now)
            case "release":
                return self._to_idle(now)
            case "settle":
                return self._to_idle(now) if self.far_is(self.plan.bits.idle) else self._await_release(now)
            case "release_guard":
                return self._to_idle(now)
            case _:
                return []

    # ---- line bits ---------------------------------------------------------------------------------------------------

    def _show_idle(self, now: Stamp) -> list[Effect]:
        # Idle first even if the channel is blocked: it is the release guard that ends a call for the far end.
        effects = self.send_bits(self.plan.bits.idle, now)
        return [*effects, *self.send_bits(self.plan.bits.blocking, now)] if self.blocked else effects

    def recognised(self, now: Stamp) -> list[Effect]:
        before, self.heard_bits = self.heard_bits, self.unsure_bits
        bits = self.plan.bits
        if self.state is R2State.IDLE:
            if before == self.ab(bits.idle) and self.far_is(bits.seize):
                return self._seized(now)
            return []
        if self.state in INCOMING or (self.state is R2State.UP and not self.outgoing):
            return self._forward_bits(now)
        return self._backward_bits(now)

    def _forward_bits(self, now: Stamp) -> list[Effect]:
        """The caller's side changed its bits during a call that came in."""
        if self.far_is(self.plan.bits.clear_forward):
            self._give_up(Cause.NORMAL, "line")
            self._set_state(R2State.GIVING_BACK)
            self.start_timer("release", self.plan.microseconds("release"), now)
            return [*self.quiet(), *self.send_bits(self.plan.bits.clear_back, now)]
        if self.far_is(self.plan.bits.seize) and self.state is not R2State.GIVING_BACK:
            return []
        self.protocol_errors += 1
        if self.state is R2State.GIVING_BACK:
            return []
        # A fault at the caller's side (b = 1): the call is over, the line waits until it is idle.
        self._give_up(Cause.FAILURE, "line")
        self._set_state(R2State.HANGING_UP)
        return [*self.quiet(), *self.send_bits(self.plan.bits.clear_back, now), *self._end_leg(now)]

    def _backward_bits(self, now: Stamp) -> list[Effect]:
        """The called side changed its bits during a call that we place."""
        bits = self.plan.bits
        if self.state is R2State.CLEARING_FORWARD:
            if self.far_is(bits.idle) and "settle" not in self.timers:
                return self._to_idle(now)
            return []
        match self.state:
            case R2State.SEIZING if self.far_is(bits.seize_acknowledge):
                return self._acknowledged(now)
            case R2State.SEIZING if self.far_is(bits.seize):
                # Both ends seized: both give up, neither side's call goes on (Q.422).
                return self._clear_forward(Cause.CONGESTION, "line", now)
            case R2State.DIALLING | R2State.RINGING if self.far_is(bits.answer):
                effects = self.quiet()
                self._set_state(R2State.UP)
                return [*effects, Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]
            case R2State.UP if self.far_is(bits.clear_back) or self.far_is(bits.idle):
                return self._clear_forward(Cause.NORMAL, "line", now)
            case _:
                self.protocol_errors += 1
                return self._clear_forward(Cause.FAILURE, "line", now)

    # ---- calls that come in ------------------------------------------------------------------------------------------

    def _seized(self, now: Stamp) -> list[Effect]:
        self._set_state(R2State.SEIZED)
        self.outgoing = False
        # Blocking and acknowledging are the same bits: a seizure that met them believes that it is acknowledged.
        self.register = IncomingRegister(refusing=self.blocked)
        self.listening = True
        return [
            *self.send_bits(self.plan.bits.seize_acknowledge, now),
            RegisterListen("forward"),
            *self.take_steps(self.register.start(self.plan), now),
        ]

    def offered(self, register: IncomingRegister, now: Stamp) -> list[Effect]:
        leg = self.new_leg()
        self._set_state(R2State.OFFERED, keep_register=True)
        self.calling, self.called = register.calling, register.called
        self.start_timer("unattended", UNATTENDED_US, now)
        self.start_timer("register", self.plan.microseconds("backward_tone"), now)
        event = IncomingCall(
            number=0,
            leg=leg,
            sample=0,
            at=now,
            channel=self.channel,
            called=self.called,
            calling=self.calling,
            presentation=register.presentation,
        )
        return [Report(event)]

    def _accept(self, now: Stamp) -> list[Effect]:
        assert isinstance(self.register, IncomingRegister)
        self._set_state(R2State.ACCEPTING, keep_register=True)
        return self.take_steps(self.register.offer_answer(self.plan.group_b.idle[0], self.plan), now)

    def _answer_now(self, now: Stamp) -> list[Effect]:
        self._set_state(R2State.UP)
        return [
            *self.send_bits(self.plan.bits.answer, now),
            Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now)),
        ]

    def _hang_up(self, cause: Cause, now: Stamp) -> list[Effect]:
        """The box gives up a call that came in: clear-back if it was answered, and busy tone until the caller goes."""
        self._give_up(cause, "box")
        effects = self.quiet()
        self._set_state(R2State.HANGING_UP)
        self.start_timer("clear_back", self.plan.microseconds("clear_back"), now)
        released = Report(LegReleasing(number=0, leg=self.leg, sample=0, at=now))
        return [*effects, *self.send_bits(self.plan.bits.clear_back, now), released, BusyTone()]

    # ---- calls that are placed ---------------------------------------------------------------------------------------

    def _place(self, command: PlaceCall, now: Stamp) -> list[Effect]:
        called, calling = command.called, command.calling
        if self.state is not R2State.IDLE:
            return [self._refused(command, Cause.BUSY, now)]
        if not self.in_service or self.alarmed or self.blocked or self.blocked_far or "recognition" in self.timers:
            return [self._refused(command, Cause.FAILURE, now)]
        if not called or not (called + calling).isascii() or not (called + (calling or "0")).isdigit():
            return [self._refused(command, Cause.UNALLOCATED, now)]
        leg = self.new_leg()
        self._set_state(R2State.SEIZING)
        self.outgoing = True
        self.called, self.calling, self.request = called, calling, command.request
        restricted = command.presentation == "restricted"
        self.register = OutgoingRegister(called=called, calling=calling, restricted=restricted)
        self.start_timer("seize", self.plan.microseconds("seize"), now)
        placed = CallPlaced(number=0, leg=leg, sample=0, at=now, channel=self.channel, request=command.request)
        return [Report(placed), *self.send_bits(self.plan.bits.seize, now)]

    def _refused(self, command: PlaceCall, cause: Cause, now: Stamp) -> Effect:
        return Report(RingFailed(number=0, leg="", sample=0, at=now, request=command.request, cause=cause))

    def _acknowledged(self, now: Stamp) -> list[Effect]:
        assert isinstance(self.register, OutgoingRegister)
        self._set_state(R2State.DIALLING, keep_register=True)
        self.listening = True
        return [RegisterListen("backward"), *self.take_steps(self.register.start(self.plan), now)]

    def _clear_forward(self, cause: Cause, side: Side, now: Stamp) -> list[Effect]:
        self._give_up(cause, side)
        effects = self.quiet()
        unacknowledged = self.far_is(self.plan.bits.idle)
        self._set_state(R2State.CLEARING_FORWARD)
        effects += self.send_bits(self.plan.bits.clear_forward, now)
        if unacknowledged or self.far_is(self.plan.bits.seize):
            # It may still acknowledge what we have just taken back.
            self.start_timer("settle", self.plan.microseconds("settle"), now)
            return effects
        return [*effects, *self._await_release(now)]

    def _await_release(self, now: Stamp) -> list[Effect]:
        self.start_timer("release_guard", self.plan.microseconds("release_guard"), now)
        return []

    # ---- registers ---------------------------------------------------------------------------------------------------

    def registers_finished(self, cause: Cause | None, now: Stamp) -> list[Effect]:
        effects = self.quiet()
        match self.state:
            case R2State.DIALLING if cause is not None:
                return [*effects, *self._clear_forward(cause, "line", now)]
            case R2State.DIALLING:
                self._set_state(R2State.RINGING)
                self.start_timer("answer", self.plan.microseconds("answer"), now)
                alerting = LegAlerting(
                    number=0, leg=self.leg, sample=0, at=now, channel=self.channel, request=self.request
                )
                return [*effects, Report(alerting)]
            case R2State.ACCEPTING if cause is None:
                self._set_state(R2State.ALERTING)
                self.start_timer("answer_guard", self.plan.microseconds("answer_guard"), now)
                return effects if self.answer_wanted else [*effects, RingbackTone()]
            case R2State.HANGING_UP:
                return effects  # KB said no; the far end clears forward
            case _:
                # No call came of it. The far end hears busy tone, until it clears forward.
                self._give_up(cause or Cause.FAILURE, "line")
                self._set_state(R2State.HANGING_UP)
                return [*effects, *self._end_leg(now), BusyTone()]

    # ---- ends --------------------------------------------------------------------------------------------------------

    def _set_state(self, state: R2State, *, keep_register: bool = False) -> None:
        self.state = state
        self.stop_timer("unattended", "answer_guard", "answer", "seize")
        self.stop_timer("clear_back", "release", "settle", "release_guard")
        if not keep_register:
            self.stop_timer("register")
        if state is R2State.IDLE:
            self.calling = self.called = self.request = ""
            self.answer_wanted = self.outgoing = False
            self.clear_cause, self.clear_side = Cause.NORMAL, "line"

    def _give_up(self, cause: Cause, side: Side) -> None:
        """Keep why the leg ends; the first reason counts."""
        if self.state not in (R2State.HANGING_UP, R2State.GIVING_BACK, R2State.CLEARING_FORWARD):
            self.clear_cause, self.clear_side = cause, side

    def _end_leg(self, now: Stamp) -> list[Effect]:
        leg, self.leg = self.leg, ""
        if not leg:
            return []
        event = LegCleared(
            number=0, leg=leg, sample=0, at=now, channel=self.channel, cause=self.clear_cause, by=self.clear_side
        )
        return [Report(event)]

    def _to_idle(self, now: Stamp) -> list[Effect]:
        effects = [*self.quiet(), *self._end_leg(now)]
        self._set_state(R2State.IDLE)
        return [*effects, StopSound(), *self._show_idle(now)]
