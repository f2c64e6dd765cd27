"""What seats.json says of displays at the seats: everything that is wrong, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.configuration_checks import check
from firmware.core.configuration_problems import Problem
from firmware.core.subjects import SUBJECTS

SERIAL = {"kind": "serial", "device": "/dev/ttyUSB0"}
CHARACTER = {"kind": "hd44780", "device": "/dev/i2c-1"}


def problems(*displays: dict[str, Any] | None) -> list[Problem]:
    contents: dict[str, Any] = {subject.name: None for subject in SUBJECTS}
    contents["seats"] = {
        str(number): {"seat": str(number), "extension": f"FXS-{number}", "display": display}
        for number, display in enumerate(displays, 1)
    }
    return [one for one in check(contents) if one.file == "seats.json"]


def test_good_displays_are_good() -> None:
    other = {**CHARACTER, "address": 0x3F, "columns": 16, "rows": 4}
    assert problems(SERIAL, None, CHARACTER, other, {**SERIAL, "device": "/dev/ttyS1", "columns": 40, "rows": 3}) == []


@pytest.mark.parametrize(
    ("display", "place", "what"),
    [
        ({**SERIAL, "kind": "vga"}, "field display, field kind", "vga"),
        ({**SERIAL, "device": "COM1"}, "field display, field device", "COM1"),
        ({"kind": "serial"}, "field display", '"device" is missing'),
        ({**SERIAL, "colums": 20}, "field display", 'unknown key "colums"'),
        ({**SERIAL, "columns": 8}, "field display, field columns", "8"),
        ({**SERIAL, "rows": 0}, "field display, field rows", "0"),
        ({**SERIAL, "baud": 9601}, "field display, field baud", "9601"),
        ({**CHARACTER, "address": 200}, "field display, field address", "200"),
        ({**CHARACTER, "columns": 40}, "field display", "no 2 rows of 40 characters"),
        ({**CHARACTER, "rows": 3}, "field display", "no 3 rows of 20 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(display: dict[str, Any], place: str, what: str) -> None:
    (found,) = problems(display)

    assert place in found.place
    assert what in found.what


def test_two_displays_cannot_share_a_line_or_an_address() -> None:
    (serial,) = problems(SERIAL, {**SERIAL, "baud": 4800})
    (address,) = problems(CHARACTER, {**CHARACTER, "address": 0x27})

    assert serial.what == "the display at /dev/ttyUSB0 is used twice, first in document 1 (1), field display"
    assert address.what.startswith("the display at /dev/i2c-1, address 39 is used twice")
