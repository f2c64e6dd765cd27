"""Calls that the box places: SETUP, and how far the far end has taken them. Their end is in clearing.py."""

from __future__ import annotations

from boards.signals import Alerting, Cause, Connect, Proceeding, Setup
from drivers import pri_stack as stack
from drivers.pri_stack import Progress
from firmware.lines.isdn import causes as q850
from firmware.lines.isdn.channel_bank import ChannelBank
from firmware.lines.isdn.clearing import Clearing
from firmware.lines.isdn.effects import Effect
from firmware.lines.isdn.line import Phase, PriLine
from firmware.lines.isdn.timers import AUDIT_US, T301_US, T304_US, T310_US

_STEPS: dict[Progress, type[Proceeding | Alerting | Connect]] = {
    Progress.PROCEEDING: Proceeding,
    Progress.ALERTING: Alerting,
    Progress.ANSWERED: Connect,
}


class PlacedCalls:
    """Of a span. `now_us` is monotonic time throughout."""

    def __init__(self, bank: ChannelBank, clearing: Clearing) -> None:
        self._bank = bank
        self._clearing = clearing
        self._placed = 0

    def place(self, line: PriLine, setup: Setup) -> list[Effect]:
        """SETUP on a line that is free."""
        self._placed -= 1
        self._bank.take(line, self._placed, Phase.PLACED)
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

    def progressed(self, event: stack.Progressed | stack.DigitsWanted, now_us: int) -> list[Effect]:
        """The far end takes the call a step on."""
        line = self._bank.of_call(event.call)
        if line is None or line.phase is not Phase.PLACED:
            return []
        if event.slot not in (None, 0, line.slot):
            # The far end moves the call to another channel although we said that no other will do.
            self._bank.protocol_errors += 1
            effects = self._clearing.clear(line, q850.CHANNEL_UNACCEPTABLE, now_us)
            return [*effects, self._clearing.tell_release(line, Cause.CONGESTION, now_us)]
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

    def fire(self, line: PriLine, timer: str, now_us: int) -> list[Effect]:
        """T301, T304 or T310 has run out."""
        cause = Cause.NO_ANSWER if timer == "T301" else Cause.FAILURE
        effects = self._clearing.clear(line, q850.TIMER_EXPIRY, now_us)
        return [*effects, self._clearing.tell_release(line, cause, now_us)]
