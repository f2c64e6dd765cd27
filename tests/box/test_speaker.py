"""Texts that are spoken beside the loop: kept on the disk, made anew when that is spoilt, and answered in any case."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.box.callserver import speaker
from firmware.box.callserver.speaker import Speaker, SpokenTexts
from firmware.media import espeak
from firmware.media.espeak import VOICES, SpeechError, speak

pytestmark = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng"
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[Speaker]:
    one = Speaker(tmp_path / "spoken", "zh_CN")
    yield one
    one.stop()


def answers(one: Speaker, count: int) -> list[tuple[str, bytes | None]]:
    found: list[tuple[str, bytes | None]] = []
    while len(found) < count:
        assert select.select([one], [], [], 20.0)[0], "no answer"
        found += one.answers()
    return found


def without_espeak(text: str, voice: str) -> None:
    raise SpeechError("espeak-ng is not installed. Debian: apt-get install espeak-ng")


def test_texts_are_answered_in_their_order(thread: Speaker) -> None:
    thread.ask(["您好", "再见"])

    expected = [(text, speak(text, VOICES["zh_CN"]).tobytes()) for text in ("您好", "再见")]
    assert answers(thread, 2) == expected
    assert thread.answers() == []


def test_without_espeak_each_text_is_answered_and_the_problem_is_told_once(
    thread: Speaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(espeak, "speak", without_espeak)

    thread.ask(["您好", "再见"])

    assert answers(thread, 2) == [("您好", None), ("再见", None)]
    assert caplog.text.count("callers hear a recording instead") == 1
    assert "apt-get install espeak-ng" in caplog.text


def test_what_was_spoken_once_needs_no_espeak_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SpokenTexts(tmp_path, "zh_CN").speak("您好")
    monkeypatch.setattr(espeak, "speak", without_espeak)

    assert SpokenTexts(tmp_path, "zh_CN").speak("您好") == first
    with pytest.raises(SpeechError):
        SpokenTexts(tmp_path, "zh_CN").speak("再见")
    with pytest.raises(SpeechError):
        SpokenTexts(tmp_path, "en").speak("您好")


def test_a_spoilt_file_of_the_cache_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = SpokenTexts(tmp_path, "zh_CN")
    spoken = texts.speak("您好")
    (kept,) = tmp_path.glob("*.alaw")
    kept.write_bytes(kept.read_bytes()[:-100])

    assert texts.speak("您好") == spoken
    assert "made anew" in caplog.text
    assert len(kept.read_bytes()) > len(spoken)


def test_a_disk_that_takes_nothing_hinders_no_speech(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spoken").write_text("a file where the folder should be")

    assert SpokenTexts(tmp_path / "spoken", "zh_CN").speak("您好")
    assert "could not be kept" in caplog.text


def test_the_oldest_texts_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker, "FILES_KEPT", 2)
    texts = SpokenTexts(tmp_path, "zh_CN")
    for text in ("一", "二", "三"):
        texts.speak(text)

    SpokenTexts(tmp_path, "zh_CN")

    assert len(list(tmp_path.glob("*.alaw"))) == 2


def test_a_callserver_whose_texts_are_in_the_cache_loads_nothing_that_makes_speech(tmp_path: Path) -> None:
    SpokenTexts(tmp_path, "zh_CN").speak("您好")
    program = (
        "import sys; from pathlib import Path; import firmware.box.callserver.process; "
        "from firmware.box.callserver.speaker import SpokenTexts; "
        "SpokenTexts(Path(sys.argv[1]), 'zh_CN').speak('您好'); "
        "print({'soundfile', 'firmware.media.espeak'} & set(sys.modules))"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert told.strip() == "set()"
