"""A recording as a file. What is recorded when is `recorder.py`, how it is played `playing.py`.

The file is a Sun/NeXT `.au`: two channels of 8-bit A-law at 8000 Hz (encoding 27), left what the citizen said, right
what the citizen heard. Its data size is given as unknown (0xffffffff), so it is a valid file at every moment, however
the recorder ended. The annotation in the header keeps how many samples were lost and are silence: before and after the
last loss, each with the length of the file then, for it is written before the silence that it speaks of.

The header fills a page of its own: a file system may keep a new length and not yet what was written into a page that
it had before, so audio that shared the header's page could be zeroes after a power cut. It may also keep the length and
the place of new pages before what was written into them (ext4 with `dioread_nolock`, which is usual): they are zeroes
then, too, and `continued` takes the recording to end before them.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import SAMPLE_RATE

TRACKS = 2
_MAGIC = b".snd"
_SIZE_UNKNOWN = 0xFFFFFFFF
_ALAW_8_BIT = 27
_FIXED = struct.Struct(">4sIIIII")
HEADER_SIZE = 4096
"""Bytes before the audio."""
_FIRST_HEADER_SIZE = 96
"""The same in files from before the first release; they can be read and gone on with."""
_MISSING = re.compile(rb"missing (\d{10}) at (\d{10}), (\d{10}) at (\d{10})\0")

_UNSURE_BYTES = 1 << 20
"""So near the end of a file there may be pages that never came to the disk: a minute, far more than stays unsaved."""
_HOLE, _EMPTY_END = bytes(4096), bytes(64)
"""A page of the code 0 on both tracks, or 4 ms of it at the end of a file. It is loud and does not swing: nobody says
and hears that."""

_PIECE = 1 << 16
"""Samples that are read at once."""


class RecordingError(Exception):
    """The file is not a recording of ours. The text names it."""


def _header(before: tuple[int, int], after: tuple[int, int], size: int = HEADER_SIZE) -> bytes:
    """Header with missing samples and length of the file before the last loss and after it."""
    fixed = _FIXED.pack(_MAGIC, size, _SIZE_UNKNOWN, _ALAW_8_BIT, SAMPLE_RATE, TRACKS)
    lost = "missing {:010} at {:010}, {:010} at {:010}".format(*before, *after)
    return (fixed + lost.encode()).ljust(size, b"\0")


_NEW_HEADER = _header((0, 0), (0, 0))
_STARTS = {size: _header((0, 0), (0, 0), size)[: _FIXED.size] for size in (HEADER_SIZE, _FIRST_HEADER_SIZE)}


def _audio_at(descriptor: int) -> int:
    """Where the audio begins in a file that may be one of ours."""
    start = os.pread(descriptor, _FIXED.size, 0)
    return _FIRST_HEADER_SIZE if start == _STARTS[_FIRST_HEADER_SIZE] else HEADER_SIZE


def _missing_in(header: bytes, samples: int, name: str) -> int:
    """How many samples of a file of that length are missing, by its header."""
    found = _MISSING.match(header, _FIXED.size)
    if not header.startswith(tuple(_STARTS.values())) or not found:
        raise RecordingError(f"{name} is not a recording of this box")
    missing_before, length_before, missing_after, length_after = map(int, found.groups())
    if samples >= length_after:
        return missing_after
    # The recorder was killed while it wrote the last loss, which begins with what was lost.
    return min(missing_after, missing_before + max(0, samples - length_before))


def _samples(descriptor: int) -> int:
    """Samples of each track in a file."""
    return max(0, os.fstat(descriptor).st_size - _audio_at(descriptor)) // TRACKS


def _samples_before_a_hole(descriptor: int) -> int:
    """Samples of each track before the first page that never came to the disk; all, if there is none."""
    samples, at = _samples(descriptor), _audio_at(descriptor)
    first = max(0, samples - _UNSURE_BYTES // TRACKS)
    codes = os.pread(descriptor, (samples - first) * TRACKS, at + first * TRACKS)
    whole = codes.find(_HOLE)
    if whole < 0:
        whole = len(codes.rstrip(b"\0")) if codes.endswith(_EMPTY_END) else len(codes)
    return first + whole // TRACKS


class RecordingFile:
    """A recording that is written. All methods raise OSError, after which it must be closed and opened again."""

    def __init__(self, descriptor: int, samples: int, missing: int) -> None:
        self._descriptor = descriptor
        self._audio_at = _audio_at(descriptor)
        self.samples = samples
        """Samples of each track that are in the file."""
        self.missing = missing
        """How many of them had been lost and are silence."""

    @classmethod
    def create(cls, path: Path) -> RecordingFile:
        """A new recording, mode 0600, in a folder that exists. Raises FileExistsError if there is one already."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return cls._begin(descriptor)

    @classmethod
    def continued(cls, path: Path) -> RecordingFile:
        """A recording that goes on where it ends; half a sample at the end is cut, and what a power cut has left as
        zeroes, with all after it.

        Raises FileNotFoundError if there is none, and RecordingError if the file is something else.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            at = _audio_at(descriptor)
            if size < at:
                # It was killed, or the disk was full, between making the file and the end of the header.
                started = os.pread(descriptor, HEADER_SIZE, 0)
                if not _NEW_HEADER.startswith(started):
                    raise RecordingError(f"{path.name} is not a recording of this box")
                return cls._begin(descriptor)
            samples = _samples_before_a_hole(descriptor)
            missing = min(_missing_in(os.pread(descriptor, at, 0), samples, path.name), samples)
            if samples < _samples(descriptor):
                # Losses that lay in what is cut are counted anew, as far as they are losses again.
                _write(descriptor, _header((missing, samples), (missing, samples), at), 0)
            if size != at + samples * TRACKS:
                os.ftruncate(descriptor, at + samples * TRACKS)
            return cls(descriptor, samples, missing)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def _begin(cls, descriptor: int) -> RecordingFile:
        try:
            _write(descriptor, _NEW_HEADER, 0)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, 0, 0)

    def append(self, stereo: NDArray[np.uint8], missing: int = 0) -> None:
        """Put A-law [n, 2] (left, right) at the end; `missing` of the n samples are silence because they were lost."""
        if missing:
            after = (self.missing + missing, self.samples + len(stereo))
            _write(self._descriptor, _header((self.missing, self.samples), after, self._audio_at), 0)
        _write(self._descriptor, stereo.tobytes(), self._audio_at + self.samples * TRACKS)
        self.samples += len(stereo)
        self.missing += missing

    def cut(self, samples: int) -> None:
        """Make the recording no longer than `samples`."""
        if samples >= self.samples:
            return
        self.missing = min(self.missing, samples)
        now = (self.missing, samples)
        _write(self._descriptor, _header(now, now, self._audio_at), 0)
        os.ftruncate(self._descriptor, self._audio_at + samples * TRACKS)
        self.samples = samples

    def sync(self) -> None:
        """Returns when what was written so far would survive a power cut (the name in its folder is not meant)."""
        os.fdatasync(self._descriptor)

    def sha256(self) -> str:
        """Digest of the raw A-law bytes, both tracks interleaved, without the header. Hexadecimal."""
        return _sha256(self._descriptor, self.samples)

    def close(self) -> None:
        """May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view = view[written:]
        position += written


def _sha256(descriptor: int, samples: int) -> str:
    digest = hashlib.sha256()
    at = _audio_at(descriptor)
    end = at + samples * TRACKS
    for position in range(at, end, _PIECE):
        digest.update(os.pread(descriptor, min(_PIECE, end - position), position))
    return digest.hexdigest()


def content_of(path: Path) -> tuple[int, int, str]:
    """Samples, missing samples and SHA-256 of the A-law of a finished recording, as they are in the file now. Its
    pages do not stay in memory, where a box has better use for it. Raises OSError, and RecordingError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        samples = _samples(descriptor)
        missing = _missing_in(os.pread(descriptor, HEADER_SIZE, 0), samples, path.name)
        digest = _sha256(descriptor, samples)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return samples, missing, digest
    finally:
        os.close(descriptor)


def alaw_chunks(path: Path, piece: int = _PIECE, start: int = 0) -> Iterator[NDArray[np.uint8]]:
    """The A-law [n, 2] of a recording from a sample on, in pieces. Raises OSError, RecordingError."""
    with path.open("rb") as file:
        _missing_in(file.read(HEADER_SIZE), 0, path.name)
        file.seek(_audio_at(file.fileno()) + start * TRACKS)
        while len(codes := file.read(piece * TRACKS)) >= TRACKS:
            yield np.frombuffer(codes, np.uint8, len(codes) // TRACKS * TRACKS).reshape(-1, TRACKS)


def samples_in(path: Path) -> int:
    """Samples of each track in a recording, finished or not. Raises OSError."""
    with path.open("rb") as file:
        return _samples(file.fileno())
