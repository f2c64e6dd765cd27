"""A-law: every code, every level, and what happens at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.media import codec

ALL_CODES = np.arange(256, dtype=np.uint8)


def test_every_code_comes_back_as_itself() -> None:
    assert np.array_equal(codec.encode(codec.decode(ALL_CODES)), ALL_CODES)


def test_the_digital_milliwatt_of_g711_is_0_dbm0() -> None:
    # G.711 table 5: the periodic sequence whose power is 0 dBm0, 1000 Hz.
    sequence = np.array([0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4], dtype=np.uint8)
    assert codec.level_of(codec.decode(sequence)) == pytest.approx(0.0, abs=0.01)


def test_a_sine_at_the_overload_point_is_3_14_dbm0() -> None:
    phase = 2 * np.pi * np.arange(8000) * 1003 / 8000
    assert codec.level_of(codec.OVERLOAD * np.sin(phase)) == pytest.approx(3.14, abs=0.001)


def test_each_code_stands_for_the_middle_of_its_step_as_table_1a_has_it() -> None:
    values = np.arange(-32768, 32768, dtype=np.float32)
    codes = codec.encode(values)
    for code in range(256):
        step = values[codes == code]
        # A step holds the whole numbers [low, high): its middle lies half a number above their mean.
        assert np.all(np.diff(step) == 1)
        assert codec.DECODE[code] == step.mean() + 0.5, code
    # Table 1a: decision values 4096, 2048, 1024, 512, 256, 128, 64, all times 8 here; 32 steps up to the first of them.
    borders = [8 * 2**exponent for exponent in range(6, 12)]
    for border in borders:
        assert codes[32768 + border - 1] != codes[32768 + border]
    assert len(np.unique(codes[32768 : 32768 + 512])) == 32


def test_fractions_fall_on_the_side_of_the_decision_value_where_they_are() -> None:
    values = np.array([15.99, 16.0, -15.99, -16.01], dtype=np.float32)
    assert codec.decode(codec.encode(values)).tolist() == [8.0, 24.0, -8.0, -24.0]


def test_what_is_too_loud_is_clipped_and_does_not_wrap() -> None:
    loud = np.array([1e9, 32768.0, -32769.0, -1e9], dtype=np.float32)
    assert codec.decode(codec.encode(loud)).tolist() == [32256.0, 32256.0, -32256.0, -32256.0]


def test_silence_is_the_smallest_sample() -> None:
    assert codec.encode(np.zeros(3, dtype=np.float32)).tolist() == [codec.SILENCE] * 3


def test_levels_survive_the_codec() -> None:
    phase = 2 * np.pi * np.arange(8000) * 1003 / 8000
    for level in (3.0, 0.0, -10.0, -30.0, -45.0):
        heard = codec.decode(codec.encode((codec.peak_of(level) * np.sin(phase)).astype(np.float32)))
        assert codec.level_of(heard) == pytest.approx(level, abs=0.1)
