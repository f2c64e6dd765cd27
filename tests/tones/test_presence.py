"""Voice and silence by level and time: what is told, when, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.tones.generate import sine
from firmware.tones.presence import PresenceChange, PresenceDetector
from firmware.tones.signals import SignalDetector
from tests.tones.test_conditions import prompts


def detect(audio: Linear) -> list[PresenceChange]:
    """Of audio [channels, samples] through A-law."""
    audio = codec.decode(codec.encode(audio))
    signals, presence = SignalDetector(len(audio)), PresenceDetector(len(audio))
    found: list[PresenceChange] = []
    for sample in range(0, audio.shape[1], BLOCK):
        signals.process(np.ascontiguousarray(audio[:, sample : sample + BLOCK]), sample)
        found += presence.process(signals.energy, sample)
    return found


def levels(*parts: tuple[float, int]) -> Linear:
    """One channel of 1000 Hz: (dBm0, milliseconds) one after the other."""
    return np.concatenate([sine(1000, dbm0, ms * 8) for dbm0, ms in parts])[None]


def test_a_voice_begins_and_ends_when_it_did() -> None:
    heard = detect(levels((-70, 200), (-20, 500), (-70, 500)))
    assert heard == [PresenceChange(0, True, 1600), PresenceChange(0, False, 5600)]


@pytest.mark.parametrize(("dbm0", "told"), [(-39.0, True), (-41.0, False)])
def test_voice_is_what_is_above_minus_40_dbm0(dbm0: float, told: bool) -> None:
    assert [change.voice for change in detect(levels((-70, 200), (dbm0, 500)))] == [True] * told


@pytest.mark.parametrize(("dbm0", "told"), [(-45.0, False), (-47.0, True)])
def test_silence_after_a_voice_is_what_is_below_minus_46_dbm0(dbm0: float, told: bool) -> None:
    assert [change.voice for change in detect(levels((-20, 200), (dbm0, 500)))] == [True] + [False] * told


def test_a_click_of_20_ms_is_no_voice_and_a_pause_of_190_ms_no_silence() -> None:
    assert detect(levels((-70, 200), (-10, 20), (-70, 500))) == []
    assert [change.voice for change in detect(levels((-20, 200), (-70, 190), (-20, 200)))] == [True]


def test_each_channel_is_told_for_itself_and_a_reset_one_is_silent() -> None:
    audio = np.concatenate([levels((-70, 400)), levels((-70, 100), (-20, 300)), levels((-20, 400))])
    assert sorted(detect(audio)) == [PresenceChange(1, True, 800), PresenceChange(2, True, 0)]
    presence = PresenceDetector(1)
    loud = np.full(1, 1e9, dtype=np.float32)
    changes = [change for tick in range(5) for change in presence.process(loud, tick * BLOCK)]
    assert [change.voice for change in changes] == [True]
    for tick in range(5, 20):
        assert presence.process(np.zeros(1, dtype=np.float32), tick * BLOCK) == []
    presence.reset(0)
    assert not presence.voice[0]
    assert presence.process(loud, 20 * BLOCK) == []


def test_a_prompt_is_voice_for_most_of_its_time() -> None:
    audio = prompts()[: prompts().size // BLOCK * BLOCK][None]
    changes = detect(audio)
    assert [change.voice for change in changes] == [place % 2 == 0 for place in range(len(changes))]
    edges = [change.sample for change in changes] + [audio.shape[1]] * (len(changes) % 2)
    voice = sum(end - start for start, end in zip(edges[::2], edges[1::2], strict=True))
    assert 0.6 < voice / audio.shape[1] < 1.0
