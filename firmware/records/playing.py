"""A recording as what a browser plays: WAV, two channels of 16 bits. From the raw file or from its compressed copy."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import DECODE, SAMPLE_RATE
from firmware.records import derivative
from firmware.records.recording import TRACKS, alaw_chunks, samples_in

_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WAV_FRAME = TRACKS * 2
_PCM = DECODE.astype("<i2")
"""16-bit sample of each A-law code."""
_PIECE = 1 << 16
"""Samples that are read at once."""


def _samples(path: Path) -> int:
    return derivative.samples_of_copy(path) if path.suffix == derivative.SUFFIX else samples_in(path)


def _alaw(path: Path, start: int) -> Iterator[NDArray[np.uint8]]:
    if path.suffix == derivative.SUFFIX:
        return derivative.copied_alaw(path, start, _PIECE)
    return alaw_chunks(path, _PIECE, start)


def wav_length(path: Path) -> int:
    """Bytes that `wav_chunks` gives for this recording now. Raises OSError, and DerivativeError for a copy."""
    return _WAV_HEADER.size + _samples(path) * _WAV_FRAME


def wav_chunks(path: Path, length: int | None = None, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The recording as a WAV file of two channels and 16 bits, which every browser plays, in pieces.

    `length` is what `wav_length` said: a recording that has grown since is given up to there. `start` and `stop` are
    byte positions in that WAV file, for a request of a range. Raises OSError, and RecordingError or DerivativeError for
    another file; they come with the first piece at the latest.
    """
    if length is None:
        length = wav_length(path)
    stop = length if stop is None else min(stop, length)
    first = max(0, start - _WAV_HEADER.size)
    pieces = _alaw(path, first // _WAV_FRAME)
    codes = next(pieces, None)  # first of all: another file is found before anything is given
    header = _wav_header((length - _WAV_HEADER.size) // _WAV_FRAME)[start:stop]
    if header:
        yield header
    position, end, offset = first, stop - _WAV_HEADER.size, first % _WAV_FRAME
    while codes is not None and position < end:
        piece = _PCM[codes].tobytes()[offset : offset + end - position]
        yield piece
        position += len(piece)
        offset = 0
        codes = next(pieces, None) if position < end else None


def _wav_header(samples: int) -> bytes:
    """RIFF header of 16-bit PCM, two channels (format tag 1)."""
    data = samples * _WAV_FRAME
    riff = (b"RIFF", _WAV_HEADER.size - 8 + data, b"WAVE")
    form = (b"fmt ", 16, 1, TRACKS, SAMPLE_RATE, SAMPLE_RATE * _WAV_FRAME, _WAV_FRAME, 16)
    return _WAV_HEADER.pack(*riff, *form, b"data", data)
