"""What a caller ID message says: number, name, date and time; as bytes for FSK and as DTMF digits. No samples here.

Multiple data message (0x80) with parameters 01 date and time MMDDhhmm, 02 number, 04 why there is no number, 07 name in
GB 2312, 08 why there is no name; single data message (0x04) of date, time and number; message waiting (0x82 with 0B).
DTMF: start A or D, number, stop C or #. Sources: Telcordia GR-30-CORE and GR-31-CORE, ETSI EN 300 659-1 annex B and
EN 300 659-3 (parameter 04: P withheld, O not available).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from firmware.core import gb2312
from firmware.core.clock import CHINA, MICROSECONDS
from firmware.tones.fsk import with_check_byte

SINGLE_DATA = 0x04
MULTIPLE_DATA = 0x80
MESSAGE_WAITING = 0x82

_DATE_TIME, _NUMBER, _NO_NUMBER, _NAME, _NO_NAME, _INDICATOR = 0x01, 0x02, 0x04, 0x07, 0x08, 0x0B
NUMBER_BYTES = 20
NAME_BYTES = 50

Presentation = Literal["allowed", "restricted", "unavailable"]
_REASONS: dict[Presentation, bytes] = {"restricted": b"P", "unavailable": b"O"}
_PRESENTATION: dict[bytes, Presentation] = {b"P": "restricted", b"O": "unavailable"}

_DTMF = re.compile(r"A(?P<a>\d*)(?:D\d*)?(?:B(?P<absent>\d*))?[C#]|D(?P<reason>[123])#|D(?P<d>\d+)[C#]|B(?P<b>\d+)C")


@dataclass(frozen=True, slots=True)
class CallerId:
    """Who calls, as the line says it."""

    number: str = ""
    name: str = ""
    date_time: str = ""
    """MMDDhhmm, local time of the exchange; empty if it did not say."""
    presentation: Presentation = "allowed"


def date_time(utc_us: int) -> str:
    """MMDDhhmm in China of a moment."""
    return datetime.fromtimestamp(utc_us // MICROSECONDS, CHINA).strftime("%m%d%H%M")


def multiple_data(caller: CallerId, in_place_of_name: str = "") -> bytes:
    """A whole FSK message with all that is known of the caller. What is too long is cut, between characters.

    `in_place_of_name`: what the display says where number and name are withheld or not known.
    """
    parts = [(_DATE_TIME, caller.date_time.encode("ascii"))] if caller.date_time else []
    number = re.sub(r"[^0-9*#+]", "", caller.number).encode("ascii")
    if number and caller.presentation == "allowed":
        parts.append((_NUMBER, number[:NUMBER_BYTES]))
    else:
        parts.append((_NO_NUMBER, _REASONS.get(caller.presentation, b"O")))
    name = caller.name if caller.presentation == "allowed" else in_place_of_name
    if name:
        parts.append((_NAME, gb2312.cut(name, NAME_BYTES)))
    return with_check_byte(MULTIPLE_DATA, b"".join(bytes((kind, len(data))) + data for kind, data in parts))


def single_data(caller: CallerId) -> bytes:
    """A whole FSK message of the old kind: date, time and number. Raises ValueError without date and time."""
    if not re.fullmatch(r"\d{8}", caller.date_time):
        raise ValueError(f"a single data message begins with MMDDhhmm, not {caller.date_time!r}")
    number = caller.number if caller.presentation == "allowed" and caller.number else ""
    said = number.encode("ascii")[:NUMBER_BYTES] or _REASONS.get(caller.presentation, b"O")
    return with_check_byte(SINGLE_DATA, caller.date_time.encode("ascii") + said)


def message_waiting(waiting: bool) -> bytes:
    """A whole FSK message that turns the phone's message lamp on or off."""
    return with_check_byte(MESSAGE_WAITING, bytes((_INDICATOR, 1, 0xFF if waiting else 0x00)))


def read_message(kind: int, content: bytes) -> CallerId:
    """What an intact message says. Raises ValueError for one that is no caller ID or does not hold together."""
    if kind == SINGLE_DATA:
        date_time, said = content[:8].decode("ascii", "replace"), content[8:]
        if not re.fullmatch(r"\d{8}", date_time):
            raise ValueError(f"a single data message begins with MMDDhhmm, not {date_time!r}")
        return _caller(date_time, said, b"")
    if kind != MULTIPLE_DATA:
        raise ValueError(f"a message of kind {kind:#04x} says nothing of a caller")
    fields: dict[int, bytes] = {}
    place = 0
    while place < len(content):
        if place + 2 > len(content) or place + 2 + content[place + 1] > len(content):
            raise ValueError(f"parameter at byte {place} runs over the end of the message")
        fields.setdefault(content[place], content[place + 2 : place + 2 + content[place + 1]])
        place += 2 + content[place + 1]
    date_time = fields.get(_DATE_TIME, b"").decode("ascii", "replace")
    said = fields.get(_NUMBER) or fields.get(_NO_NUMBER, b"O")
    return _caller(date_time if re.fullmatch(r"\d{8}", date_time) else "", said, fields.get(_NAME, b""))


def _caller(date_time: str, said: bytes, name: bytes) -> CallerId:
    presentation = _PRESENTATION.get(said.strip().upper(), "allowed")
    number = "" if presentation != "allowed" else re.sub(r"[^0-9*#+]", "", said.decode("ascii", "replace"))
    if not number and presentation == "allowed":
        presentation = "unavailable"
    return CallerId(number, gb2312.decode(name), date_time, presentation)


def dtmf_digits(caller: CallerId, start: Literal["A", "D"] = "D", stop: Literal["C", "#"] = "C") -> str:
    """The digits of a DTMF caller ID. Without a number that may be shown: an empty string, nothing is sent."""
    number = re.sub(r"[^0-9]", "", caller.number)
    return f"{start}{number}{stop}" if number and caller.presentation == "allowed" else ""


def read_dtmf(digits: str) -> CallerId | None:
    """The caller in what was dialled to us so far; None while there is no whole caller ID in it."""
    found = list(_DTMF.finditer(digits))
    return _dtmf_caller(found[-1]) if found else None


def read_dtmf_alone(digits: str) -> CallerId | None:
    """The same of digits that are one caller ID and nothing else; None if they are not."""
    found = _DTMF.fullmatch(digits)
    return _dtmf_caller(found) if found else None


def _dtmf_caller(match: re.Match[str]) -> CallerId:
    number = match["a"] or match["d"] or ""
    if number:
        return CallerId(number)
    # D1# and B00C: withheld; D2#, D3# and B10C: not known.
    withheld = match["reason"] == "1" or (match["absent"] or match["b"]) == "00"
    return CallerId(presentation="restricted" if withheld else "unavailable")
