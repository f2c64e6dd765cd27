"""Telephone numbers as lines tell them become the numbers that one dials and that records are found by."""

from __future__ import annotations

import pytest

from firmware.calls.numbers import normalise


@pytest.mark.parametrize(
    ("received", "number"),
    [
        ("+86 138-0013-8000", "13800138000"),
        ("0086 29 8888 8888", "02988888888"),
        ("+86 10 8888 8888", "01088888888"),
        ("+86 0911 8888888", "09118888888"),
        ("+86 12345", "12345"),
        ("+86 400 123 4567", "4001234567"),
        ("0085221234567", "+85221234567"),
        ("+852 2123 4567", "+85221234567"),
        ("013800138000", "13800138000"),
        ("02988888888", "02988888888"),
        ("88911234", "88911234"),
        ("", ""),
    ],
)
def test_a_number_loses_decoration_and_country_code(received: str, number: str) -> None:
    assert normalise(received) == number


@pytest.mark.parametrize(
    ("kind", "received", "number"),
    [
        ("national", "1088888888", "01088888888"),
        ("national", "2988888888", "02988888888"),
        ("national", "9118888888", "09118888888"),
        ("national", "9518888888", "09518888888"),
        ("national", "02988888888", "02988888888"),
        ("national", "13800138000", "13800138000"),
        ("national", "4001234567", "4001234567"),
        ("national", "95588", "95588"),
        ("international", "8613800138000", "13800138000"),
        ("international", "862988888888", "02988888888"),
        ("international", "85221234567", "+85221234567"),
        ("international", "0085221234567", "+85221234567"),
        ("subscriber", "88911234", "88911234"),
        ("unknown", "2988888888", "2988888888"),
        ("", "1088888888", "1088888888"),
        ("international", "", ""),
        ("national", "", ""),
    ],
)
def test_the_type_that_isdn_tells_says_what_was_left_out_before_the_number(
    kind: str, received: str, number: str
) -> None:
    assert normalise(received, kind) == number
