"""For the recorder's tests: a gateway that fills the ring without a clock, wishes, and what a recording must hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from firmware.media.ring import RingWriter
from firmware.records.messages import CloseRecording, OpenRecording, RecordingClosed
from firmware.records.recording import HEADER_SIZE

CHANNELS = 4
RING_SECONDS = 2
FILE = "2026/11/22/7.au"


def tick(sample: int) -> np.ndarray:
    """[2, channels, 80]: audio that says which sample, channel and direction it is, and is never silence."""
    samples = sample + np.arange(80)
    received = (samples[None, :] * 13 + samples[None, :] // 80 * 5 + np.arange(CHANNELS)[:, None] * 40) % 199
    return np.stack([received, received + 7]).astype(np.uint8)


class Gateway:
    """Fills the ring of one start, tick by tick, without a clock."""

    def __init__(self, folder: Path, boot: str, seconds: int = RING_SECONDS) -> None:
        self.path = folder / f"audio-{boot}.ring"
        self.boot = boot
        self.writer = RingWriter(self.path, boot, CHANNELS, seconds)
        self.sample = 0

    def run(self, to_sample: int) -> None:
        while self.sample < to_sample:
            self.writer.write(self.sample, *tick(self.sample))
            self.sample += 80

    def die(self, unlink: bool = False) -> None:
        self.writer.close(unlink)


def spoken(channel: int, from_sample: int, to_sample: int) -> np.ndarray:
    first = from_sample // 80 * 80
    ticks = [tick(sample)[:, channel].T for sample in range(first, to_sample, 80)]
    return np.concatenate([np.empty((0, 2), np.uint8), *ticks])[from_sample - first : to_sample - first]


def opened(
    number: int = 7, file: str = FILE, boot: str = "g1", channel: int = 1, from_sample: int = 0
) -> OpenRecording:
    return OpenRecording(number, file, boot, channel, from_sample)


def closing(asked: OpenRecording, to_sample: int) -> CloseRecording:
    return CloseRecording(asked.recording, asked.file, asked.gateway_boot, asked.channel, asked.from_sample, to_sample)


def content(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes()[HEADER_SIZE:], np.uint8).reshape(-1, 2)


def closed(number: int, audio: np.ndarray, missing: int = 0) -> RecordingClosed:
    return RecordingClosed(number, len(audio), missing, hashlib.sha256(audio.tobytes()).hexdigest())
