"""A simulated day: the same seed gives the same records everywhere, and a second command finds the same digest."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.box.cli import main


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "firmware.box.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)


def output(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return text


def summary(process: subprocess.Popen[str]) -> Any:
    return json.loads(output(process).splitlines()[-1])


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A day of 100 calls, kept."""
    folder = tmp_path_factory.mktemp("day") / "data"
    return folder, summary(start("simulate", "--seed", "11", "--json", "--data", str(folder), PYTHONHASHSEED="1"))


def test_a_day_loses_no_call(day: tuple[Path, Any]) -> None:
    _, result = day
    assert (result["calls"], result["lost"]) == (100, 0)
    assert result["answered"] > 50 and result["recordings"] == 10 and result["missing_samples"] == 0


def test_one_seed_gives_one_digest_whatever_the_hash_seed_and_the_blas_kernel(day: tuple[Path, Any]) -> None:
    other = start("simulate", "--seed", "11", "--json", PYTHONHASHSEED="4242", OPENBLAS_CORETYPE="Prescott")
    assert summary(other)["digest"] == day[1]["digest"]


def test_the_recordings_of_a_day_are_as_they_were_closed(day: tuple[Path, Any]) -> None:
    report = summary(start("verify-recordings", "--json", "--data", str(day[0])))
    assert (report["ok"], report["recordings"]) == (True, 10)


def test_another_seed_gives_another_digest(day: tuple[Path, Any]) -> None:
    assert summary(start("simulate", "--seed", "12", "--calls", "20", "--json"))["digest"] != day[1]["digest"]


def test_a_second_command_finds_the_digest_in_the_stored_rows_and_notices_one_changed_row(
    day: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, result = day
    assert output(start("digest", "--data", str(folder))).strip() == result["digest"]
    with sqlite3.connect(folder / "calls.db") as source, sqlite3.connect(tmp_path / "calls.db") as copy:
        source.backup(copy)
        copy.execute("UPDATE segments SET outcome = outcome || '.' WHERE number = 17")
    source.close()
    copy.close()
    assert output(start("digest", "--data", str(tmp_path))).strip() != result["digest"]


def test_a_folder_that_holds_something_is_not_overwritten(day: tuple[Path, Any]) -> None:
    process = start("simulate", "--data", str(day[0]))
    process.communicate(timeout=60)
    assert process.returncode == 1


def test_a_scenario_that_is_none_is_told_without_a_trace_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "day.json").write_text("no scenario")

    assert main(["simulate", "--scenario", str(tmp_path / "day.json")]) == 1

    told = capsys.readouterr().err
    assert "day.json" in told and "is not JSON" in told and "remedy:" in told
