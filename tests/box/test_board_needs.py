"""What boards of boards.json will miss on this machine is said before the box is started, each with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers import dahdi_control
from drivers.dahdi import DahdiError
from firmware.box.commands import board_needs
from firmware.box.commands.board_needs import missing
from firmware.box.commands.boards import boards_of_the_box
from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_boards import boards
from firmware.box.commands.doctor_finding import BAD
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths

PORTS = [
    {"chip": "si3210", "spi": "/dev/spidev90.0", "slot": 0},
    {"chip": "si3050", "spi": "/dev/spidev90.1", "slot": 1},
]
LINES = {"board": "lines", "kind": "spi_analogue", "analogue": {"ports": PORTS, "reset": "/dev/gpiochip90:5"}}
SPAN = {"board": "span", "kind": "framer_e1", "framer": {"spi": "/dev/spidev91.0", "tdm": {"card": "hw:3,0"}}}
TOWN = {"board": "town", "kind": "dahdi_e1", "e1": {"span": 2}}


def entry(document: dict[str, Any], **more: Any) -> BoardEntry:
    return msgspec.convert({**document, **more}, BoardEntry)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any of it."""

    class NoDriver:
        def __init__(self) -> None:
            raise DahdiError(fault("dahdi_absent", doing="opening"), "/dev/dahdi/ctl")

    monkeypatch.setattr(board_needs, "Control", NoDriver)
    monkeypatch.setattr(board_needs, "can_be_bound", lambda: False)
    monkeypatch.setattr(board_needs, "find_spec", lambda name: None)


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize(
    ("document", "words"),
    [
        (TOWN, ["driver is not loaded", "libpri"]),
        ({**TOWN, "e1": {"span": 2, "signalling": "cas"}}, ["driver is not loaded"]),
        (
            LINES,
            [
                "python-periphery",
                "/dev/spidev90.0",
                "/dev/spidev90.1",
                "pyalsaaudio",
                "hw:CARD=tdm",
                "cannot be opened",
            ],
        ),
        (SPAN, ["python-periphery", "/dev/spidev91.0", "pyalsaaudio", "hw:3,0"]),
        ({"board": "sim", "kind": "sim"}, []),
        ({"board": "sip", "kind": "sip"}, []),
        ({"board": "theirs", "kind": "of_somebody_else"}, []),
    ],
)
def test_each_thing_that_is_not_there_is_said_with_its_remedy(
    document: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    found = list(missing(entry(document), tmp_path))

    assert len(found) == len(words)
    for one, word in zip(found, words, strict=True):
        assert word in one.what
        assert one.remedy
    assert list(missing(entry(document, enabled=False), tmp_path)) == []


def test_what_is_there_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tdm").mkdir()
    (tmp_path / "card3").mkdir()
    monkeypatch.setattr(board_needs, "find_spec", lambda name: object())
    monkeypatch.setattr(board_needs.os, "access", lambda path, mode: True)
    monkeypatch.setattr(board_needs, "line_user", lambda name: "")

    assert list(missing(entry(LINES), tmp_path)) == []
    assert list(missing(entry(SPAN), tmp_path)) == []
    simulated = {**LINES["analogue"], "hardware": "simulated"}  # type: ignore[dict-item]
    monkeypatch.undo()
    assert list(missing(entry(LINES, analogue=simulated), tmp_path)) == []


def test_a_line_that_another_program_has_is_said_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_needs, "line_user", lambda name: "spi0 CS1")

    told = {one.place: one.what for one in missing(entry(LINES), tmp_path)}

    assert "spi0 CS1" in told["/dev/gpiochip90:5"]


def test_a_span_that_the_driver_does_not_have_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class NoSpan(dahdi_control.Control):
        def __init__(self) -> None:
            self._descriptor = -1

        def span(self, number: int) -> Any:
            raise DahdiError(fault("dahdi_gone", doing="asking for its state"), f"span {number}")

    monkeypatch.setattr(board_needs, "Control", NoSpan)
    monkeypatch.setattr(board_needs, "can_be_bound", lambda: True)

    (found,) = missing(entry(TOWN), tmp_path)

    assert found.what == "the driver has no span 2"


@pytest.mark.usefixtures("without")
def test_both_commands_tell_it_while_the_box_does_not_run(tmp_path: Path) -> None:
    listed = boards_of_the_box([entry(TOWN)], None)
    assert "problem: /dev/dahdi/ctl: opening: the driver is not loaded" in listed
    assert "scripts/setup --system" in listed and "libpri-dev" in listed

    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    save_subjects(paths, {**demonstration_documents("once-upon-a-time"), "boards": [TOWN]})
    found = examine(paths, [boards])
    assert [finding.level for finding in found] == [BAD, BAD]
    assert all(finding.text.startswith("board town") for finding in found)
