"""Telephone numbers as they come and as they are compared. Number plans of other countries are not known here."""

from __future__ import annotations


def normalise(received: str) -> str:
    """A number without decoration and without China's country code: `+86 138-0000-0000` → `13800000000`.

    Digits, `*` and `#` stay; a foreign number keeps its leading `+`. An empty string stays empty (number withheld).
    """
    kept = "".join(character for character in received if character in "0123456789*#+")
    for prefix in ("+86", "0086"):
        if kept.startswith(prefix):
            national = kept[len(prefix) :]
            # A geographic number loses the trunk 0 in international form; mobiles (1…) never had one.
            return national if national.startswith(("1", "0")) or len(national) < 9 else f"0{national}"
    if kept.startswith("00"):
        return f"+{kept[2:]}"
    return kept[:1] + kept[1:].replace("+", "")
