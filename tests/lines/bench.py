"""A gateway of a few lines in virtual time, with what a test says to it and hears from it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from boards.base import ALAW_SILENCE, Block, ChannelPlace
from boards.signals import ChannelKind, FromBoard, HookChange, Setup, ToBoard
from firmware.core.clock import VirtualClock
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand
from firmware.lines.messages import AnyLineEvent, IncomingCall
from firmware.media.codec import Alaw
from firmware.media.sounds import SoundStore

TRUNKS, PHONES = 3, 3
FIRST_PHONE = TRUNKS
CHANNELS = (
    *(ChannelPlace(ChannelKind.TRUNK, f"T-{number}") for number in range(1, TRUNKS + 1)),
    *(ChannelPlace(ChannelKind.EXTENSION, f"P-{number}") for number in range(1, PHONES + 1)),
)
BUSY = np.arange(1, 201, dtype=np.uint8)
"""Stands for busy tone: no two neighbouring samples alike, and none is silence."""
HOWLER = np.resize(np.arange(3, 90, 3, dtype=np.uint8), 300)
PROMPT = np.resize(np.arange(2, 100, 2, dtype=np.uint8), 400)
MUSIC = np.resize(np.arange(1, 99, 2, dtype=np.uint8), 800)

Event = TypeVar("Event", bound=AnyLineEvent)


class Bench:
    """One gateway with one board; `now` moves only by `tick`, `wait` and `skip`."""

    def __init__(self, tones: dict[str, Alaw] | None = None) -> None:
        """`tones`: a country's in the place of sounds that are easy to tell apart."""
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        plain = {"tone:busy": BUSY, "tone:howler": HOWLER, "prompt:welcome": PROMPT, "music:waiting": MUSIC}
        sounds = SoundStore({f"tone:{name}": loop for name, loop in tones.items()} if tones else plain)
        self.gateway = Gateway([("card", CHANNELS)], sounds, boot="b00t", machine_boot="machine")
        self.signals: list[ToBoard] = []
        self.events: list[AnyLineEvent] = []
        self.open()
        self.look()

    def open(self) -> None:
        self.gateway.board_opened("card", self.clock.now())

    def look(self) -> None:
        """Collect what came out."""
        self.signals += [signal for _, signal in self.gateway.take_signals()]
        last = self.events[-1].number if self.events else 0
        self.events += self.gateway.events_after(last)

    def signal(self, *signals: FromBoard) -> None:
        for signal in signals:
            self.gateway.handle_signal("card", signal, self.clock.now())
        self.look()

    def command(self, *commands: AnyLineCommand) -> None:
        for command in commands:
            self.gateway.handle_command(command, self.clock.now())
        self.look()

    def tick(self, received: Block | None = None) -> Block:
        """One tick of 10 ms; what goes out to the board."""
        self.clock.advance_to(self.clock.now().mono_us + 10_000)
        sent = self.gateway.tick({"card": received}, self.clock.now())["card"]
        self.look()
        return sent

    def wait(self, seconds: float) -> None:
        """Let time pass without audio, timer by timer."""
        end = self.clock.now().mono_us + round(seconds * 1_000_000)
        while (due := self.gateway.next_deadline()) is not None and due <= end:
            self.clock.advance_to(due)
            self.gateway.advance(self.clock.now())
            self.look()
        self.clock.advance_to(end)

    def all(self, kind: type[Event]) -> list[Event]:
        """Events of a kind so far, oldest first."""
        found: list[Any] = [event for event in self.events if isinstance(event, kind)]
        return found

    def last(self, kind: type[Event]) -> Event:
        found = self.all(kind)
        assert found, f"no {kind.__name__} in {self.events}"
        return found[-1]

    def said(self) -> list[ToBoard]:
        """Signals to the board since the last look at them."""
        signals, self.signals = self.signals, []
        return signals

    def state(self, channel: int) -> str:
        return self.gateway.lines[channel].display_state()

    # ---- what happens often ------------------------------------------------------------------------------------------

    def call(self, channel: int = 0, **details: Any) -> str:
        """A caller comes in; the leg."""
        self.signal(Setup(channel, **{"called": "12345", "calling": "13800138000", **details}))
        return self.last(IncomingCall).leg

    def lift(self, channel: int = FIRST_PHONE) -> None:
        self.signal(HookChange(channel, True))

    def put_down(self, channel: int = FIRST_PHONE) -> None:
        self.signal(HookChange(channel, False))


def speech(number: int) -> Block:
    """A block in which every channel says something that no other does, never silence."""
    samples = np.random.default_rng(number).integers(0, 200, (len(CHANNELS), 80), dtype=np.uint8)
    samples[samples == ALAW_SILENCE] = 1
    return samples
