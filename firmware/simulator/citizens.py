"""A citizen's call from outside: seizes a trunk channel, follows its steps, gives the channel up. Q.931-like signals.

The channel is idle again when both sides have sent Release. A call that the box releases is confirmed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from boards.signals import Alerting, Cause, Connect, Digit, Proceeding, Release, Setup, ToBoard
from firmware.simulator.journal import Journal, Party
from firmware.simulator.scenario import Citizen, Dial, HangUp, SayNothing, Step, Talk, Wait
from firmware.simulator.surroundings import Surroundings, Timer
from firmware.simulator.voices import DIGIT_BLOCKS, DIGIT_MILLISECONDS

CONFIRM_SECONDS = 10.0
"""A Release that the box has not confirmed by then is counted: the channel is stuck."""


class CallerState(Enum):
    WAITING = "waiting"
    """Has not called yet."""
    CALLING = "calling"
    UP = "up"
    CLEARING = "clearing"
    """Has sent Release, the box has not."""
    GONE = "gone"


class Outcome(Enum):
    """How the call ended, as the citizen sees it."""

    NONE = "none"
    """It has not ended."""
    HUNG_UP = "hung_up"
    RELEASED = "released"
    """The box ended it."""
    NO_CHANNEL = "no_channel"
    """All trunk channels were busy, or no box was there."""
    LINE_LOST = "line_lost"
    """The gateway died."""


class Exchange(Surroundings, Protocol):
    """The public exchange between the citizens and the box: gives trunk channels."""

    def seize(self, caller: Caller) -> int | None:
        """An idle trunk channel for the caller, or None."""
        ...

    def caller_gone(self, caller: Caller) -> None:
        """The call is over and its channel idle."""
        ...

    def channel_stuck(self, caller: Caller) -> None:
        """The box did not confirm a Release."""
        ...


class Caller:
    """One citizen while the call lasts."""

    def __init__(self, plan: Citizen, ordinal: int, exchange: Exchange, remember: bool) -> None:
        self.plan = plan
        self.state = CallerState.WAITING
        self.outcome = Outcome.NONE
        self.channel = -1
        self.answered = False
        self.reached_agent = False
        self.offered_to_agent = False
        self.speaker = plan.speaker or 1000 + ordinal
        name = plan.name or f"citizen-{ordinal:04d}"
        party = Party(name=name, role="citizen", speaker=self.speaker, calling=plan.calling, called=plan.called)
        self.journal = Journal(party, remember)
        self._exchange = exchange
        self._next = 0
        self._timer: Timer | None = None
        self._until: str | None = None
        self._talk: Talk | None = None

    # ---- the call ----------------------------------------------------------------------------------------------------

    def call(self) -> None:
        """Lift the handset and dial the box."""
        channel = self._exchange.seize(self)
        if channel is None:
            self._end(Outcome.NO_CHANNEL)
            return
        self.channel = channel
        self._set_state(CallerState.CALLING, self.journal.party.channel)
        plan = self.plan
        signalled = any(isinstance(step, Dial) and step.signalled for step in plan.steps)
        calling = "" if plan.presentation == "unavailable" else plan.calling
        self._exchange.signal(
            Setup(
                channel=channel,
                called=plan.called,
                calling=calling,
                presentation=plan.presentation,
                digits="events" if signalled else "inband",
            )
        )
        self._go_on()

    def take(self, signal: ToBoard) -> None:
        """A signal from the box on this call's channel."""
        match signal:
            case Proceeding() | Alerting():
                self._exchange.note(self.journal, type(signal).__name__.lower())
            case Connect() if self.state is CallerState.CALLING:
                self.answered = True
                self._set_state(CallerState.UP)
                if self.plan.audio:
                    self._exchange.listen(self.channel, self.journal)
                self._happened("answered")
            case Release() if self.state is CallerState.CLEARING:
                self._end(self.outcome)
            case Release() if self.state in (CallerState.CALLING, CallerState.UP):
                self._exchange.note(self.journal, "released", signal.cause)
                self._fall_silent()
                self._exchange.signal(Release(channel=self.channel))
                self._end(Outcome.RELEASED)
            case _:
                self._exchange.note(self.journal, "unexpected", type(signal).__name__.lower())

    def hang_up(self) -> None:
        """Put the handset down; the channel is idle when the box has confirmed."""
        if self.state not in (CallerState.CALLING, CallerState.UP):
            return
        self._fall_silent()
        self.outcome = Outcome.HUNG_UP
        self._set_state(CallerState.CLEARING)
        self._exchange.signal(Release(channel=self.channel, cause=Cause.NORMAL))
        self._timer = self._exchange.after(CONFIRM_SECONDS, self._not_confirmed)

    def line_lost(self) -> None:
        """The gateway died: the exchange clears the call, nothing can be confirmed."""
        self._fall_silent()
        self._end(self.outcome if self.state is CallerState.CLEARING else Outcome.LINE_LOST)

    def offered(self) -> None:
        """An agent's phone rings for this call."""
        self.offered_to_agent = True
        self._happened("offered")

    def agent_answered(self) -> None:
        """An agent talks to this citizen."""
        if not self.reached_agent:
            self.reached_agent = True
            self._exchange.note(self.journal, "agent_answered")
        self.offered_to_agent = True
        self._happened("offered")
        self._happened("agent")

    def sound_noticed(self) -> None:
        """What the citizen listened for was heard."""
        if self._until in ("sound", "tone"):
            self._happened(self._until)

    def _not_confirmed(self) -> None:
        self._exchange.note(self.journal, "release_not_confirmed")
        self._exchange.channel_stuck(self)

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._set_state(CallerState.GONE, outcome.value)
        self._exchange.caller_gone(self)

    def _set_state(self, state: CallerState, detail: str = "") -> None:
        """Timers and waits stop with the state, except that the steps go on across the answer."""
        self.state = state
        self._exchange.note(self.journal, state.value, detail)
        if state is not CallerState.UP:
            self._stop_waiting()

    def _fall_silent(self) -> None:
        self._exchange.listen(self.channel, None)
        self._quiet()

    def _quiet(self) -> None:
        self._exchange.voices.silence(self.channel)
        self.journal.fall_silent(self._exchange.sample)

    # ---- the steps ---------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Do steps until one takes time. The end of the steps is the end of the call."""
        while self.state in (CallerState.CALLING, CallerState.UP):
            if self._next >= len(self.plan.steps):
                self.hang_up()
                return
            step = self.plan.steps[self._next]
            self._next += 1
            if self._takes_time(step):
                return

    def _takes_time(self, step: Step) -> bool:
        match step:
            case Wait():
                return self._wait(step)
            case Dial(digits=digits, signalled=signalled):
                self._press(digits, signalled)
                return True
            case Talk():
                self._talk = step
                self._speak()
            case SayNothing():
                self._talk = None
                self._quiet()
            case HangUp():
                self.hang_up()
        return False

    def _speak(self) -> None:
        sample = self._exchange.sample
        if self._talk is None:
            self._quiet()
        elif self._talk.pattern:
            self._exchange.voices.pattern(self.channel, self.speaker)
            self.journal.say("pattern", sample, speaker=self.speaker)
        else:
            hz = self._talk.tone_hz or own_tone(self.speaker)
            self._exchange.voices.tone(self.channel, hz, sample)
            self.journal.say("tone", sample, hz=hz)

    def _press(self, digits: str, signalled: bool) -> None:
        if not digits:
            self._speak()
            self._go_on()
            return
        digit, rest = digits[0], digits[1:]
        self._exchange.note(self.journal, "digit", digit)
        if signalled:
            self._exchange.signal(Digit(channel=self.channel, digit=digit, duration_ms=DIGIT_MILLISECONDS))
        else:
            self._exchange.voices.digit(self.channel, digit, self._exchange.sample)
            self.journal.say(digit, self._exchange.sample)
        self._timer = self._exchange.after(DIGIT_BLOCKS / 100, lambda: self._press(rest, signalled))

    def _wait(self, step: Wait) -> bool:
        if step.until is None:
            self._timer = self._exchange.after(step.seconds or 0.0, self._go_on)
            return True
        already = {"answered": self.answered, "offered": self.offered_to_agent, "agent": self.reached_agent}
        if already.get(step.until, False):
            return False
        self._until = step.until
        if step.until in ("sound", "tone"):
            self._exchange.hearing.watch_sound(self.channel, step.tone_hz)
        give_up: Callable[[], None] = self.hang_up if step.otherwise == "hang_up" else self._go_on

        def impatient() -> None:
            self._exchange.note(self.journal, "waited_in_vain", step.until or "")
            self._stop_waiting()
            give_up()

        self._timer = self._exchange.after(step.at_most_seconds, impatient)
        return True

    def _happened(self, what: str) -> None:
        if self._until == what:
            self._exchange.note(self.journal, "noticed", what)
            self._stop_waiting()
            self._go_on()

    def _stop_waiting(self) -> None:
        if self._until in ("sound", "tone"):
            self._exchange.hearing.forget(self.channel)
        self._until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def own_tone(speaker: int) -> int:
    """The tone (Hz) that a speaker talks in when the scenario names none.

    Phones 540 to 1024 by port: 64 Hz from port to port, those from port 9 on between the first eight. Citizens 1450 to
    1950. So who is heard can be told, and nobody sounds like busy tone (450) or a fax (1100, 2100).
    """
    if speaker >= 1000:
        return 1450 + 100 * (speaker % 6)
    row, port = divmod(speaker - 1, 8)
    return 540 + 64 * port + 12 * row
