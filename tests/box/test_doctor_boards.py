"""`linebox doctor` on the boards of the running box: each fault is a finding with its remedy."""

from __future__ import annotations

from pathlib import Path

from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_boards import boards, findings_of
from firmware.box.commands.doctor_finding import BAD, OK, WARN
from firmware.core.faults import fault, said
from firmware.core.paths import BoxPaths
from firmware.lines.messages import BoardState


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


def test_of_a_box_that_does_not_run_nothing_is_said(tmp_path: Path) -> None:
    assert examine(BoxPaths(tmp_path / "data", tmp_path / "run"), [boards]) == []
