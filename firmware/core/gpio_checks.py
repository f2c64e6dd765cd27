"""Finds GPIO lines of the processor that the configuration gives to two uses: panel, resets and interrupts of boards.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firmware.core.board_checks import SECTIONS
from firmware.core.configuration_problems import Problem
from firmware.core.subjects import SUBJECT, Documents, places


def check_gpio_lines(box: Documents | None, boards: Documents | None) -> Iterator[Problem]:
    """The kernel gives a line to one user only: the second would fail when the box runs."""
    first: dict[str, str] = {}
    for file, place, line in (*_of_boards(boards), *_of_panel(box)):
        if line in first:
            what = f"the GPIO line {line} is used twice, first in {first[line]}"
            yield Problem(file, place, what, remedy="give each its own line")
        first.setdefault(line, f"{file}, {place}")


def _of_boards(documents: Documents | None) -> Iterator[tuple[str, str, str]]:
    """(file, place, line) of each line that a real board uses."""
    for place, document in places(SUBJECT["boards"], documents):
        for section in SECTIONS.values():
            given = document.get(section)
            if isinstance(given, Mapping) and given.get("hardware") != "simulated":
                yield from _lines(SUBJECT["boards"].file, f"{place}, field {section}", given, ("reset", "interrupt"))


def _of_panel(documents: Documents | None) -> Iterator[tuple[str, str, str]]:
    for place, document in places(SUBJECT["box"], documents):
        given = document.get("panel")
        if isinstance(given, Mapping):
            yield from _lines(SUBJECT["box"].file, f"{place}, field panel", given, map(str, given))


def _lines(
    file: str, place: str, section: Mapping[str, object], fields: Iterator[str] | tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    for field in fields:
        line = section.get(field)
        chip, colon, number = line.rpartition(":") if isinstance(line, str) else ("", "", "")
        if colon and number.isdigit():
            yield file, f"{place}, field {field}", f"{chip}:{int(number)}"  # :07 is the line :7, too
