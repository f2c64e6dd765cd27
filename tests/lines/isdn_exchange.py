"""An exchange that minds its channels, over a bare stack: what a RESTART ends, what it refuses. No tests here.

As an exchange does it that follows Q.931 5.5.2 (and as Asterisk's chan_dahdi does it on libpri): a RESTART drops the
call on its channel at once, without a word about it to either party.
"""

from __future__ import annotations

from collections import Counter

from drivers.pri_stack import (
    Alert,
    Clear,
    Forget,
    Gone,
    Incoming,
    PlaceCall,
    PriCommand,
    PriEvent,
    PriSettings,
    Proceed,
    Progressed,
    Restart,
    RestartDone,
    Restarted,
)
from tests.lines.isdn import START_US, Exchange

ALL = -1


class SwitchingExchange(Exchange):
    """Takes calls of the box as far as ringing."""

    keeps_calls = False
    """It leaves a call alone that is not answered by the box yet when a RESTART of its channel comes."""
    refuses_restarting = True
    """A SETUP for a channel that it restarts itself is refused (44), not taken."""

    def __init__(self, settings: PriSettings, now_us: int = START_US) -> None:
        super().__init__(settings, now_us)
        self.slots: dict[int, int] = {}
        """The channel of each call that has one."""
        self.fresh: set[int] = set()
        """Calls that the box has not answered."""
        self.dropped: list[int] = []
        """Calls that a RESTART of the box ended."""
        self.restarting: Counter[int] = Counter()
        self.restarted_by_box: list[int | None] = []

    def frame(self, frame: bytes, now_us: int) -> None:
        known = len(self.events)
        super().frame(frame, now_us)
        self._react(self.events[known:])

    def run_timers(self, now_us: int) -> None:
        known = len(self.events)
        super().run_timers(now_us)
        self._react(self.events[known:])

    def do(self, command: PriCommand) -> None:
        if isinstance(command, PlaceCall):
            self.fresh.add(command.call)
            if command.slot != 0xFF:
                self.slots[command.call] = command.slot
        if isinstance(command, Restart):
            self.restarting[command.slot] += 1
            self._end(command.slot, everything=True)
        known = len(self.events)
        super().do(command)
        self._react(self.events[known:])

    def _react(self, events: list[PriEvent]) -> None:
        for event in events:
            match event:
                case Restarted(slot):
                    self.restarted_by_box.append(slot)
                    self.dropped += self._end(slot, everything=not self.keeps_calls)
                case RestartDone(slot):
                    self.restarting.clear() if slot is None else self.restarting.subtract([slot])
                case Gone(call):
                    self.slots.pop(call, None)
                    self.fresh.discard(call)
                case Progressed(call, _, slot):
                    self.fresh.discard(call)
                    self.slots[call] = slot or self.slots[call]
                case Incoming():
                    self._take(event)

    def _take(self, event: Incoming) -> None:
        assert event.slot is not None
        is_restarting = self.restarting[event.slot] > 0 or self.restarting[ALL] > 0
        if event.slot in self.slots.values() or (is_restarting and self.refuses_restarting):
            self.do(Clear(event.call, 44))
            return
        self.slots[event.call] = event.slot
        self.do(Proceed(event.call, event.slot))
        self.do(Alert(event.call, event.slot))

    def _end(self, slot: int | None, *, everything: bool) -> list[int]:
        over = [
            call
            for call, its_slot in self.slots.items()
            if slot in (None, its_slot) and (everything or call not in self.fresh)
        ]
        for call in over:
            self.do(Forget(call))
        return over
