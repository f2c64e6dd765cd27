"""The simulated exchange loops the channels that the box has taken out of service, and no others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware.media.codec import BLOCK, SILENCE
from firmware.simulator.trunk_loops import WAITING_BLOCKS, TrunkLoops


def block(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 200, (4, BLOCK), dtype=np.uint8)


def test_a_blocked_channel_gives_back_what_it_hears_and_the_others_speak_on() -> None:
    loops = TrunkLoops(3)
    loops.set(1, True)
    back = []
    for number in range(10):
        loops.hear(block(number))
        answer = loops.answer(block(100 + number))
        assert np.array_equal(answer[[0, 2, 3]], block(100 + number)[[0, 2, 3]])
        back.append(answer[1])

    assert np.array_equal(back[WAITING_BLOCKS - 1 :], [block(number)[1] for number in range(11 - WAITING_BLOCKS)])
    loops.set(1, False)
    assert np.array_equal(loops.answer(block(7)), block(7))


def test_a_box_that_says_nothing_is_answered_with_silence_and_too_much_is_dropped() -> None:
    loops = TrunkLoops(3)
    loops.set(0, True)
    assert (loops.answer(block(1))[0] == SILENCE).all()
    for number in range(100):
        loops.hear(block(number))
    answers = [loops.answer(block(1))[0] for _ in range(20)]

    assert sum((answer != SILENCE).any() for answer in answers) <= 8
