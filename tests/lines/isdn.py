"""Two spans back to back in memory under a virtual clock, for the tests of ISDN lines. No tests here.

`IsdnLine` joins two ends (bare stacks or whole spans) by a wire that a test may cut, tap and disturb.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from boards.signals import FromBoard, Setup, ToBoard
from drivers.libpri import LibpriSpan
from drivers.pri_stack import PriCommand, PriEvent, PriSettings
from firmware.core.clock import MICROSECONDS
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.span import PriSpan

START_US = 1_000 * MICROSECONDS
LINKTYPE_LAPD = 203  # tcpdump's list of link-layer header types


class End(Protocol):
    """One end of the wire."""

    def frame(self, frame: bytes, now_us: int) -> None: ...
    def run_timers(self, now_us: int) -> None: ...
    def next_deadline(self) -> int | None: ...
    def take_frames(self) -> list[bytes]: ...


class Exchange:
    """A bare stack in the hands of a test: the far exchange (or a far subscriber)."""

    def __init__(self, settings: PriSettings, now_us: int = START_US) -> None:
        self.stack = LibpriSpan(settings, now_us)
        self.events: list[PriEvent] = []
        self._now_us = now_us

    def frame(self, frame: bytes, now_us: int) -> None:
        self._now_us = now_us
        self.events += self.stack.receive(frame, now_us)

    def run_timers(self, now_us: int) -> None:
        self._now_us = now_us
        self.events += self.stack.run_timers(now_us)

    def next_deadline(self) -> int | None:
        return self.stack.next_deadline()

    def take_frames(self) -> list[bytes]:
        return self.stack.take_frames()

    def do(self, command: PriCommand) -> None:
        self.events += self.stack.do(command, self._now_us)

    def said(self) -> list[PriEvent]:
        """What happened since the last call."""
        events, self.events = self.events, []
        return events


class Box:
    """Our side: stack, lines and a gateway in the hands of the test."""

    def __init__(self, lines: PriLines, settings: PriSettings | None = None, now_us: int = START_US) -> None:
        self.lines = lines
        self.stack = LibpriSpan(settings or PriSettings(), now_us)
        self.span = PriSpan(self.stack, lines)
        self._now_us = now_us
        self.signals: list[FromBoard] = []
        self.answers: Callable[[FromBoard], list[ToBoard]] = lambda signal: []
        """What the gateway says to each signal."""

    def frame(self, frame: bytes, now_us: int) -> None:
        self._now_us = now_us
        self.span.frame(frame, now_us)
        self._gateway()

    def run_timers(self, now_us: int) -> None:
        self._now_us = now_us
        self.span.run_timers(now_us)
        self._gateway()

    def next_deadline(self) -> int | None:
        return self.span.next_deadline()

    def take_frames(self) -> list[bytes]:
        return self.span.take_frames()

    def attach(self) -> None:
        self.span.gateway_came(self._now_us)
        self._gateway()

    def leave(self) -> None:
        self.span.gateway_left(self._now_us)
        self._gateway()

    def say(self, *signals: ToBoard) -> None:
        for signal in signals:
            self.span.signal(signal, self._now_us)
        self._gateway()

    def _gateway(self) -> None:
        while signals := self.span.take_signals():
            for signal in signals:
                self.signals.append(signal)
                for answer in self.answers(signal):
                    self.span.signal(answer, self._now_us)

    def heard(self) -> list[FromBoard]:
        """Signals since the last call."""
        signals, self.signals = self.signals, []
        return signals

    def setups(self) -> list[Setup]:
        return [signal for signal in self.signals if isinstance(signal, Setup)]


class IsdnLine:
    """The wire and the clock. Both ends are driven in turn until nothing moves any more."""

    def __init__(self, network: End, user: End) -> None:
        self.network, self.user = network, user
        self.now_us = START_US
        self.is_cut = False
        self.disturb: Callable[[bytes], list[bytes]] | None = None
        """What arrives at `disturbed` instead of a frame."""
        self.disturbed: End = user
        self.frames: list[tuple[int, bool, bytes]] = []
        """(moment, from the network, frame) of all that was sent."""
        self.run(0)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        until_us = self.now_us + round(seconds * MICROSECONDS)
        while True:
            self._move()
            deadlines = [moment for end in (self.network, self.user) if (moment := end.next_deadline()) is not None]
            if not deadlines or min(deadlines) > until_us:
                break
            self.now_us = max(self.now_us, min(deadlines))
            for end in (self.network, self.user):
                end.run_timers(self.now_us)
        self.now_us = until_us
        for end in (self.network, self.user):
            end.run_timers(self.now_us)
        self._move()

    def _move(self) -> None:
        for _ in range(10_000):
            moved = False
            for sender, receiver in ((self.network, self.user), (self.user, self.network)):
                for frame in sender.take_frames():
                    moved = True
                    self.frames.append((self.now_us, sender is self.network, frame))
                    arriving = [] if self.is_cut else [frame]
                    if arriving and self.disturb is not None and receiver is self.disturbed:
                        arriving = self.disturb(frame)
                    for arrived in arriving:
                        receiver.frame(arrived, self.now_us)
            if not moved:
                return
        raise AssertionError("frames go round in a circle")

    def messages(self, from_network: bool) -> list[int]:
        """Q.931 message types that one side sent, in order, without repetitions of layer 2."""
        found: list[int] = []
        numbers: set[tuple[int, bytes]] = set()
        for _, is_network, frame in self.frames:
            if is_network is from_network and len(frame) > 6 and not frame[2] & 1 and frame[4] == 8:
                key = (frame[2], frame[4:])
                if key not in numbers:
                    found.append(frame[6 + (frame[5] & 15)])
                numbers.add(key)
        return found

    def write_capture(self, path: Path) -> None:
        """All frames as a capture file of link type LAPD, with 2 octets of FCS left out."""
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_LAPD))
            for moment, _, frame in self.frames:
                file.write(struct.pack("<IIII", *divmod(moment, MICROSECONDS), len(frame), len(frame)))
                file.write(frame)
