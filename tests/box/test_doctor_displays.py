"""`linebox doctor` on the displays at the seats: one that is not there, or that may not be used, is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.box.commands import doctor_displays
from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_displays import displays
from firmware.box.commands.doctor_finding import BAD, OK, WARN, Finding
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from tests.drivers.simulated_serial_display import SerialScreen


@pytest.fixture
def screen() -> Iterator[SerialScreen]:
    made = SerialScreen(20, 2)
    yield made
    made.close()


def findings(folder: Path, *shown: dict[str, Any]) -> list[Finding]:
    paths = BoxPaths(folder / "data", folder / "run")
    paths.make()
    documents = demonstration_documents("not used here")
    for seat, display in zip(documents["seats"], shown, strict=False):
        seat["display"] = display
    save_subjects(paths, documents)
    return examine(paths, [displays])


def test_nothing_is_said_where_no_seat_has_a_display(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


def test_a_device_that_is_missing_is_named_with_its_seat(tmp_path: Path, screen: SerialScreen) -> None:
    missing, good = findings(
        tmp_path, {"kind": "serial", "device": screen.path}, {"kind": "hd44780", "device": "/dev/i2c-none"}
    )

    assert (missing.level, missing.text) == (WARN, "there is no /dev/i2c-none for the display of seat 2")
    assert "seats.json (2)" in missing.remedy
    assert (good.level, good.text.split()[0]) == (OK, "1")


def test_a_device_that_may_not_be_used_names_the_group(
    tmp_path: Path, screen: SerialScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_displays.os, "access", lambda path, mode: False)  # root may use everything

    (found,) = findings(tmp_path, {"kind": "serial", "device": screen.path})

    assert os.path.exists(screen.path)
    assert (found.level, "dialout" in found.remedy) == (BAD, True)
