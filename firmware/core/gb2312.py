"""Text for telephones and displays that know GB 2312: bytes, width in columns, cutting. Not which text.

A Chinese character takes two bytes and two columns, an ASCII one takes one of each.
"""

from __future__ import annotations

UNKNOWN = b"?"
"""Stands for a character that GB 2312 does not have."""


def encode(text: str) -> bytes:
    """GB 2312 bytes of a text (EUC form). Control characters become blanks, what GB 2312 lacks a question mark."""
    return b"".join(_character(character) for character in text)


def _character(character: str) -> bytes:
    if character < "\x80":
        return character.encode("ascii") if character.isprintable() else b" "
    # Python's gb2312 has another middle dot than the one in the names of half the minorities; gbk has the usual one.
    encoded = character.encode("gbk", "replace")
    return encoded if len(encoded) == 2 and min(encoded) >= 0xA1 and encoded[0] <= 0xF7 else UNKNOWN


def decode(encoded: bytes) -> str:
    """Text of bytes that came from outside: GB 18030, which holds all of GB 2312; control characters are left out."""
    return "".join(letter for letter in encoded.decode("gb18030", "replace") if letter.isprintable()).strip()


def columns(text: str) -> int:
    """How many columns of a display the text takes."""
    return sum(len(_character(character)) for character in text)


def cut(text: str, most: int) -> bytes:
    """The beginning of a text in at most so many bytes, no character in two."""
    encoded = b""
    for character in text:
        more = _character(character)
        if len(encoded) + len(more) > most:
            break
        encoded += more
    return encoded


def field(text: str, width: int, *, right: bool = False) -> str:
    """The beginning of a text, filled with blanks to exactly so many columns; at the right edge if `right`."""
    kept = decode_own(cut(text, width))
    blanks = " " * (width - columns(kept))
    return blanks + kept if right else kept + blanks


def decode_own(encoded: bytes) -> str:
    """Text of bytes that `encode` or `cut` made, blanks included."""
    return encoded.decode("gbk")
