"""How loud a process says that another one is not there: by what the table says of the supervisor that started it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, absence_level, write_process_table


@pytest.mark.parametrize(
    ("state", "supervisor", "level"),
    [
        ("starting", os.getppid(), logging.INFO),
        ("stopping", os.getppid(), logging.INFO),
        ("running", os.getppid(), logging.WARNING),
        ("stopping", os.getppid() + 1, logging.WARNING),  # left behind by another one, that was killed
    ],
)
def test_an_absence_is_a_warning_unless_our_supervisor_starts_or_stops_the_box(
    tmp_path: Path, state: str, supervisor: int, level: int
) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    assert absence_level(paths) == logging.WARNING, "nobody has written a table"

    write_process_table(paths, {"supervisor": ProcessEntry(state=state, pid=supervisor)})

    assert absence_level(paths) == level
