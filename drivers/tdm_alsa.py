"""Samples of a TDM bus through an ALSA sound card: frames of N slots to and from blocks. Knows nothing of lines.

The processor's I2S/PCM port in TDM mode is a sound card with as many channels as the bus has slots, 8000 frames a
second. A period is one block of 10 ms. Slots are A-law bytes (`a_law`), or 16 bit samples with the A-law code in the
lower byte (`word`), as ports do that cannot make 8-bit slots. pyalsaaudio (0.10 or later) is imported when a stream is
opened.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.spi_line_chip import ChipError
from firmware.core.faults import fault

RATE = 8000
STATE_XRUN = 4
"""ALSA's SND_PCM_STATE_XRUN."""
BLOCK = 80
"""Frames in a period: 10 ms."""
BLOCK_NS = 10_000_000
DEPTH = 4
"""Periods that the card buffers outward: more would only be delay."""
INWARD_DEPTH = 32
"""Periods that it buffers inward, if it can hold so many: a stall of 0.3 s loses nothing of what came."""
PREFILL = 2
"""Periods of silence written at the start, so that a block that comes a little late still finds one playing."""
BLOCKS_AT_ONCE = 64
"""More than any card buffers: a device without a clock (ALSA's `null`) would give blocks for ever."""
ALAW_SILENCE = 0xD5

Block = NDArray[np.uint8]
SampleFormat = Literal["a_law", "word"]


class Pcm(Protocol):
    """What is used of pyalsaaudio's `PCM`, opened non-blocking. Its methods raise `ALSAAudioError`."""

    def read(self) -> tuple[int, bytes]: ...
    def write(self, data: bytes) -> int: ...
    def polldescriptors(self) -> list[tuple[int, int]]: ...
    def state(self) -> int: ...
    def close(self) -> None: ...


PcmPair = tuple[Pcm, Pcm]
"""Capture and playback."""


@dataclass
class TdmCounters:
    """What was lost since the stream was opened; only grow."""

    overruns: int = 0
    """Times that the card's capture buffer ran over; each loses what it held and what came until it was seen."""
    underruns: int = 0
    """Times that the card had nothing to play."""
    lost_inward: int = 0
    lost_outward: int = 0


def open_pcms(card: str, slots: int, sample_format: SampleFormat, where: str) -> PcmPair:
    """Capture and playback of an ALSA card, e.g. `hw:CARD=linecard`. Raises ChipError if it is not there."""
    try:
        import alsaaudio
    except ImportError as error:
        raise ChipError(fault("alsaaudio_missing", error=error), where) from error
    code = alsaaudio.PCM_FORMAT_A_LAW if sample_format == "a_law" else alsaaudio.PCM_FORMAT_S16_LE
    opened: list[Any] = []
    try:
        for way, depth in ((alsaaudio.PCM_CAPTURE, INWARD_DEPTH), (alsaaudio.PCM_PLAYBACK, DEPTH)):
            shape = {"rate": RATE, "channels": slots, "format": code, "periodsize": BLOCK, "periods": depth}
            opened.append(alsaaudio.PCM(way, alsaaudio.PCM_NONBLOCK, device=card, **shape))
    except alsaaudio.ALSAAudioError as error:
        for pcm in opened:
            pcm.close()
        raise ChipError(fault("tdm_absent", card=card, error=error), where) from error
    return opened[0], opened[1]


class TdmStream:
    """One TDM bus. `read_blocks` and `write_block` return at once and raise ChipError when the card fails."""

    def __init__(
        self,
        slots: int,
        sample_format: SampleFormat,
        where: str,
        make: Callable[[], PcmPair],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`make` opens capture and playback (`open_pcms`, or simulated ones); `clock`: ns."""
        self.counters = TdmCounters()
        self._slots = slots
        self._where = where
        self._type = np.dtype(np.uint8 if sample_format == "a_law" else "<u2")
        self._frame_bytes = slots * self._type.itemsize
        self._capture, self._playback = make()
        self._read: deque[Block] = deque()
        self._begun = b""
        """The beginning of a block of which the card has not the rest yet."""
        self._unwritten = b""
        """The end of a block for which the card had no room."""
        self._clock = clock
        self._nothing_waited_ns = clock()
        self._read_since = 0
        """Blocks read since nothing waited. A card that runs over stops: only the clock knows how much it lost."""
        silence = np.full((slots, BLOCK), ALAW_SILENCE, np.uint8)
        try:
            for _ in range(PREFILL):
                self._write(silence)
            self._read_period()  # a capture stream starts running with the first read
            self.descriptor = self._capture.polldescriptors()[0][0]
        except Exception as error:
            self.close()
            raise self._failed(error) from error

    def close(self) -> None:
        for pcm in (self._capture, self._playback):
            try:
                pcm.close()
            except Exception:  # pyalsaaudio's error class is not known here, and there is nothing left to do
                pass

    def read_blocks(self) -> list[Block]:
        """Whole blocks [slots, 80] A-law that wait, oldest first; at most `BLOCKS_AT_ONCE`."""
        try:
            for _ in range(BLOCKS_AT_ONCE):
                if not self._read_period():
                    break
        except Exception as error:
            if not self._read:
                raise self._failed(error) from error
            # What came before the failure is still given; the next call fails again.
        blocks = list(self._read)
        self._read.clear()
        return blocks

    def write_block(self, block: Block) -> bool:
        """Play a block [slots, 80] A-law. False if the card's buffer is full: it is lost and counted."""
        try:
            written = self._write(block)
            if written == -errno.EPIPE:
                self.counters.underruns += 1
                silence = np.full((self._slots, BLOCK), ALAW_SILENCE, np.uint8)
                for _ in range(PREFILL - 1):
                    self._write(silence)
                written = self._write(block)
        except Exception as error:
            raise self._failed(error) from error
        if written <= 0:
            self.counters.lost_outward += 1
            return False
        return True

    def _write(self, block: Block) -> int:
        """Frames of the block that the card took, or -EPIPE after an underrun; the next write starts it again. A block
        is taken whole or not at all: what the card has no room for yet goes out before the next."""
        if self._unwritten:
            written = self._give(self._unwritten)
            if written < 0:
                self._unwritten = b""
                return written
            self._unwritten = self._unwritten[written * self._frame_bytes :]
            if self._unwritten:
                return 0
        frames = np.ascontiguousarray(block.T).astype(self._type).tobytes()
        written = self._give(frames)
        if 0 < written < BLOCK:
            self._unwritten = frames[written * self._frame_bytes :]
        return written

    def _give(self, frames: bytes) -> int:
        """Frames that the card took, or -EPIPE: pyalsaaudio 0.11 gives that number, 0.10 raises it as text."""
        try:
            return self._playback.write(frames)
        except Exception as error:
            if os.strerror(errno.EPIPE) in str(error):
                return -errno.EPIPE
            raise

    def _read_period(self) -> bool:
        """Take what waits, one period at most. False: nothing more does. Cards give parts of a period, too."""
        # Version 0.10 starts a stream that ran over again without a word; 0.11 tells.
        ran_over = self._capture.state() == STATE_XRUN
        length, data = self._capture.read()
        if ran_over or length == -errno.EPIPE:
            now = self._clock()
            passed = round((now - self._nothing_waited_ns) / BLOCK_NS)
            self.counters.overruns += 1
            self.counters.lost_inward += max(1, passed - self._read_since)
            self._nothing_waited_ns, self._read_since = now, 0
            self._begun = b""
            if length < BLOCK:
                return True
        if length > 0:
            self._begun += data[: length * self._frame_bytes]
        size = BLOCK * self._frame_bytes
        if len(self._begun) >= size:
            samples = np.frombuffer(self._begun, self._type, BLOCK * self._slots).reshape(BLOCK, self._slots)
            self._begun = self._begun[size:]
            self._read.append(np.ascontiguousarray(samples.T.astype(np.uint8)))
            self._read_since += 1
        if length < BLOCK:
            self._nothing_waited_ns, self._read_since = self._clock(), 0
            return False
        return True

    def _failed(self, error: Exception) -> ChipError:
        return ChipError(fault("tdm_failed", error=error), self._where)
