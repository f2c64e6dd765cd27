"""The store of sounds: names, the bank, files that are right and files that are not."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.media import codec
from firmware.media.prompts import PROMPTS
from firmware.media.sounds import (
    LONGEST_SAMPLES,
    REPLACED_SAMPLES,
    ROOM_SAMPLES,
    Sound,
    SoundError,
    SoundStore,
    read_sound,
)

ROOT = PROMPTS.parents[2]


def test_what_ships_is_loaded_under_its_names() -> None:
    store = SoundStore.load({"busy": np.full(800, 7, dtype=np.uint8)})
    texts = tomllib.loads((PROMPTS / "zh_CN" / "texts.toml").read_text())
    prompts = {name for name in store.names if not name.startswith("word:")}
    assert {f"prompt:{name}" for name in texts} | {"music:waiting", "tone:busy"} == prompts
    assert store.samples("tone:busy").tolist() == [7] * 800
    assert "prompt:nothing" not in store
    assert store.find("prompt:nothing") is None


def test_prompts_and_music_have_the_level_of_a_telephone_voice() -> None:
    store = SoundStore.load({})
    for name in set(store.names) - {"word:停顿"}:
        linear = codec.decode(store.samples(name))
        assert -18.0 < codec.level_of(linear) < -15.0, name
        assert np.abs(linear).max() < 32256, name


def test_the_music_is_a_loop_of_twenty_seconds_without_a_seam() -> None:
    loop = codec.decode(SoundStore.load({}).samples("music:waiting"))
    assert loop.size == 20 * 8000
    assert abs(loop[0] - loop[-1]) < np.abs(np.diff(loop)).max() / 2


def test_a_block_read_at_any_place_of_a_loop_runs_over_its_end() -> None:
    for length in (1, 7, 79, 80, 81, 200):
        samples = np.arange(length, dtype=np.uint8)
        store = SoundStore({"tone:before": np.full(3, 99, dtype=np.uint8), "tone:it": samples})
        sound = store.find("tone:it")
        assert sound is not None
        for at in range(length):
            expected = samples[(at + np.arange(80)) % length]
            assert np.array_equal(store.windows[sound.offset + at], expected)


def test_an_offices_recording_replaces_the_prompt_that_ships(tmp_path: Path) -> None:
    (tmp_path / "zh_CN").mkdir()
    recording = np.arange(-4000, 4000, 8, dtype=np.int16)
    soundfile.write(tmp_path / "zh_CN" / "welcome.wav", recording, 8000, subtype="PCM_16")
    store = SoundStore.load({}, folders=(PROMPTS, tmp_path))
    assert np.array_equal(store.samples("prompt:welcome"), codec.encode(recording))
    assert "prompt:menu" in store


def test_an_offices_recording_that_cannot_be_played_is_told_and_the_shipped_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "zh_CN" / "words").mkdir(parents=True)
    (tmp_path / "zh_CN" / "welcome.wav").write_bytes(b"not a sound")
    soundfile.write(tmp_path / "zh_CN" / "words" / "一.wav", np.full(800, 800, dtype=np.int16), 8000)

    store = SoundStore.load({}, folders=(PROMPTS, tmp_path))

    assert np.array_equal(store.samples("prompt:welcome"), SoundStore.load({}).samples("prompt:welcome"))
    assert "welcome.wav: not a sound file" in caplog.text
    assert store.samples("word:一").size == 800


def test_words_have_their_names_also_where_the_locale_knows_ascii_alone() -> None:
    program = "import firmware.media.sounds as sounds; print(ascii(sounds.SoundStore.load({}).names))"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", program]

    named = subprocess.run(
        command, env={**os.environ, **ascii_only}, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert named.strip() == ascii(SoundStore.load({}).names)


def test_a_recording_whose_name_is_not_utf_8_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "zh_CN").mkdir()
    soundfile.write(tmp_path / "zh_CN" / "new.wav", np.full(800, 800, dtype=np.int16), 8000)
    os.rename(tmp_path / "zh_CN" / "new.wav", os.fsencode(tmp_path / "zh_CN") + b"/\xb0\xd9.wav")

    store = SoundStore.load({}, folders=(PROMPTS, tmp_path))

    assert set(store.names) == set(SoundStore.load({}).names)
    assert "the name is not UTF-8" in caplog.text


def test_an_alaw_file_is_taken_code_by_code(tmp_path: Path) -> None:
    codes = np.arange(256, dtype=np.uint8)
    path = tmp_path / "all.wav"
    soundfile.write(path, codec.decode(codes).astype(np.int16), 8000, subtype="ALAW")
    assert np.array_equal(read_sound(path), codes)


def test_a_file_that_cannot_be_played_says_why(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros((100, 2), dtype=np.int16), 44100)
    with pytest.raises(SoundError, match=r"44100 samples a second, 2 channels.*sox"):
        read_sound(path)
    path.write_bytes(b"not a sound")
    with pytest.raises(SoundError, match=r"odd\.wav.*not a sound file"):
        read_sound(path)


def test_sounds_made_at_run_time_find_room_until_there_is_none() -> None:
    store = SoundStore({"tone:it": np.full(100, 9, dtype=np.uint8)})
    held = [store.hold(np.full(LONGEST_SAMPLES - number, number, dtype=np.uint8)) for number in range(9)]

    assert store.hold(np.zeros(LONGEST_SAMPLES, dtype=np.uint8)) is None
    for number, sound in enumerate(held):
        assert sound is not None
        assert set(store.bank[sound.offset : sound.offset + sound.length].tolist()) == {number}
        assert set(store.windows[sound.offset + sound.length].tolist()) == {codec.SILENCE}
        store.give_back(sound)
    assert set(store.samples("tone:it").tolist()) == {9}
    assert store.hold(np.zeros(LONGEST_SAMPLES + 1, dtype=np.uint8)) is None
    assert store.hold(np.zeros(0, dtype=np.uint8)) is None
    assert store.hold(np.zeros(LONGEST_SAMPLES, dtype=np.uint8)) is not None


def test_room_that_was_given_back_is_written_over_last() -> None:
    store = SoundStore({})
    first = store.hold(np.full(800, 1, dtype=np.uint8))
    assert first is not None
    store.give_back(first)
    for _ in range(ROOM_SAMPLES // (LONGEST_SAMPLES + 80) - 1):
        later = store.hold(np.full(LONGEST_SAMPLES, 2, dtype=np.uint8))
        assert later is not None
        store.give_back(later)

    assert set(store.bank[first.offset : first.offset + 800].tolist()) == {1}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, LONGEST_SAMPLES), st.booleans()), max_size=60))
def test_held_sounds_never_overlap(wishes: list[tuple[int, bool]]) -> None:
    store = SoundStore({})
    held: list[Sound] = []
    for samples, gives_back in wishes:
        sound = store.hold(np.zeros(samples, dtype=np.uint8))
        if sound is None:
            assert sum(one.length + 80 for one in held) + samples > ROOM_SAMPLES // 3, "there was room"
        else:
            assert sound.offset + sound.length + 80 <= store.bank.size
            assert all(
                sound.offset >= one.offset + one.length + 80 or one.offset >= sound.offset + sound.length + 80
                for one in held
            )
            held.append(sound)
        if gives_back and held:
            store.give_back(held.pop(0))


def test_a_recording_that_plays_use_stays_where_it_is_when_it_is_replaced() -> None:
    store = SoundStore({"prompt:it": np.full(100, 9, dtype=np.uint8)})
    minute = np.arange(60 * 8000) % 251
    used = []

    for number in range(5):
        assert store.replace("prompt:it", np.full(100, number, dtype=np.uint8), used)
        found = store.find("prompt:it")
        assert found is not None
        used.append(found)
    for number in range(100):  # three times the room
        assert store.replace("prompt:other", ((minute + number) % 256).astype(np.uint8), used)

    for number, sound in enumerate(used):
        assert set(store.bank[sound.offset : sound.offset + sound.length + 80].tolist()) == {number}
    assert np.array_equal(store.samples("prompt:other"), (minute + 99) % 256)
    assert set(store.samples("prompt:it").tolist()) == {4}
    assert set(store.windows[-1].tolist()) == {codec.SILENCE}


def test_a_replaced_loop_runs_over_its_end_and_the_same_again_takes_no_room() -> None:
    store = SoundStore({"music:it": np.zeros(100, dtype=np.uint8)})
    half = np.resize(np.arange(200, dtype=np.uint8), REPLACED_SAMPLES // 2)

    assert store.replace("music:it", half, ())
    assert store.replace("music:it", half, ())

    sound = store.find("music:it")
    assert sound is not None and sound.is_music
    assert np.array_equal(store.windows[sound.offset + sound.length - 40], np.concatenate([half[-40:], half[:40]]))
    assert not store.replace("music:it", np.zeros(REPLACED_SAMPLES // 2, dtype=np.uint8), (sound,)), "no room"
    assert store.find("music:it") == sound


def test_the_bank_cannot_be_written_from_outside() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SoundStore({}).bank[0] = 1
