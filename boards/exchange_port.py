"""A port on a line of the public exchange: a Si3050 as the box's telephone. No rings counted, no tones, no calls.

Every 10 ms the chip is looked at; what is told has been there for long enough not to be a disturbance. Dial pulses are
made here, 60 ms break and 40 ms make, because only who looks every 10 ms can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from boards.line_ports import Port, PortState
from boards.signals import DialPulses, FromBoard, Loop, LoopCurrent, Polarity, RingDetected, ToBoard
from drivers.si3050 import LEAST_VOLTS, FxoStatus, Si3050
from drivers.spi_line_chip import ChipError, SpiBus, Step
from firmware.core.faults import fault

RING_WINDOW, RING_LEAST = 10, 3
"""Looks in which ringing current must be seen so often: 25 Hz shows in nearly each, a knock on the line in one."""
RING_END_MS = 200
POLARITY_MS = 40
NO_LINE = fault("NO_LINE")
NO_LINE_MS = 2000
"""No voltage on hook for this long: the line is cut. An exchange may take the feed away for a second (loop drop)."""
FLOW_LEAST_MA = 8.0
FLOW_MS = 30
NO_FLOW_MS = 100
"""Shorter holes are the exchange's switching, not a loop drop."""
PULSES = "1234567890"
PULSE_BREAK_MS, PULSE_MAKE_MS, DIGIT_PAUSE_MS = 60, 40, 800
"""10 pulses a second, break to make 1.5 to 1 (allowed: 1.3 to 2.5), at least half a second between digits."""


class ExchangePort(Port):
    """An exchange line behind a Si3050."""

    _chip: Si3050
    _closed = False
    _dropped = False
    """The loop was closed when the chip failed: the exchange has seen it open, and the call is gone."""
    _reversed = False
    """As it was told last, before the chip failed too."""

    def _power_up(self, bus: SpiBus) -> Generator[Step, None, None]:
        self._chip = Si3050(bus, self.where, self._framing)
        self._dropped |= self._closed
        self._closed = False
        self._ringing = False
        self._rings: deque[bool] = deque(maxlen=RING_WINDOW)
        self._ring_seen_ms = -RING_END_MS
        self._other_polarity_ms = 0
        self._flows: bool | None = None
        self._other_flow_ms = 0
        self._voltage_seen_ms = 0
        self._pulses: deque[tuple[int, bool]] = deque()
        """What dialling has still to do: (milliseconds from the step before, loop closed)."""
        self._pulse_due_ms = 0
        yield from self._chip.power_up(self.entry.slot, self.entry.line)

    def _begin(self, now_ms: int) -> None:
        self._voltage_seen_ms = self._other_polarity_ms = self._other_flow_ms = now_ms

    def _work(self, now_ms: int) -> list[FromBoard]:
        if self._pulses:
            self._dial(now_ms)
        status = self._chip.look()
        self._count_interrupt(self._chip, bool(status.interrupts))
        signals = self._ring(status, now_ms)
        if self._dropped:
            self._dropped = False
            signals.append(LoopCurrent(self.channel, False))
        if not self._ringing and now_ms - self._ring_seen_ms > RING_END_MS:
            signals += self._polarity(status, now_ms)
        if self._closed and not self._pulses:
            signals += self._flow(status, now_ms)
        return signals + self._line_there(status, now_ms)

    def _ring(self, status: FxoStatus, now_ms: int) -> list[FromBoard]:
        # While the loop is closed, hook and pulses disturb the chip's ring bits; only a ring that began before counts.
        seen = status.ringing and (not self._closed or any(self._rings))
        self._rings.append(seen)
        if seen:
            self._ring_seen_ms = now_ms
        on = sum(self._rings) >= RING_LEAST or (self._ringing and now_ms - self._ring_seen_ms < RING_END_MS)
        if on == self._ringing:
            return []
        self._ringing = on
        return [RingDetected(self.channel, on)]

    def _polarity(self, status: FxoStatus, now_ms: int) -> list[FromBoard]:
        if abs(status.volts) < LEAST_VOLTS or (status.volts < 0) == self._reversed:
            self._other_polarity_ms = now_ms
        elif now_ms - self._other_polarity_ms >= POLARITY_MS:
            self._reversed = not self._reversed
            return [Polarity(self.channel, self._reversed)]
        return []

    def _flow(self, status: FxoStatus, now_ms: int) -> list[FromBoard]:
        flows = status.loop_milliamperes >= FLOW_LEAST_MA
        if flows == self._flows:
            self._other_flow_ms = now_ms
        elif now_ms - self._other_flow_ms >= (FLOW_MS if flows else NO_FLOW_MS):
            self._flows = flows
            return [LoopCurrent(self.channel, flows)]
        return []

    def _line_there(self, status: FxoStatus, now_ms: int) -> list[FromBoard]:
        """A cut line is an alarm; while the loop is closed the missing current tells it."""
        if status.volts or status.ringing or self._closed:
            self._voltage_seen_ms = now_ms
            return self._show(None) if status.volts else []
        return self._show(NO_LINE) if now_ms - self._voltage_seen_ms >= NO_LINE_MS else []

    def _check(self) -> None:
        self._chip.check()

    # ---- to the line -------------------------------------------------------------------------------------------------

    def send(self, signal: ToBoard, now_ms: int) -> list[FromBoard]:
        if self.state is not PortState.WORKING:
            return []
        try:
            match signal:
                case Loop():
                    self._pulses.clear()
                    self._closed = signal.closed
                    self._flows = None
                    self._other_flow_ms = now_ms
                    self._chip.set_hook(signal.closed)
                case DialPulses() if self._closed:
                    self._plan(signal.digits, now_ms)
        except ChipError as error:
            return self.fail(error, now_ms)
        return []

    def _plan(self, digits: str, now_ms: int) -> None:
        if not self._pulses:
            self._pulse_due_ms = now_ms
        for digit in digits:
            pulses = PULSES.find(digit) + 1
            for number in range(pulses):
                self._pulses.append((PULSE_MAKE_MS if number else 0, False))
                self._pulses.append((PULSE_BREAK_MS, True))
            if pulses:
                self._pulses.append((DIGIT_PAUSE_MS, True))

    def _dial(self, now_ms: int) -> None:
        wait_ms, closed = self._pulses[0]
        if now_ms < self._pulse_due_ms + wait_ms:
            return
        self._pulses.popleft()
        self._pulse_due_ms = now_ms
        self._chip.pulse(closed)
        if not self._pulses:
            self._other_flow_ms = now_ms
