"""What box.json says of the front panel, and GPIO lines that are given to two uses: told with file and field."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.configuration_checks import check
from firmware.core.configuration_problems import Problem
from firmware.core.subjects import SUBJECTS

PORT = {"chip": "si3210", "spi": "/dev/spidev0.0", "slot": 0}
WHOLE = {
    "service": "/dev/gpiochip0:17",
    "alarm": "/dev/gpiochip0:27",
    "call": "/dev/gpiochip0:22",
    "acknowledge": "/dev/gpiochip0:23",
    "shut_down": "/dev/gpiochip1:17",
}


def problems(panel: Any, *resets: str, hardware: str = "real") -> list[Problem]:
    contents: dict[str, Any] = {subject.name: None for subject in SUBJECTS}
    contents["box"] = {"1": {"box_id": "yan-01", "name": "延安", "region": "610600", "panel": panel}}
    contents["boards"] = {
        str(number): {
            "board": f"lines{number}",
            "kind": "spi_analogue",
            "analogue": {
                "ports": [{**PORT, "spi": f"/dev/spidev0.{number}"}],
                "reset": reset,
                "hardware": hardware,
            },
        }
        for number, reset in enumerate(resets, 1)
    }
    return check(contents)


def test_a_panel_may_have_all_lamps_and_buttons_or_some_or_none() -> None:
    for panel in ({}, WHOLE, {"service": "/dev/gpiochip0:17"}, {**WHOLE, "call": ""}):
        assert problems(panel, "", "", "/dev/gpiochip0:5") == []


@pytest.mark.parametrize(
    ("panel", "place", "what"),
    [
        ({"service": "GPIO17"}, "field panel, field service", "GPIO17"),
        ({"serivce": "/dev/gpiochip0:17"}, "field panel", 'unknown key "serivce"'),
        ({"alarm": 17}, "field panel, field alarm", "17"),
        ([], "field panel", "a list"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(panel: Any, place: str, what: str) -> None:
    (found,) = problems(panel)

    assert (found.file, place in found.place, what in found.what) == ("box.json", True, True)


def test_two_lamps_cannot_share_a_line_however_it_is_written() -> None:
    (found,) = problems({**WHOLE, "call": "/dev/gpiochip0:017"})

    assert found.place == "document 1 (yan-01), field panel, field call"
    first = "first in box.json, document 1 (yan-01), field panel, field service"
    assert found.what == f"the GPIO line /dev/gpiochip0:17 is used twice, {first}"


def test_a_lamp_cannot_have_the_reset_line_of_a_board_nor_two_boards_one() -> None:
    board, lamp = problems(WHOLE, "/dev/gpiochip0:22", "/dev/gpiochip0:22")

    both = {(one.file, one.place) for one in (board, lamp)}
    assert both == {
        ("box.json", "document 1 (yan-01), field panel, field call"),
        ("boards.json", "document 2 (lines2), field analogue, field reset"),
    }
    first = "first in boards.json, document 1 (lines1), field analogue, field reset"
    assert all(first in one.what for one in (board, lamp))


def test_reset_and_interrupt_of_a_card_are_two_lines() -> None:
    card = {"ports": [PORT], "reset": "/dev/gpiochip0:5", "interrupt": "/dev/gpiochip0:5"}
    contents: dict[str, Any] = {subject.name: None for subject in SUBJECTS}
    contents["boards"] = {"1": {"board": "lines", "kind": "spi_analogue", "analogue": card}}

    (found,) = check(contents)

    assert "field interrupt" in found.place
    assert "/dev/gpiochip0:5 is used twice" in found.what


def test_a_simulated_board_uses_no_line() -> None:
    assert problems(WHOLE, "/dev/gpiochip0:22", hardware="simulated") == []
