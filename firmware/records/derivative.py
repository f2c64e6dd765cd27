"""The compressed copy of a finished recording: FLAC with the same samples. Which is made when: `firmware/box/archive`.

A-law decodes to 16 bits and encodes to the same codes again, and FLAC loses nothing: the hash of the raw A-law can be
computed from the copy. So a recording whose raw file was removed is proven by its copy as well as before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.core.storage import sync_folder
from firmware.media.codec import SAMPLE_RATE, decode, encode
from firmware.records.recording import TRACKS, alaw_chunks

SUFFIX = ".flac"
PART = ".flac.part"
"""How the name of a copy ends that is being made, or was when the power went."""
_PIECE = 10 * SAMPLE_RATE


class DerivativeError(Exception):
    """The copy is not what the raw recording is. The text names it."""


def copy_of(file: str) -> str:
    """Name of the copy of a recording's file."""
    return file.removesuffix(".au") + SUFFIX


def compress(source: Path, target: Path, sha256: str) -> Generator[None]:
    """Make the copy, durable and checked against the raw recording's hash when it ends. Gives control back after each
    ten seconds of audio. Raises OSError, RecordingError; DerivativeError if the raw recording is not what it was."""
    import soundfile

    part = target.with_name(target.name.removesuffix(SUFFIX) + PART)
    try:
        with soundfile.SoundFile(part, "w", SAMPLE_RATE, TRACKS, "PCM_16", format="FLAC") as file:
            for codes in alaw_chunks(source, _PIECE):
                file.write(decode(codes).astype(np.int16))
                yield
        digest = hashlib.sha256()
        for codes in copied_alaw(part):
            digest.update(codes.tobytes())
            yield
        if digest.hexdigest() != sha256:
            raise DerivativeError(f"{source.name} is not the audio that was recorded: it gets no copy")
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(part, target)
        sync_folder(target.parent)
    except soundfile.SoundFileError as error:
        raise DerivativeError(f"{target.name}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def copied_alaw(path: Path, start: int = 0, piece: int = _PIECE) -> Iterator[NDArray[np.uint8]]:
    """The A-law [n, 2] that a copy holds from a sample on, in pieces. Raises OSError, DerivativeError."""
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
            if (file.samplerate, file.channels) != (SAMPLE_RATE, TRACKS):
                raise DerivativeError(f"{path.name} is no copy of a recording")
            file.seek(start)
            while len(samples := file.read(piece, dtype="int16", always_2d=True)):
                yield encode(samples)
    except soundfile.SoundFileError as error:
        raise DerivativeError(f"{path.name} cannot be read: {error}") from error


def samples_of_copy(path: Path) -> int:
    """Samples of each track. Raises OSError, DerivativeError."""
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
            return int(file.frames)
    except soundfile.SoundFileError as error:
        raise DerivativeError(f"{path.name} cannot be read: {error}") from error


def file_sha256(path: Path) -> str:
    """Of the whole file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
