"""What the gateway makes of boards that do not open, and of mistakes in them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from select import epoll

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, BLOCK, Block, BoardCounters, BoardError, ChannelPlace
from boards.signals import ChannelKind, FromBoard, Release, ToBoard
from boards.sim import open_board
from firmware.box.gateway.boards import REOPEN_US, BoardSlots, make_board
from firmware.core.faults import Fault, fault
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


class DefectiveBoard:
    """A board whose file has a mistake in it."""

    has_clock = True
    channels = (ChannelPlace(ChannelKind.TRUNK, "E1-1/1"),)

    def __init__(self, name: str, mistakes: str) -> None:
        self.name = name
        self.counters = BoardCounters()
        self.mistakes = mistakes
        """The method in which it is."""
        self._descriptor = os.eventfd(1)

    def _may_fail(self, method: str) -> None:
        if method in self.mistakes.split():
            raise KeyError("slot 17")

    def open(self) -> None:
        self._may_fail("open")

    def close(self) -> None:
        self._may_fail("close")

    def fileno(self) -> int:
        self._may_fail("fileno")
        return -1 if self.mistakes == "descriptor" else self._descriptor

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        self._may_fail("receive")
        channels = 2 if self.mistakes == "channels" else 1
        return [np.full((channels, BLOCK), ALAW_SILENCE, np.uint8)], []

    def send_block(self, block: Block) -> None:
        self._may_fail("send_block")

    def send_signal(self, signal: ToBoard) -> None:
        self._may_fail("send_signal")

    def __del__(self) -> None:
        os.close(self._descriptor)


@pytest.mark.parametrize("method", ["open", "fileno", "receive", "send_block", "send_signal", "receive close"])
def test_a_mistake_in_a_board_ends_that_board_and_not_the_exchange(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = DefectiveBoard("good", ""), DefectiveBoard("bad", method)
    told: list[Fault] = []
    with epoll() as watcher:
        slots = BoardSlots([bad, good], watcher, lambda slot: None, lambda slot, fault: told.append(fault))
        for second in range(3):
            now_us = second * REOPEN_US
            slots.open_due(now_us)
            for slot in slots.slots:
                blocks, _ = slots.receive(slot, now_us)
                for block in blocks:
                    slot.make_outward(block)
                slots.send_signal(slot.name, Release(0), now_us)
            slots.flush_outward(now_us)
        slots.close()

    assert good.counters.lost_outward == 0
    assert {(fault.code, fault.arguments) for fault in told} == {
        ("board_defect", (("error", "KeyError: 'slot 17'"),)),
    }
    assert sum(record.exc_info is not None for record in caplog.records) == 1, "where it is, once"


def test_a_mistake_that_is_worded_otherwise_each_time_is_told_once_and_shown_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    board, tries, shown = DefectiveBoard("bad", ""), iter(range(100)), []

    def fails() -> None:
        raise KeyError(f"slot {next(tries)}")

    monkeypatch.setattr(board, "open", fails)
    with epoll() as watcher:
        slots = BoardSlots([board], watcher, lambda slot: None, lambda slot, fault: shown.append(fault))
        for second in range(5):
            slots.open_due(second * REOPEN_US)

    assert [fault.what for fault in shown] == [
        f"a mistake in the board's own file (KeyError: 'slot {second}')" for second in range(5)
    ]
    assert len({fault.place for fault in shown}) == 1 and shown[0].place.startswith("test_board_slots.py:")
    assert [bool(record.exc_info) for record in caplog.records] == [True, False], "where it is, and what; each once"


def test_a_mistake_at_another_place_of_the_file_is_told_as_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    board, tries = DefectiveBoard("bad", ""), iter(range(100))

    def fails() -> None:
        if next(tries) < 2:
            raise KeyError("slot 17")
        raise KeyError("slot 17")

    monkeypatch.setattr(board, "open", fails)
    with epoll() as watcher:
        slots = BoardSlots([board], watcher, lambda slot: None, lambda slot, fault: None)
        for second in range(4):
            slots.open_due(second * REOPEN_US)

    assert sum(bool(record.exc_info) for record in caplog.records) == 2


def test_a_board_that_a_mistake_ends_at_once_each_time_is_opened_less_and_less_often() -> None:
    """All its channels come and go each time: every second that would be sixty events of an E1."""
    board, opened = DefectiveBoard("bad", "receive"), []
    with epoll() as watcher:
        slots = BoardSlots([board], watcher, lambda slot: opened.append(now_us), lambda slot, fault: None)

        def live(seconds: range) -> None:
            nonlocal now_us
            for second in seconds:
                now_us = second * REOPEN_US
                slots.open_due(now_us)
                slots.receive(slots.slots[0], now_us)

        now_us = 0
        live(range(300))
        assert [moment // REOPEN_US for moment in opened] == [0, 2, 6, 14, 30, 62, 126, 190, 254]

        board.mistakes = ""
        live(range(300, 340))
        board.mistakes = "receive"
        live(range(340, 342))
        assert [moment // REOPEN_US for moment in opened[9:]] == [318, 341], "what has worked for long is back soon"
        slots.close()


def test_a_board_that_gives_blocks_of_other_channels_than_it_has_is_out_of_service() -> None:
    told: list[str] = []
    with epoll() as watcher:
        board = DefectiveBoard("bad", "channels")
        slots = BoardSlots([board], watcher, lambda slot: None, lambda slot, fault: told.append(fault.what))
        slots.open_due(0)

        assert slots.receive(slots.slots[0], 1) == ([], [])

    assert told == ["a mistake in the board's own file (ValueError: a block of uint8 (2, 80))"]


@pytest.mark.parametrize("mistake", ["open", "descriptor", "fileno"])
def test_a_board_that_does_not_open_or_cannot_be_waited_for_is_closed_again(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, closed, told = DefectiveBoard("bad", mistake), [], []
    monkeypatch.setattr(board, "close", lambda: closed.append(True))
    with epoll() as watcher:
        slots = BoardSlots([board], watcher, lambda slot: None, lambda slot, fault: told.append(fault.code))
        slots.open_due(0)

    assert (closed, told) == ([True], ["board_defect"])


def test_a_board_that_is_not_there_keeps_what_its_next_try_goes_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    board, closed = DefectiveBoard("bad", ""), []

    def absent() -> None:
        raise BoardError(fault("simulator_absent"), "bad")

    monkeypatch.setattr(board, "open", absent)
    monkeypatch.setattr(board, "close", lambda: closed.append(True))
    with epoll() as watcher:
        BoardSlots([board], watcher, lambda slot: None, lambda slot, found: None).open_due(0)

    assert not closed


def test_a_board_file_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path, tmp_path)

    def broken(entry: BoardEntry, paths: BoxPaths) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr("boards.sim.open_board", broken)

    with pytest.raises(BoardError, match=r"boards/sim\.py cannot be used \(no such thing\)"):
        make_board(BoardEntry(board="sim", kind="sim"), paths)
