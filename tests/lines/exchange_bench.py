"""A gateway with two analogue trunks; the exchange at their other end is the test."""

from __future__ import annotations

from typing import Any

import numpy as np

from boards.base import ALAW_SILENCE, Block, ChannelPlace
from boards.signals import Cause, ChannelKind, Loop, RingDetected
from firmware.core.clock import VirtualClock
from firmware.core.line_schemas import ExchangeLineEntry, LineLevels
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, ConfigureLines
from firmware.lines.messages import IncomingCall, LegCleared
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.media.sounds import SoundStore
from firmware.tones.caller_id import CallerId
from firmware.tones.generate import sine
from tests.lines.bench import Bench

FIRST, SECOND = 0, 1
CALLER = CallerId("13800138000", "王芳", "11220830")
MUSIC = codec.encode(sine(700, -20, 8000))
BUSY = np.concatenate([codec.encode(sine(450, -18, 2800)), np.full(2800, ALAW_SILENCE, dtype=np.uint8)])


class ExchangeBench(Bench):
    """Two analogue trunks; the exchange's side of them is the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        places = [ChannelPlace(ChannelKind.EXCHANGE_LINE, f"FXO-{number}") for number in (1, 2)]
        self.gateway = Gateway(
            [("card", places)],
            SoundStore({"music:waiting": MUSIC}),
            boot="b00t",
            machine_boot="machine",
        )
        self.signals, self.events = [], []
        self.configure(**settings)
        self.open()
        self.look()

    def configure(self, blocked: bool = False, **settings: Any) -> None:
        """The first line is set so; `blocked`: taken out of service by hand."""
        line = ExchangeLineEntry(**{"line": "FXO-1", "number": "12345", **settings})
        levels = {"FXO-1": LineLevels(receive_db=line.receive_db, send_db=line.send_db)}
        self.command(ConfigureLines(exchange_lines=(line,), blocked=("FXO-1",) if blocked else (), levels=levels))

    def hear(self, audio: Alaw, channel: int = FIRST) -> Alaw:
        """The exchange says this on a line, whole blocks; what goes out on it meanwhile."""
        audio = np.concatenate([audio, np.full(-audio.size % 80, ALAW_SILENCE, dtype=np.uint8)])
        sent = []
        for block in audio.reshape(-1, 80):
            received: Block = np.full((2, 80), ALAW_SILENCE, dtype=np.uint8)
            received[channel] = block
            sent.append(self.tick(received)[channel])
        return np.concatenate(sent)

    def silence(self, seconds: float) -> Alaw:
        return self.hear(np.full(round(seconds * 8000), ALAW_SILENCE, dtype=np.uint8))

    def ring_once(self, seconds: float = 1.0) -> None:
        self.signal(RingDetected(FIRST, True))
        self.silence(seconds)
        self.signal(RingDetected(FIRST, False))

    def answered(self) -> str:
        """A call that came and is up."""
        self.ring_once()
        self.silence(4)
        self.ring_once()
        leg = self.last(IncomingCall).leg
        self.command(AnswerLeg(leg))
        self.said()
        return leg

    def over(self) -> tuple[str, Cause]:
        """Who ended the last call, and why; its loop must be open."""
        assert self.said() == [Loop(FIRST, False)]
        cleared = self.last(LegCleared)
        return cleared.by, cleared.cause
