"""All that the box can play, in one array of A-law samples. It knows names and lengths, not who hears what.

Names: `prompt:<file>`, `word:<file>` (what numbers and dates are put together from) and `music:<file>` from WAV files,
`tone:<name>` from arrays that the caller made from the country's tone plan. Read once at start; nothing here touches a
file afterwards. At the end of the bank is room for sounds that are made while the box runs (caller ID, dialling,
texts that were spoken), and for recordings that replace others meanwhile.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
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
REPLACED_SAMPLES = 1800 * SAMPLE_RATE
"""For all recordings that were replaced since the start: half an hour, 14 MB, of which memory is used as it fills."""


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


class _Room:
    """A stretch of the bank in which places are taken and given back."""

    def __init__(self, begin: int, end: int) -> None:
        self._begin, self._end = begin, end
        self._next_place = begin
        self._taken: dict[int, int] = {}
        """Begin and end of each place."""

    def take(self, size: int) -> int | None:
        """Where `size` samples may lie; None if there is no room. Behind what was taken last, else from the beginning:
        what was given back is written over as late as can be, as the switch may still fade out of it."""
        begins = [self._begin, *(self._taken[offset] for offset in sorted(self._taken))]
        ends = [*sorted(self._taken), self._end]
        gaps = list(zip(begins, ends, strict=True))
        behind = [(max(begin, self._next_place), end) for begin, end in gaps]
        place = next((begin for begin, end in behind + gaps if begin + size <= end), None)
        if place is not None:
            self._taken[place] = self._next_place = place + size
        return place

    def give_back(self, place: int) -> None:
        del self._taken[place]

    def holds(self, place: int) -> bool:
        return place in self._taken


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
        self._made = _Room(offset, offset + ROOM_SAMPLES)
        self._replaced = _Room(offset + ROOM_SAMPLES, offset + ROOM_SAMPLES + REPLACED_SAMPLES)
        self._retired: list[Sound] = []
        """Recordings that were replaced for the second time, and that plays may still use."""
        size = offset + ROOM_SAMPLES + REPLACED_SAMPLES
        self._writeable: Alaw = np.zeros(size + BLOCK, dtype=np.uint8)  # memory is used for what is written to
        if parts:
            np.concatenate(parts, out=self._writeable[:offset])
        self._writeable[offset : offset + ROOM_SAMPLES] = SILENCE
        self._writeable[size:] = SILENCE
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
        for name, path in sound_files(language, folders):
            try:
                sounds[name] = read_sound(path)
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
        offset = self._made.take(samples.size + BLOCK)
        if offset is None:
            return None
        end = offset + samples.size
        self._writeable[offset:end] = samples
        self._writeable[end : end + BLOCK] = SILENCE
        return Sound(offset, samples.size, is_held=True)

    def give_back(self, sound: Sound) -> None:
        """The held sound is played no more."""
        self._made.give_back(sound.offset)

    def replace(self, name: str, samples: Alaw, in_use: Collection[Sound]) -> bool:
        """A recording, maybe the first of its name, that `find` gives from now on. What it replaces stays where it is
        as long as it is one of `in_use`, the sounds that plays have now. False, and nothing is changed, without room.
        """
        old = self._index.get(name)
        if old is not None and np.array_equal(self.samples(name), samples):
            return True
        for sound in [one for one in self._retired if one not in in_use]:
            self._retired.remove(sound)
            self._replaced.give_back(sound.offset)
        offset = self._replaced.take(samples.size + BLOCK)
        if offset is None:
            return False
        end = offset + samples.size
        self._writeable[offset:end] = samples
        self._writeable[end : end + BLOCK] = np.resize(samples, BLOCK) if samples.size else SILENCE
        self._index[name] = Sound(offset, samples.size, name.startswith(MUSIC))
        if old is not None and self._replaced.holds(old.offset):
            self._retired.append(old)
        return True

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


def sound_files(language: str, folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """(name, file) of every recording in the folders, those of later ones later. A file whose name cannot be read is
    told in the log and left out."""
    for folder in folders:
        for prefix, subfolder in (("prompt:", language), ("word:", f"{language}/words"), (MUSIC, "music")):
            for path in sorted((folder / subfolder).glob("*.wav")):
                try:
                    yield prefix + _name_of(path), path
                except SoundError as error:
                    _log.error("%s", error)


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
        why = getattr(error, "error_string", error)  # libsndfile's, without how Python names the open file
        raise SoundError(f"{path}: not a sound file ({why}). Replace it by a WAV file") from error
    if rate != SAMPLE_RATE or samples.shape[1] != 1:
        raise SoundError(
            f"{path}: {rate} samples a second, {samples.shape[1]} channels. "
            f"Convert it: sox {path.name} -r 8000 -c 1 -e a-law converted.wav"
        )
    return codec.encode(samples[:, 0])
