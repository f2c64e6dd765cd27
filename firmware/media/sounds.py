"""All that the box can play, in one array of A-law samples. It knows names and lengths, not who hears what.

Names: `prompt:<file>`, `word:<file>` (what numbers and dates are put together from) and `music:<file>` from WAV files,
`tone:<name>` from arrays that the caller made from the country's tone plan. Read once at start; nothing here touches a
file afterwards. At the end of the bank are a few empty places for sounds without a name that are made while the box
runs (caller ID, dialling).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, SILENCE, Alaw

PROMPTS = Path(__file__).parent / "prompts"
"""Prompts and music that ship with the box: one folder a language with `words` in it, and `music`."""

MUSIC = "music:"
"""Sounds with this prefix run on whether anybody listens or not: who joins hears the place where they are."""


PLACES = 32
"""Sounds made at run time that can be there at once: more phones do not ring at the same moment."""
PLACE_SAMPLES = 32_000
"""The longest of them: 4 s; a caller ID with a name takes 1.1 s, a number of 20 digits 3.2 s."""


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
        self._places = deque(offset + place * (PLACE_SAMPLES + BLOCK) for place in range(PLACES))
        parts.append(np.full(PLACES * (PLACE_SAMPLES + BLOCK) + BLOCK, SILENCE, dtype=np.uint8))
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
        name: office recordings over shipped ones) and `tones` by their bare names. Raises SoundError."""
        sounds: dict[str, Alaw] = {}
        for folder in folders:
            for prefix, subfolder in (("prompt:", language), ("word:", f"{language}/words"), (MUSIC, "music")):
                for path in sorted((folder / subfolder).glob("*.wav")):
                    sounds[prefix + path.stem] = read_sound(path)
        sounds.update({f"tone:{name}": samples for name, samples in tones.items()})
        return cls(sounds)

    def find(self, name: str) -> Sound | None:
        """The sound called `name`, or None if there is none."""
        return self._index.get(name)

    def hold(self, samples: Alaw) -> Sound | None:
        """Keep a sound made at run time until `give_back`. None if it is too long or all places are taken."""
        if not 0 < samples.size <= PLACE_SAMPLES or not self._places:
            return None
        offset = self._places.popleft()
        self._writeable[offset : offset + samples.size] = samples
        self._writeable[offset + samples.size : offset + samples.size + BLOCK] = SILENCE
        return Sound(offset, samples.size, is_held=True)

    def give_back(self, sound: Sound) -> None:
        """The held sound is played no more. Its place is taken again last, as the switch may still fade out of it."""
        self._places.append(sound.offset)

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


def read_sound(path: Path) -> Alaw:
    """A-law samples of a WAV file, 8000 samples a second, one channel, A-law or 16-bit. Raises SoundError."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise SoundError(f"{path}: not a sound file ({error}). Replace it by a WAV file") from error
    if rate != SAMPLE_RATE or samples.shape[1] != 1:
        raise SoundError(
            f"{path}: {rate} samples a second, {samples.shape[1]} channels. "
            f"Convert it: sox {path.name} -r 8000 -c 1 -e a-law converted.wav"
        )
    return codec.encode(samples[:, 0])
