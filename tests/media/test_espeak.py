"""Text-to-speech: telephone speech of a known level, in a bounded time, or a problem that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from firmware.media import codec, espeak
from firmware.media.espeak import LONGEST_TEXT, SPEECH_DBM0, VOICES, SpeechError, speak

VOICE = VOICES["zh_CN"]
needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng"
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an `espeak-ng` of the test's own lies, before any other."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "espeak-ng"


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@needs_espeak
def test_speech_has_its_level_and_begins_and_ends_in_silence() -> None:
    linear = codec.decode(speak("今天办理业务的市民较多，请您耐心等待。", VOICE))

    blocks = linear[: linear.size // 160 * 160].reshape(-1, 160)
    active = blocks[np.square(blocks).mean(axis=1) > 1e5]
    assert abs(codec.level_of(active) - SPEECH_DBM0) < 1.5
    assert np.abs(linear).max() < codec.OVERLOAD * 0.95
    assert np.abs(linear[:4]).max() < 100
    assert np.abs(linear[-4:]).max() < 100


@needs_espeak
def test_the_same_text_is_the_same_speech() -> None:
    assert np.array_equal(speak("您好", VOICE), speak("您好", VOICE))


@needs_espeak
@pytest.mark.parametrize("text", ["", " ", "字" * (LONGEST_TEXT + 1), "。"])
def test_a_text_that_makes_no_speech_is_refused(text: str) -> None:
    with pytest.raises(SpeechError, match=r"Divide|Write it in words"):
        speak(text, VOICE)


@needs_espeak
def test_a_text_that_takes_too_long_to_say_is_refused() -> None:
    with pytest.raises(SpeechError, match=r"s of speech, 60 s are played\. Divide it"):
        speak("窗。" * 100, VOICE)


def test_without_espeak_it_says_how_to_install_it(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))

    with pytest.raises(SpeechError, match="apt-get install espeak-ng"):
        speak("您好", VOICE)


def test_an_espeak_that_hangs_is_given_up(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(installed, "exec sleep 60")
    monkeypatch.setattr(espeak, "PATIENCE_S", 0.1)

    with pytest.raises(SpeechError, match=r"did not speak '您好' in 0\.1 s"):
        speak("您好", VOICE)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exit 3", "did not speak"),
        ("echo no sound", "made no sound"),
        ("exit 0", "made no sound"),
    ],
)
def test_an_espeak_that_fails_is_a_problem_in_words(installed: Path, does: str, said: str) -> None:
    script(installed, f"cat >/dev/null; {does}")

    with pytest.raises(SpeechError, match=said):
        speak("您好", VOICE)
