"""Plays at a level: every code becomes the one that is nearest to so many dB more, and silence stays silence."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.media import codec
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore

EVERY_CODE = np.resize(np.arange(256, dtype=np.uint8), 1280)
QUIET = np.resize(np.array([codec.SILENCE, codec.SILENCE ^ 0x80], dtype=np.uint8), 160)


def played(sound: np.ndarray, level: float | None, samples: bool = False) -> np.ndarray:
    """What a channel hears of a sound after the fade of its first tick. None: no level was ever set."""
    plane = MediaPlane(2, SoundStore({"prompt:it": sound}))
    if level is not None:
        plane.set_play_levels({1: level})
    if samples:
        plane.play_samples(1, sound)
    else:
        plane.play(1, ["prompt:it"], False)
    silence = np.full((2, 80), codec.SILENCE, dtype=np.uint8)
    return np.concatenate([plane.tick(silence).sent[1] for _ in range(sound.size // 80)])[80:]


def test_each_sample_is_so_many_db_louder_and_none_turns_over() -> None:
    plain, louder = codec.decode(EVERY_CODE[80:]), codec.decode(played(EVERY_CODE, 6.0))
    wanted = np.clip(plain * 10 ** (6 / 20), -32256, 32256)

    loud = np.abs(plain) > 500
    assert np.all(np.abs(louder - wanted)[loud] <= np.abs(wanted)[loud] / 32)
    assert np.all(np.sign(louder) == np.sign(plain))


@pytest.mark.parametrize("level", [-12.0, 12.0])
def test_silence_stays_silence(level: float) -> None:
    assert np.array_equal(played(QUIET, level), QUIET[80:])


@pytest.mark.parametrize("level", [None, 0.0])
def test_without_a_level_no_bit_changes(level: float | None) -> None:
    assert np.array_equal(played(EVERY_CODE, level), EVERY_CODE[80:])


def test_what_was_made_to_be_sent_as_it_is_has_no_level() -> None:
    assert np.array_equal(played(EVERY_CODE, 6.0, samples=True), EVERY_CODE[80:])


def test_the_last_part_of_a_sound_has_the_level_too() -> None:
    loud = np.full(400, codec.encode(np.array([8000.0]))[0], dtype=np.uint8)
    plane = MediaPlane(1, SoundStore({"prompt:one": loud[:200], "prompt:two": loud[:130]}))
    plane.set_play_levels({0: 6.0})
    plane.play(0, ["prompt:one", "prompt:two"], False)
    silence = np.full((1, 80), codec.SILENCE, dtype=np.uint8)
    heard = codec.decode(np.concatenate([plane.tick(silence).sent[0] for _ in range(5)]))

    assert np.all(np.abs(heard[80:330] - 15962) < 600)
    assert np.all(heard[330:] == codec.DECODE[codec.SILENCE])


def test_a_level_that_no_line_can_have_is_refused() -> None:
    plane = MediaPlane(1, SoundStore({}))
    with pytest.raises(ValueError, match="level"):
        plane.set_play_levels({0: 30.0})
