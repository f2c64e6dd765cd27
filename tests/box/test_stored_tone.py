"""A busy tone that was learnt is written into its line's configuration, and nothing else is changed by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.box.callserver.lessons import store_tone
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import (
    keep_last_good,
    load_configuration,
    load_configuration_or_last_good,
    read_documents,
    save_documents,
    save_subjects,
)
from firmware.core.line_schemas import ExchangeLineEntry
from firmware.core.paths import BoxPaths
from firmware.tones.cadence import LearnedTone

TONE = LearnedTone(411, 190, 200, -21.5, 10, (186, 194), (196, 204))
OTHER = LearnedTone(450, 350, 350, -10, 10, (350, 350), (350, 350))


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here", 2))
    keep_last_good(paths)
    return paths


def last_good(paths: BoxPaths) -> tuple[ExchangeLineEntry, ...]:
    """What would be in force if the files were spoilt."""
    services = paths.configuration / "services.json"
    kept = services.read_bytes()
    services.write_text("{")
    good = load_configuration_or_last_good(paths)[0].exchange_lines
    services.write_bytes(kept)
    return good


def test_tones_are_stored_for_their_line_beside_what_stands_there(paths: BoxPaths) -> None:
    save_documents(paths, "exchange_lines", [{"line": "FXO-1", "number": "87654321"}])
    keep_last_good(paths)
    for line, tone in (("FXO-1", TONE), ("FXO-2", TONE), ("FXO-1", OTHER)):
        assert store_tone(paths, line, tone) == ""

    first, second = read_documents(paths, "exchange_lines")
    assert (first["line"], first["number"], [tone["hz"] for tone in first["busy_tones"]]) == (
        "FXO-1",
        "87654321",
        [450.0, 411.0],
    )
    assert second["busy_tones"] == [{"hz": 411.0, "on_ms": 190.0, "off_ms": 200.0, "level_dbm0": -21.5}]
    assert last_good(paths) == load_configuration(paths).exchange_lines


def test_edits_that_are_not_in_force_yet_stay_and_do_not_become_the_last_good_ones(paths: BoxPaths) -> None:
    save_documents(paths, "exchange_lines", [{"line": "FXO-2", "dial_by": "pulses"}])
    assert store_tone(paths, "FXO-1", TONE) == ""

    assert [one["line"] for one in read_documents(paths, "exchange_lines")] == ["FXO-2", "FXO-1"]
    assert load_configuration(paths).exchange_lines[0].dial_by == "pulses"
    (kept,) = last_good(paths)
    assert (kept.line, kept.dial_by, kept.busy_tones[0].hz) == ("FXO-1", "tones", 411)


def test_files_that_are_wrong_are_not_touched(paths: BoxPaths) -> None:
    (paths.configuration / "exchange_lines.json").write_text('{"exchange_lines": {"1": {"lin": "FXO-1"}}}')
    before = (paths.configuration / "exchange_lines.json").read_bytes()

    assert store_tone(paths, "FXO-1", TONE) == "not_stored"
    assert (paths.configuration / "exchange_lines.json").read_bytes() == before
