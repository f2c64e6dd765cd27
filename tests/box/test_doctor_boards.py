"""`linebox doctor` on the boards of the running box: each fault is a finding with its remedy."""

from __future__ import annotations

from pathlib import Path

from firmware.box.commands.card_faults import cards
from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_boards import boards, findings_of
from firmware.box.commands.doctor_finding import BAD, OK, WARN
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.faults import fault, said
from firmware.core.paths import BoxPaths
from firmware.lines.messages import BoardState
from tests.drivers.test_dahdi_card_module import sysfs_with


def test_a_board_that_does_not_work_is_bad_and_one_with_an_alarm_is_to_be_looked_at() -> None:
    states = [
        BoardState(board="sim", working=True, channels=40),
        BoardState(board="town", working=False, faults=(said("the driver is not loaded", "load it"),)),
        BoardState(board="village", working=True, faults=(said("no frames", "look at the cable").at("span 2"),)),
        BoardState(board="dead", working=False),
    ]

    found = [(finding.level, finding.text, finding.remedy) for finding in findings_of(states)]

    assert found == [
        (BAD, "board town: the driver is not loaded", "load it"),
        (WARN, "board village (span 2): no frames", "look at the cable"),
        (BAD, "board dead does not work", "its reason is in logs/gateway.log"),
        (OK, "without a fault: sim", ""),
    ]


def test_a_sip_stack_that_is_still_to_be_built_is_no_breakdown() -> None:
    (found,) = findings_of([BoardState(board="sip", working=False, faults=(fault("sip_absent", error="no file"),))])

    assert found.level == WARN and "scripts/build_pjsua2" in found.remedy


def test_of_a_box_without_a_configuration_nothing_is_said(tmp_path: Path) -> None:
    assert examine(BoxPaths(tmp_path / "data", tmp_path / "run"), [boards]) == []


def test_a_card_whose_module_was_loaded_for_another_country_is_to_be_looked_at(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    sysfs = sysfs_with(tmp_path / "sys", "wctdm24xxp", opermode="FCC", fastringer="1")
    assert list(cards(paths, sysfs)) == [], "no configuration yet"
    card = {"board": "lines", "kind": "dahdi_analogue", "ports": {"span": 1, "ports": ["fxs", "fxo"]}}
    documents = demonstration_documents("once-upon-a-time")
    save_subjects(paths, {**documents, "boards": [*documents["boards"], card]})

    (found,) = cards(paths, sysfs)

    assert found.level == WARN
    assert found.text.startswith("board lines: its exchange lines are set for FCC")
    assert "wctdm24xxp opermode=CHINA" in found.remedy
    save_subjects(paths, {"boards": [*documents["boards"], {**card, "enabled": False}]})
    assert list(cards(paths, sysfs)) == []
