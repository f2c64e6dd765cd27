"""Telephone numbers as they come and as they are compared. Number plans of other countries are not known here."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"1[3-9]\d{9}")
_GEOGRAPHIC = re.compile(r"10\d{8}|2\d{9}|[3-9]\d{8,10}")
"""National significant numbers: Beijing (10), the large cities (2x), all others; then 7 or 8 digits."""
_WITHOUT_AREA = re.compile(r"[48]00\d{7}")
"""400 and 800 numbers, which have no area code."""


def normalise(received: str, kind: str = "") -> str:
    """A number as it is dialled in China, without decoration and country code: `+86 138-0000-0000` → `13800000000`.

    `kind`: type of number as ISDN told it (Q.931 table 4-9; empty: not told). An exchange that says `national` or
    `international` leaves out what would be dialled before. Mobiles have no 0 before them, however they come.
    Digits, `*` and `#` stay; a foreign number keeps its leading `+`. An empty string stays empty (number withheld).
    """
    kept = "".join(character for character in received if character in "0123456789*#+")
    if kind == "international" and kept and not kept.startswith(("+", "0")):
        kept = f"+{kept}"
    for prefix in ("+86", "0086"):
        if kept.startswith(prefix):
            return _national(kept[len(prefix) :])
    if kept.startswith("00"):
        return f"+{kept[2:]}"
    kept = kept[:1] + kept[1:].replace("+", "")
    if kind == "national" or _MOBILE.fullmatch(kept.removeprefix("0")):
        return _national(kept)
    return kept


def _national(number: str) -> str:
    """A number that came without the 0 of its area code, or perhaps with it, as it is dialled."""
    if _MOBILE.fullmatch(number.removeprefix("0")):
        return number.removeprefix("0")
    if _GEOGRAPHIC.fullmatch(number) and not _WITHOUT_AREA.fullmatch(number):
        return f"0{number}"
    return number
