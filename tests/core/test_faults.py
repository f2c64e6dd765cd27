"""Faults: every code that is used has its words, and a fault is always told, however little is known of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from boards.base import BoardError
from boards.dahdi_card import ALARM_NAMES
from boards.framer_e1 import NO_MULTIFRAME
from boards.pri_link import ALARM as NO_WORKER
from drivers.e1_framer import ALARMS
from firmware.core.fault_texts import FAULT_TEXTS
from firmware.core.faults import Fault, fault, from_store, said, to_store
from firmware.lines.isdn.channels import ALARM as NO_LAYER_TWO

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("drivers", "boards", "firmware") for path in sorted((ROOT / folder).rglob("*.py"))]


def places(code: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", " ".join(FAULT_TEXTS[code])))


def faults_made() -> Iterator[tuple[str, str, set[str] | None]]:
    """Each `fault("code", …)` and `chip.fail("code", …)` of the sources: where, code, names of its arguments."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("fault", "fail"):
                given = None if any(one.arg is None for one in node.keywords) else {str(k.arg) for k in node.keywords}
                yield f"{path.name}:{node.lineno}", str(node.args[0].value), given


def test_every_fault_that_can_be_found_has_words_and_gives_them_their_values() -> None:
    made = list(faults_made())

    assert len(made) > 40
    assert [(where, code) for where, code, _ in made if code not in FAULT_TEXTS] == []
    assert [(w, code, given) for w, code, given in made if given is not None and given != places(code)] == []


def test_every_alarm_has_words() -> None:
    raised = {*ALARM_NAMES.values(), *ALARMS, NO_MULTIFRAME, NO_WORKER, NO_LAYER_TWO, "RED", "RECOVERING"}

    assert raised - set(FAULT_TEXTS) == set()


def test_no_words_are_kept_for_what_nobody_finds() -> None:
    everything = "".join(path.read_text() for path in SOURCES if path.name != "fault_texts.py")

    assert [code for code in FAULT_TEXTS if f'"{code}"' not in everything] == []


def test_every_fault_says_what_to_do() -> None:
    assert [code for code, (what, remedy) in FAULT_TEXTS.items() if not what or not remedy] == []


def test_a_fault_is_told_with_its_place_and_its_remedy() -> None:
    error = BoardError(fault("spi_absent", device="/dev/spidev0.0", error="No such device"), "lines", "lines-FXS-1")

    assert str(error).startswith(
        "board lines (lines-FXS-1): the SPI device /dev/spidev0.0 cannot be opened (No such device). "
        "See that /dev/spidev0.0 is there"
    )
    assert error.fault.place == "lines-FXS-1"


@pytest.mark.parametrize(
    ("one", "what", "remedy"),
    [
        (Fault("of_tomorrow", (("error", "x"),)), "of_tomorrow", ""),
        (fault("spi_failed"), "the SPI bus failed ({error})", FAULT_TEXTS["spi_failed"].remedy),
        (fault("spi_failed", error="{error}"), "the SPI bus failed ({error})", FAULT_TEXTS["spi_failed"].remedy),
        (said("the lamp is out", "Change it"), "the lamp is out", "Change it"),
    ],
)
def test_a_fault_that_is_not_known_whole_is_told_all_the_same(one: Fault, what: str, remedy: str) -> None:
    assert (one.what, one.remedy) == (what, remedy)


def test_two_faults_of_one_code_at_one_place_are_one_whatever_their_words() -> None:
    one = fault("chip_wrong", chip="si3210", values="0x3f").at("FXS-1")

    assert one.identity == fault("chip_wrong", chip="si3210", values="0x41").at("FXS-1").identity
    assert one.identity != one.at("FXS-2").identity
    assert one.identity != fault("chip_stuck").at("FXS-1").identity


def test_what_finders_say_in_words_of_their_own_is_told_apart_by_these_but_for_numbers() -> None:
    one = said("lamp 17 draws 0x3f mA", "Change it")

    assert one.identity == said("lamp 8 draws 0xA0 mA", "Change it").identity
    assert one.identity != said("lamp 17 is out", "Change it").identity


def test_a_fault_survives_the_wire() -> None:
    one = fault("calibration", seconds=2).at("FXS-1")

    assert msgspec.json.decode(msgspec.json.encode(one), type=Fault) == one


def test_a_fault_survives_being_stored() -> None:
    one = fault("recording_not_written", file="2026/11/22/7.au", error="I/O error")

    assert from_store(to_store(one)) == one


NESTED = pytest.param('{"x":' + "[" * 100_000, id="nested")


@pytest.mark.parametrize("words", ["disk full: recordings wait for room", "{", '{"code": 7}', "[1]", "{what}", NESTED])
def test_words_that_an_older_version_stored_are_told_as_they_stand(words: str) -> None:
    assert (from_store(words).what, from_store(words).remedy) == (words, "")
