"""What the PRI worker makes of ISDN calls and line signals: 30 B channels of a span. Sans-I/O, reads no clock.

Between the ISDN stack (drivers/pri_stack.py: events and commands of calls) and the gateway (boards/signals.py: Setup …
Release on channels). CALL PROCEEDING is given here, at once. Whatever either side does, a channel comes back to idle:
the stack tells when it has forgotten a call, and what it does not forget in time is dropped and the channel restarted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    Digit,
    Proceeding,
    Release,
    Ring,
    Setup,
    ToBoard,
)
from drivers import pri_stack as stack
from drivers.pri_stack import PriEvent, Progress
from firmware.lines.isdn import causes as q850
from firmware.lines.isdn.causes import Q850_OF_CAUSE, cause_of_q850
from firmware.lines.isdn.effects import DropGateway, Effect
from firmware.lines.isdn.line import Phase, PriLine
from firmware.lines.isdn.restarts import ChannelRestarts
from firmware.lines.isdn.timers import ATTEND_US, AUDIT_US, GONE_US, RELEASE_US, T301_US, T302_US, T304_US, T310_US

ALARM = "D-channel"


_STEPS: dict[Progress, type[Proceeding | Alerting | Connect]] = {
    Progress.PROCEEDING: Proceeding,
    Progress.ALERTING: Alerting,
    Progress.ANSWERED: Connect,
}


class PriLines:
    """All B channels of a span. `now_us` is monotonic time throughout."""

    def __init__(
        self,
        network: bool = False,
        overlap_receiving: bool = False,
        numbers: Collection[str] = (),
        restart_at_start: bool = True,
    ) -> None:
        """`numbers`: called numbers that are whole without a Sending Complete. `restart_at_start`: restart each channel
        when layer 2 first comes up, because the far end may hold calls of our life before."""
        self.lines = [PriLine(channel, slot) for channel, slot in enumerate(stack.TIME_SLOTS)]
        self.layer_two = False
        self.protocol_errors = 0
        self.stuck_channels = 0
        """Calls that had to be dropped because the far end did not finish clearing them."""
        self._network = network
        self._overlap = overlap_receiving
        self.numbers = frozenset(numbers)
        """May change at any time; for digits that come from then on."""
        self._restart_at_start = restart_at_start
        self._by_slot = {line.slot: line for line in self.lines}
        self._by_call: dict[int, PriLine] = {}
        self._refused: dict[int, int] = {}
        """Calls that have no channel of ours and are being cleared → when they must be gone."""
        self._restarts = ChannelRestarts(self._is_restartable)
        self._attached = False
        self._alarmed = False
        self._placed = 0
        self._order = deque(reversed(self.lines))
        """Where a call that may have any channel looks first: far from where exchanges begin, longest unused first."""

    @property
    def calls(self) -> int:
        """Calls that hold a channel."""
        return len(self._by_call)

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
                effects += self._clear(line, Q850_OF_CAUSE[Cause.RESTART], now_us)
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
                self.protocol_errors += 1
        return effects + self._alarm()

    def _place(self, line: PriLine, setup: Setup, now_us: int) -> list[Effect]:
        if line.has_gateway or line.awaits_release:
            return []  # a call that came in crossed it: that one counts (the gateway gives up its own)
        if not line.is_free or not self.layer_two or not setup.called or self._restarts.is_under_way(line.slot):
            cause = Cause.CONGESTION if self.layer_two else Cause.FAILURE
            return [self._tell_release(line, cause if setup.called else Cause.UNALLOCATED, now_us)]
        self._placed -= 1
        self._take(line, self._placed, Phase.PLACED)
        line.has_gateway = True
        return [
            stack.PlaceCall(
                call=self._placed,
                slot=line.slot,
                called=setup.called,
                called_type=setup.called_type,
                called_plan=setup.called_plan,
                calling=setup.calling,
                calling_type=setup.calling_type,
                calling_plan=setup.calling_plan,
                calling_name=setup.calling_name,
                presentation=setup.presentation,
            )
        ]

    def _released(self, line: PriLine, cause: Cause, now_us: int) -> list[Effect]:
        if line.awaits_release:
            line.awaits_release = line.has_gateway = False
            line.timers.pop("release", None)
            return self._offer_waiting(line, now_us)
        if not line.has_gateway:
            return []
        line.has_gateway = False
        return [*self._clear(line, Q850_OF_CAUSE[cause], now_us), Release(line.channel, cause)]

    # ---- the stack ---------------------------------------------------------------------------------------------------

    def from_stack(self, event: PriEvent, now_us: int) -> list[Effect]:
        """Something happened on the D channel."""
        effects: list[Effect] = []
        match event:
            case stack.Incoming():
                effects = self._incoming(event, now_us)
            case stack.MoreDigits():
                effects = self._more_digits(event, now_us)
            case stack.Progressed() | stack.DigitsWanted():
                effects = self._progressed(event, now_us)
            case stack.Cleared():
                line = self._by_call.get(event.call)
                if line is not None:
                    effects = self._lost(line, cause_of_q850(event.cause), now_us)
            case stack.Gone():
                effects = self._gone(event.call, now_us)
            case stack.Restarted():
                chosen = self.lines if event.slot is None else [self._by_slot.get(event.slot)]
                for line in chosen:
                    if line is not None and line.call is not None:
                        effects += [*self._lost(line, Cause.FAILURE, now_us), stack.Forget(line.call)]
            case stack.RestartDone():
                effects = self._restart_done(event.slot, now_us)
            case stack.InService():
                line = self._by_slot.get(event.slot)
                if line is not None and line.blocked_far == event.in_service:
                    line.blocked_far = not event.in_service
                    effects = [Blocked(line.channel, line.blocked_far)]
            case stack.LayerTwo():
                effects = self._layer_two(event.up, now_us)
        return effects + self._alarm()

    def _layer_two(self, up: bool, now_us: int) -> list[Effect]:
        self.layer_two = up
        effects: list[Effect] = [*self._restarts.layer_two(up, now_us)]
        if up:
            # What told the far end that a call is over may be lost with all that was on its way, and its caller would
            # hear nothing until T305 has run out: a restart of the channel ends the call now (Q.931 5.5).
            effects += self._restarts.ask((line.slot for line in self.lines if line.phase is Phase.CLEARING), now_us)
        if up and self._restart_at_start:
            self._restart_at_start = False
            effects += self._restarts.ask((line.slot for line in self.lines if line.call is None), now_us)
        return effects

    def _restart_done(self, slot: int | None, now_us: int) -> list[Effect]:
        """A call that was being cleared is no more at the far end, nor here (Q.931 5.5.1)."""
        line = self._by_slot.get(slot or 0)
        is_over = line is not None and line.phase is Phase.CLEARING and self._restarts.is_under_way(line.slot)
        forgets = [stack.Forget(line.call)] if is_over and line is not None and line.call is not None else []
        return [*forgets, *self._restarts.done(slot, now_us)]

    def _is_restartable(self, slot: int) -> bool:
        """A call that has come meanwhile shows that the far end has the channel in order."""
        line = self._by_slot[slot]
        return line.call is None or line.phase is Phase.CLEARING

    def _incoming(self, event: stack.Incoming, now_us: int) -> list[Effect]:
        if not self._attached:
            return self._refuse(event.call, Q850_OF_CAUSE[Cause.RESTART], now_us)
        if not event.is_voice:
            return self._refuse(event.call, q850.BEARER_NOT_IMPLEMENTED, now_us)
        line, effects, cause = self._choose(event, now_us)
        if line is None:
            return effects + self._refuse(event.call, cause, now_us)
        self._take(line, event.call, Phase.COLLECTING)
        line.incoming, line.digits = event, event.called
        if self._overlap and not event.complete and not self._is_whole(line.digits):
            line.timers["T302"] = now_us + T302_US
            return [*effects, stack.AskForDigits(event.call, line.slot)]
        return effects + self._offer(line, now_us)

    def _choose(self, event: stack.Incoming, now_us: int) -> tuple[PriLine | None, list[Effect], int]:
        """The channel of a call that comes in, what to do with the call that has it now, and why there is none."""
        wanted = self._by_slot.get(event.slot) if event.slot is not None else None
        if wanted is not None and wanted.phase is Phase.CLEARING and wanted.call is not None and not wanted.blocked:
            # The far end has the channel free: for it the old call is over.
            return wanted, self._drop(wanted), 0
        if wanted is not None and wanted.is_free:
            return wanted, [], 0
        if event.slot is None or not event.exclusive:
            line = next((line for line in self._order if line.is_free), None)
            return line, [], q850.NO_CHANNEL
        if wanted is None:
            return None, [], q850.CHANNEL_DOES_NOT_EXIST
        effects: list[Effect] = []
        if wanted.phase is Phase.PLACED and not wanted.confirmed and not self._network and wanted.call is not None:
            # Both seized the channel: the network's call goes through (Q.931 5.7).
            effects = [stack.Clear(wanted.call, q850.CHANNEL_NOT_AVAILABLE)]
            self._refused[wanted.call] = now_us + GONE_US
            del self._by_call[wanted.call]
            wanted.rest()
            return wanted, [*effects, self._tell_release(wanted, Cause.CONGESTION, now_us)], 0
        if wanted.phase is Phase.UP and wanted.call is not None:
            self.protocol_errors += 1
            effects = [stack.Probe(wanted.call)]
        return None, effects, q850.CHANNEL_NOT_AVAILABLE

    def _drop(self, line: PriLine) -> list[Effect]:
        """Let the old call go at once, for a new one on the channel."""
        assert line.call is not None
        call = line.call
        del self._by_call[call]
        line.rest()
        return [stack.Forget(call)]

    def _is_whole(self, digits: str) -> bool:
        return digits in self.numbers and not any(
            number.startswith(digits) and number != digits for number in self.numbers
        )

    def _more_digits(self, event: stack.MoreDigits, now_us: int) -> list[Effect]:
        line = self._by_call.get(event.call)
        if line is None:
            return []
        if line.phase is Phase.UP:
            return [Digit(line.channel, digit) for digit in event.digits]
        if line.phase is not Phase.COLLECTING:
            return []
        line.digits += event.digits
        line.timers["T302"] = now_us + T302_US
        return self._offer(line, now_us) if event.complete or self._is_whole(line.digits) else []

    def _offer(self, line: PriLine, now_us: int) -> list[Effect]:
        """The number is whole: CALL PROCEEDING, and Setup to the gateway as soon as that has the channel free."""
        incoming, call = line.incoming, line.call
        assert incoming is not None
        assert call is not None
        line.timers.pop("T302", None)
        line.phase = Phase.WAITING
        line.setup = Setup(
            channel=line.channel,
            called=line.digits,
            called_type=incoming.called_type,
            called_plan=incoming.called_plan,
            calling=incoming.calling,
            calling_type=incoming.calling_type,
            calling_plan=incoming.calling_plan,
            calling_name=incoming.calling_name,
            presentation=incoming.presentation,
        )
        return [stack.Proceed(call, line.slot), *self._offer_waiting(line, now_us)]

    def _offer_waiting(self, line: PriLine, now_us: int) -> list[Effect]:
        if line.phase is not Phase.WAITING or line.setup is None or line.has_gateway:
            return []
        setup, line.setup = line.setup, None
        line.phase = Phase.OFFERED
        line.has_gateway = True
        line.timers["attend"] = now_us + ATTEND_US
        return [setup]

    def _progressed(self, event: stack.Progressed | stack.DigitsWanted, now_us: int) -> list[Effect]:
        line = self._by_call.get(event.call)
        if line is None or line.phase is not Phase.PLACED:
            return []
        if event.slot not in (None, 0, line.slot):
            # The far end moves the call to another channel although we said that no other will do.
            self.protocol_errors += 1
            effects = self._clear(line, q850.CHANNEL_UNACCEPTABLE, now_us)
            return [*effects, self._tell_release(line, Cause.CONGESTION, now_us)]
        line.confirmed = True
        if isinstance(event, stack.DigitsWanted):
            line.timers["T304"] = now_us + T304_US  # all digits went in the SETUP
            return []
        line.timers.pop("T304", None)
        step = _STEPS.get(event.progress)
        if step is None:
            line.timers.pop("T310", None)
            return []
        for name in ("T310", "T301"):
            line.timers.pop(name, None)
        if event.progress is Progress.PROCEEDING:
            line.timers["T310"] = now_us + T310_US
        elif event.progress is Progress.ALERTING:
            line.timers["T301"] = now_us + T301_US
        else:
            line.phase = Phase.UP
            line.timers["audit"] = now_us + AUDIT_US
        if event.progress.value in line.told:
            return []
        line.told |= {event.progress.value}
        return [step(line.channel)]

    # ---- time --------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """Microseconds of the next timer, or None."""
        moments = [moment for line in self.lines for moment in line.timers.values()]
        moments += self._refused.values()
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
        for call in [call for call, moment in self._refused.items() if moment <= now_us]:
            del self._refused[call]
            self.stuck_channels += 1
            effects.append(stack.Forget(call))
        effects += self._restarts.advance(now_us)
        return effects + self._alarm()

    def _fire(self, line: PriLine, name: str, now_us: int) -> list[Effect]:
        match name:
            case "T302" if line.digits:
                return self._offer(line, now_us)
            case "T302":
                return self._clear(line, q850.INVALID_NUMBER, now_us)
            case "T301" | "T304" | "T310":
                cause = Cause.NO_ANSWER if name == "T301" else Cause.FAILURE
                effects = self._clear(line, q850.TIMER_EXPIRY, now_us)
                return [*effects, self._tell_release(line, cause, now_us)]
            case "release":
                # The gateway's own timer has long given the line back.
                line.awaits_release = line.has_gateway = False
                return self._offer_waiting(line, now_us)
            case "attend":
                return [DropGateway(f"it did not attend to a call on time slot {line.slot}")]
            case "audit" if line.call is not None:
                line.timers["audit"] = now_us + AUDIT_US
                return [stack.Probe(line.call)]
            case "gone" if line.call is not None:
                self.stuck_channels += 1
                return [stack.Forget(line.call), *self._restarts.ask([line.slot], now_us)]
        return []

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _take(self, line: PriLine, call: int, phase: Phase) -> None:
        line.rest()
        line.call, line.phase = call, phase
        self._by_call[call] = line
        self._order.remove(line)
        self._order.append(line)

    def _refuse(self, call: int, cause: int, now_us: int) -> list[Effect]:
        self._refused[call] = now_us + GONE_US
        return [stack.Clear(call, cause)]

    def _clear(self, line: PriLine, cause: int, now_us: int) -> list[Effect]:
        """Give the call up towards the far end."""
        if line.call is None or line.phase is Phase.CLEARING:
            return []
        self._clearing(line, now_us)
        return [stack.Clear(line.call, cause)]

    def _clearing(self, line: PriLine, now_us: int) -> None:
        line.phase = Phase.CLEARING
        line.setup = None
        line.timers = {name: moment for name, moment in line.timers.items() if name == "release"}
        line.timers["gone"] = now_us + GONE_US

    def _lost(self, line: PriLine, cause: Cause, now_us: int) -> list[Effect]:
        """The far end gave the call up, or it was lost: tell the gateway, if it knows of it."""
        if line.phase in (Phase.IDLE, Phase.CLEARING):
            return []
        is_told = line.phase in (Phase.OFFERED, Phase.PLACED, Phase.UP)
        self._clearing(line, now_us)
        return [self._tell_release(line, cause, now_us)] if is_told else []

    def _gone(self, call: int, now_us: int) -> list[Effect]:
        self._refused.pop(call, None)
        line = self._by_call.pop(call, None)
        if line is None:
            return []
        effects = self._lost(line, Cause.FAILURE, now_us)
        line.rest()
        # Without layer 2 the far end was not told and may hold the call: a restart of the channel ends it there.
        return effects if self.layer_two else [*effects, *self._restarts.ask([line.slot], now_us)]

    def _tell_release(self, line: PriLine, cause: Cause, now_us: int) -> Release:
        line.has_gateway = line.awaits_release = True
        line.timers["release"] = now_us + RELEASE_US
        return Release(line.channel, cause)

    def _alarm(self) -> list[Effect]:
        """Layer 2 down is an alarm only when no call is up any more: those may survive it (T309)."""
        raised = not self.layer_two and not any(line.phase is Phase.UP for line in self.lines)
        if not self._attached or raised == self._alarmed:
            return []
        self._alarmed = raised
        return [Alarm(ALARM, raised, tuple(line.channel for line in self.lines))]
