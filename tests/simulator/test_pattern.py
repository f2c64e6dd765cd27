"""The pattern tells a receiver which samples of whom it heard: once, twice, in which order, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from firmware.media.codec import decode, encode, level_of
from firmware.simulator.pattern import Stretch, pattern_blocks, pattern_samples, speakers_in, verify_pattern
from firmware.tones.dtmf import DtmfDetector

SILENCE = np.full(320, 0xD5, dtype=np.uint8)


def test_all_samples_between_silences_are_found_once() -> None:
    heard = np.concatenate((SILENCE[:37], pattern_samples(7, 8000, 1600), SILENCE))

    report = verify_pattern(heard, 7, 8000, 9600)

    assert report.exactly_once, str(report)
    assert report.runs[0].position == 37


@pytest.mark.parametrize("speaker", [1, 8, 1001, (1 << 24) - 1])
def test_blocks_of_many_speakers_are_the_same_pattern_as_samples_of_one(speaker: int) -> None:
    blocks = np.concatenate([pattern_blocks(np.array([3, speaker]), 80 * n)[1] for n in range(4, 9)])

    assert np.array_equal(blocks, pattern_samples(speaker, 320, 400))


def test_the_pattern_survives_decoding_and_encoding_and_is_as_loud_as_speech() -> None:
    sent = pattern_samples(5, 0, 8000)

    assert np.array_equal(encode(decode(sent)), sent)
    assert -18 < level_of(decode(sent)) < -10


@settings(max_examples=40)
@given(
    first=some.integers(0, (1 << 36) - 1000),
    before=some.integers(0, 50),
    count=some.integers(128, 900),
    data=some.data(),
)
def test_a_cut_anywhere_is_reported_where_it_is(first: int, before: int, count: int, data: some.DataObject) -> None:
    sent = pattern_samples(9, first, count)
    start = data.draw(some.integers(40, count - 60))
    lost = data.draw(some.integers(1, count - start - 40))
    heard = np.concatenate((SILENCE[:before], sent[:start], sent[start + lost :]))

    report = verify_pattern(heard, 9, first, first + count)

    assert not report.exactly_once
    missing = sum(stretch.count for stretch in report.missing)
    assert missing == lost
    (gap,) = report.missing
    assert abs(gap.first - (first + start)) <= 6, "a few samples beside the cut may agree by chance"
    assert report.duplicated == ()


def test_a_lost_block_and_a_doubled_block_are_told_exactly() -> None:
    blocks = pattern_samples(2, 0, 20 * 80).reshape(20, 80)

    lost = verify_pattern(np.delete(blocks, 7, axis=0).reshape(-1), 2, 0, 1600)
    doubled = verify_pattern(np.insert(blocks, 7, blocks[7], axis=0).reshape(-1), 2, 0, 1600)

    assert (lost.missing, lost.duplicated) == ((Stretch(560, 80),), ())
    assert (doubled.missing, doubled.duplicated) == ((), (Stretch(560, 80),))
    assert not lost.exactly_once
    assert not doubled.exactly_once


def test_blocks_that_changed_places_are_out_of_order() -> None:
    blocks = pattern_samples(2, 0, 10 * 80).reshape(10, 80)

    report = verify_pattern(blocks[[0, 1, 3, 2, 4, 5, 6, 7, 8, 9]].reshape(-1), 2, 0, 800)

    assert (report.missing, report.duplicated, report.out_of_order) == ((), (), 1)
    assert not report.exactly_once


def test_a_harmed_sample_is_missing_and_foreign() -> None:
    heard = pattern_samples(2, 0, 800).copy()
    heard[400] ^= 0x01

    report = verify_pattern(heard, 2, 0, 800)

    assert report.missing == (Stretch(400, 1),)
    assert report.foreign == 1


def test_noise_and_another_speaker_are_nothing_of_this_one() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 80_000, dtype=np.uint8)

    assert not verify_pattern(noise, 3).runs
    assert not verify_pattern(pattern_samples(4, 0, 8000), 3).runs
    assert not verify_pattern(np.zeros(5, dtype=np.uint8), 3, 0, 80).exactly_once


def test_samples_beyond_what_was_asked_for_do_no_harm_but_those_asked_for_must_be_there() -> None:
    heard = pattern_samples(6, 1000, 2000)

    assert verify_pattern(heard, 6, 1200, 2800).exactly_once
    assert verify_pattern(heard, 6, 900, 2800).missing == (Stretch(900, 100),)


def test_it_tells_who_is_heard_without_being_told() -> None:
    heard = np.concatenate((pattern_samples(4, 77, 800), SILENCE, pattern_samples(1001, 5, 400)))

    assert set(speakers_in(heard)) == {4, 1001}
    assert speakers_in(SILENCE) == {}


def test_the_box_hears_no_digit_in_the_pattern_of_anybody() -> None:
    speakers = np.arange(1, 39)
    detector = DtmfDetector(len(speakers))

    digits = [
        digit
        for number in range(3000)
        for digit in detector.process(decode(pattern_blocks(speakers, 80 * number)), 80 * number)
    ]

    assert digits == [], "38 speakers for half a minute each"
