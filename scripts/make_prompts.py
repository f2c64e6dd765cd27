"""Makes the prompts and the waiting music that ship with the box. Run by hand (scripts/make_prompts); not part of it.

Spoken prompts: espeak-ng, text from `prompts/<language>/texts.toml`. The music is ours: a pentatonic melody over
broken chords, twenty seconds that close into a loop, written below as notes. All files are A-law WAV, 8000 a second.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from firmware.media import codec
from firmware.media.codec import SAMPLE_RATE
from firmware.media.sounds import PROMPTS, read_sound

Samples = NDArray[np.float64]

SPEECH_DBM0 = -15.0
"""Level of the parts of a prompt that are not pauses."""
MUSIC_DBM0 = -16.0
VOICES = {"zh_CN": "cmn-latn-pinyin"}
"""Not `cmn`: as Debian packages it, that reads most characters' pinyin as if it were English."""


def in_telephone_band(samples: Samples, rate: int) -> Samples:
    """`samples` at 8000 a second and between 300 and 3400 Hz, edges half a cosine wide."""
    length = round(samples.size * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(samples)
    hz = np.arange(spectrum.size) * rate / samples.size
    up = np.clip((hz - 200.0) / 100.0, 0.0, 1.0)
    down = np.clip((3600.0 - hz) / 200.0, 0.0, 1.0)
    spectrum *= (0.5 - 0.5 * np.cos(np.pi * up)) * (0.5 - 0.5 * np.cos(np.pi * down))
    return np.fft.irfft(spectrum[: length // 2 + 1], length) * length / samples.size


def at_level(samples: Samples, dbm0: float, of: Samples) -> Samples:
    """`samples` scaled so that its part `of` lies at `dbm0`."""
    return samples * 10.0 ** ((dbm0 - codec.level_of(of)) / 20.0)


def speak(text: str, voice: str) -> Samples:
    """A prompt: spoken, without the silence around it, at the level of all prompts."""
    command = ["espeak-ng", "-v", voice, "-s", "150", "-p", "45", "--stdout"]
    wav = subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout
    spoken, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    samples = in_telephone_band(np.pad(spoken * 32768.0, rate // 10), rate)
    blocks = np.abs(samples[: samples.size // 80 * 80]).reshape(-1, 80).max(axis=1)
    loud = np.flatnonzero(blocks > blocks.max() / 50)
    samples = samples[max(0, loud[0] - 2) * 80 : (loud[-1] + 3) * 80]
    voiced = np.square(samples[: samples.size // 160 * 160]).reshape(-1, 160).mean(axis=1)
    active = np.repeat(voiced > voiced.mean() / 30, 160)
    samples = at_level(samples, SPEECH_DBM0, samples[: active.size][active])
    return np.concatenate([samples, np.zeros(SAMPLE_RATE // 5)])


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


def write(path: Path, samples: Samples) -> None:
    codes = codec.encode(samples.astype(np.float32))
    soundfile.write(path, codec.decode(codes).astype(np.int16), SAMPLE_RATE, format="WAV", subtype="ALAW")
    if not np.array_equal(read_sound(path), codes):
        raise SystemExit(f"{path}: reads back differently")
    print(
        f"{path.relative_to(PROMPTS)}: {codes.size / SAMPLE_RATE:.2f} s, {codec.level_of(codec.decode(codes)):.1f} dBm0"
    )


def main() -> None:
    for language, voice in VOICES.items():
        for name, text in tomllib.loads((PROMPTS / language / "texts.toml").read_text()).items():
            write(PROMPTS / language / f"{name}.wav", speak(text, voice))
    (PROMPTS / "music").mkdir(exist_ok=True)
    write(PROMPTS / "music" / "waiting.wav", music())


if __name__ == "__main__":
    main()
