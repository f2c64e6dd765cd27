"""Exchange lines, trunk groups and R2 settings in the configuration: what is wrong, with its place and nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.core.configuration import (
    ConfigurationError,
    keep_last_good,
    load_configuration,
    load_configuration_or_last_good,
    save_documents,
    save_subjects,
)
from firmware.core.configuration_checks import check
from firmware.core.configuration_problems import Problem
from firmware.core.paths import BoxPaths
from firmware.core.subjects import SUBJECTS
from tests.core.test_configuration import GOOD


def problems(**subjects: list[dict[str, Any]]) -> list[Problem]:
    contents: dict[str, Any] = {subject.name: None for subject in SUBJECTS}
    for name, documents in subjects.items():
        contents[name] = {str(number): one for number, one in enumerate(documents, 1)}
    return [one for one in check(contents) if one.file.removesuffix(".json") in subjects]


def line(**fields: Any) -> dict[str, Any]:
    return {"line": "FXO-1", **fields}


def r2(**fields: Any) -> dict[str, Any]:
    return {"board": "town", "kind": "dahdi_e1", "e1": {"span": 1, "signalling": "cas", "r2": fields}}


def test_good_sections_are_good() -> None:
    tone = {"hz": 411.0, "on_ms": 190, "off_ms": 200, "level_dbm0": -21.5}
    assert not problems(exchange_lines=[line(number="87654321", caller_id="dtmf", busy_tones=[tone], dial_on="wait")])
    assert not problems(exchange_lines=[line(receive_db=12, send_db=-6)])
    assert not problems(seats=[{"seat": "1", "extension": "FXS-1", "receive_db": 2.5, "send_db": 3.5}])
    assert not problems(
        boards=[{"board": "town", "kind": "sim"}],
        trunk_groups=[{"group": "all", "lines": ["FXO-1"], "boards": ["town"], "choice": "cyclic", "number": "12345"}],
    )
    assert not problems(boards=[r2(called_lengths={"12345": 5}, called_digits=8, timers_ms={"answer": 90000})])


@pytest.mark.parametrize(
    ("subject", "document", "place", "what", "nearest"),
    [
        ("exchange_lines", line(caller_ID="fsk"), "document 1 (FXO-1)", 'unknown key "caller_ID"', "caller_id"),
        ("exchange_lines", line(caller_id="fks"), "field caller_id", '"fks"', "fsk"),
        ("exchange_lines", line(number="87 65"), "field number", '"87 65"', ""),
        ("exchange_lines", line(busy_tones=[{"hz": 450, "on_ms": 350}]), "item 1", '"off_ms" is missing', ""),
        ("exchange_lines", line(busy_tones=[{"hz": 45, "on_ms": 3, "off_ms": 3}]), "field hz", "45", ""),
        ("exchange_lines", line(dial_tone_seconds=0), "field dial_tone_seconds", "0", ""),
        ("exchange_lines", line(receive_db=12.5), "field receive_db", "12.5", ""),
        ("exchange_lines", line(recieve_db=6), "document 1 (FXO-1)", 'unknown key "recieve_db"', "receive_db"),
        ("exchange_lines", line(receive_db=6, send_db=0.5), "document 1 (FXO-1)", "6.5 dB: the line would sing", ""),
        ("seats", {"seat": "1", "extension": "FXS-1", "send_db": 7}, "document 1 (1)", "come to 7 dB", ""),
        ("exchange_lines", {"number": "12345"}, "document 1", 'the field "line" is missing', ""),
        ("trunk_groups", {"group": "all"}, "document 1 (all)", "has no trunks", ""),
        ("trunk_groups", {"group": "all", "lines": ["FXO-1"], "choice": "cylic"}, "choice", '"cylic"', "cyclic"),
        ("boards", r2(timers_ms={"anwser": 5}), "field timers_ms, key", '"anwser"', "answer"),
        ("boards", r2(called_lengths={"12345": 0}), 'field called_lengths, "12345"', "0", ""),
        ("boards", r2(calling_category=16), "field calling_category", "16", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    subject: str, document: dict[str, Any], place: str, what: str, nearest: str
) -> None:
    found = problems(**{subject: [document]})

    assert place in found[0].place and what in found[0].what
    assert found[0].nearest == nearest


def test_a_group_of_a_board_that_there_is_not_and_a_line_in_two_groups() -> None:
    found = problems(
        boards=[{"board": "cards", "kind": "sim"}],
        trunk_groups=[{"group": "one", "lines": ["FXO-1"], "boards": ["card"]}, {"group": "two", "lines": ["FXO-1"]}],
    )

    assert {(one.what, one.nearest) for one in found} == {
        ('the line "FXO-1" is used twice, first in document 1 (one)', ""),
        ('there is no board "card"', "cards"),
    }


def test_data_of_an_older_version_has_no_such_files_and_is_whole(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    save_subjects(paths, GOOD)

    assert load_configuration(paths).exchange_lines == ()
    assert not (paths.configuration / "exchange_lines.json").exists()
    keep_last_good(paths)
    save_documents(paths, "exchange_lines", [line(number="1000")])
    assert load_configuration(paths).exchange_lines[0].number == "1000"
    keep_last_good(paths)
    (paths.configuration / "services.json").unlink()
    assert load_configuration_or_last_good(paths)[0].exchange_lines[0].number == "1000"


def test_a_file_with_nearly_the_right_name_is_not_passed_over(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    save_subjects(paths, {**GOOD, "exchange_lines": [line()]})
    (paths.configuration / "exchange_lines.json").rename(paths.configuration / "exchange_line.json")

    with pytest.raises(ConfigurationError) as caught:
        load_configuration(paths)
    assert [(one.file, one.nearest) for one in caught.value.problems] == [("exchange_lines.json", "exchange_line.json")]
