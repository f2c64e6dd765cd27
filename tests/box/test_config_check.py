"""`linebox config check` finds names of lines that no board has, with the nearest right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.box.commands.config_check import config_check, line_problems, lines_of
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import load_configuration, save_documents, save_subjects
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here", 2))
    return paths


def found(paths: BoxPaths, subject: str, *documents: dict[str, Any]) -> list[tuple[str, str, str]]:
    save_documents(paths, subject, documents)
    configuration = load_configuration(paths)
    rows, problems = lines_of(configuration, paths)
    return [(one.file, one.what, one.nearest) for one in (*problems, *line_problems(configuration, rows))]


def test_the_demonstration_county_is_whole(paths: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert config_check(paths) == 0
    first, sim, sip = capsys.readouterr().out.splitlines()
    assert "is valid" in first
    assert sim == (
        "  sim: E1-1/1 to E1-1/31 (30 trunks), FXS-1 to FXS-8 (8 extension ports), FXO-1 to FXO-2 (2 exchange lines)"
    )
    assert sip == "  sip: SIP-1 to SIP-30 (30 trunks)"


def test_names_that_lead_nowhere(paths: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    seat = {"seat": "1", "extension": "FXO-1"}
    assert found(paths, "seats", seat)[0][1] == "no board has a line FXO-1 that can be used here"
    assert found(paths, "seats", {"seat": "1", "extension": "FXS-1"}) == []
    assert found(paths, "exchange_lines", {"line": "FX0-2"}) == [
        ("exchange_lines.json", "no board has a line FX0-2 that can be used here", "FXO-2")
    ]
    assert found(paths, "exchange_lines") == []
    assert found(paths, "trunk_groups", {"group": "all", "lines": ["FXO-1", "E1-1/1", "FXS-1"]}) == [
        ("trunk_groups.json", "no board has a line FXS-1 that can be used here", "FXO-1")
    ]
    blocked = [{"channel": label, "reason": "work on the line"} for label in ("E1-1/1", "FXS-1", "E1-1/16")]
    assert found(paths, "blocked_channels", *blocked)[1:] == [
        ("blocked_channels.json", "no board has a line E1-1/16 that can be used here", "E1-1/6")
    ]
    assert config_check(paths) == 1
    assert "trunk_groups.json, group all, field lines: no board has a line FXS-1" in capsys.readouterr().out


def test_lines_of_a_disabled_board_are_known_and_a_board_that_cannot_be_is_told(paths: BoxPaths) -> None:
    boards = [{"board": "sim", "kind": "sim", "exchange_lines": 2, "enabled": False}, {"board": "x", "kind": "smi"}]
    (problem,) = found(paths, "boards", *boards)
    assert problem[:2] == ("boards.json", "there is no kind of board smi")


def test_a_folder_without_any_configuration_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClearError, match="there is no configuration in"):
        config_check(BoxPaths(tmp_path / "nothing", tmp_path / "run"))


def test_files_that_are_wrong_are_told_all_at_once(paths: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    (paths.configuration / "trunk_groups.json").write_text("{")
    (paths.configuration / "seats.json").write_text("")

    assert config_check(paths) == 1

    said = capsys.readouterr().out.splitlines()
    assert "is wrong; until it is right the last good one is in force" in said[0]
    assert said[1] == "2 problems in the configuration:"
    assert "linebox config check" not in "".join(said), "whoever reads this has just called it"


def test_a_sound_that_nobody_has_is_told_with_the_nearest(paths: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    documents = demonstration_documents("not used here")
    documents["queues"][0]["music"] = "music:waitng"
    save_subjects(paths, documents)

    assert config_check(paths) == 1

    said = capsys.readouterr().out
    assert "can be used, but names what is not there" in said
    assert 'queues.json, queue general: there is no sound music:waitng; did you mean "music:waiting"?' in said
