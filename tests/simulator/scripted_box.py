"""A box in the hand of a test: answers calls, rings phones, joins rows. Stands where the gateway stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from boards.signals import Connect, FromBoard, HookChange, Proceeding, Release, Ring, Setup, ToBoard
from firmware.core.clock import Stamp
from firmware.media.codec import Alaw
from firmware.simulator.world import BLOCK_US, World

START = Stamp(5_000_000, 1_790_000_000_000_000, True)


class ScriptedBox:
    """Drives a World in virtual time, block by block. Every block that the box gets goes out again one block later."""

    def __init__(self, world: World, answers: bool = True) -> None:
        self.world = world
        self.answers = answers
        self.joined: dict[int, int] = {}
        """Channel → channel that it hears."""
        self.heard_signals: list[tuple[int, FromBoard]] = []
        """(block, signal) as the world sent them."""
        self.to_world: list[ToBoard] = []
        self.last_block: Alaw = np.full((38, 80), 0xD5, dtype=np.uint8)
        self.plays: dict[int, Alaw] = {}
        """Channel → one block that it is played again and again."""
        self.sent: list[Alaw] = []

    @property
    def now(self) -> Stamp:
        return START.later(self.world.block * BLOCK_US)

    def signals(self, kind: type) -> list[FromBoard]:
        return [signal for _, signal in self.heard_signals if isinstance(signal, kind)]

    def join(self, one: int, other: int) -> None:
        self.joined[one], self.joined[other] = other, one

    def ring(self, channel: int, on: bool = True) -> None:
        self.to_world.append(Ring(channel=channel, on=on))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Play blocks for so long, or until the condition holds."""
        for _ in range(round(seconds * 100)):
            if until():
                return
            self.tick()

    def tick(self) -> None:
        out = np.full((38, 80), 0xD5, dtype=np.uint8)
        for hearer, source in self.joined.items():
            out[hearer] = self.last_block[source]
        for channel, block in self.plays.items():
            out[channel] = block
        signals, self.to_world = self.to_world, []
        number = self.world.block
        self.last_block, answered = self.world.step(out, signals, self.now)
        self.sent.append(self.last_block)
        for signal in answered:
            self.heard_signals.append((number, signal))
            self._handle(signal)

    def _handle(self, signal: FromBoard) -> None:
        match signal:
            case Setup() if self.answers:
                self.to_world += [Proceeding(channel=signal.channel), Connect(channel=signal.channel)]
            case Release(channel=channel):
                self.joined.pop(self.joined.pop(channel, -1), None)
                self.to_world.append(Release(channel=channel))
            case HookChange(channel=channel, off_hook=False):
                self.joined.pop(channel, None)
