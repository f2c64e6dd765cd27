"""What the simulated people say: one sound or none on each channel, laid out a block at a time. Decides nothing.

A sound starts at a sample number of the world and stands still in it: which sample of the sound goes out follows from
the block number alone, so a block costs a gather of the rows that speak and no state is kept from block to block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import BLOCK, SAMPLE_RATE, SILENCE, Alaw, encode
from firmware.simulator.pattern import pattern_blocks
from firmware.tones.fsk import modulate
from firmware.tones.generate import dtmf, pause, sine
from firmware.tones.plan import load_plan

VOICE_DBM0 = -13.0
"""Level of a tone that stands for speech."""
DIGIT_MILLISECONDS = 100
"""How long a digit sounds, and how long the pause after it is."""
DIGIT_BLOCKS = 2 * DIGIT_MILLISECONDS // 10
"""Blocks from one digit to the next."""
EXCHANGE_DBM0 = -10.0
"""Level of the exchange's tones (GB/T 3380)."""


@dataclass(frozen=True)
class Cadence:
    """A tone of the exchange: so long on, so long off (0: without a break)."""

    hz: int
    on_ms: int
    off_ms: int


class Voices:
    """The sounds of all channels. A new sound replaces the one before it."""

    def __init__(self, channels: int) -> None:
        self._silence = np.full((channels, BLOCK), SILENCE, dtype=np.uint8)
        self._bank = np.zeros(0, dtype=np.uint8)
        self._place: dict[tuple[str, str | int | Cadence], tuple[int, int]] = {}
        self._playing: dict[int, tuple[int, int, int]] = {}
        """Channel → place in the bank, length, sample number at which it began."""
        self._patterns: dict[int, int] = {}
        """Channel → speaker."""
        self._once: dict[int, tuple[Alaw, int]] = {}
        """Channel → a sound that does not repeat, sample number at which it began."""
        self._changed = False
        self._within = np.arange(BLOCK)
        self._rows: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._sounds: NDArray[np.int64] = np.zeros((0, 3), dtype=np.int64)
        self._pattern_rows: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._speakers: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def silence(self, channel: int) -> None:
        """Nothing from the next block on."""
        self._playing.pop(channel, None)
        self._patterns.pop(channel, None)
        self._once.pop(channel, None)
        self._changed = True

    def tone(self, channel: int, hz: int, first_sample: int) -> None:
        """A steady sine of a whole number of Hz."""
        self._play(channel, ("tone", hz), first_sample)

    def digit(self, channel: int, digit: str, first_sample: int) -> None:
        """One DTMF digit and the pause after it; repeats until replaced, so silence it after DIGIT_BLOCKS."""
        self._play(channel, ("digit", digit.upper()), first_sample)

    def pattern(self, channel: int, speaker: int) -> None:
        """The speaker's pattern; its sample numbers are those of the world."""
        self.silence(channel)
        self._patterns[channel] = speaker

    def cadence(self, channel: int, cadence: Cadence, first_sample: int) -> None:
        """A tone of the exchange, again and again."""
        self._play(channel, ("cadence", cadence), first_sample)

    def vacant(self, channel: int, first_sample: int) -> None:
        """Vacant-number tone as the country's plan has it, again and again."""
        self._play(channel, ("vacant", ""), first_sample)

    def caller_id(self, channel: int, message: bytes, first_sample: int) -> None:
        """A caller ID message by FSK, once."""
        self.silence(channel)
        self._once[channel] = (encode(modulate(message)), first_sample)

    def _play(self, channel: int, key: tuple[str, str | int | Cadence], first_sample: int) -> None:
        if key not in self._place:
            sound = self._made(key)
            self._place[key] = (len(self._bank), len(sound))
            self._bank = np.concatenate((self._bank, sound))
        self.silence(channel)
        self._playing[channel] = (*self._place[key], first_sample)

    @staticmethod
    def _made(key: tuple[str, str | int | Cadence]) -> Alaw:
        kind, value = key
        if isinstance(value, Cadence):
            on = encode(sine(value.hz, EXCHANGE_DBM0, round(value.on_ms * 8)))
            return np.concatenate((on, pause(value.off_ms)))
        if kind == "vacant":
            return load_plan().samples()["vacant"]
        if kind == "digit":
            return np.concatenate((dtmf(str(value), DIGIT_MILLISECONDS), pause(DIGIT_MILLISECONDS)))
        # One second of a whole number of Hz joins its own beginning without a step.
        return encode(sine(float(value), VOICE_DBM0, SAMPLE_RATE))

    def _take_changes(self) -> None:
        self._changed = False
        self._rows = np.array(list(self._playing), dtype=np.intp)
        self._sounds = np.array(list(self._playing.values()), dtype=np.int64).reshape(-1, 3)
        self._pattern_rows = np.array(list(self._patterns), dtype=np.intp)
        self._speakers = np.array(list(self._patterns.values()), dtype=np.int64)

    def block(self, first_sample: int) -> Alaw:
        """What all channels say in the block that begins at `first_sample`: [channels, 80] A-law, a new array."""
        if self._changed:
            self._take_changes()
        block = self._silence.copy()
        if len(self._rows):
            start, length, began = self._sounds.T
            inside = (first_sample - began)[:, np.newaxis] + self._within
            block[self._rows] = self._bank[start[:, np.newaxis] + inside % length[:, np.newaxis]]
        if len(self._pattern_rows):
            block[self._pattern_rows] = pattern_blocks(self._speakers, first_sample)
        for channel, (sound, began) in self._once.items():
            part = sound[max(0, first_sample - began) : first_sample - began + BLOCK]
            block[channel, : len(part)] = part
        return block
