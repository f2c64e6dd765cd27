"""`linebox boards` on the real driver; what it writes is judged by the driver's own tool, dahdi_cfg."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drivers.dahdi_control import Control
from drivers.dahdi_numbers import Signalling
from firmware.box.commands.boards import boards
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from tests.vm.inside.spans import SIGNALLING_SLOT, DynamicSpan, wait_for

Pair = tuple[DynamicSpan, DynamicSpan]


@pytest.fixture
def data(tmp_path: Path, pair: Pair) -> Path:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    documents = demonstration_documents("a password for tests")
    documents["boards"] = [
        {"board": "town", "kind": "dahdi_e1", "e1": {"span": pair[0].number}},
        {
            "board": "phones",
            "kind": "dahdi_analogue",
            "ports": {"span": pair[1].number, "ports": ["fxs"] * 29 + ["fxo"]},
        },
        {"board": "absent", "kind": "dahdi_e1", "e1": {"span": 9, "signalling": "cas"}},
    ]
    save_subjects(paths, documents)
    return paths.data


def test_spans_are_listed_with_their_boards_and_what_is_missing_with_the_remedy(
    data: Path, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boards(data) == 0

    told = capsys.readouterr().out
    assert f"span {pair[0].number}  " in told
    assert "board town (dahdi_e1)" in told
    assert (
        "board absent (dahdi_e1)\n  problem: the driver has no span 9\n  remedy:  load the module of its card" in told
    )


def test_an_alarm_is_listed_with_its_remedy(data: Path, pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    for span in pair:
        span.configure(Signalling.CLEAR)
    pair[1].destroy()
    with Control() as control:
        wait_for(lambda: control.span(pair[0].number).alarms, 3, "RED")

    boards(data)

    told = capsys.readouterr().out
    assert "  problem: RED: nothing usable comes in\n  remedy:  Check cable, framing and CRC4\n" in told


def test_the_drivers_own_tool_takes_what_is_written(data: Path, pair: Pair, tmp_path: Path) -> None:
    target = tmp_path / "system.conf"
    assert boards(data, write=True, target=target) == 0

    took = subprocess.run(["dahdi_cfg", "-c", str(target)], capture_output=True, text=True, check=False)

    assert took.returncode == 0, took.stderr + target.read_text()
    with Control() as control:
        town, phones = (control.channels_of(span.number) for span in pair)
    assert town[SIGNALLING_SLOT - 1].signalling == Signalling.HDLCFCS
    assert {state.signalling for state in town if state.position != SIGNALLING_SLOT} == {Signalling.CLEAR}
    assert [state.signalling for state in phones][:15] == [Signalling.FXOKS] * 15
    assert phones[30].signalling == Signalling.FXSKS
