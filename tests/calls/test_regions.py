"""Which place a calling number is from: area codes, mobiles, abroad, and the county's own table over all."""

from __future__ import annotations

import tomllib

import pytest

from firmware.calls.numbers import normalise
from firmware.calls.regions import ABROAD, AREA_CODES, MOBILE, region_of
from firmware.core import gb2312

OWN = {"8891": "城关镇", "1380913": "渭南", "138": "外地", "029": "省城"}


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("02988888888", "西安、咸阳"),
        ("09118888888", "延安"),
        ("+86-911-888-8888", "延安"),
        ("01012345678", "北京"),
        ("13800138000", MOBILE),
        ("013800138000", MOBILE),
        ("+85221234567", ABROAD),
        ("88911234", ""),
        ("12345", ""),
        ("03009999", ""),
        ("", ""),
    ],
)
def test_a_number_is_from_a_place(number: str, place: str) -> None:
    assert region_of(normalise(number), {}) == place


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("88911234", "城关镇"),
        ("13809131234", "渭南"),
        ("13809991234", "外地"),
        ("13900001234", MOBILE),
        ("02988888888", "省城"),
    ],
)
def test_the_countys_own_table_wins_with_its_longest_prefix(number: str, place: str) -> None:
    assert region_of(number, OWN) == place


def test_every_area_code_is_one_and_its_place_fits_a_display() -> None:
    provinces = tomllib.loads(AREA_CODES.read_text(encoding="utf-8"))
    codes = [code for places in provinces.values() for code in places]

    assert len(provinces) == 31
    assert len(codes) == len(set(codes)) > 300
    # Two digits with the 0: only 010 and 02x; all others have three (GB/T 3971.1).
    assert all(len(code) == (3 if code[:2] in ("01", "02") else 4) for code in codes)
    assert all(gb2312.columns(place) <= 10 for places in provinces.values() for place in places.values())
