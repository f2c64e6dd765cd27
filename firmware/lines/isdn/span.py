"""A whole span: the ISDN stack and the lines joined, sans-I/O. Frames and signals in, frames and signals out.

The worker process (firmware/box/pri) and the tests drive this; neither the D channel nor the link is known here.
"""

from __future__ import annotations

from collections import deque

from boards.signals import FromBoard, ToBoard
from drivers.pri_stack import PriEvent, PriStack
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.effects import DropGateway, Effect


class PriSpan:
    """`now_us` is monotonic time throughout. May raise PriError: then the stack is of no more use."""

    def __init__(self, stack: PriStack, lines: PriLines) -> None:
        self.stack = stack
        self.lines = lines
        self._signals: list[FromBoard] = []
        self._drop: str | None = None

    def frame(self, frame: bytes, now_us: int) -> None:
        """A frame (no FCS) came from the D channel."""
        self._happened(self.stack.receive(frame, now_us), now_us)
        self.run_timers(now_us)

    def run_timers(self, now_us: int) -> None:
        """Fire what is due, of the stack and of the lines."""
        deadline = self.stack.next_deadline()
        if deadline is not None and deadline <= now_us:
            self._happened(self.stack.run_timers(now_us), now_us)
        deadline = self.lines.next_deadline()
        if deadline is not None and deadline <= now_us:
            self._perform(self.lines.advance(now_us), now_us)

    def next_deadline(self) -> int | None:
        moments = (self.stack.next_deadline(), self.lines.next_deadline())
        return min((moment for moment in moments if moment is not None), default=None)

    def gateway_came(self, now_us: int) -> None:
        self._signals.clear()
        self._drop = None
        self._perform(self.lines.gateway_came(now_us), now_us)

    def gateway_left(self, now_us: int) -> None:
        self._perform(self.lines.gateway_left(now_us), now_us)
        self._signals.clear()
        self._drop = None

    def signal(self, signal: ToBoard, now_us: int) -> None:
        """The gateway wants something on a channel."""
        self._perform(self.lines.from_gateway(signal, now_us), now_us)

    def take_signals(self) -> list[FromBoard]:
        """Signals for the gateway since the last call."""
        signals, self._signals = self._signals, []
        return signals

    def take_drop(self) -> str | None:
        """Why the gateway's link is to be closed, if it is."""
        why, self._drop = self._drop, None
        return why

    def take_frames(self) -> list[bytes]:
        """Frames (no FCS) for the D channel since the last call."""
        return self.stack.take_frames()

    def _happened(self, events: list[PriEvent], now_us: int) -> None:
        for event in events:
            self._perform(self.lines.from_stack(event, now_us), now_us)

    def _perform(self, effects: list[Effect], now_us: int) -> None:
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            if isinstance(effect, FromBoard):
                self._signals.append(effect)
            elif isinstance(effect, DropGateway):
                self._drop = effect.why
            else:
                for event in self.stack.do(effect, now_us):
                    waiting.extend(self.lines.from_stack(event, now_us))
