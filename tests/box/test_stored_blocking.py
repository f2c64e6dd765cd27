"""Blocked channels are written into the configuration, and nothing else is changed by that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from firmware.box.callserver.blocked_channels import store_blocking
from firmware.box.demonstration import demonstration_documents
from firmware.calls.messages import BlockChannels, Request
from firmware.contacts.effects import BlockingToStore
from firmware.core.configuration import (
    keep_last_good,
    load_configuration,
    load_configuration_or_last_good,
    read_documents,
    save_documents,
    save_subjects,
)
from firmware.core.line_schemas import BlockedChannel
from firmware.core.paths import BoxPaths


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here", 2))
    keep_last_good(paths)
    return paths


def wish(*blocked: str, given_back: tuple[str, ...] = ()) -> BlockingToStore:
    entries = tuple(BlockedChannel(channel=one, reason="施工", by="admin", since_utc_us=1) for one in blocked)
    return BlockingToStore(1, Request(1, BlockChannels(blocked or given_back, "施工")), entries, given_back)


def blocked(paths: BoxPaths) -> list[str]:
    return [one.channel for one in load_configuration(paths).blocked_channels]


def last_good(paths: BoxPaths) -> list[str]:
    """What would be in force if the files were spoilt."""
    (paths.configuration / "services.json").write_text("{")
    return [one.channel for one in load_configuration_or_last_good(paths)[0].blocked_channels]


def test_blocks_are_stored_and_given_back_and_are_in_the_last_good_configuration_too(paths: BoxPaths) -> None:
    assert store_blocking(paths, wish("E1-1/1", "FXS-1")) == ("", ())
    assert store_blocking(paths, wish("FXO-1", given_back=("E1-1/1",))) == ("", ())

    assert load_configuration(paths).blocked_channels[1] == BlockedChannel(
        channel="FXO-1", reason="施工", by="admin", since_utc_us=1
    )
    assert blocked(paths) == ["FXS-1", "FXO-1"]
    assert last_good(paths) == ["FXS-1", "FXO-1"]


def test_edits_that_are_not_in_force_yet_stay_and_do_not_become_the_last_good_ones(paths: BoxPaths) -> None:
    before = load_configuration(paths)
    agents = read_documents(paths, "agents")
    save_documents(paths, "agents", [{**agents[0], "name": "edited"}, *agents[1:]])
    save_documents(paths, "blocked_channels", [{"channel": "FXO-2", "reason": "written by hand"}])
    assert store_blocking(paths, wish("E1-1/1")) == ("", ())

    assert blocked(paths) == ["FXO-2", "E1-1/1"]
    assert load_configuration(paths).agents[0].name == "edited"
    assert last_good(paths) == ["E1-1/1"], "the block outlives files that are spoilt"
    assert load_configuration_or_last_good(paths)[0].agents == before.agents


def test_what_is_given_back_is_taken_out_of_edits_that_are_not_in_force_too(paths: BoxPaths) -> None:
    edits = [{"channel": one, "reason": "written by hand"} for one in ("FXO-1", "FXO-2")]
    save_documents(paths, "blocked_channels", edits)
    assert store_blocking(paths, wish(given_back=("FXO-1",))) == ("", ())

    assert blocked(paths) == ["FXO-2"]
    assert last_good(paths) == []


def test_what_is_so_already_writes_nothing(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    store_blocking(paths, wish("E1-1/1"))
    monkeypatch.setattr("firmware.core.configuration.DurableStorage.write", None)

    assert store_blocking(paths, wish("E1-1/1", given_back=("FXO-1",))) == ("", ())


def test_a_last_good_copy_that_a_power_cut_left_under_its_old_name_takes_up_the_block(paths: BoxPaths) -> None:
    good = paths.last_good_configuration
    good.rename(good.with_name("last-good.old"))
    assert store_blocking(paths, wish("E1-1/1")) == ("", ())

    assert last_good(paths) == ["E1-1/1"]


def test_without_a_last_good_copy_a_block_is_stored_all_the_same(paths: BoxPaths) -> None:
    shutil.rmtree(paths.last_good_configuration)
    assert store_blocking(paths, wish("E1-1/1")) == ("", ())

    assert blocked(paths) == ["E1-1/1"]


def test_files_that_are_wrong_are_not_touched_and_what_is_wrong_is_told(paths: BoxPaths) -> None:
    (paths.configuration / "queues.json").write_text("{")

    code, details = store_blocking(paths, wish("E1-1/1"))
    assert code == "configuration_wrong"
    assert "queues.json" in details[1]
    assert not (paths.configuration / "blocked_channels.json").exists()


def test_a_disk_that_takes_nothing_is_told(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("firmware.core.configuration.DurableStorage.write", full)
    code, details = store_blocking(paths, wish("E1-1/1"))

    assert (code, details) == ("not_stored", ("[Errno 28] No space left on device",))
    assert blocked(paths) == []
