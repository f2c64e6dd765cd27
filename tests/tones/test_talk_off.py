"""No digit in voices and music: some minutes of each here, more than an hour by `scripts/bench talk_off`."""

from __future__ import annotations

import shutil

import pytest

from firmware.media.codec import SAMPLE_RATE, Alaw
from tests.tones import talk_off
from tests.tones.test_conditions import our_digits


def digits_in(recordings: list[tuple[str, Alaw]]) -> dict[str, str]:
    """What was heard, by recording, at both levels."""
    found: dict[str, str] = {}
    for codes_of in (lambda codes: codes, talk_off.at_second_level):
        heard = our_digits(talk_off.together(codes_of(codes) for _, codes in recordings))
        found.update({what: text for (what, _), text in zip(recordings, heard, strict=True) if text})
    return found


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng")
def test_no_digit_in_ten_minutes_of_mandarin_cantonese_and_english_voices() -> None:
    spoken = list(talk_off.speech(12))
    assert sum(codes.size for _, codes in spoken) > 10 * 60 * SAMPLE_RATE
    assert digits_in(spoken) == {}


def test_no_digit_in_music() -> None:
    assert digits_in(list(talk_off.music(4))) == {}
