"""All that is done with audio in one tick of a busy hour: decode, switch with mixes and players, all detectors, encode,
tap for the recorder. Its parts can be measured alone. No peer: nobody else has this tick.

In each sixteen channels: four pairs that talk, a conference of four, one that hears prompts, one that hears music, one
that monitors a pair, one that hears nothing; one of the talkers dials without end. On all channels DTMF, fax and
information tones, voice presence; register tones on an eighth and exchange tones on a quarter of them, more than any
office has at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore
from firmware.tones.call_progress import CallProgressDetector
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.mfc import MfcDetector
from firmware.tones.presence import PresenceDetector
from firmware.tones.signals import SignalDetector

GROUP = 16

Part = Callable[[Alaw], object]
Tap = Callable[[int, Alaw, Alaw], object]


class BusyHour:
    """One media plane and all its detectors."""

    def __init__(self, channels: int, store: SoundStore, tap: Tap) -> None:
        """`tap`: RingWriter.write, or what stands for it. Raises ValueError if it is not whole groups."""
        if channels % GROUP:
            raise ValueError(f"{channels} channels are not whole groups of {GROUP}")
        self.plane = MediaPlane(channels, store)
        self._pairs, self._fours = MediaPlane(channels, store), MediaPlane(channels, store)
        self._pairs.join({channel: [channel ^ 1] for channel in range(channels)})
        self._fours.join({channel: [channel ^ other for other in (1, 2, 3)] for channel in range(channels)})
        self._tap = tap
        self._sent: Alaw = np.zeros((channels, BLOCK), dtype=np.uint8)
        self._sample = 0
        prompts = [name for name in store.names if name.startswith("prompt:")]
        for first in range(0, channels, GROUP):
            hearing = {first + place: [first + (place ^ 1)] for place in range(8)}
            four = range(first + 8, first + 12)
            hearing |= {channel: [other for other in four if other != channel] for channel in four}
            hearing[first + 14] = [first, first + 1]
            self.plane.join(hearing)
            self.plane.play(first + 12, prompts, loop=True)
            self.plane.play(first + 13, ["music:waiting"], loop=True)
        self._digits = DtmfDetector(channels)
        self._signals, self._presence = SignalDetector(channels), PresenceDetector(channels)
        self._registers = MfcDetector(channels)
        for channel in range(0, channels, 8):
            self._registers.listen(channel, "forward")
        self._exchange, self._analogue = CallProgressDetector(channels), np.arange(0, channels, 4)

    def parts(self) -> dict[str, Part]:
        """What can be measured alone, by name; each takes the block that came in, and the detectors what `decode` made
        of it."""
        return {
            "switch: all in pairs (decode, copy)": self._pairs.tick,
            "switch: all in conferences of four": self._fours.tick,
            "switch: busy hour (mixes, players)": self._switch,
            "DTMF": lambda _: self._digits.process(self.plane.linear, self._next()),
            "fax and information tones": lambda _: self._signals.process(self.plane.linear, self._next()),
            "voice presence": lambda _: self._presence.process(self._signals.energy, self._next()),
            "register tones (an eighth)": lambda _: self._registers.process(self.plane.linear, self._next()),
            "exchange tones (a quarter)": lambda _: self._exchange.process(
                self.plane.linear, self._next(), self._analogue
            ),
            "recorder tap": lambda received: self._tap(self._next(), received, self._sent),
        }

    def decode(self, received: Alaw) -> None:
        """As the switch does it, for a detector that is measured alone."""
        codec.decode(received, out=self.plane.linear)

    def tick(self, received: Alaw) -> None:
        """All of it."""
        sample = self.plane.sample
        tick = self.plane.tick(received)
        linear = self.plane.linear
        self._registers.process(linear, sample)
        self._digits.process(linear, sample)
        self._signals.process(linear, sample)
        self._presence.process(self._signals.energy, sample)
        self._exchange.process(linear, sample, self._analogue)
        self._tap(sample, received, tick.recorded())

    def _switch(self, received: Alaw) -> None:
        self._sent = self.plane.tick(received).recorded()

    def _next(self) -> int:
        self._sample += BLOCK
        return self._sample - BLOCK


def switch_delay_samples(store: SoundStore, channels: int = 128) -> list[int]:
    """By how many samples a click that comes in on one of two joined channels goes out later on the other, counted at
    the block that the board gives and the one that it gets; for clicks at every place of a block."""
    plane = MediaPlane(channels, store)
    plane.join({0: [channels - 1], channels - 1: [0]})
    silence = np.full((channels, BLOCK), 0xD5, dtype=np.uint8)
    for _ in range(2):
        plane.tick(silence)
    delays: list[int] = []
    for place in range(BLOCK):
        block = silence.copy()
        block[0, place] = 0x80
        # What came in up to the end of a tick goes out from the beginning of the next: that is the tick of delay.
        came, outward = place, []
        for received in (block, silence, silence):
            outward.append(plane.tick(received).sent[channels - 1])
        went = int(np.flatnonzero(np.concatenate(outward) != 0xD5)[0]) + BLOCK
        delays.append(went - came)
    return delays
