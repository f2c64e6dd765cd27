"""Two gateways joined by an E1 with line bits, in virtual time: the exchange's and ours, real audio between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block, ChannelPlace
from boards.signals import Bits, ChannelKind
from firmware.core.clock import VirtualClock
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand, PlaceCall
from firmware.lines.messages import AnyLineEvent, CallPlaced, LegCleared
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import R2Plan, Timing, load_r2_plan
from firmware.media import codec
from firmware.media.sounds import SoundStore
from firmware.tones.mfc import MfcSender
from firmware.tones.plan import load_plan

PLAN = load_r2_plan()
SOUNDS = SoundStore({f"tone:{name}": samples for name, samples in load_plan().samples().items()})

Event = TypeVar("Event", bound=AnyLineEvent)
Line = Callable[[Block], Block]


def plan_with(**milliseconds: int) -> R2Plan:
    """China's plan with other timers."""
    timers = PLAN.timers | {name: Timing(ms, "test") for name, ms in milliseconds.items()}
    return msgspec.structs.replace(PLAN, timers=timers)


def noise(snr_db: float, seed: int) -> Line:
    """A line with white noise `snr_db` below a register tone (both of its tones together)."""
    random = np.random.default_rng(seed)
    level = codec.peak_of(-11.5 + 3.0 - snr_db) / np.sqrt(2.0)

    def add(block: Block) -> Block:
        disturbed = codec.decode(block) + random.normal(0.0, level, block.shape).astype(np.float32)
        return codec.encode(disturbed)

    return add


@dataclass
class End:
    """One gateway, with what it said and what is on its way to it."""

    gateway: Gateway
    events: list[AnyLineEvent] = field(default_factory=list)
    audio: Block | None = None
    bits: list[Bits] = field(default_factory=list)
    shown: list[tuple[int, int]] = field(default_factory=list)
    """(channel, a and b) as it showed them."""

    def line(self, channel: int = 0) -> R2Line:
        line = self.gateway.lines[channel]
        assert isinstance(line, R2Line)
        return line

    def all(self, kind: type[Event]) -> list[Event]:
        found: list[Any] = [event for event in self.events if isinstance(event, kind)]
        return found

    def last(self, kind: type[Event]) -> Event:
        found = self.all(kind)
        assert found, f"no {kind.__name__} in {self.events}"
        return found[-1]

    def state(self, channel: int = 0) -> str:
        return self.line(channel).display_state()


class R2Bench:
    """`here` is our box, `there` the exchange. Bits and audio need one tick of 10 ms to the other end."""

    def __init__(
        self,
        channels: int = 1,
        *,
        here: R2Plan = PLAN,
        there: R2Plan = PLAN,
        shift_hz: float = 0.0,
        line: Line | None = None,
        begin: bool = True,
    ) -> None:
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        places = [ChannelPlace(ChannelKind.CAS, f"E1-1/{slot}") for slot in range(1, channels + 1)]
        self.channels = channels
        self.here = End(Gateway([("e1", places)], SOUNDS, "here", "machine", here))
        self.there = End(Gateway([("e1", places)], SOUNDS, "there", "machine", there))
        self.ends = (self.here, self.there)
        self.carry = line or (lambda block: block)
        self.cut = False
        """True: nothing comes through, neither bits nor audio."""
        self.requests = 0
        if shift_hz:
            for end, shift in ((self.here, shift_hz), (self.there, -shift_hz)):
                end.gateway._bank.register_sender = MfcSender(shift_hz=shift)
        for end in self.ends:
            end.gateway.board_opened("e1", self.clock.now())
        if begin:
            self.run(0.1)

    def look(self) -> None:
        for end, far in (self.ends, self.ends[::-1]):
            for _, signal in end.gateway.take_signals():
                assert isinstance(signal, Bits)
                assert signal.abcd & 3 == 3
                end.shown.append((signal.channel, signal.abcd >> 2))
                if not self.cut:
                    far.bits.append(signal)
            end.events += end.gateway.events_after(end.events[-1].number if end.events else 0)

    def tick(self) -> None:
        self.clock.advance_to(self.clock.now().mono_us + 10_000)
        now = self.clock.now()
        self.look()
        for end in self.ends:
            bits, end.bits = end.bits, []
            for signal in bits:
                end.gateway.handle_signal("e1", signal, now)
        received = [end.audio for end in self.ends]
        for end, far, block in zip(self.ends, self.ends[::-1], received, strict=True):
            sent = end.gateway.tick({"e1": block}, now)["e1"]
            far.audio = np.full((self.channels, BLOCK), ALAW_SILENCE, np.uint8) if self.cut else self.carry(sent)
        self.look()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.tick()

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> float:
        """Run until it holds; the seconds that took. Fails after `seconds`."""
        begin = self.clock.now().mono_us
        while not condition():
            assert self.clock.now().mono_us - begin < seconds * 1_000_000, "it never came to that"
            self.tick()
        return (self.clock.now().mono_us - begin) / 1_000_000

    def command(self, end: End, *commands: AnyLineCommand) -> None:
        for command in commands:
            end.gateway.handle_command(command, self.clock.now())
        self.look()

    def restore(self) -> None:
        """The line is whole again: each end is shown the bits that the other shows."""
        self.cut = False
        for end, far in (self.ends, self.ends[::-1]):
            far.bits += [Bits(line.channel, line.sent_bits) for line in end.gateway.lines if isinstance(line, R2Line)]

    # ---- what happens often ------------------------------------------------------------------------------------------

    def dial(
        self, called: str = "12345", calling: str = "13800138000", channel: int = 0, end: End | None = None
    ) -> str:
        """A call from the exchange (or `end`); the leg there."""
        self.requests += 1
        end = end or self.there
        self.command(end, PlaceCall(str(self.requests), channel, called, calling))
        return end.last(CallPlaced).leg

    def finished(self) -> bool:
        """All lines idle and seen as idle from the other end, and no leg left."""
        return all(line.display_state() == "idle" and not line.leg for end in self.ends for line in end.gateway.lines)

    def check_legs(self) -> None:
        """Each leg of both ends was cleared exactly once, with nothing after, and nothing runs any more."""
        self.run(0.1)
        for end in self.ends:
            legs = [event.leg for event in end.events if event.leg]
            cleared = [event.leg for event in end.all(LegCleared)]
            assert sorted(cleared) == sorted(set(legs))
            for leg in cleared:
                course = [event for event in end.events if event.leg == leg]
                assert isinstance(course[-1], LegCleared)
            assert end.gateway.snapshot(True, self.clock.now()).legs == ()
            assert not end.gateway._bank.register_sender.sending
            assert not end.gateway._bank.ears.awaited
            assert end.gateway.next_deadline() is None
