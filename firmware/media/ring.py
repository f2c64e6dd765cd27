"""The audio ring: shared memory in which the gateway leaves the last seconds of every channel for the recorder.

One writer (the gateway, each tick), any number of readers that the writer does not know. Not a queue: nobody waits for
anybody, a reader that is too late finds its audio overwritten, gets silence and is told how much was lost. A reader
keeps what the ring holds after the writer has died and after the file was unlinked.

File: header of one page, then the sample number of each slot (int64), then slots × [received, sent] × channels × 80
bytes of A-law. A slot is one tick of 10 ms. A reader looks at the slots' numbers, copies, and then looks how far the
writer has come: what it may have overwritten meanwhile is lost. The writer holds a lock (flock) on the file while it
lives. Order of stores: x86 keeps it. arm64 may show a number some hundred nanoseconds before its audio; so a reader
trusts not even the slot after the one that is being overwritten, and comes to a new slot well after it was announced.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boards.base import ALAW_SILENCE, BLOCK

MAGIC = b"LBXRING\n"
VERSION = 1
BLOCKS_PER_SECOND = 100
_HEADER = struct.Struct("<8sIIII64s")
"""Magic, version, channels, slots, samples in a block, name of the gateway's start (UTF-8, padded with zero bytes)."""
_NEWEST_AT = 128
_PAGE = 4096
_GUARD = 2
"""Slots, next to be overwritten, that a reader does not trust."""


class RingError(Exception):
    """The file is not a ring of this version and this start of the gateway. The text says what it is."""


def _layout(channels: int, slots: int) -> tuple[int, int]:
    """Where the audio begins, and the size of the file, in bytes."""
    audio_at = -(-(_PAGE + slots * 8) // _PAGE) * _PAGE
    return audio_at, audio_at + slots * 2 * channels * BLOCK


class RingWriter:
    """Makes the ring file (mode 0600, all memory taken at once) and writes it. Raises OSError if there is no memory."""

    def __init__(self, path: Path, boot: str, channels: int, seconds: int = 15) -> None:
        name = boot.encode()
        if not 0 < len(name) <= 64 or channels < 1 or seconds < 1:
            raise ValueError(f"no ring of {seconds} s for {channels} channels and start {boot!r}")
        slots = seconds * BLOCKS_PER_SECOND + _GUARD
        audio_at, size = _layout(channels, slots)
        self.path = path
        self._slots = slots
        unfinished = path.with_name(path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        self._file = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Taken now: a full memory must be an error here and not a SIGBUS in the middle of a call.
            os.posix_fallocate(self._file, 0, size)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
            self._memory = mmap.mmap(self._file, size, flags)
            self._memory[: _HEADER.size] = _HEADER.pack(MAGIC, VERSION, channels, slots, BLOCK, name)
            self._newest = np.frombuffer(self._memory, np.int64, 1, _NEWEST_AT)
            self._numbers = np.frombuffer(self._memory, np.int64, slots, _PAGE)
            self._audio = np.frombuffer(self._memory, np.uint8, size - audio_at, audio_at).reshape(
                slots, 2, channels, BLOCK
            )
            self._numbers[:] = -1
            # A reader sees the file only when it is complete.
            os.rename(unfinished, path)
        except BaseException:
            os.close(self._file)
            with contextlib.suppress(FileNotFoundError):
                unfinished.unlink()
            raise

    def write(self, sample: int, received: NDArray[np.uint8], sent: NDArray[np.uint8]) -> None:
        """Put down one tick: what came from the lines and what went out to them, A-law [channels, 80] each.

        `sample` is the count of the tick's first sample, a multiple of 80 and greater than the last one; after a gap
        the ticks between read as missing. Takes some microseconds, never blocks.
        """
        block, odd = divmod(sample, BLOCK)
        if odd:
            raise ValueError(f"sample {sample} is not the first of a tick")
        slot = block % self._slots
        self._numbers[slot] = -1
        self._audio[slot, 0] = received
        self._audio[slot, 1] = sent
        self._numbers[slot] = sample
        self._newest[0] = sample + BLOCK

    def skip(self, sample: int) -> None:
        """Time went on to `sample` without audio (the virtual clock jumped): a reader finds silence, missing."""
        self._newest[0] = max(sample, int(self._newest[0]))

    def close(self, unlink: bool = False) -> None:
        """Readers learn that no more comes. Without `unlink` the file stays for readers that start later."""
        if self._file < 0:
            return
        if unlink:
            self.path.unlink(missing_ok=True)
        del self._newest, self._numbers, self._audio
        self._memory.close()
        os.close(self._file)
        self._file = -1


class RingReader:
    """Reads the ring of one start of the gateway. Raises OSError if there is none, RingError if it is another."""

    def __init__(self, path: Path, boot: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size, audio_at = self._check(path.name, boot)
            self._memory = mmap.mmap(self._file, size, mmap.MAP_SHARED, mmap.PROT_READ)
        except BaseException:
            os.close(self._file)
            raise
        self._newest = np.frombuffer(self._memory, np.int64, 1, _NEWEST_AT)
        self._numbers = np.frombuffer(self._memory, np.int64, self._slots, _PAGE)
        self._audio = np.frombuffer(self._memory, np.uint8, size - audio_at, audio_at).reshape(
            self._slots, 2, self.channels, BLOCK
        )

    def _check(self, name: str, boot: str) -> tuple[int, int]:
        """Size of the file and where its audio begins."""
        header = os.pread(self._file, _HEADER.size, 0)
        if len(header) < _HEADER.size or not header.startswith(MAGIC):
            raise RingError(f"{name} is not an audio ring")
        version: int
        block: int
        written_boot: bytes
        self.channels: int
        self._slots: int
        _, version, self.channels, self._slots, block, written_boot = _HEADER.unpack(header)
        if (version, block) != (VERSION, BLOCK):
            raise RingError(f"{name} is an audio ring of version {version}, not {VERSION}")
        found = written_boot.rstrip(b"\0").decode(errors="replace")
        if found != boot:
            raise RingError(f"{name} belongs to start {found} of the gateway, not to {boot}")
        audio_at, size = _layout(self.channels, self._slots)
        if self.channels < 1 or self._slots <= _GUARD or os.fstat(self._file).st_size != size:
            raise RingError(f"{name} is damaged")
        return size, audio_at

    @property
    def newest(self) -> int:
        """The sample count just after the newest tick: audio before it can be read. 0 before the first tick."""
        return int(self._newest[0])

    @property
    def oldest(self) -> int:
        """The sample count from which on audio has not been overwritten yet."""
        return max(0, self.newest - (self._slots - _GUARD) * BLOCK)

    @property
    def writer_lives(self) -> bool:
        """False once the gateway that wrote this ring has ended, however it ended: `newest` is final then."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False

    def read(self, channel: int, from_sample: int, to_sample: int) -> tuple[NDArray[np.uint8], int]:
        """A copy of a channel's audio and how many of its samples are missing.

        Returns A-law [to_sample - from_sample, 2], left what was received from the line and right what was sent to it.
        What the ring has not, or no longer, is silence and counted. Raises IndexError for a channel that is not there.
        """
        if not 0 <= channel < self.channels:
            raise IndexError(f"channel {channel} is not in a ring of {self.channels}")
        if to_sample <= from_sample:
            return np.empty((0, 2), np.uint8), 0
        first = from_sample // BLOCK
        blocks = np.arange(first, -(-to_sample // BLOCK))
        slots = blocks % self._slots
        wanted = blocks * BLOCK
        valid = self._numbers[slots] == wanted
        stereo = self._audio[slots, :, channel].transpose(0, 2, 1).copy()
        valid &= wanted >= self.newest - (self._slots - _GUARD) * BLOCK
        part = slice(from_sample - first * BLOCK, to_sample - first * BLOCK)
        missing = 0
        if not valid.all():
            stereo[~valid] = ALAW_SILENCE
            missing = int(np.count_nonzero(np.repeat(~valid, BLOCK)[part]))
        return stereo.reshape(-1, 2)[part], missing

    def close(self) -> None:
        """Let the memory go. May be called twice."""
        if self._file < 0:
            return
        del self._newest, self._numbers, self._audio
        self._memory.close()
        os.close(self._file)
        self._file = -1


def remove_dead_rings(folder: Path, keep: int = 1) -> None:
    """Unlink rings whose writers have ended, but for the `keep` newest: the recorder may still need those."""
    dead: list[tuple[int, Path]] = []
    for path in folder.glob("audio-*.ring"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                dead.append((os.fstat(file.fileno()).st_ctime_ns, path))
        except OSError:
            continue  # it lives, or has just gone
    for _, path in sorted(dead, reverse=True)[keep:]:
        path.unlink(missing_ok=True)
