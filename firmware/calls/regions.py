"""Which place a calling number is from, by the area codes of `area_codes.toml` and the county's own table.

There is no national table of mobile numbers here, so of a mobile only that it is one is told, unless the county's table
names its prefix. Numbers are normalised ones (`numbers.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

AREA_CODES = Path(__file__).parent / "area_codes.toml"
MOBILE = "mobile"
ABROAD = "abroad"
"""Codes in the place of a name: what they are called is in `seat_texts.toml`."""

_MOBILE = re.compile(r"0?1[3-9]\d{9}")


def region_of(number: str, own: Mapping[str, str]) -> str:
    """The place that a number calls from: a name, MOBILE, ABROAD, or empty if it cannot be told.

    `own`: the county's table, prefix → place; its longest prefix of the number wins over everything.
    """
    known = max((prefix for prefix in own if number.startswith(prefix)), key=len, default="")
    if known:
        return own[known]
    if number.startswith("+"):
        return ABROAD
    if _MOBILE.fullmatch(number):
        return MOBILE
    codes = _area_codes()
    return codes.get(number[:4]) or codes.get(number[:3], "")


@cache
def _area_codes() -> dict[str, str]:
    """Area code with its 0 → place."""
    provinces = tomllib.loads(AREA_CODES.read_text(encoding="utf-8"))
    return {code: place for places in provinces.values() for code, place in places.items()}
