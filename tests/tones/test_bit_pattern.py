"""The test pattern of ITU-T O.150 (O.152): what is sent, and that what comes back is judged exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.base import ALAW_SILENCE, BLOCK, Block
from firmware.tones.bit_pattern import BITS, PERIOD, PatternChecker, PatternFindings, PatternSender, sequence

SLOTS = np.array([slot for slot in range(1, 32) if slot != 16], np.int64)
ROWS = len(SLOTS)


def sent(blocks: int) -> NDArray[np.uint8]:
    """The pattern, [channels, octets]."""
    sender = PatternSender(SLOTS)
    return np.concatenate([sender.block() for _ in range(blocks)], axis=1)


def sent_with_numbers(blocks: int) -> NDArray[np.uint8]:
    """The same after ten blocks of numbers."""
    sender = PatternSender(SLOTS)
    return np.concatenate([*(sender.numbers() for _ in range(10)), sent(blocks)], axis=1)


def judged(line: NDArray[np.uint8], settle: int = 3) -> PatternFindings:
    """What is found of [channels, octets] that come; counting begins after `settle` blocks."""
    checker = PatternChecker(SLOTS)
    for number in range(line.shape[1] // BLOCK):
        if number == settle:
            checker.forget()
        checker.take(line[:, number * BLOCK : (number + 1) * BLOCK])
    return checker.findings()


def constant(code: int) -> Block:
    return np.full((ROWS, BLOCK * 50), code, np.uint8)


# ---- what is sent ----------------------------------------------------------------------------------------------------


def test_the_sequence_is_that_of_o150_with_its_period_runs_and_balance() -> None:
    bits = sequence()
    text = "".join(map(str, bits))

    # From eleven ones: the ninth and the eleventh stage, added into the first.
    assert text[:60] == "111111111110000000001100000001111000001100110001111111101100"
    assert len(bits) == PERIOD == 2047
    assert bits.sum() == 1024
    round_about = text + text[:11]
    assert "0" * 11 not in round_about and "0" * 10 in round_about and "1" * 12 not in round_about
    assert len({round_about[at : at + 11] for at in range(PERIOD)}) == PERIOD


def test_each_slot_sends_it_from_another_place_highest_bit_first() -> None:
    octets = sent(30)
    whole = np.tile(sequence(), 20)
    places = set()
    for row in octets:
        text = "".join(map(str, np.unpackbits(row)))
        place = "".join(map(str, whole)).index(text[:60])
        assert text == "".join(map(str, whole[place : place + len(text)]))
        places.add(place)

    assert len(places) == ROWS
    assert np.array_equal(sent(PERIOD + 1)[:, :BLOCK], sent(PERIOD + 1)[:, PERIOD * BLOCK :])


# ---- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1, 79, 240, 2046, 5000])
def test_whatever_the_delay_a_whole_loop_has_no_error(delay: int) -> None:
    before = np.full((ROWS, delay), ALAW_SILENCE, np.uint8)
    line = np.concatenate([before, sent(200)], axis=1)[:, : 200 * BLOCK]
    found = judged(line, settle=80)

    assert (found.bits == 120 * BITS).all()
    assert not found.errors.any() and not found.interruptions.any()


def test_single_bit_errors_are_counted_exactly_where_they_are() -> None:
    line = sent(100)
    generator = np.random.default_rng(3)
    wanted = np.zeros(ROWS, np.int64)
    for row, count in ((0, 1), (7, 13), (29, 300)):
        at = generator.choice(np.arange(3 * BITS, 100 * BITS), count, replace=False)
        for bit in at:
            line[row, bit // 8] ^= 1 << int(bit % 8)
        wanted[row] = count
    found = judged(line)

    assert np.array_equal(found.errors, wanted)
    assert (found.bits == 97 * BITS).all() and not found.interruptions.any()


@pytest.mark.parametrize("at", [10 * BLOCK, 10 * BLOCK + 1, 10 * BLOCK + 40, 11 * BLOCK - 3])
@pytest.mark.parametrize("octets", [-1, 1, BLOCK])
def test_octets_that_were_lost_or_put_in_are_an_interruption_and_no_bit_errors(at: int, octets: int) -> None:
    line = sent(60)
    put_in = np.full((ROWS, max(0, octets)), ALAW_SILENCE, np.uint8)
    line = np.concatenate([line[:, :at], put_in, line[:, at + max(0, -octets) :]], axis=1)
    found = judged(line)

    assert not found.errors.any()
    assert (found.interruptions == 1).all()
    assert (found.bits >= 52 * BITS).all()


def test_slots_that_are_swapped_come_back_as_each_other() -> None:
    line = sent_with_numbers(60)
    line[[4, 9]] = line[[9, 4]]
    found = judged(line, settle=20)

    assert (found.source[4], found.source[9]) == (SLOTS[9], SLOTS[4])
    others = np.delete(np.arange(ROWS), [4, 9])
    assert np.array_equal(found.source[others], SLOTS[others])
    assert not found.errors.any()


@pytest.mark.parametrize("shift", [1, 5, 29])
def test_slots_that_are_all_shifted_are_not_taken_for_delay(shift: int) -> None:
    line = np.roll(sent_with_numbers(60), shift, axis=0)

    assert np.array_equal(judged(line).source, np.roll(SLOTS, shift))


def test_a_slot_whose_way_is_longer_is_not_taken_for_another() -> None:
    line = sent_with_numbers(120)
    for row in range(ROWS):
        line[row] = np.roll(line[row], 8 * row)
    found = judged(line, settle=60)

    assert np.array_equal(found.source, SLOTS)
    assert not found.errors.any() and not found.interruptions.any()


@pytest.mark.parametrize("code", [0x00, 0xFF, ALAW_SILENCE, 0x55, 0x7E])
def test_a_line_that_stands_still_is_not_the_pattern(code: int) -> None:
    found = judged(constant(code))

    assert not found.bits.any() and not found.errors.any()
    assert (found.source == -1).all()


def test_noise_is_not_the_pattern_and_is_never_taken_for_it() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (ROWS, 2000 * BLOCK), dtype=np.uint8)

    assert not judged(noise).bits.any()


def test_the_pattern_is_found_through_many_errors() -> None:
    line = sent(300)
    generator = np.random.default_rng(8)
    flips = np.packbits(generator.random((ROWS, line.shape[1], 8)) < 0.02, axis=2)[:, :, 0]
    found = judged(line ^ flips, settle=50)

    assert (found.bits == 250 * BITS).all()
    assert np.allclose(found.errors / found.bits, 0.02, atol=0.003)


def test_counting_begins_anew_without_losing_step() -> None:
    line = sent(20)
    line[0, 5 * BLOCK] ^= 1

    assert not judged(line, settle=10).errors.any()
    assert (judged(line, settle=10).bits == 10 * BITS).all()
