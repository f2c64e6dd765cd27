"""People notice sounds, tones and busy tone, each for itself, whatever the others begin to listen for meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.media.codec import BLOCK, Alaw, encode
from firmware.simulator.hearing import Hearing
from firmware.tones.generate import sine


def tone(hz: float, dbm0: float = -20.0, channels: int = 3) -> Alaw:
    return np.tile(encode(sine(hz, dbm0, BLOCK)), (channels, 1))


def test_a_new_listener_does_not_make_the_others_begin_again() -> None:
    hearing = Hearing()
    hearing.watch_sound(0)
    noticed = []
    for number in range(10):
        if number == 3:
            hearing.watch_sound(2, 1000)
        noticed += [(number, channel) for channel in hearing.hear(tone(1000.0))]

    assert noticed == [(4, 0), (7, 2)]


def test_a_sound_that_breaks_off_counts_anew() -> None:
    hearing = Hearing()
    hearing.watch_sound(1)
    silence = np.full((3, BLOCK), 0xD5, dtype=np.uint8)

    noticed = [hearing.hear(tone(600.0) if number % 5 else silence) for number in range(20)]

    assert not any(noticed)


@pytest.mark.parametrize("off", [-100, 100])
@pytest.mark.parametrize("hz", [450, 650, 1350, 1950])
def test_a_tone_is_told_from_its_neighbours(hz: int, off: int) -> None:
    hearing = Hearing()
    hearing.watch_sound(0, hz)
    phases = np.concatenate([encode(sine(hz + off, -15.0, 4000))]).reshape(-1, 1, BLOCK)

    assert not any(hearing.hear(block) for block in phases)
    own = encode(sine(hz, -15.0, 4000)).reshape(-1, 1, BLOCK)
    assert sum(bool(hearing.hear(block)) for block in own) == 1


def test_who_is_forgotten_notices_nothing() -> None:
    hearing = Hearing()
    hearing.watch_sound(0)
    hearing.watch_busy(1)
    hearing.forget(0)
    hearing.forget(1)

    assert not hearing.watching
    assert not any(hearing.hear(tone(450.0)) for _ in range(10))
