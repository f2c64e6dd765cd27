"""Text to telephone speech by espeak-ng, in a bounded time. For prompts that ship, and for what has no recording.

The only place that knows espeak-ng. It starts a process and waits: never called from the gateway or from a loop that
serves calls. Not here: which texts there are, where the result is kept.
"""

from __future__ import annotations

import io
import subprocess

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw
from firmware.media.sounds import LONGEST_SAMPLES

Samples = NDArray[np.float64]

VOICES = {"zh_CN": "cmn-latn-pinyin", "en": "en"}
"""By language of the box. Not `cmn`: as Debian packages it, that reads most characters' pinyin as if it were
English."""
SPEECH_DBM0 = -15.0
"""Level of the parts of speech that are not pauses: all prompts are alike loud."""
LONGEST_TEXT = 200
"""Characters; about 50 s of speech, if they are words."""
PATIENCE_S = 5.0
"""How long espeak-ng may take for one text; the longest takes 0.9 s in all on a 2 GHz core."""

_EDGE = 40
"""Samples (5 ms) over which speech begins and ends, so that no piece clicks."""


class SpeechError(Exception):
    """The text could not be spoken. Says why and what to do."""


def speak(text: str, voice: str) -> Alaw:
    """`text` as A-law, without the silence around it, at the level of all prompts. Raises SpeechError."""
    if not 0 < len(text.strip()) <= LONGEST_TEXT or len(text) > LONGEST_TEXT:
        raise SpeechError(f"a text of {len(text)} characters is not spoken: 1 to {LONGEST_TEXT} are. Divide it")
    command = ["espeak-ng", "-v", voice, "-s", "150", "-p", "45", "--stdout"]
    try:
        wav = subprocess.run(command, input=text.encode(), check=True, capture_output=True, timeout=PATIENCE_S).stdout
    except FileNotFoundError as error:
        raise SpeechError("espeak-ng is not installed. Debian: apt-get install espeak-ng") from error
    except subprocess.TimeoutExpired as error:
        raise SpeechError(
            f"espeak-ng did not speak {text!r} in {PATIENCE_S:g} s. Is the machine overloaded?"
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise SpeechError(f"espeak-ng did not speak {text!r}: {error}. Try: espeak-ng -v {voice} test") from error
    codes = codec.encode(_telephone_speech(text, wav).astype(np.float32))
    if codes.size > LONGEST_SAMPLES:
        seconds, most = codes.size / SAMPLE_RATE, LONGEST_SAMPLES // SAMPLE_RATE
        raise SpeechError(f"the text {text[:20]!r}… makes {seconds:.0f} s of speech, {most} s are played. Divide it")
    return codes


def _telephone_speech(text: str, wav: bytes) -> Samples:
    """What espeak-ng made, in the telephone band, trimmed, at its level. Raises SpeechError."""
    import soundfile

    try:
        spoken, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise SpeechError(f"espeak-ng made no sound of {text!r} ({error})") from error
    if not np.any(spoken):
        raise SpeechError(f"espeak-ng has no sound for {text!r}. Write it in words")
    samples = in_telephone_band(np.pad(spoken * 32768.0, rate // 10), rate)
    blocks = np.abs(samples[: samples.size // BLOCK * BLOCK]).reshape(-1, BLOCK).max(axis=1)
    loud = np.flatnonzero(blocks > blocks.max() / 50)
    samples = samples[max(0, loud[0] - 2) * BLOCK : (loud[-1] + 3) * BLOCK]
    voiced = np.square(samples[: samples.size // 160 * 160]).reshape(-1, 160).mean(axis=1)
    active = np.repeat(voiced > voiced.mean() / 30, 160)
    samples = at_level(samples, SPEECH_DBM0, samples[: active.size][active])
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_EDGE) + 0.5) / _EDGE)
    samples[:_EDGE] *= rise
    samples[-_EDGE:] *= rise[::-1]
    return samples


def in_telephone_band(samples: Samples, rate: int) -> Samples:
    """`samples` at 8000 a second and between 300 and 3400 Hz, edges half a cosine wide."""
    length = round(samples.size * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(samples)
    hz = np.arange(spectrum.size) * rate / samples.size
    up = np.clip((hz - 200.0) / 100.0, 0.0, 1.0)
    down = np.clip((3600.0 - hz) / 200.0, 0.0, 1.0)
    spectrum *= (0.5 - 0.5 * np.cos(np.pi * up)) * (0.5 - 0.5 * np.cos(np.pi * down))
    band: Samples = np.fft.irfft(spectrum[: length // 2 + 1], length) * length / samples.size
    return band


def at_level(samples: Samples, dbm0: float, of: Samples) -> Samples:
    """`samples` scaled so that its part `of` lies at `dbm0`."""
    gain: float = 10.0 ** ((dbm0 - codec.level_of(of)) / 20.0)
    return samples * gain
