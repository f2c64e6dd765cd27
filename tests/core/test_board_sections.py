"""What boards.json says of boards on a bus: everything that is wrong, with its place inside the document."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.configuration_checks import check
from firmware.core.configuration_problems import Problem
from firmware.core.subjects import SUBJECTS

PORT = {"chip": "si3210", "spi": "/dev/spidev0.0", "slot": 0}
SECOND = {"chip": "si3050", "spi": "/dev/spidev0.1", "slot": 1}


def problems(*boards: dict[str, Any]) -> list[Problem]:
    contents: dict[str, Any] = {subject.name: None for subject in SUBJECTS}
    contents["boards"] = {str(number): one for number, one in enumerate(boards, 1)}
    return [one for one in check(contents) if one.file == "boards.json"]


def lines(*ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"board": "lines", "kind": "spi_analogue", "analogue": {"ports": list(ports), **more}}


def span(**more: Any) -> dict[str, Any]:
    return {"board": "span", "kind": "framer_e1", "framer": {"spi": "/dev/spidev1.0", **more}}


def test_good_boards_are_good() -> None:
    assert problems(lines(PORT, SECOND, tdm={"card": "hw:0", "slots": 8}), span(clock="box", impedance=75)) == []


@pytest.mark.parametrize(
    ("board", "place", "what"),
    [
        (lines(PORT, {**SECOND, "chip": "si3220"}), "field analogue, field ports, item 2, field chip", "si3220"),
        (lines(PORT, {**SECOND, "spi": "spi0"}), "field analogue, field ports, item 2, field spi", "spi0"),
        (lines({**PORT, "slt": 3}), "field analogue, field ports, item 1", 'unknown key "slt"'),
        (lines({"chip": "si3210", "spi": "/dev/spidev0.0"}), "field ports, item 1", 'the field "slot" is missing'),
        (lines(), "field analogue, field ports", "a list"),
        (lines(PORT, tdm={"slots": 0}), "field analogue, field tdm, field slots", "0"),
        (lines(PORT, reset="17"), "field analogue, field reset", "17"),
        (lines(PORT, {**SECOND, "slot": 0}), "field analogue, port 2", "slot 0 is used twice"),
        (lines(PORT, {**SECOND, "slot": 40}), "field analogue, port 2", "slot 40 is not on the TDM bus"),
        (lines(PORT, {**SECOND, "spi": "/dev/spidev0.0"}), "field analogue, port 2", "/dev/spidev0.0 is used twice"),
        (span(impedance=100), "field framer, field impedance", "100"),
        (span(tdm={"slots": 16}), "field framer", "16 slots does not hold an E1"),
        ({"board": "x", "kind": "spi_analogue"}, "document 1 (x)", 'without "analogue"'),
        ({**lines(PORT), "kind": "sim"}, "document 1 (lines)", '"analogue" is for boards of the kind spi_analogue'),
        ({**lines(PORT), "analogue": 5}, "field analogue", "5"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(board: dict[str, Any], place: str, what: str) -> None:
    (found,) = problems(board)

    assert place in found.place
    assert what in found.what


def test_two_boards_cannot_share_a_chip_select_but_simulated_ones_may() -> None:
    other = {**span(spi="/dev/spidev0.0")}
    assert [one.what for one in problems(lines(PORT), other)] == [
        "/dev/spidev0.0 is used twice, first in document 1 (lines), field analogue, port 1"
    ]

    assert problems(lines(PORT), span(spi="/dev/spidev0.0", hardware="simulated")) == []


def test_all_is_said_at_once() -> None:
    found = problems(lines({**PORT, "chip": "x"}, {**SECOND, "slot": -1}, framing="bit"))

    assert len(found) == 3
