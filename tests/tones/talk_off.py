"""Speech and music in which there is no digit: an hour and more, made once and kept in the user's cache folder.

Speech is espeak-ng in Mandarin, Cantonese and English, in several voices, speeds and pitches: high female voices are
the hard ones, with few and strong partials. Music is made here: chords and tunes of tones with harmonics, in tune and
a little out of tune, which is nearer to digits than speech is. Not part of the box, and not the tests that use it.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear
from scripts.make_prompts import at_level, in_telephone_band

LEVELS_DBM0 = (-12.0, -24.0)
"""A near and a far talker: mean level of what is spoken."""

MANDARIN = """
您好，我想反映一个问题。我们小区门口的路灯已经坏了半个多月，晚上出门很不方便，老人和孩子都害怕摔倒。之前给物业打过电话，
物业说要找市政部门，市政部门又说归供电公司管，一直没有人来修理。请你们帮忙协调一下，尽快派人处理。另外，菜市场旁边有一家烧烤店，
每天晚上营业到凌晨两点，油烟和噪音很大，影响周围居民休息。我的电话是一三八零零一二三四五六，谢谢您，辛苦了。
好的，您反映的问题我已经记录下来，我们会在三个工作日内转给相关部门办理，办理结果会打电话通知您。祝您生活愉快，再见。
"""
CANTONESE = """
你好，我想投訴一件事。我哋屋企樓下嘅街燈壞咗成個月，夜晚出街好唔方便，啲老人家同細路仔都驚跌親。之前打過電話畀管理處，
佢哋話要搵市政部門，市政部門又話係供電公司負責，一直冇人嚟修理。麻煩你哋幫手跟進，快啲派人嚟處理。另外街市隔籬有間燒烤檔，
每晚開到凌晨兩點，油煙同噪音好大，影響街坊休息。我嘅電話係六二三四五六七八，唔該晒，辛苦你哋。
好，你講嘅問題我已經記低咗，三個工作日內會轉畀有關部門跟進，之後會打電話話畀你知。多謝你嘅來電，再見。
"""
ENGLISH = """
Good afternoon, I should like to report a problem. The street lamps in front of our building have been broken for more
than two weeks, and it is dangerous for the children and the older people who come home in the evening. We telephoned
the property company, who told us to ask the city, and the city told us that the power company was responsible. Nobody
has come to repair them. There is also a restaurant beside the market which stays open until two in the morning; the
smoke and the noise keep all the neighbours awake. My number is one three eight, double zero, one two three, four five
six. Thank you, I have written everything down, and the department will call you back within three working days.
"""
TEXTS = {"cmn-latn-pinyin": MANDARIN, "yue": CANTONESE, "en": ENGLISH}
VARIANTS = ("+f5", "", "+f2", "+m3", "+f4", "+m7", "+f3", "+m1")
MANNERS = ((150, 45), (185, 80), (130, 95))
"""Words a minute and pitch."""
MUSIC_SECONDS = 60


def speech(number: int) -> Iterator[tuple[str, Alaw]]:
    """The first `number` recordings of about a minute, by what they are, at the first level. Made when asked for."""
    kinds = [(voice, variant, *manner) for manner in MANNERS for variant in VARIANTS for voice in TEXTS]
    for voice, variant, speed, pitch in kinds[:number]:
        what = f"{voice}{variant} {speed}/{pitch}"
        yield what, _kept(f"{what} {TEXTS[voice]}", partial(_spoken, voice, variant, speed, pitch))


def _spoken(voice: str, variant: str, speed: int, pitch: int) -> Alaw:
    command = ["espeak-ng", "-v", voice + variant, "-s", str(speed), "-p", str(pitch), "--stdout"]
    wav = subprocess.run(command, input=TEXTS[voice].encode(), check=True, capture_output=True).stdout
    sound, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    heard = in_telephone_band(sound * 32768.0, rate)
    return codec.encode(at_level(heard, LEVELS_DBM0[0], heard))


def music(number: int) -> Iterator[tuple[str, Alaw]]:
    """The first `number` minutes of music, by what they are, at the first level. Made when asked for."""
    for piece in range(number):
        yield f"music {piece}", _kept(f"music 1 {piece} {MUSIC_SECONDS}", partial(_composed, piece))


def _composed(piece: int) -> Alaw:
    """Bars of a chord and a tune above it; each piece has its own timbre, speed, key and how far out of tune it is."""
    random = np.random.default_rng(1000 + piece)
    harmonics = random.uniform(0.0, 1.0, 6) ** 2 * np.array([1.0, 0.8, 0.6, 0.4, 0.3, 0.2])
    harmonics[0] = max(harmonics[0], 0.3)
    beat = int(SAMPLE_RATE * random.uniform(0.06, 0.4))
    fade = random.uniform(0.5, 8.0)
    tuning = 2.0 ** (random.uniform(-0.5, 0.5) / 12)
    scale = np.array(((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9, 12, 14))[piece % 3])
    sound = np.zeros(MUSIC_SECONDS * SAMPLE_RATE + 4 * beat)
    for start in range(0, MUSIC_SECONDS * SAMPLE_RATE, beat):
        number = start // beat
        notes = [(int(scale[random.integers(7)]) + 12 * int(random.integers(1, 4)), 1)]
        if number % 4 == 0:
            root = int(random.integers(7))
            notes += [(int(scale[(root + step) % 7]) + 12 * int(random.integers(0, 3)), 4) for step in (0, 2, 4)]
        for semitones, beats in notes:
            samples = np.arange(beats * beat)
            hz = 220.0 * tuning * 2.0 ** (semitones / 12)
            shape = np.minimum(1.0, samples / 40) * np.exp(-fade * samples / SAMPLE_RATE)
            shape *= np.minimum(1.0, (samples.size - samples) / 40)
            for place, share in enumerate(harmonics, 1):
                if hz * place < 3400:
                    turn = 2 * np.pi * hz * place / SAMPLE_RATE
                    sound[start : start + samples.size] += share * shape * np.sin(turn * samples + place)
    sound = sound[: MUSIC_SECONDS * SAMPLE_RATE]
    return codec.encode(at_level(sound, LEVELS_DBM0[0], sound))


def at_second_level(codes: Alaw) -> Alaw:
    """The same recording from the far talker."""
    return codec.encode(codec.decode(codes) * np.float32(10 ** ((LEVELS_DBM0[1] - LEVELS_DBM0[0]) / 20)))


def together(recordings: Iterable[Alaw]) -> Linear:
    """All recordings as channels [recordings, samples], each with silence behind it, out of A-law."""
    all_codes = list(recordings)
    whole = -(-max(codes.size for codes in all_codes) // BLOCK) * BLOCK + 30 * BLOCK
    audio = np.full((len(all_codes), whole), codec.SILENCE, dtype=np.uint8)
    for channel, codes in enumerate(all_codes):
        audio[channel, : codes.size] = codes
    return codec.decode(audio)


def _kept(what: str, make: Callable[[], Alaw]) -> Alaw:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox" / "talk_off"
    path = cache / (hashlib.sha256(what.encode()).hexdigest()[:20] + ".alaw")
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(make().tobytes())
        part.replace(path)
    codes: NDArray[np.uint8] = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    return codes
