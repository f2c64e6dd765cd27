"""Finds what is wrong in `boards.json` beyond the fields of one document: sections, chip selects, slots. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firmware.core.configuration_problems import Problem
from firmware.core.subjects import SUBJECT, Document, Documents, places

E1_SLOTS = 32
SECTIONS = {"spi_analogue": "analogue", "framer_e1": "framer"}
"""Kind of board → the field that says what is on it."""


def check_boards(documents: Documents | None) -> Iterator[Problem]:
    """Each kind of board has its own section and no other; chips and slots are given once."""
    subject = SUBJECT["boards"]
    devices: dict[str, str] = {}
    for place, document in places(subject, documents):
        kind = document.get("kind")
        for owner, section in SECTIONS.items():
            given = document.get(section)
            if kind == owner and given is None:
                remedy = f'add "{section}": boards/README.md has an example'
                what = f'a {owner} board without "{section}"'
                yield Problem(subject.file, place, what, "what is on it", remedy=remedy)
            elif kind != owner and given is not None:
                remedy = f'correct the kind, or remove "{section}"'
                yield Problem(subject.file, place, f'"{section}" is for boards of the kind {owner}', remedy=remedy)
            elif isinstance(given, Mapping):
                yield from _check_chips(f"{place}, field {section}", given, devices)


def _check_chips(place: str, section: Document, devices: dict[str, str]) -> Iterator[Problem]:
    """`devices`: SPI device → where it is used, of the real boards so far."""
    file = SUBJECT["boards"].file
    tdm = section.get("tdm")
    slots = tdm.get("slots", 32) if isinstance(tdm, Mapping) else 32
    ports = section.get("ports")
    if ports is None and isinstance(slots, int) and slots < E1_SLOTS:
        yield Problem(file, place, f"a TDM bus of {slots} slots does not hold an E1", f"{E1_SLOTS} slots or more")
    taken: set[int] = set()
    for number, chip in enumerate(ports if isinstance(ports, list | tuple) else [section], 1):
        if not isinstance(chip, Mapping):
            continue
        where = place if ports is None else f"{place}, port {number}"
        device, slot = chip.get("spi"), chip.get("slot")
        if isinstance(device, str) and section.get("hardware") != "simulated":
            if device in devices:
                what = f"{device} is used twice, first in {devices[device]}"
                yield Problem(file, where, what, remedy="give each chip its own chip select")
            devices.setdefault(device, where)
        if isinstance(slot, int) and isinstance(slots, int):
            if slot in taken:
                yield Problem(file, where, f"slot {slot} is used twice", "each port its own slot")
            elif slot >= slots > 0:
                what = f"slot {slot} is not on the TDM bus"
                yield Problem(file, where, what, f"0 to {slots - 1}", remedy='or raise "slots"')
            taken.add(slot)
