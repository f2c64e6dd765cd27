"""What the gateway logs of a board that does not open: no news while the box starts, a warning when it lasts."""

from __future__ import annotations

import logging
from pathlib import Path
from select import epoll

import pytest

from boards.sim import open_board
from firmware.box.gateway.boards import REOPEN_US, BoardSlots
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths


def test_a_board_that_is_still_absent_when_the_box_has_started_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    board = open_board(BoardEntry(board="sim", kind="sim"), paths)
    level = logging.INFO
    failed: list[str] = []
    with epoll() as watcher:
        slots = BoardSlots(
            [board], watcher, lambda slot: None, lambda slot, fault: failed.append(slot.name), lambda: level
        )

        for second in range(10):
            level = logging.INFO if second < 3 else logging.WARNING
            slots.open_due(second * REOPEN_US)

    told = [(record.levelno, record.message.partition(" (")[0]) for record in caplog.records]
    absent = "board sim: the simulator does not answer"
    assert told == [(logging.INFO, absent), (logging.WARNING, absent)]
    assert failed == ["sim"], "the pages are told once"
