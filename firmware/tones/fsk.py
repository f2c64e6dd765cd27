"""The FSK modem of caller ID: bytes to samples, and messages out of the audio of several channels at once.

What the bytes mean is `caller_id.py`; when they are sent is the line machines' business.

Bell 202 at 1200 bit/s (mark 1200 Hz, space 2200 Hz), as China's exchanges send it between the first and the second
ring: a channel seizure of alternating bits (the first is a space), a stretch of mark, then bytes of a start bit, eight
bits from the lowest, and a stop bit; the last byte makes the sum of all zero (Telcordia GR-30-CORE; ETSI EN 300 659-1).
A message is: kind, length, so many bytes, check byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear

MARK_HZ = 1200.0
SPACE_HZ = 2200.0
BIT_RATE = 1200
LEVEL_DBM0 = -13.5
"""What the phone is sent (GR-30-CORE: -13.5 dBm ± 1 dB)."""
SEIZURE_BITS = 300
MARK_BITS = 180
TRAILING_BITS = 10

KINDS = (0x04, 0x06, 0x80, 0x82)
"""Kinds of message that a receiver takes: caller ID and message waiting, single and multiple data."""
MINIMUM_DBM0 = -46.0
LEAD_BITS = 20
"""Mark must have sounded this long before the first byte: much less than is sent, as lines cut the beginning off."""
LONGEST_LEAD_BITS = 500
LONGEST_GAP_BITS = 20
"""Mark between two bytes (GR-30-CORE allows ten bits)."""
MARK_RATIO = 1.5
"""How far mark must exceed space in the stretch before the first byte; the window lets 0.25 through."""

_BIT = SAMPLE_RATE / BIT_RATE
_TAPS = 7
_MIDDLES = (np.arange(10) + 0.5) * _BIT
"""Where the middles of start bit, eight bits and stop bit lie after the beginning of a byte, in samples."""

Indexes = NDArray[np.intp]


def with_check_byte(kind: int, content: bytes) -> bytes:
    """A whole message: kind, length, content, check byte. Raises ValueError for more than 255 bytes of content."""
    if len(content) > 255:
        raise ValueError(f"a caller ID message holds at most 255 bytes, not {len(content)}")
    body = bytes((kind, len(content))) + content
    return body + bytes((-sum(body) & 0xFF,))


def modulate(
    message: bytes, dbm0: float = LEVEL_DBM0, *, seizure_bits: int = SEIZURE_BITS, mark_bits: int = MARK_BITS
) -> Linear:
    """Samples on the linear scale of a whole message, check byte included; the phase never jumps."""
    data = np.unpackbits(np.frombuffer(message, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    framed = np.pad(data, ((0, 0), (1, 1)))
    framed[:, -1] = 1
    bits = np.concatenate([np.arange(seizure_bits) % 2, np.ones(mark_bits), framed.reshape(-1), np.ones(TRAILING_BITS)])
    turns = np.where(bits > 0, MARK_HZ, SPACE_HZ) / BIT_RATE
    borders = np.concatenate([[0.0], np.cumsum(turns)])
    moments = np.arange(int(bits.size * _BIT)) / _BIT
    phase = 2.0 * np.pi * np.interp(moments, np.arange(borders.size), borders)
    wave: Linear = (codec.peak_of(dbm0) * np.sin(phase)).astype(np.float32)
    return wave


def duration_us(message: bytes) -> int:
    """How long a whole message sounds as `modulate` makes it, in microseconds."""
    return (SEIZURE_BITS + MARK_BITS + 10 * len(message) + TRAILING_BITS) * 1_000_000 // BIT_RATE


@dataclass(frozen=True, slots=True)
class DetectedMessage:
    """A message that has ended."""

    channel: int
    kind: int
    content: bytes
    """Between length and check byte."""
    intact: bool
    """The check byte was right. Of a message that is not intact, nothing is to be believed."""
    level_dbm0: float


def _window() -> NDArray[np.complex64]:
    # One bit is 6 2/3 samples: the window's ends count for less. Its answer at direct current is then almost nothing.
    weights = np.full(_TAPS, 1.0)
    weights[[0, -1]] = (_BIT - (_TAPS - 2)) / 2
    angle = 2.0 * np.pi / SAMPLE_RATE * np.outer(np.arange(_TAPS), (MARK_HZ, SPACE_HZ))
    window: NDArray[np.complex64] = (weights[:, None] * np.exp(-1j * angle)).astype(np.complex64)
    return window


_WINDOW = _window()
_COLUMNS: Linear = np.concatenate([_WINDOW.real, _WINDOW.imag], axis=1).astype(np.float32)
"""[7, 4]: real parts of mark and space, then imaginary ones."""
_MINIMUM = np.float32(codec.peak_of(MINIMUM_DBM0) * _BIT / 2)


class FskDetector:
    """Receiver for a fixed number of channels; only those that are listened to cost anything."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._tail: Linear = np.zeros((channels, _TAPS - 1), dtype=np.float32)
        # Mark over space of the block before: a byte takes 67 samples and is read when all of it is there.
        self._over: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
        self._strength: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
        self._reading = np.zeros(channels, dtype=np.bool_)
        """Mark has sounded long enough: bytes are read. Otherwise mark is hunted."""
        self._marked = np.zeros(channels, dtype=np.int64)
        """Samples of mark in a row, while hunting."""
        self._idle = np.zeros(channels, dtype=np.float64)
        """Samples that the next byte may still take to begin."""
        self._next = np.zeros(channels, dtype=np.float64)
        """Where the next start bit is looked for, in samples from the beginning of the block before."""
        self._level = np.zeros(channels, dtype=np.float64)
        self._bytes = [bytearray() for _ in range(channels)]

    def reset(self, channel: int) -> None:
        """Forget what is being received on a channel."""
        self._tail[channel] = self._over[channel] = 0.0
        self._give_up(np.array([channel], dtype=np.intp))

    def _give_up(self, rows: Indexes) -> None:
        self._reading[rows] = False
        self._marked[rows] = 0
        for channel in rows.tolist():
            self._bytes[channel].clear()

    def process(self, linear: Linear, active: Indexes) -> list[DetectedMessage]:
        """One tick: `linear` [channels, 80] on the 16-bit scale; `active`: the channels to listen to, each once.

        Messages that ended, at most 10 ms after their end. A channel that is left out goes on where it was: reset it
        when it is new.
        """
        found: list[DetectedMessage] = []
        if not active.size:
            return found
        mark, space = self._demodulate(linear, active)
        over = np.concatenate([self._over[active], mark - space], axis=1)
        strength = np.concatenate([self._strength[active], np.maximum(mark, space)], axis=1)
        self._over[active], self._strength[active] = over[:, BLOCK:], strength[:, BLOCK:]
        self._hunt(active, mark, space)
        moving = np.flatnonzero(self._reading[active])
        while moving.size:
            moving = self._read_byte(active, moving, over, strength, found)
        self._next[active] -= BLOCK
        return found

    def _demodulate(self, linear: Linear, active: Indexes) -> tuple[Linear, Linear]:
        """Amplitudes [active, 80] of mark and space, each over the length of a bit that ends at the sample."""
        samples = np.concatenate([self._tail[active], linear[active]], axis=1)
        self._tail[active] = samples[:, BLOCK:]
        windows = np.lib.stride_tricks.sliding_window_view(samples, _TAPS, axis=1)
        products = np.square(windows @ _COLUMNS)
        amplitudes: Linear = np.sqrt(products[..., :2] + products[..., 2:])
        return amplitudes[..., 0], amplitudes[..., 1]

    def _hunt(self, active: Indexes, mark: Linear, space: Linear) -> None:
        """Count mark in a row. Where there was enough of it, a byte is waited for."""
        marked = (mark > np.float32(MARK_RATIO) * space) & (mark > _MINIMUM)
        whole = marked.all(axis=1)
        before = np.where(whole, BLOCK, marked.argmin(axis=1))
        first = self._marked[active] + before
        last = np.where(whole, first, marked[:, ::-1].argmin(axis=1))
        enough = round(LEAD_BITS * _BIT)
        ready = ~self._reading[active] & ((first >= enough) | (last >= enough))
        self._marked[active] = last
        rows = active[ready]
        self._reading[rows] = True
        # The run that began before this block may have ended in it, with the first byte.
        self._next[rows] = BLOCK + np.where(first >= enough, np.maximum(1, before) - 1, BLOCK)[ready]
        self._idle[rows] = LONGEST_LEAD_BITS * _BIT
        self._level[rows] = 0.0

    def _read_byte(
        self, active: Indexes, at: Indexes, over: Linear, strength: Linear, found: list[DetectedMessage]
    ) -> Indexes:
        """Read the next byte of rows `at` if all of it is there; the rows in which there may be one more."""
        rows = active[at]
        begin = self._next[rows]
        space = (over[at] <= 0.0) & (np.arange(2 * BLOCK) >= np.maximum(1.0, begin)[:, None])
        started = space.any(axis=1)
        place = np.where(started, space.argmax(axis=1), 2 * BLOCK)
        self._idle[rows] -= np.maximum(0.0, place - begin)
        self._next[rows] = place
        whole = started & (place + _MIDDLES[-1] < 2 * BLOCK - 1) & (self._idle[rows] >= 0.0)
        self._give_up(rows[self._idle[rows] < 0.0])
        at, rows, place = at[whole], rows[whole], place[whole]
        # The byte begins between the two samples where mark and space are equal.
        before, after = over[at, place - 1], over[at, place]
        share = np.where(before > 0.0, before / np.maximum(before - after, np.float32(1e-6)), 0.0)
        middles = (place - 1 + share)[:, None] + _MIDDLES
        left = middles.astype(np.intp)
        bits = (
            over[at[:, None], left] + (middles - left) * (over[at[:, None], left + 1] - over[at[:, None], left]) > 0.0
        )
        # No start bit after all, or no stop bit: what came before was no message.
        right = ~bits[:, 0] & bits[:, 9]
        self._give_up(rows[~right])
        values = bits[:, 1:9] @ (1 << np.arange(8))
        self._level[rows] += strength[at[:, None], left].mean(axis=1)
        self._next[rows] = middles[:, 9]
        self._idle[rows] = LONGEST_GAP_BITS * _BIT
        for channel, value in zip(rows[right].tolist(), values[right].tolist(), strict=True):
            self._take_byte(channel, value, found)
        going_on: Indexes = at[self._reading[rows]]
        return going_on

    def _take_byte(self, channel: int, value: int, found: list[DetectedMessage]) -> None:
        received = self._bytes[channel]
        received.append(value)
        if received[0] not in KINDS:
            self._give_up(np.array([channel], dtype=np.intp))
        elif len(received) >= 3 and len(received) == received[1] + 3:
            peak = self._level[channel] / len(received) * 2.0 / _BIT
            level = 20.0 * float(np.log10(max(peak, 1e-3) / codec.ZERO_DBM0_PEAK))
            intact = sum(received) & 0xFF == 0
            found.append(DetectedMessage(channel, received[0], bytes(received[2:-1]), intact, level))
            self._give_up(np.array([channel], dtype=np.intp))
