"""What is on the channels while a tick is measured."""

from __future__ import annotations

import numpy as np

from firmware.media.codec import BLOCK, Alaw
from firmware.media.sounds import SoundStore
from firmware.tones.generate import DIGITS, dtmf, pause


def talking(channels: int, ticks: int, store: SoundStore) -> Alaw:
    """[channels, samples]: the box's own prompts one after the other, each channel from another place."""
    speech = np.concatenate([store.samples(name) for name in store.names if name.startswith("prompt:")])
    return np.stack([np.resize(np.roll(speech, 7919 * channel), ticks * BLOCK) for channel in range(channels)])


def dialling(channels: int, ticks: int) -> Alaw:
    """[channels, samples]: digits of 50 ms with pauses of 50 ms, each channel from another place."""
    digits = np.concatenate([np.concatenate([dtmf(digit, 50), pause(50)]) for digit in DIGITS])
    return np.stack([np.resize(np.roll(digits, 1013 * channel), ticks * BLOCK) for channel in range(channels)])
