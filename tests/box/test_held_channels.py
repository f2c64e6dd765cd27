"""What a PRI worker leaves for its next life: on which channels the exchange may have calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.pri_stack import TIME_SLOTS
from firmware.box.pri.held_channels import HeldChannels

BOOT = "0c7c7f3e-2c1b-4f0e-9a3e-000000000001"
LATER_BOOT = "0c7c7f3e-2c1b-4f0e-9a3e-000000000002"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pri-1.held"


def left_by(path: Path, *noted: set[int], boot: str = BOOT) -> frozenset[int]:
    """What the next life finds after one that noted these, one after another."""
    life = HeldChannels(path, BOOT)
    for slots in noted:
        life.note(slots)
    life.close()
    life.close()
    after = HeldChannels(path, boot)
    after.close()
    return after.before


def test_nothing_known_counts_as_all(path: Path) -> None:
    assert left_by(path) == frozenset(TIME_SLOTS)


@pytest.mark.parametrize("slots", [set(), {1}, {1, 17, 31}, set(TIME_SLOTS)])
def test_the_newest_note_counts(path: Path, slots: set[int]) -> None:
    assert left_by(path, set(TIME_SLOTS), {2, 3}, slots) == slots


def test_a_machine_that_has_started_anew_knows_nothing(path: Path) -> None:
    assert left_by(path, {17}, boot=LATER_BOOT) == frozenset(TIME_SLOTS)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe 1", b"nonsense", b"a b c", f"{BOOT} xyz\n".encode()])
def test_a_file_that_cannot_be_read_as_such_counts_as_all(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    held = HeldChannels(path, BOOT)
    held.close()

    assert held.before == frozenset(TIME_SLOTS)


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = HeldChannels(tmp_path / "none" / "pri-1.held", BOOT)
    held.note({17})
    held.close()

    assert held.before == frozenset(TIME_SLOTS)
    assert "all channels will be restarted" in caplog.text
