"""What the PRI worker makes of ISDN calls and line signals: 30 B channels of a span. Sans-I/O, reads no clock.

Between the ISDN stack (drivers/pri_stack.py: events and commands of calls) and the gateway (boards/signals.py: Setup …
Release on channels). What comes is told here to whom it concerns: calls that come in (incoming.py), calls that the box
places (placed.py), the end of either (clearing.py), restarts of channels (restarts.py).
"""

from __future__ import annotations

from collections.abc import Collection

from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    Proceeding,
    Release,
    Ring,
    Setup,
    ToBoard,
)
from drivers import pri_stack as stack
from drivers.pri_stack import PriEvent
from firmware.lines.isdn.causes import CHANNEL_NOT_AVAILABLE, Q850_OF_CAUSE, cause_of_q850
from firmware.lines.isdn.channel_bank import ChannelBank
from firmware.lines.isdn.clearing import Clearing
from firmware.lines.isdn.effects import DropGateway, Effect
from firmware.lines.isdn.incoming import IncomingCalls
from firmware.lines.isdn.line import Phase, PriLine
from firmware.lines.isdn.placed import PlacedCalls
from firmware.lines.isdn.restarts import ChannelRestarts
from firmware.lines.isdn.timers import AUDIT_US, DISAGREED_US

ALARM = "D-channel"


class PriLines:
    """All B channels of a span. `now_us` is monotonic time throughout."""

    def __init__(
        self,
        network: bool = False,
        overlap_receiving: bool = False,
        numbers: Collection[str] = (),
        restart_at_start: Collection[int] = stack.TIME_SLOTS,
    ) -> None:
        """`numbers`: called numbers that are whole without a Sending Complete. `restart_at_start`: time slots on which
        the far end may hold calls of our life before; they are restarted when layer 2 first comes up."""
        self.layer_two = False
        self._bank = ChannelBank()
        self.lines = self._bank.lines
        self._clearing = Clearing(self._bank)
        self._placed = PlacedCalls(self._bank, self._clearing)
        self._restarts = ChannelRestarts(self._is_restartable, restart_at_start)
        self._incoming = IncomingCalls(self._bank, self._clearing, self._restarts, network, overlap_receiving, numbers)
        self._disagreed: dict[int, int] = {}
        """Time slots that the far end did not have free when we had → when they may be restarted for that again."""
        self._attached = False
        self._alarmed = False

    @property
    def calls(self) -> int:
        """Calls that hold a channel."""
        return self._bank.calls

    @property
    def held_slots(self) -> frozenset[int]:
        """Time slots on which the far end may have a call: those to restart if this life ended now."""
        return self._restarts.slots | {line.slot for line in self.lines if line.call is not None}

    @property
    def stuck_channels(self) -> int:
        """Calls that had to be dropped because the far end did not finish clearing them."""
        return self._clearing.stuck_channels

    @property
    def protocol_errors(self) -> int:
        """Steps of the far end or the gateway that made no sense."""
        return self._bank.protocol_errors

    def know_numbers(self, numbers: Collection[str]) -> None:
        """Called numbers that are whole; for digits that come from now on."""
        self._incoming.numbers = frozenset(numbers)

    # ---- the gateway -------------------------------------------------------------------------------------------------

    def gateway_came(self, now_us: int) -> list[Effect]:
        """A gateway is there; for it all channels are idle and none is blocked."""
        effects = self.gateway_left(now_us)
        self._attached = True
        self._alarmed = False
        effects += [Blocked(line.channel, True) for line in self.lines if line.blocked_far]
        return effects + self._alarm()

    def gateway_left(self, now_us: int) -> list[Effect]:
        """No gateway: nobody hears the callers any more, so all calls are given up."""
        effects: list[Effect] = []
        for line in self.lines:
            if line.phase not in (Phase.IDLE, Phase.CLEARING):
                effects += self._clearing.clear(line, Q850_OF_CAUSE[Cause.RESTART], now_us)
            line.has_gateway = line.awaits_release = line.blocked = False
            line.timers.pop("release", None)
        self._attached = False
        return effects

    def from_gateway(self, signal: ToBoard, now_us: int) -> list[Effect]:
        """A line signal came. One that does not fit the line's state crossed with another, and is passed over."""
        line = self.lines[signal.channel]
        effects: list[Effect] = []
        match signal:
            case Setup():
                effects = self._place(line, signal, now_us)
            case Release():
                effects = self._released(line, signal.cause, now_us)
            case Proceeding() | Alerting() | Connect() if line.phase is Phase.OFFERED and line.call is not None:
                line.timers.pop("attend", None)
                if isinstance(signal, Alerting):
                    effects = [stack.Alert(line.call, line.slot)]
                elif isinstance(signal, Connect):
                    line.phase = Phase.UP
                    line.timers["audit"] = now_us + AUDIT_US
                    effects = [stack.Answer(line.call, line.slot)]
            case Blocked():
                line.blocked = signal.blocked
            case Ring():
                self._bank.protocol_errors += 1
        return effects + self._alarm()

    def _place(self, line: PriLine, setup: Setup, now_us: int) -> list[Effect]:
        if line.has_gateway or line.awaits_release:
            return []  # a call that came in crossed it: that one counts (the gateway gives up its own)
        if not line.is_free or not self.layer_two or not setup.called or self._restarts.is_under_way(line.slot):
            cause = Cause.CONGESTION if self.layer_two else Cause.FAILURE
            return [self._clearing.tell_release(line, cause if setup.called else Cause.UNALLOCATED, now_us)]
        return self._placed.place(line, setup)

    def _released(self, line: PriLine, cause: Cause, now_us: int) -> list[Effect]:
        if line.awaits_release:
            line.awaits_release = line.has_gateway = False
            line.timers.pop("release", None)
            return self._incoming.offer_waiting(line, now_us)
        if not line.has_gateway:
            return []
        line.has_gateway = False
        return [*self._clearing.clear(line, Q850_OF_CAUSE[cause], now_us), Release(line.channel, cause)]

    # ---- the stack ---------------------------------------------------------------------------------------------------

    def from_stack(self, event: PriEvent, now_us: int) -> list[Effect]:
        """Something happened on the D channel."""
        effects: list[Effect] = []
        match event:
            case stack.Incoming():
                effects = self._incoming.begin(event, self._attached, now_us)
            case stack.MoreDigits():
                effects = self._incoming.more_digits(event, now_us)
            case stack.Progressed() | stack.DigitsWanted():
                effects = self._placed.progressed(event, now_us)
            case stack.Cleared():
                line = self._bank.of_call(event.call)
                if line is not None:
                    effects = self._cleared(line, event.cause, now_us)
            case stack.Gone():
                effects = self._gone(event, now_us)
            case stack.Restarted():
                effects = self._restarted(event.slot, now_us)
            case stack.RestartDone():
                effects = self._restart_done(event.slot, now_us)
            case stack.InService():
                line = self._bank.at_slot(event.slot)
                if line is not None and line.blocked_far == event.in_service:
                    line.blocked_far = not event.in_service
                    effects = [Blocked(line.channel, line.blocked_far)]
            case stack.LayerTwo():
                effects = self._layer_two(event.up, now_us)
        return effects + self._alarm()

    def _layer_two(self, up: bool, now_us: int) -> list[Effect]:
        self.layer_two = up
        self._restarts.layer_two(up, now_us)
        if not up:
            return []
        # What told the far end that a call is over may be lost with all that was on its way, and its caller would
        # hear nothing until T305 has run out: a restart of the channel ends the call now (Q.931 5.5).
        return [*self._restarts.ask((line.slot for line in self.lines if line.phase is Phase.CLEARING), now_us)]

    def _cleared(self, line: PriLine, cause: int, now_us: int) -> list[Effect]:
        is_unanswered = line.phase is Phase.PLACED and not line.confirmed and not line.contested
        effects = self._clearing.lost(line, cause_of_q850(cause), now_us)
        if not is_unanswered or cause != CHANNEL_NOT_AVAILABLE or self._disagreed.get(line.slot, 0) > now_us:
            return effects
        # No call of the far end has taken the channel (it would have come first, Q.931 5.7), and yet it is not free
        # there: the far end is stuck with an old call, and each call that we place here would end so.
        self._disagreed[line.slot] = now_us + DISAGREED_US
        return [*effects, *self._restarts.ask([line.slot], now_us)]

    def _restarted(self, slot: int | None, now_us: int) -> list[Effect]:
        """The far end has nothing on the channel (None: on any) any more, and is not told anything (Q.931 5.5.2)."""
        self._restarts.needless(slot)
        effects: list[Effect] = []
        for line in self.lines if slot is None else [self._bank.at_slot(slot)]:
            if line is not None and line.call is not None:
                # A call of ours that the far end had not seen yet was not refused by anybody: another channel does.
                is_unseen = line.phase is Phase.PLACED and not line.confirmed
                cause = Cause.CONGESTION if is_unseen else Cause.FAILURE
                effects += [*self._clearing.lost(line, cause, now_us), stack.Forget(line.call)]
        return effects

    def _gone(self, event: stack.Gone, now_us: int) -> list[Effect]:
        line, effects = self._clearing.gone(event, now_us)
        if line is None or (event.is_released and self.layer_two):
            return effects
        # The far end does not answer, or was not told for want of layer 2, and may hold the call: a restart ends it.
        return [*effects, *self._restarts.ask([line.slot], now_us)]

    def _restart_done(self, slot: int | None, now_us: int) -> list[Effect]:
        """A call that was being cleared is no more at the far end, nor here (Q.931 5.5.1)."""
        line = self._bank.at_slot(slot)
        is_over = line is not None and line.phase is Phase.CLEARING and self._restarts.is_under_way(line.slot)
        forgets = [stack.Forget(line.call)] if is_over and line is not None and line.call is not None else []
        return [*forgets, *self._restarts.done(slot, now_us)]

    def _is_restartable(self, slot: int) -> bool:
        """A call that has come meanwhile shows that the far end has the channel in order."""
        line = self._bank.at_slot(slot)
        return line is None or line.call is None or line.phase is Phase.CLEARING

    # ---- time --------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """Microseconds of the next timer, or None."""
        moments = [moment for line in self.lines for moment in line.timers.values()]
        moments += self._clearing.moments()
        if self._restarts.deadline is not None:
            moments.append(self._restarts.deadline)
        return min(moments, default=None)

    def advance(self, now_us: int) -> list[Effect]:
        """Fire the timers that are due; look for calls that the stack should have forgotten."""
        effects: list[Effect] = []
        for line in self.lines:
            for name in [name for name, moment in line.timers.items() if moment <= now_us]:
                if line.timers.pop(name, None) is not None:
                    effects += self._fire(line, name, now_us)
        effects += self._clearing.advance(now_us)
        effects += self._restarts.advance(now_us)
        return effects + self._alarm()

    def _fire(self, line: PriLine, name: str, now_us: int) -> list[Effect]:
        match name:
            case "T302":
                return self._incoming.digits_end(line, now_us)
            case "T301" | "T304" | "T310":
                return self._placed.fire(line, name, now_us)
            case "release":
                # The gateway's own timer has long given the line back.
                line.awaits_release = line.has_gateway = False
                return self._incoming.offer_waiting(line, now_us)
            case "attend":
                return [DropGateway(f"it did not attend to a call on time slot {line.slot}")]
            case "audit" if line.call is not None:
                line.timers["audit"] = now_us + AUDIT_US
                return [stack.Probe(line.call)]
            case "gone" if line.call is not None:
                return [*self._clearing.stuck(line), *self._restarts.ask([line.slot], now_us)]
        return []

    def _alarm(self) -> list[Effect]:
        """Layer 2 down is an alarm only when no call is up any more: those may survive it (T309)."""
        raised = not self.layer_two and not any(line.phase is Phase.UP for line in self.lines)
        if not self._attached or raised == self._alarmed:
            return []
        self._alarmed = raised
        return [Alarm(ALARM, raised, tuple(line.channel for line in self.lines))]
