"""The exchange's end of one analogue trunk: rings with caller ID, feeds the loop, and tells an end by busy tone alone.

A citizen on it signals as on any trunk (Setup … Release); here that becomes what an analogue line can say. It turns no
polarity and drops no loop, as many exchanges do not: the box must hear that the caller has left.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from boards.signals import (
    Alerting,
    Connect,
    DialPulses,
    FromBoard,
    Loop,
    LoopCurrent,
    Release,
    RingDetected,
    Setup,
    ToBoard,
)
from firmware.simulator.surroundings import Surroundings, Timer
from firmware.simulator.voices import Cadence
from firmware.tones.caller_id import CallerId, multiple_data

RING_SECONDS, PAUSE_SECONDS = 1.0, 4.0
"""GB/T 3380."""
CALLER_ID_AFTER_SECONDS = 0.5
"""From the end of the first ring."""
MOMENT_SECONDS = 0.01
NUMBER_OVER_SECONDS = 4.0
"""So long after its last digit a number that was dialled is complete."""
ANSWER_SECONDS = 6.0
"""Who is called lifts the handset so long after it began to ring."""
BUSY = Cadence(450, 350, 350)
DIAL = Cadence(450, 1000, 0)
RINGBACK = Cadence(450, 1000, 4000)


class Party(Protocol):
    """Who is connected to the line."""

    def take(self, signal: ToBoard) -> None:
        """What the box did."""
        ...


class LineState(Enum):
    IDLE = "idle"
    RINGING = "ringing"
    UP = "up"
    LEFT = "left"
    """The citizen has hung up and the box still holds the line: busy tone."""
    DIALLED = "dialled"
    """The box has closed the loop: dial tone, digits, ringback, somebody's voice."""


class SubscriberLine:
    """One line of the public exchange, at whose end the box is the telephone."""

    def __init__(self, channel: int, world: Surroundings, tell: Callable[[FromBoard], None]) -> None:
        """`tell` gives a signal to the gateway."""
        self.channel = channel
        self.state = LineState.IDLE
        self.busy_tone = BUSY
        self.dead = False
        """The exchange gives no dial tone."""
        self.number = ""
        """What the box dialled last."""
        self._world = world
        self._tell = tell
        self._party: Party | None = None
        self._timers: list[Timer] = []

    # ---- the citizen's side ------------------------------------------------------------------------------------------

    def connect(self, party: Party, signal: FromBoard) -> None:
        """What the citizen on this line signals."""
        match signal:
            case Setup() if self.state is LineState.IDLE:
                self._party = party
                self._set_state(LineState.RINGING)
                party.take(Alerting(self.channel))
                self._ring(signal, first=True)
            case Release() if self.state is LineState.UP:
                self._set_state(LineState.LEFT)
                self._world.voices.cadence(self.channel, self.busy_tone, self._world.sample)
            case Release() if self.state is LineState.RINGING:
                self._tell(RingDetected(self.channel, False))
                self._over()
            case _:
                pass

    def _ring(self, call: Setup, *, first: bool) -> None:
        self._tell(RingDetected(self.channel, True))
        self._after(RING_SECONDS, lambda: self._pause(call, first=first))

    def _pause(self, call: Setup, *, first: bool) -> None:
        self._tell(RingDetected(self.channel, False))
        if first:
            self._after(CALLER_ID_AFTER_SECONDS, lambda: self._say_caller(call))
        self._after(PAUSE_SECONDS, lambda: self._ring(call, first=False))

    def _say_caller(self, call: Setup) -> None:
        caller = CallerId(call.calling, call.calling_name, presentation=call.presentation)
        self._world.voices.caller_id(self.channel, multiple_data(caller), self._world.sample)

    # ---- the box's side ----------------------------------------------------------------------------------------------

    def take(self, signal: ToBoard) -> None:
        """What the box does with the line."""
        match signal:
            case Loop(closed=True):
                self._tell(LoopCurrent(self.channel, True))
                self._closed()
            case Loop(closed=False):
                self._opened()
            case DialPulses():
                self.dialled(signal.digits)
            case _:
                pass

    def _closed(self) -> None:
        if self.state is LineState.RINGING:
            self._set_state(LineState.UP)
            self._world.voices.silence(self.channel)
            if self._party is not None:
                self._party.take(Connect(self.channel))
        elif self.state is LineState.IDLE:
            self._set_state(LineState.DIALLED)
            self.number = ""
            if not self.dead:
                self._world.voices.cadence(self.channel, DIAL, self._world.sample)

    def _opened(self) -> None:
        if self.state is LineState.UP and self._party is not None:
            party, self._party = self._party, None
            self._set_state(LineState.IDLE)
            party.take(Release(self.channel))
        elif self.state is not LineState.RINGING:
            self._over()

    def _over(self) -> None:
        """The line is at rest; a citizen who hung up has the channel confirmed a moment later."""
        party, self._party = self._party, None
        self._set_state(LineState.IDLE)
        self._world.voices.silence(self.channel)
        if party is not None:
            self._world.after(MOMENT_SECONDS, lambda: party.take(Release(self.channel)))

    def reset(self) -> None:
        """The box is gone."""
        self._party = None
        self._set_state(LineState.IDLE)
        self._world.voices.silence(self.channel)

    # ---- a call of the box -------------------------------------------------------------------------------------------

    def dialled(self, digits: str) -> None:
        """Digits of the number that the box calls. One that ends in 00 is not in use, any other that ends in 0 is busy,
        and all the others answer."""
        if self.state is not LineState.DIALLED:
            return
        for timer in self._timers:
            timer.cancel()
        self.number += digits
        self._world.voices.silence(self.channel)
        self._after(NUMBER_OVER_SECONDS, self._called)

    def _called(self) -> None:
        if self.number.endswith("00"):
            self._world.voices.vacant(self.channel, self._world.sample)
            return
        if self.number.endswith("0"):
            self._world.voices.cadence(self.channel, self.busy_tone, self._world.sample)
            return
        self._world.voices.cadence(self.channel, RINGBACK, self._world.sample)
        self._after(ANSWER_SECONDS, lambda: self._world.voices.pattern(self.channel, self.channel))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.live]
        self._timers.append(self._world.after(seconds, action))

    def _set_state(self, state: LineState) -> None:
        self.state = state
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
