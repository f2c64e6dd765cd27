"""Makes the prompts and the waiting music that ship with the box. Run by hand (scripts/make_prompts); not part of it.

Spoken prompts: espeak-ng, text from `prompts/<language>/texts.toml`; `words/` holds what numbers, dates and the like
are put together from, each file named after what it says. The music is ours: a pentatonic melody over
broken chords, twenty seconds that close into a loop, written below as notes. All files are A-law WAV, 8000 a second.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from firmware.ivr.announcements import PHRASES
from firmware.ivr.spoken_mandarin import PAUSE, WORDS
from firmware.media import codec
from firmware.media.codec import SAMPLE_RATE, Alaw
from firmware.media.espeak import VOICES, at_level, in_telephone_band, speak
from firmware.media.prompts import PROMPTS
from firmware.media.sounds import read_sound

Samples = NDArray[np.float64]

MUSIC_DBM0 = -16.0
LANGUAGE = "zh_CN"


def prompt(text: str, voice: str) -> Alaw:
    """A prompt: spoken, and a fifth of a second of silence, as sentences follow each other."""
    return np.append(speak(text, voice), np.full(SAMPLE_RATE // 5, codec.SILENCE, dtype=np.uint8))


def word(text: str, voice: str) -> Alaw:
    """A word that others are spoken right after: nothing around it."""
    if text == PAUSE:
        return np.full(SAMPLE_RATE // 5, codec.SILENCE, dtype=np.uint8)
    return speak(text, voice)


# One bar a line, eight quavers in a bar, eight bars of 2.5 s. "-" lets the last note sound on.
MELODY = """
    E5 -  G5 -  A5 -  G5 E5
    E5 -  D5 -  C5 -  -  -
    D5 -  E5 -  G5 -  E5 -
    D5 -  -  -  -  -  C5 D5
    E5 -  G5 -  C6 -  A5 -
    G5 -  E5 -  D5 -  -  -
    C5 -  D5 -  E5 G5 D5 -
    C5 -  -  -  -  -  -  -
"""
CHORDS = """
    C4 G4 E5 G4 C4 G4 E5 G4
    A3 E4 C5 E4 A3 E4 C5 E4
    G3 D4 B4 D4 G3 D4 B4 D4
    G3 D4 B4 D4 G3 D4 B4 D4
    C4 G4 E5 G4 F3 C4 C5 C4
    C4 G4 E5 G4 G3 D4 B4 D4
    A3 E4 C5 E4 G3 D4 B4 D4
    C4 G4 E5 G4 C4 G4 E5 G4
"""
SEMITONES = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}
QUAVER = 2500
"""Samples."""


def pluck(hz: float, decay_s: float) -> Samples:
    """A soft plucked note of three seconds: the higher the partial, the weaker and the shorter."""
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    note = np.zeros(time.size)
    for partial, strength in enumerate((1.0, 0.55, 0.35, 0.2, 0.12), start=1):
        if hz * partial < 3400.0:
            # Two strings, a little apart, as in most plucked instruments: it breathes, and no partial is a pure tone.
            strings = np.sin(2 * np.pi * hz * partial * time) + np.sin(
                2 * np.pi * hz * 1.0025 * partial * time + partial
            )
            note += strength * strings * np.exp(-time * (1.0 + 0.6 * partial) / decay_s)
    return note * np.minimum(1.0, time / 0.006) * np.minimum(1.0, (time[-1] - time) / 0.2)


def music() -> Samples:
    """The waiting music: exactly 20 s; what sounds over the end sounds on at the beginning."""
    loop = np.zeros(64 * QUAVER)
    for score, strength, decay_s in ((MELODY, 1.0, 1.6), (CHORDS, 0.45, 1.1)):
        for place, name in enumerate(score.split()):
            if name != "-":
                hz = 440.0 * 2.0 ** (SEMITONES[name[0]] / 12 + int(name[1]) - 4)
                note = strength * pluck(hz, decay_s)
                np.add.at(loop, (place * QUAVER + np.arange(note.size)) % loop.size, note)
    loop = in_telephone_band(loop, SAMPLE_RATE)
    return at_level(loop, MUSIC_DBM0, loop)


def write(path: Path, codes: Alaw) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, codec.decode(codes).astype(np.int16), SAMPLE_RATE, format="WAV", subtype="ALAW")
    if not np.array_equal(read_sound(path), codes):
        raise SystemExit(f"{path}: reads back differently")
    print(
        f"{path.relative_to(PROMPTS)}: {codes.size / SAMPLE_RATE:.2f} s, {codec.level_of(codec.decode(codes)):.1f} dBm0"
    )


def main() -> None:
    voice, folder = VOICES[LANGUAGE], PROMPTS / LANGUAGE
    for name, text in tomllib.loads((folder / "texts.toml").read_text()).items():
        write(folder / f"{name}.wav", prompt(text, voice))
    for text in (*WORDS, *PHRASES):
        write(folder / "words" / f"{text}.wav", word(text, voice))
    write(PROMPTS / "music" / "waiting.wav", codec.encode(music().astype(np.float32)))


if __name__ == "__main__":
    main()
