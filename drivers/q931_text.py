"""What libpri does not tell of Q.931's elements: names, number words, what a RESTART is for. No state, no I/O.

libpri cannot be asked for a Chinese name: it takes the first octet above 127 of a Display element for a character set
(as some exchanges send it) and drops it, which cuts the first character of a GB2312 name. So the element is read here,
from the frame.
"""

from __future__ import annotations

from typing import cast

from drivers.pri_stack import NumberPlan, NumberType, Presentation

SETUP = 0x05
RESTART = 0x46
DISPLAY = 0x28
RESTART_INDICATOR = 0x79
LONGEST_NAME = 50
"""Octets of a name that libpri takes."""
_PROTOCOL = 0x08
_LOCKING_SHIFT = 0x90
_CLASSES_OF_INTERFACES = (6, 7)
"""Of a Restart indicator: a single interface, all interfaces."""

TYPES: dict[int, NumberType] = {
    0: "unknown",
    1: "international",
    2: "national",
    3: "network",
    4: "subscriber",
    6: "abbreviated",
}
PLANS: dict[int, NumberPlan] = {0: "unknown", 1: "isdn", 3: "data", 4: "telex", 8: "national", 9: "private"}
PRESENTATIONS: dict[int, Presentation] = {0x00: "allowed", 0x20: "restricted", 0x40: "unavailable"}

_TYPE_CODES = {word: code for code, word in TYPES.items()}
_PLAN_CODES = {word: code for code, word in PLANS.items()}
_PRESENTATION_CODES = {word: code for code, word in PRESENTATIONS.items()}


def type_and_plan(code: int) -> tuple[NumberType, NumberPlan]:
    """Words of libpri's joint code (octet 3 of the element: type in bits 4 to 6, plan in bits 0 to 3)."""
    return TYPES.get(code >> 4 & 7, "unknown"), PLANS.get(code & 0xF, "unknown")


def type_and_plan_code(number_type: str, plan: str) -> int:
    """The joint code; a word that is empty or not known counts as `unknown`."""
    return _TYPE_CODES.get(cast(NumberType, number_type), 0) << 4 | _PLAN_CODES.get(cast(NumberPlan, plan), 0)


def presentation(code: int) -> Presentation:
    return PRESENTATIONS.get(code & 0x60, "unavailable")


def presentation_code(word: Presentation) -> int:
    return _PRESENTATION_CODES[word]


def setup_display(frame: bytes) -> bytes | None:
    """The contents of the Display element of a SETUP in an LAPD information frame (no FCS); None if there is none."""
    return _element(frame, SETUP, DISPLAY)


def restarts_interface(frame: bytes) -> bool:
    """Whether a RESTART is for the interface (or all), whatever channel it names beside (Q.931 4.5.25, 5.5.2)."""
    indicator = _element(frame, RESTART, RESTART_INDICATOR) or b"\0"
    return indicator[0] & 0x07 in _CLASSES_OF_INTERFACES


def _element(frame: bytes, message: int, wanted: int) -> bytes | None:
    if len(frame) < 7 or frame[2] & 1 or frame[4] != _PROTOCOL:
        return None
    kind = 6 + (frame[5] & 0x0F)
    if kind >= len(frame) or frame[kind] != message:
        return None
    place = kind + 1
    while place < len(frame):
        element = frame[place]
        if element & 0x80:
            if element & 0xF8 == _LOCKING_SHIFT:
                return None  # what follows is of another codeset
            place += 1
            continue
        if place + 1 >= len(frame):
            return None
        length = frame[place + 1]
        if element == wanted:
            contents = frame[place + 2 : place + 2 + length]
            return contents if len(contents) == length else None
        place += 2 + length
    return None


def decode_name(octets: bytes) -> str:
    """Text of a Display element. Exchanges send IA5, GB2312/GBK or UTF-8, some after an octet that names the set."""
    octets = octets.rstrip(b"\0 ")
    candidates = [octets]
    if octets and octets[0] & 0x80:
        # ASCII after it: the first octet can only be a set. Otherwise it is tried last.
        rest = octets[1:]
        candidates = [rest, octets] if rest.isascii() else [octets, rest]
    for candidate in candidates:
        for coding in ("utf-8", "gb18030"):
            try:
                text = candidate.decode(coding)
            except UnicodeDecodeError:
                continue
            return "".join(letter for letter in text if letter.isprintable()).strip()
    return "".join(letter for letter in octets.decode("latin-1") if letter.isprintable()).strip()


def encode_name(name: str) -> bytes:
    """Octets of a name as Chinese exchanges send it (GBK, of which ASCII is a part), cut between characters."""
    octets = b""
    for letter in name:
        try:
            more = letter.encode("gbk")
        except UnicodeEncodeError:
            more = b"?"
        if letter == "\0" or len(octets) + len(more) > LONGEST_NAME:
            break
        octets += more
    return octets
