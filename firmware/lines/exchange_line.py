"""The machine of an analogue trunk (FXO): a line of the public exchange, on which the box is the telephone.

Incoming: it rings, says between the first and the second ring who calls (or before it, by digits), and is answered by
closing the loop. Outgoing: the loop is closed, dial tone awaited, the number dialled. Such a line says so little that
much must be concluded: that the caller gave up, from rings that do not come; that the far end hung up, from polarity,
loop drop, busy tone, dial tone or a long silence, whatever comes first. Not here: what is heard (exchange_ear.py).
"""

from __future__ import annotations

from boards.signals import Cause, DialPulses, Loop, LoopCurrent, Polarity, RingDetected
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.core.line_schemas import ExchangeLineSettings
from firmware.lines.exchange_states import (
    IN_CALL,
    LISTENS,
    LOOP_COUNTS,
    RINGS,
    WE_CALL,
    WHY_NOT_LEARNT,
    ExchangeLineState,
    HeardCaller,
    HeardLesson,
    HeardProgress,
    learn_failed,
)
from firmware.lines.exchange_timers import (
    AFTER_DIALLING_US,
    DIGIT_MS,
    DIGITS_HOLD_US,
    ENOUGH_CYCLES,
    GUARD_US,
    LONGEST_RING_US,
    NOT_BUSY_US,
    RINGBACK_OVER_US,
    RINGS_OVER_US,
    SETTLE_US,
    TONE_AGO_US,
    TONE_HELD_US,
)
from firmware.lines.line import DialTones, Effect, Line, ListenTo, Report, Send, Side
from firmware.lines.line_commands import LearnTone, PlaceCall
from firmware.lines.messages import (
    CallPlaced,
    IncomingCall,
    LearnFailed,
    LegAlerting,
    LegAnswered,
    LegCleared,
    RingFailed,
    ToneLearnt,
)
from firmware.tones.cadence import LearnedTone
from firmware.tones.caller_id import CallerId, read_dtmf


class ExchangeLine(Line, kw_only=True):
    """One analogue trunk."""

    state: ExchangeLineState = ExchangeLineState.IDLE
    settings: ExchangeLineSettings = ExchangeLineSettings()
    calling: str = ""
    called: str = ""
    request: str = ""
    caller: CallerId | None = None
    digits: str = ""
    """What was dialled to us before the call is reported."""
    digits_at_us: int = 0
    reversed: bool = False
    closed_at_us: int = 0
    answer_assumed: bool = False
    """A call that we placed is up because it met no busy tone; the line itself has not told an answer."""
    ring_on: bool = False
    tone_at_us: int = 0
    """When a tone was heard last of which it is not known yet what it means."""
    rings: bool = False
    """The far phone of a call that we placed rings, or has rung."""
    learning: str = ""
    """Request by which this line's busy tone is learnt; empty: none."""
    learnt: LearnedTone | None = None

    def display_state(self) -> str:
        match self.state:
            case ExchangeLineState.IDLE if not self.learning:
                return self.resting_state()
            case ExchangeLineState.REFUSED if self.blocked:
                return self.resting_state()
            case _ if self.state in RINGS or self.state is ExchangeLineState.CAUGHT:
                return "ringing"
            case ExchangeLineState.CALLING if self.rings:
                return "ringing"
            case ExchangeLineState.GUARD:
                return "releasing"
            case ExchangeLineState.UP:
                return "up"
            case _:
                return "seized"

    def leg_state(self) -> str:
        if self.state is ExchangeLineState.CAUGHT:
            return "incoming"
        return self.state.value if self.state not in WE_CALL else "dialling"

    @property
    def talking(self) -> bool:
        """Digits that are heard now are the party's, and no caller ID."""
        return self.state is ExchangeLineState.UP

    def _set_state(self, state: ExchangeLineState) -> list[Effect]:
        """The effects are what the line listens to in the new state."""
        before, self.state = self.state, state
        self.stop_timer("loop_drop", "guard", "dial_tone", "dialled", "not_busy")
        listened, listens = LISTENS.get(before), LISTENS.get(state)
        if state in (ExchangeLineState.IDLE, ExchangeLineState.GUARD):
            self.stop_timer("rings_over")
            self.leg = self.calling = self.called = self.request = self.digits = ""
            self.caller = None
            self.answer_assumed = self.rings = False
        return [] if listened == listens else [ListenTo(listens)]

    def configure(self, settings: ExchangeLineSettings) -> list[Effect]:
        """From now on these settings hold, also for what is listened for in a call that is up."""
        changed, self.settings = settings != self.settings, settings
        listens = LISTENS.get(self.state)
        return [ListenTo(listens)] if changed and listens in ("answer", "end") else []

    # ---- from the line -----------------------------------------------------------------------------------------------

    def handle(self, signal: RingDetected | LoopCurrent | Polarity | PlaceCall, now: Stamp) -> list[Effect]:
        """Something happened on the wires, or a number shall be called."""
        match signal:
            case PlaceCall():
                return self._place(signal, now)
            case RingDetected():
                return self._ring(signal.on, now)
            case LoopCurrent():
                return self._loop_current(signal.flows, now)
            case Polarity():
                return self._polarity(signal.reversed, now)

    def _ring(self, on: bool, now: Stamp) -> list[Effect]:
        self.ring_on = on
        if not self.in_service or self.alarmed:
            return []
        effects: list[Effect] = []
        if on and self.state is ExchangeLineState.SEIZED and not self.learning:
            # Our call is to find another trunk: dialling now would go into the caller's ear.
            return [*self._cleared(Cause.CONGESTION, "line", now), *self._report(now, ExchangeLineState.CAUGHT)]
        if on and self.learning and self.state is ExchangeLineState.IDLE:
            self.closed_at_us = now.mono_us
            return [Send(Loop(self.channel, True)), *self._set_state(ExchangeLineState.LEARNING)]
        if on and self.state in (ExchangeLineState.IDLE, ExchangeLineState.GUARD):
            effects = self._first_ring(now)
        elif on and self.state is ExchangeLineState.RINGING:
            effects = self._report(now)
        if self.state in RINGS:
            self.start_timer("rings_over", LONGEST_RING_US if on else RINGS_OVER_US, now)
        return effects

    def _first_ring(self, now: Stamp) -> list[Effect]:
        # What was dialled to us just before this ring says who calls.
        digits = self.digits if now.mono_us - self.digits_at_us <= DIGITS_HOLD_US else ""
        effects = self._set_state(ExchangeLineState.RINGING)
        self.digits = digits
        if self.blocked:
            return [*effects, *self._set_state(ExchangeLineState.REFUSED)]
        self.caller = read_dtmf(digits)
        if self.caller is not None or self.settings.caller_id == "none":
            return [*effects, *self._report(now)]
        return effects

    def _report(self, now: Stamp, state: ExchangeLineState = ExchangeLineState.INCOMING) -> list[Effect]:
        caller = self.caller or CallerId(presentation="unavailable")
        leg, self.request = self.new_leg(), ""
        effects = self._set_state(state)
        self.calling, self.called = caller.number, self.settings.number
        event = IncomingCall(
            number=0,
            leg=leg,
            sample=0,
            at=now,
            channel=self.channel,
            called=self.called,
            calling=caller.number,
            calling_name=caller.name,
            presentation=caller.presentation,
        )
        return [*effects, Report(event)]

    def heard(self, heard: HeardCaller | HeardLesson | HeardProgress, now: Stamp) -> list[Effect]:
        """Something was heard on the line."""
        if isinstance(heard, HeardCaller) and self.state is ExchangeLineState.RINGING:
            if self.settings.caller_id == "dtmf":
                return []
            self.caller = heard.caller
            return self._report(now)
        if isinstance(heard, HeardLesson) and self.state is ExchangeLineState.LEARNING:
            self.learnt = heard.tone
            return self._learnt("", now) if heard.tone.cycles >= ENOUGH_CYCLES else []
        if not isinstance(heard, HeardProgress):
            return []
        match self.state, heard.what:
            case ExchangeLineState.SEIZED, "dial_tone":
                return self._dial(now)
            case ExchangeLineState.SEIZED, ("busy_tone" | "vacant_tone"):  # nothing is dialled yet: it means the line
                return self._give_up(Cause.CONGESTION, "line", now)
            case ExchangeLineState.CALLING, "ringback":
                return self._far_rings(now)
            case ExchangeLineState.CALLING, "speech" if "not_busy" in self.timers:
                return self._answer_assumed(now)
            case _, "some_tone":
                self.tone_at_us = now.mono_us
                return []
            case _, ("ringback" | "speech"):
                return []
            case ExchangeLineState.CALLING, "congestion_tone":
                return self._give_up(Cause.CONGESTION, "line", now)
            case ExchangeLineState.CALLING, "busy_tone":  # after ringing: the exchange has let it ring for long enough
                return self._give_up(Cause.NO_ANSWER if self.rings else Cause.BUSY, "line", now)
            case state, "vacant_tone" if state is ExchangeLineState.CALLING or self.answer_assumed:
                return self._give_up(Cause.UNALLOCATED, "line", now)
            case ((ExchangeLineState.CALLING | ExchangeLineState.UP | ExchangeLineState.CAUGHT), _):
                return self._give_up(Cause.NORMAL, "line", now)
            case _:
                return []

    def digit(self, digit: str, now: Stamp) -> list[Effect]:
        """A digit was heard that is not the party's: perhaps a part of who calls."""
        if self.state not in (ExchangeLineState.IDLE, ExchangeLineState.RINGING):
            return []
        if self.settings.caller_id in ("fsk", "none"):
            return []
        if now.mono_us - self.digits_at_us > DIGITS_HOLD_US:
            self.digits = ""
        self.digits = (self.digits + digit)[-40:]
        self.digits_at_us = now.mono_us
        self.caller = read_dtmf(self.digits)
        if self.caller is None or self.state is ExchangeLineState.IDLE:
            return []
        return self._report(now)

    def _loop_current(self, flows: bool, now: Stamp) -> list[Effect]:
        if flows:
            self.stop_timer("loop_drop")
        elif self.state in LOOP_COUNTS and self.settings.loop_drop_ms:
            settles_us = self.closed_at_us + SETTLE_US - now.mono_us
            self.start_timer("loop_drop", max(self.settings.loop_drop_ms * 1000, settles_us), now)
        return []

    def _polarity(self, turned: bool, now: Stamp) -> list[Effect]:
        changed, self.reversed = turned != self.reversed, turned
        settled = now.mono_us - self.closed_at_us > SETTLE_US
        if changed and self.state is ExchangeLineState.CALLING:
            return self._far_answered(now)
        if changed and self.answer_assumed:
            self.answer_assumed = False  # only now has the far end answered
            return []
        if changed and settled and self.state is ExchangeLineState.UP and self.settings.release_on_polarity:
            return self._give_up(Cause.NORMAL, "line", now)
        return []

    # ---- from the callserver -----------------------------------------------------------------------------------------

    def answer(self, now: Stamp) -> list[Effect]:
        if self.state not in (ExchangeLineState.INCOMING, ExchangeLineState.CAUGHT):
            return []
        closes = [Send(Loop(self.channel, True))] if self.state is ExchangeLineState.INCOMING else []
        effects = self._set_state(ExchangeLineState.UP)
        self.stop_timer("rings_over")
        self.closed_at_us = now.mono_us
        return [*closes, *effects, Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]

    def _place(self, command: PlaceCall, now: Stamp) -> list[Effect]:
        """Call a number. The gateway has seen to it that a request which comes twice arrives here once."""
        cause = Cause.FAILURE if not self.in_service or self.alarmed or self.blocked else Cause.BUSY
        if cause is Cause.FAILURE or self.state is not ExchangeLineState.IDLE or self.learning:
            return [Report(RingFailed(number=0, leg="", sample=0, at=now, request=command.request, cause=cause))]
        leg = self.new_leg()
        effects = self._set_state(ExchangeLineState.SEIZED)
        self.request, self.called, self.calling = command.request, command.called, self.settings.number
        self.closed_at_us = now.mono_us
        self.start_timer("dial_tone", round(self.settings.dial_tone_seconds * MICROSECONDS), now)
        placed = CallPlaced(number=0, leg=leg, sample=0, at=now, channel=self.channel, request=command.request)
        return [Send(Loop(self.channel, True)), *effects, Report(placed)]

    def learn(self, command: LearnTone, now: Stamp) -> list[Effect]:
        """Learn the line's busy tone: from the next call that comes, or by calling a number."""
        reason = "out_of_service" if not self.in_service or self.alarmed or self.blocked else "busy"
        if reason == "out_of_service" or self.state is not ExchangeLineState.IDLE or self.learning:
            return [Report(learn_failed(command, reason, now))]
        self.learning, self.learnt = command.request, None
        self.start_timer("learning", round(command.seconds * MICROSECONDS), now)
        if not command.called:
            return []
        effects = self._set_state(ExchangeLineState.SEIZED)
        self.called, self.closed_at_us = command.called, now.mono_us
        self.start_timer("dial_tone", round(self.settings.dial_tone_seconds * MICROSECONDS), now)
        return [Send(Loop(self.channel, True)), *effects]

    def _learnt(self, reason: str, now: Stamp) -> list[Effect]:
        """The lesson is over: what was measured, or why nothing was."""
        request, self.learning = self.learning, ""
        self.stop_timer("learning")
        event: ToneLearnt | LearnFailed = LearnFailed(
            number=0, leg="", sample=0, at=now, channel=self.channel, request=request, reason=reason
        )
        if self.learnt is not None:
            event = ToneLearnt(
                number=0, leg="", sample=0, at=now, channel=self.channel, request=request, tone=self.learnt
            )
        if self.state is ExchangeLineState.IDLE:
            return [Report(event)]
        return [*self._open_loop(now), Report(event)]

    def _dial(self, now: Stamp) -> list[Effect]:
        effects = self._set_state(ExchangeLineState.DIALLING)
        digits = "".join(digit for digit in self.called if digit in "0123456789*#")
        if self.settings.dial_by == "pulses":
            # Ten breaks a second, as many as the digit says (0: ten), and 0.8 s between digits.
            digits = digits.replace("*", "").replace("#", "")
            breaks = sum(int(digit) or 10 for digit in digits)
            lasts = breaks * 100_000 + len(digits) * 800_000
            effects.append(Send(DialPulses(self.channel, digits)))
        else:
            lasts = len(digits) * DIGIT_MS * 1000
            effects.append(DialTones(digits))
        self.start_timer("dialled", lasts + AFTER_DIALLING_US, now)
        return effects

    def _far_rings(self, now: Stamp) -> list[Effect]:
        if "not_busy" in self.timers:
            self.start_timer("not_busy", RINGBACK_OVER_US, now)
        if self.rings:
            return []
        self.rings = True
        alerting = LegAlerting(number=0, leg=self.leg, sample=0, at=now, channel=self.channel, request=self.request)
        return [Report(alerting)]

    def _answer_assumed(self, now: Stamp) -> list[Effect]:
        self.answer_assumed = True
        return self._far_answered(now)

    def _far_answered(self, now: Stamp) -> list[Effect]:
        effects = self._set_state(ExchangeLineState.UP)
        self.closed_at_us = now.mono_us
        return [*effects, Report(LegAnswered(number=0, leg=self.leg, sample=0, at=now))]

    def alert(self, now: Stamp) -> list[Effect]:
        """The exchange lets the caller hear ringback by itself."""
        return []

    def clear(self, cause: Cause, now: Stamp) -> list[Effect]:
        match self.state:
            case ExchangeLineState.INCOMING:
                cleared = self._cleared(cause, "box", now)
                effects = self._set_state(ExchangeLineState.REFUSED)
                self.leg = ""
                return [*cleared, *effects]
            case _ if self.state in IN_CALL:
                return self._give_up(cause, "box", now)
            case _:
                return []

    def block(self, blocked: bool, now: Stamp) -> list[Effect]:
        """Who calls a blocked line hears it ring, and nobody answers: an analogue line has no other way to refuse.
        The loop stays open. A closed one would be busy to callers, but it is also a telephone that was left off its
        hook: the exchange ends that after its time with howler tone and a line fault. A call that is reported goes on.
        """
        if blocked == self.blocked:
            return []
        self.blocked = blocked
        return self._set_state(ExchangeLineState.REFUSED) if blocked and self.state is ExchangeLineState.RINGING else []

    # ---- from time and board -----------------------------------------------------------------------------------------

    def fire(self, timer: str, now: Stamp) -> list[Effect]:
        match timer:
            case "loop_drop":
                return self._give_up(Cause.NORMAL, "line", now)
            case "dial_tone" if self.settings.dial_on == "wait":
                return self._dial(now)
            case "dial_tone":
                return self._give_up(Cause.CONGESTION, "line", now)
            case "learning":
                return self._learnt("no_call" if self.state is ExchangeLineState.IDLE else "no_tone", now)
            case "dialled" if self.learning:
                return self._set_state(ExchangeLineState.LEARNING)
            case "dialled" if self.settings.answer_by == "polarity":
                return self._set_state(ExchangeLineState.CALLING)
            case "dialled":
                effects = self._set_state(ExchangeLineState.CALLING)
                self.start_timer("not_busy", NOT_BUSY_US, now)
                return effects
            case "not_busy" if now.mono_us - self.tone_at_us < TONE_AGO_US:
                self.start_timer("not_busy", TONE_HELD_US, now)
                return []
            case "not_busy":
                return self._answer_assumed(now)
            case "rings_over":
                cleared = self._cleared(Cause.NORMAL, "line", now) if self.leg else []
                return [*cleared, *self._set_state(ExchangeLineState.IDLE)]
            case _:
                return self._set_state(ExchangeLineState.IDLE)

    def fail(self, cause: Cause, now: Stamp) -> list[Effect]:
        if self.state in (*IN_CALL, ExchangeLineState.LEARNING) and self.in_service:
            return self._give_up(cause, "line", now)
        cleared = self._cleared(cause, "line", now) if self.leg else []
        if self.learning:
            cleared += self._learnt("line_failed", now)
        if not self.in_service:
            self.ring_on = self.reversed = False
        return [*cleared, *self._set_state(ExchangeLineState.IDLE)]

    def _give_up(self, cause: Cause, by: Side, now: Stamp) -> list[Effect]:
        """End the call, or the lesson."""
        if self.learning:
            return self._learnt(WHY_NOT_LEARNT.get(cause, "no_tone"), now)
        cleared = self._cleared(cause, by, now)
        return [*self._open_loop(now), *cleared]

    def _open_loop(self, now: Stamp) -> list[Effect]:
        """The line may be used again after the guard time."""
        effects = self._set_state(ExchangeLineState.GUARD)
        self.start_timer("guard", GUARD_US, now)
        return [Send(Loop(self.channel, False)), *effects]

    def _cleared(self, cause: Cause, by: Side, now: Stamp) -> list[Effect]:
        event = LegCleared(number=0, leg=self.leg, sample=0, at=now, channel=self.channel, cause=cause, by=by)
        return [Report(event)]
