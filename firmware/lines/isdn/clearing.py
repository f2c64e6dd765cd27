"""The end of calls: given up by the box or by the far end, refused, or forgotten when the far end does not finish.

Whatever either side does, a channel comes back to idle: the stack tells when it has forgotten a call, and what it does
not forget in time is dropped and the channel restarted (restarts.py).
"""

from __future__ import annotations

from boards.signals import Cause, Release
from drivers import pri_stack as stack
from firmware.lines.isdn.channel_bank import ChannelBank
from firmware.lines.isdn.effects import Effect
from firmware.lines.isdn.line import Phase, PriLine
from firmware.lines.isdn.timers import GONE_US, RELEASE_US


class Clearing:
    """Of the calls of a span. `now_us` is monotonic time throughout."""

    def __init__(self, bank: ChannelBank) -> None:
        self._bank = bank
        self.stuck_channels = 0
        """Calls that had to be dropped because the far end did not finish clearing them."""
        self._refused: dict[int, int] = {}
        """Calls that have no channel of ours and are being cleared → when they must be gone."""

    def refuse(self, call: int, cause: int, now_us: int) -> list[Effect]:
        """End a call that gets no channel."""
        self._refused[call] = now_us + GONE_US
        return [stack.Clear(call, cause)]

    def clear(self, line: PriLine, cause: int, now_us: int) -> list[Effect]:
        """Give the call up towards the far end."""
        if line.call is None or line.phase is Phase.CLEARING:
            return []
        self._begin(line, now_us)
        return [stack.Clear(line.call, cause)]

    def lost(self, line: PriLine, cause: Cause, now_us: int) -> list[Effect]:
        """The far end gave the call up, or it was lost: tell the gateway, if it knows of it."""
        if line.phase in (Phase.IDLE, Phase.CLEARING):
            return []
        is_told = line.phase in (Phase.OFFERED, Phase.PLACED, Phase.UP)
        self._begin(line, now_us)
        return [self.tell_release(line, cause, now_us)] if is_told else []

    def gone(self, event: stack.Gone, now_us: int) -> tuple[PriLine | None, list[Effect]]:
        """The stack has forgotten the call; gives the line that is free by it."""
        self.stuck_channels += not event.is_released
        self._refused.pop(event.call, None)
        line = self._bank.of_call(event.call)
        if line is None:
            return None, []
        effects = self.lost(line, Cause.FAILURE, now_us)
        self._bank.let_go(line)
        return line, effects

    def tell_release(self, line: PriLine, cause: Cause, now_us: int) -> Release:
        """What ends the call for the gateway, which has to confirm."""
        line.has_gateway = line.awaits_release = True
        line.timers["release"] = now_us + RELEASE_US
        return Release(line.channel, cause)

    def stuck(self, line: PriLine) -> list[Effect]:
        """The far end has not finished in time."""
        assert line.call is not None
        self.stuck_channels += 1
        return [stack.Forget(line.call)]

    def moments(self) -> list[int]:
        """When refused calls must be gone."""
        return list(self._refused.values())

    def advance(self, now_us: int) -> list[Effect]:
        """Drop refused calls that are due."""
        effects: list[Effect] = []
        for call in [call for call, moment in self._refused.items() if moment <= now_us]:
            del self._refused[call]
            self.stuck_channels += 1
            effects.append(stack.Forget(call))
        return effects

    def _begin(self, line: PriLine, now_us: int) -> None:
        line.phase = Phase.CLEARING
        line.setup = None
        line.timers = {name: moment for name, moment in line.timers.items() if name == "release"}
        line.timers["gone"] = now_us + GONE_US
