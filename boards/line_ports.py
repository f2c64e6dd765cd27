"""The ports of a line card: each one chip and its life, driven by media time. No samples and no gateway here.

A port starts its chip step by step, looks at it every 10 ms, checks now and then whether it still has its set-up, and
when it fails raises an alarm for its own channel, waits a second and starts the chip again. The others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from enum import StrEnum

from boards.loop_decoder import LoopDecoder
from boards.signals import Alarm, FromBoard, HookChange, OnHookData, Ring, ToBoard
from drivers.si3210 import LineFeed, Si3210
from drivers.spi_line_chip import ChipError, Framing, LineChip, SpiBus, Step
from firmware.core.faults import Fault, fault
from firmware.core.line_schemas import LinePort

RETRY_MS = 1000
CHECK_MS = 250
STORM_LOOKS, STORM_MOST = 100, 80
"""Of so many looks in a row so many may find an interrupt: dial pulses cause 40, noise without end causes all."""
TRANSMISSION_MS = 6000
"""After ringing the chip stays ready to send data to the phone on hook for this long: longer than the pause."""

STARTING = fault("starting")

OpenBus = Callable[[], SpiBus]

_log = logging.getLogger(__name__)


class PortState(StrEnum):
    FAILED = "failed"
    STARTING = "starting"
    WORKING = "working"


class Port:
    """One chip. Subclasses say what working means. `problem` is why it is FAILED."""

    def __init__(
        self, channel: int, label: str, entry: LinePort, where: str, framing: Framing, open_bus: OpenBus
    ) -> None:
        self.channel = channel
        self.label = label
        self.entry = entry
        self.where = where
        self.state = PortState.STARTING
        self.problem: ChipError | None = None
        self.failures = 0
        self.interrupted = False
        """Its chip had an interrupt in the last look, and tells all of its interrupts by the card's line."""
        self.rested = False
        """It was at rest until that look."""
        self._framing: Framing = framing
        self._open_bus = open_bus
        self._bus: SpiBus | None = None
        self._steps: Generator[Step, None, None] | None = None
        self._alarm: Fault | None = None
        self._wake_ms = 0
        self._check_ms = 0
        self._interrupts: list[bool] = []

    # ---- life --------------------------------------------------------------------------------------------------------

    def start(self, wait_ms: int = 0) -> None:
        """Open the bus and see whether the right chip answers, now or in `wait_ms` after a reset. Raises ChipError."""
        self.close()
        self._bus = self._open_bus()
        self._steps = self._power_up(self._bus)
        self._interrupts.clear()
        self._set_state(PortState.STARTING)
        self._wake_ms = wait_ms or next(self._steps).wait_ms

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if self._bus is not None:
            try:
                self._bus.close()
            except OSError:
                pass  # the bus is gone, and what it held with it
            self._bus = None

    def look(self, now_ms: int, quiet: bool = False) -> list[FromBoard]:
        """What the port has to tell at this moment of media time. `quiet`: the card's interrupt line says that no chip
        wants to be asked, so that one at rest is asked only when it is checked."""
        self.interrupted = False
        try:
            match self.state:
                case PortState.FAILED:
                    return self._restart(now_ms)
                case PortState.STARTING:
                    return self._go_on_starting(now_ms)
                case PortState.WORKING if quiet and now_ms < self._check_ms and self._rests():
                    return self._rest()
                case PortState.WORKING:
                    signals = self._work(now_ms)
                    if now_ms >= self._check_ms:
                        self._check_ms = now_ms + CHECK_MS
                        self._check()
                    return signals
        except ChipError as error:
            return self.fail(error, now_ms)

    def fail(self, error: ChipError, now_ms: int) -> list[FromBoard]:
        """The chip does not work: out of service, and tried again."""
        if self.problem is None or self.problem.fault.identity != error.fault.identity:
            _log.warning("%s", error)
        self.failures += 1
        # A new one: that which was raised holds its frames and with them this port, a circle that nobody collects.
        self.problem = ChipError(error.fault, error.where)
        self._wake_ms = now_ms + RETRY_MS
        self.close()
        self._set_state(PortState.FAILED)
        return self._show(error.fault)

    def _restart(self, now_ms: int) -> list[FromBoard]:
        if now_ms >= self._wake_ms:
            self.start()
            self._wake_ms += now_ms
        return []

    def _go_on_starting(self, now_ms: int) -> list[FromBoard]:
        if now_ms < self._wake_ms or self._steps is None:
            return [] if self._alarm else self._show(STARTING)
        try:
            self._wake_ms = now_ms + next(self._steps).wait_ms
        except StopIteration:
            if self.failures:
                _log.info("%s works again", self.where)
            self._steps, self.problem = None, None
            self._check_ms = now_ms + CHECK_MS
            self._begin(now_ms)
            self._set_state(PortState.WORKING)
            return self._show(None)
        return [] if self._alarm else self._show(STARTING)

    def _set_state(self, state: PortState) -> None:
        _log.debug("%s: %s -> %s", self.where, self.state, state)
        self.state = state

    def _show(self, alarm: Fault | None) -> list[FromBoard]:
        """Replace the port's alarm; None means that all is well."""
        before, self._alarm = self._alarm, alarm
        if before == alarm:
            return []
        return [
            Alarm(one.code, one is alarm, (self.channel,), one.arguments) for one in (alarm, before) if one is not None
        ]

    def _count_interrupt(self, chip: LineChip, there_was_one: bool) -> None:
        self._interrupts.append(there_was_one)
        if len(self._interrupts) < STORM_LOOKS:
            return
        storm = sum(self._interrupts) >= STORM_MOST
        self._interrupts.clear()
        if storm:
            raise chip.fail("interrupt_storm")

    # ---- for the kinds of port ---------------------------------------------------------------------------------------

    def _power_up(self, bus: SpiBus) -> Generator[Step, None, None]:
        raise NotImplementedError

    def _begin(self, now_ms: int) -> None:
        """The chip has started."""

    def _work(self, now_ms: int) -> list[FromBoard]:
        raise NotImplementedError

    def _rests(self) -> bool:
        """Whatever happens next the chip tells by an interrupt."""
        return False

    def _rest(self) -> list[FromBoard]:
        """A turn in which the chip is not asked."""
        return []

    def _check(self) -> None:
        """Raises ChipError if the chip is not as it was set up."""
        raise NotImplementedError

    def send(self, signal: ToBoard, now_ms: int) -> list[FromBoard]:
        """Do what the gateway says; nothing while the port does not work."""
        raise NotImplementedError


class ExtensionPort(Port):
    """A phone behind a Si3210."""

    _chip: Si3210
    _feed = LineFeed.OPEN
    _transmission_ends_ms = 0
    _loop: LoopDecoder | None = None
    _was_lifted = False
    """Told before the chip failed; what it is now must be told, a call may have waited for it."""

    def _power_up(self, bus: SpiBus) -> Generator[Step, None, None]:
        self._chip = Si3210(bus, self.where, self._framing)
        self._was_lifted |= self._loop is not None and self._loop.off_hook
        self._loop = LoopDecoder(self.channel)
        yield from self._chip.power_up(self.entry.slot, self.entry.line)
        self._feed = LineFeed.FORWARD_ACTIVE

    def _work(self, now_ms: int) -> list[FromBoard]:
        status = self._chip.look()
        if status.power_alarms:
            raise self._chip.fail("line_hot")
        self.interrupted, self.rested = status.hook_interrupt, self._rests()
        self._count_interrupt(self._chip, status.hook_interrupt)
        over = self._feed is LineFeed.FORWARD_ON_HOOK_TRANSMISSION and now_ms >= self._transmission_ends_ms
        if over or (status.off_hook and self._feed is not LineFeed.FORWARD_ACTIVE):
            self._set_feed(LineFeed.FORWARD_ACTIVE)
        assert self._loop is not None
        was_lifted, self._was_lifted = self._was_lifted, False
        if was_lifted and not status.off_hook:
            return [HookChange(self.channel, False)]
        return self._loop.look(status.off_hook, now_ms)

    def _rests(self) -> bool:
        return self._loop is not None and not self._loop.off_hook and not self._was_lifted

    def _rest(self) -> list[FromBoard]:
        self._count_interrupt(self._chip, False)
        return []

    def _check(self) -> None:
        self._chip.check(self._feed)

    def send(self, signal: ToBoard, now_ms: int) -> list[FromBoard]:
        if self.state is not PortState.WORKING or self._loop is None:
            return []
        try:
            match signal:
                case Ring(on=True) if not self._loop.off_hook:
                    self._set_feed(LineFeed.RINGING)
                case Ring(on=False) if self._feed is LineFeed.RINGING:
                    self._carry_on_hook(now_ms + TRANSMISSION_MS)
                case OnHookData() if self._feed is not LineFeed.RINGING and not self._loop.off_hook:
                    self._carry_on_hook(max(self._transmission_ends_ms, now_ms + signal.milliseconds))
        except ChipError as error:
            return self.fail(error, now_ms)
        return []

    def _carry_on_hook(self, until_ms: int) -> None:
        self._transmission_ends_ms = until_ms
        self._set_feed(LineFeed.FORWARD_ON_HOOK_TRANSMISSION)

    def _set_feed(self, feed: LineFeed) -> None:
        self._chip.set_line_feed(feed)
        self._feed = feed
