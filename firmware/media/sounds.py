"""All that the box can play, in one array of A-law samples. It knows names and lengths, not who hears what.

Names: `prompt:<file>`, `word:<file>` (what numbers and dates are put together from) and `music:<file>` from WAV files,
`tone:<name>` from arrays that the caller made from the country's tone plan. Read once at start; nothing here touches a
file afterwards. At the end of the bank is room for sounds that are made while the box runs (caller ID, dialling,
texts that were spoken).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, SILENCE, Alaw
from firmware.media.prompts import PROMPTS

_log = logging.getLogger(__name__)

MUSIC = "music:"
"""Sounds with this prefix run on whether anybody listens or not: who joins hears the place where they are."""


ROOM_SAMPLES = 600 * SAMPLE_RATE
"""For all sounds made at run time that are there at once: ten minutes, 4.8 MB."""
LONGEST_SAMPLES = 60 * SAMPLE_RATE
"""The longest of them."""


class SoundError(Exception):
    """A sound file cannot be used. Says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Where a sound lies in the bank, in samples."""

    offset: int
    length: int
    is_music: bool = False
    is_held: bool = False
    """Made at run time; whoever played it gives its place back."""


class SoundStore:
    """The bank and its index. After each sound its own beginning is repeated for one block, so that a block read
    anywhere inside a sound that loops needs no modulo."""

    def __init__(self, sounds: Mapping[str, Alaw]) -> None:
        """`sounds`: A-law samples by name. A sound of no samples is kept as one that ends at once."""
        parts: list[Alaw] = []
        self._index: dict[str, Sound] = {}
        offset = 0
        for name, samples in sounds.items():
            samples = np.asarray(samples, dtype=np.uint8).reshape(-1)
            self._index[name] = Sound(offset, samples.size, name.startswith(MUSIC))
            if samples.size:
                guard = np.resize(samples, BLOCK)
                parts += [samples, guard]
                offset += samples.size + BLOCK
        self._room = (offset, offset + ROOM_SAMPLES)
        self._next_place = offset
        self._held: dict[int, int] = {}
        """Begin and end of each held sound in the bank, with its guard."""
        parts.append(np.full(ROOM_SAMPLES + BLOCK, SILENCE, dtype=np.uint8))
        self._writeable: Alaw = np.concatenate(parts)
        self.bank: Alaw = self._writeable.view()
        self.bank.flags.writeable = False
        self.windows = sliding_window_view(self.bank, BLOCK)
        """[positions, 80]: the block of samples that begins at each position of the bank (a view, not a copy)."""

    @classmethod
    def load(
        cls, tones: Mapping[str, Alaw], *, language: str = "zh_CN", folders: Iterable[Path] = (PROMPTS,)
    ) -> SoundStore:
        """Prompts of `language` and music of all `folders` (a later folder's file replaces an earlier one of the same
        name: office recordings over shipped ones) and `tones` by their bare names. A file that cannot be played is told
        in the log and left out: what it would have replaced stays."""
        sounds: dict[str, Alaw] = {}
        for folder in folders:
            for prefix, subfolder in (("prompt:", language), ("word:", f"{language}/words"), (MUSIC, "music")):
                for path in sorted((folder / subfolder).glob("*.wav")):
                    try:
                        sounds[prefix + _name_of(path)] = read_sound(path)
                    except SoundError as error:
                        _log.error("%s", error)
        sounds.update({f"tone:{name}": samples for name, samples in tones.items()})
        return cls(sounds)

    def find(self, name: str) -> Sound | None:
        """The sound called `name`, or None if there is none."""
        return self._index.get(name)

    def hold(self, samples: Alaw) -> Sound | None:
        """Keep a sound made at run time until `give_back`. None if it is empty or too long, or there is no room."""
        if not 0 < samples.size <= LONGEST_SAMPLES:
            return None
        offset = self._find_room(samples.size + BLOCK)
        if offset is None:
            return None
        end = offset + samples.size
        self._held[offset] = self._next_place = end + BLOCK
        self._writeable[offset:end] = samples
        self._writeable[end : end + BLOCK] = SILENCE
        return Sound(offset, samples.size, is_held=True)

    def _find_room(self, size: int) -> int | None:
        """Behind what was taken last, else from the beginning: what was given back is written over as late as can be,
        as the switch may still fade out of it."""
        begins = [self._room[0], *(self._held[offset] for offset in sorted(self._held))]
        ends = [*sorted(self._held), self._room[1]]
        gaps = list(zip(begins, ends, strict=True))
        behind = [(max(begin, self._next_place), end) for begin, end in gaps]
        return next((begin for begin, end in behind + gaps if begin + size <= end), None)

    def give_back(self, sound: Sound) -> None:
        """The held sound is played no more."""
        del self._held[sound.offset]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of the bank."""
        return tuple(self._index)

    def samples(self, name: str) -> Alaw:
        """The A-law samples of one sound. Raises KeyError if there is no such sound."""
        sound = self._index[name]
        return self.bank[sound.offset : sound.offset + sound.length]


def _name_of(path: Path) -> str:
    """The file's name without its ending, as UTF-8 whatever the locale of this process is. Raises SoundError."""
    try:
        return os.fsencode(path.stem).decode()
    except UnicodeDecodeError as error:
        raise SoundError(f"{str(path)!a}: the name is not UTF-8. Rename it") from error


def read_sound(path: Path) -> Alaw:
    """A-law samples of a WAV file, 8000 samples a second, one channel, A-law or 16-bit. Raises SoundError."""
    import soundfile

    try:
        with path.open("rb") as file:  # libsndfile would take the name in the locale's encoding
            samples, rate = soundfile.read(file, dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise SoundError(f"{path}: not a sound file ({error}). Replace it by a WAV file") from error
    if rate != SAMPLE_RATE or samples.shape[1] != 1:
        raise SoundError(
            f"{path}: {rate} samples a second, {samples.shape[1]} channels. "
            f"Convert it: sox {path.name} -r 8000 -c 1 -e a-law converted.wav"
        )
    return codec.encode(samples[:, 0])
