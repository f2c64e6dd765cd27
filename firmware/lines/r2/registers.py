"""The MFC register machines of R2: numbers and categories sent tone by tone, each tone compelled by its answer.

A cycle: the outgoing side's forward tone lasts until it hears the backward tone, which lasts until the forward tone is
gone; the next forward tone follows when the backward tone is gone. One machine for each direction of a call; both are
told of tones and of their one timer and return steps. Not here: line bits, legs, audio.

China's order: digits, each answered A1; the last A6; KA, A1, calling number, each A1, F(15), A3; KD, KB.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

from boards.signals import Cause
from firmware.lines.r2.plan import R2Plan

DIGIT_SIGNALS = "1234567890"
"""Digit `DIGIT_SIGNALS[n - 1]` is sent as forward signal n."""

LONGEST_NUMBER = 24
"""Digits. A far end that never stops is not listened to for ever."""


@dataclass(frozen=True, slots=True)
class Tone:
    """Step: send this signal from now on; 0 is silence."""

    signal: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Step: the register's one timer runs anew, this long (a name of the plan); an empty name stops it."""

    timer: str


@dataclass(frozen=True, slots=True)
class Offered:
    """Step, incoming: all numbers are known and the far end waits for the called subscriber's state."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Step: the registers have done their work. Outgoing: `cause` is None if the called side is free and rings.
    Incoming: the answer that `offer_answer` was given has been heard."""

    cause: Cause | None = None


Step = Tone | Wait | Offered | Finished


class OutgoingPhase(StrEnum):
    """What the forward tone that is being sent, or was last, means; group B answers only a KD."""

    CALLED = "called"
    CATEGORY = "category"
    CALLING = "calling"
    KIND = "kind"
    DONE = "done"


class OutgoingRegister(msgspec.Struct, tag="outgoing", kw_only=True):
    """The caller's side. Starts to send at once."""

    called: str
    calling: str = ""
    restricted: bool = False
    phase: OutgoingPhase = OutgoingPhase.CALLED
    called_sent: int = 0
    calling_sent: int = 0
    calling_complete: bool = False
    sending: int = 0
    heard: int = 0
    """Backward signal that sounds, or 0."""

    def start(self, plan: R2Plan) -> list[Step]:
        """The first digit."""
        return self._next_called(plan)

    def tone(self, signal: int, on: bool, plan: R2Plan) -> list[Step]:
        """A backward tone came or went."""
        if self.phase is OutgoingPhase.DONE:
            return []
        if on:
            self.heard = signal
            self.sending = 0
            return [Tone(0), Wait("forward_tone")]
        if signal != self.heard:
            return []
        self.heard = 0
        if self.phase is OutgoingPhase.KIND:
            return self._group_b(signal, plan)
        return self._group_a(signal, plan)

    def expire(self, plan: R2Plan) -> list[Step]:
        """The timer ran out: no answer, an answer without end, or the far end wanted more digits than there are."""
        return self._finish(Cause.FAILURE)

    def _send(self, signal: int) -> list[Step]:
        self.sending = signal
        return [Tone(signal), Wait("forward_tone")]

    def _finish(self, cause: Cause | None) -> list[Step]:
        self.phase = OutgoingPhase.DONE
        self.sending = 0
        return [Tone(0), Wait(""), Finished(cause)]

    def _next_called(self, plan: R2Plan) -> list[Step]:
        self.phase = OutgoingPhase.CALLED
        if self.called_sent >= len(self.called):
            return [Wait("forward_silence")]  # the far end will know by its own timer and send a pulse
        digit = self.called[self.called_sent]
        self.called_sent += 1
        return self._send(DIGIT_SIGNALS.index(digit) + 1)

    def _next_calling(self, plan: R2Plan) -> list[Step]:
        self.phase = OutgoingPhase.CALLING
        if self.restricted:
            self.calling_complete = True
            return self._send(plan.forward.calling_restricted)
        if self.calling_sent >= len(self.calling):
            self.calling_complete = True
            return self._send(plan.forward.end_of_calling)
        digit = self.calling[self.calling_sent]
        self.calling_sent += 1
        return self._send(DIGIT_SIGNALS.index(digit) + 1)

    def _group_a(self, signal: int, plan: R2Plan) -> list[Step]:
        group = plan.group_a
        if signal == group.next:
            if self.phase is OutgoingPhase.CALLED or self.calling_complete:
                return self._next_called(plan)
            return self._next_calling(plan)
        if signal == group.from_first:
            self.called_sent = 0
            return self._next_called(plan)
        if signal == group.calling_category:
            self.phase = OutgoingPhase.CATEGORY
            self.calling_sent, self.calling_complete = 0, False
            return self._send(plan.forward.calling_category)
        if signal == group.to_group_b:
            self.phase = OutgoingPhase.KIND
            return self._send(plan.forward.call_kind)
        if signal == group.congestion:
            return self._finish(plan.causes.congestion)
        if signal == group.vacant:
            return self._finish(plan.causes.vacant)
        return self._finish(Cause.FAILURE)

    def _group_b(self, signal: int, plan: R2Plan) -> list[Step]:
        group, causes = plan.group_b, plan.causes
        if signal in group.idle:
            return self._finish(None)
        meanings = {
            group.busy_local: causes.busy_local,
            group.busy_toll: causes.busy_toll,
            group.congestion: causes.congestion,
            group.vacant: causes.vacant,
        }
        return self._finish(meanings.get(signal, causes.other))


class IncomingPhase(StrEnum):
    """What the next forward tone will mean."""

    CALLED = "called"
    CATEGORY = "category"
    CALLING = "calling"
    KIND = "kind"
    OFFERED = "offered"
    """The far end's KD sounds, or has ended too soon; the box has still to say how the called subscriber is."""
    ANSWERED = "answered"
    """KB is being sent."""
    DONE = "done"


NUMBERS = frozenset((IncomingPhase.CALLED, IncomingPhase.CATEGORY, IncomingPhase.CALLING))


class IncomingRegister(msgspec.Struct, tag="incoming", kw_only=True):
    """The called side. `refusing`: takes no call, answers the first tone with congestion."""

    refusing: bool = False
    phase: IncomingPhase = IncomingPhase.CALLED
    called: str = ""
    calling: str = ""
    presentation: Literal["allowed", "restricted", "unavailable"] = "unavailable"
    category: int = 0
    """KA as received."""
    kind: int = 0
    """KD as received."""
    heard: int = 0
    """Forward signal that sounds, or 0."""
    sending: int = 0
    pulse: int = 0
    """Signal that will be sent as a pulse when the gap is over."""
    refused: Cause | None = None
    """Why the registers ended the call by themselves."""

    def start(self, plan: R2Plan) -> list[Step]:
        """Wait for the first digit."""
        return [Wait("first_digit")]

    def tone(self, signal: int, on: bool, plan: R2Plan) -> list[Step]:
        """A forward tone came or went."""
        if self.phase is IncomingPhase.DONE:
            return []
        if on:
            early = [Tone(0)] if self.sending and not self.heard else []  # the far end does not wait for our pulse
            self.heard, self.pulse, self.sending = signal, 0, 0 if early else self.sending
            if self.phase in (IncomingPhase.OFFERED, IncomingPhase.ANSWERED):
                return [*early]
            return [*early, *self._answer_tone(signal, plan)]
        if signal != self.heard:
            return []
        self.heard = 0
        if not self.sending:
            return []  # ended before it was answered: only while the call is on offer
        self.sending = 0
        if self.phase is IncomingPhase.ANSWERED:
            self.phase = IncomingPhase.DONE
            return [Tone(0), Wait(""), Finished(self.refused)]
        return [Tone(0), Wait("next_digit" if self.phase in NUMBERS else "first_digit")]

    def offer_answer(self, signal: int, plan: R2Plan) -> list[Step]:
        """Tell how the called subscriber is, by a signal of group B. Only while the call is on offer."""
        if self.phase is not IncomingPhase.OFFERED:
            return []
        self.phase = IncomingPhase.ANSWERED
        if not self.heard:  # the far end gave up KD: nothing can be compelled any more
            self.phase = IncomingPhase.DONE
            return [Wait(""), Finished(Cause.FAILURE)]
        return self._send(signal)

    def expire(self, plan: R2Plan) -> list[Step]:
        """The timer ran out: no more digits, or a tone without end."""
        if self.pulse:
            self.sending, self.pulse = self.pulse, 0
            if self.sending == plan.group_a.to_group_b:
                self.phase = IncomingPhase.KIND
            else:
                self.phase, self.refused = IncomingPhase.DONE, Cause.FAILURE
            return [Tone(self.sending), Wait("pulse")]
        if self.sending and not self.heard:  # the pulse is over
            self.sending = 0
            if self.phase is IncomingPhase.DONE:
                return [Tone(0), Wait(""), Finished(self.refused)]
            return [Tone(0), Wait("first_digit")]
        if self.called and self.phase in NUMBERS and not self.heard:
            # No more digits of the called number, or a far end (openr2) that has no calling number to send.
            return self._pulse(plan.group_a.to_group_b)
        if self.heard or self.phase in (IncomingPhase.OFFERED, IncomingPhase.ANSWERED):
            self.phase, self.refused = IncomingPhase.DONE, Cause.FAILURE
            self.sending = 0
            return [Tone(0), Wait(""), Finished(Cause.FAILURE)]
        return self._pulse(plan.group_a.congestion)

    def _pulse(self, signal: int) -> list[Step]:
        self.pulse = signal
        return [Wait("pulse_gap")]

    def _send(self, signal: int) -> list[Step]:
        self.sending = signal
        return [Tone(signal), Wait("backward_tone")]

    def _refuse(self, signal: int, cause: Cause) -> list[Step]:
        self.phase, self.refused = IncomingPhase.ANSWERED, cause
        return self._send(signal)

    def _answer_tone(self, signal: int, plan: R2Plan) -> list[Step]:
        group, forward = plan.group_a, plan.forward
        if self.refusing:
            return self._refuse(group.congestion, Cause.CONGESTION)
        match self.phase:
            case IncomingPhase.CALLED:
                if signal > len(DIGIT_SIGNALS):
                    return self._refuse(group.congestion, Cause.FAILURE)
                self.called += DIGIT_SIGNALS[signal - 1]
                if not plan.called.is_complete(self.called) and len(self.called) < LONGEST_NUMBER:
                    return self._send(group.next)
                self.phase = IncomingPhase.CATEGORY
                return self._send(group.calling_category)
            case IncomingPhase.CATEGORY:
                self.category = signal
                self.phase = IncomingPhase.CALLING
                return self._send(group.next)
            case IncomingPhase.CALLING:
                if signal <= len(DIGIT_SIGNALS) and len(self.calling) < LONGEST_NUMBER:
                    self.calling += DIGIT_SIGNALS[signal - 1]
                    self.presentation = "allowed"
                    return self._send(group.next)
                if signal == forward.calling_restricted:
                    self.presentation = "restricted"
                self.phase = IncomingPhase.KIND
                return self._send(group.to_group_b)
            case _:
                self.kind = signal
                self.phase = IncomingPhase.OFFERED
                # The far end gives up after its own T1; then the line tells.
                return [Wait(""), Offered()]


Register = OutgoingRegister | IncomingRegister
