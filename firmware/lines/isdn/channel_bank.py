"""The B channels of a span together: which call has which, and which comes next. Data and look-ups, no decisions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drivers import pri_stack as stack
from firmware.lines.isdn.line import Phase, PriLine


class ChannelBank:
    """Thirty lines. A line that has a call is found by it until `let_go`."""

    def __init__(self) -> None:
        self.protocol_errors = 0
        """Steps of the far end or the gateway that made no sense."""
        self.lines = [PriLine(channel, slot) for channel, slot in enumerate(stack.TIME_SLOTS)]
        self._by_slot = {line.slot: line for line in self.lines}
        self._by_call: dict[int, PriLine] = {}
        self._order = deque(reversed(self.lines))
        """Where a call that may have any channel looks first: far from where exchanges begin, longest unused first."""

    @property
    def calls(self) -> int:
        """Calls that hold a channel."""
        return len(self._by_call)

    def at_slot(self, slot: int | None) -> PriLine | None:
        """None: no such B channel, or none was named."""
        return self._by_slot.get(slot) if slot is not None else None

    def of_call(self, call: int) -> PriLine | None:
        return self._by_call.get(call)

    def any_free(self, shunned: Callable[[int], bool]) -> PriLine | None:
        """One whose slot is shunned only if there is no other."""
        free = [line for line in self._order if line.is_free]
        return next((line for line in free if not shunned(line.slot)), next(iter(free), None))

    def take(self, line: PriLine, call: int, phase: Phase) -> None:
        """The line has this call from now on, whose first phase this is."""
        line.rest()
        line.call, line.phase = call, phase
        self._by_call[call] = line
        self._order.remove(line)
        self._order.append(line)

    def let_go(self, line: PriLine) -> int:
        """The line has no call any more; gives the one that it had."""
        assert line.call is not None
        call = line.call
        del self._by_call[call]
        line.rest()
        return call
