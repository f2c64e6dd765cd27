"""A board that does not work is opened every second for as long as it takes. The gateway collects no garbage, so that
what an opening leaves behind in a circle stays for ever: 28 kB each would be 2.4 GB a day.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.base import Board, BoardError
from boards.dahdi_e1 import DahdiE1Board
from boards.sip import open_board as open_sip
from drivers.simulated.register_chip import Fault
from drivers.spi_line_chip import ChipError
from firmware.core.faults import fault as said_by_chip
from firmware.core.line_schemas import BoardEntry, DahdiE1
from firmware.core.paths import BoxPaths
from tests.boards.chip_board import ChipBench

OPENINGS = 50


@pytest.fixture
def no_collection(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """As in the gateway. What is logged would be held by the test's log."""
    caplog.set_level(logging.CRITICAL, "boards")
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_and_close(board: Board, fails: bool) -> None:
    try:
        board.open()
        assert not fails
    except BoardError:
        assert fails
    board.close()


def assert_leaves_nothing(board: Board, fails: bool = True) -> None:
    open_and_close(board, fails)  # what is made once
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(OPENINGS):
        open_and_close(board, fails)
    assert gc.collect() == 0
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("kinds", [("si3210", "si3210", "si3050"), ("ds26521",)], ids=["lines", "framer"])
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.STUCK_HIGH, Fault.GONE])
def test_boards_on_a_bus(kinds: tuple[str, ...], fault: Fault) -> None:
    bench = ChipBench(*kinds)
    for chip in bench.chips:
        chip.fault = fault

    assert_leaves_nothing(bench.board, fails=fault is not Fault.NONE)


@pytest.mark.usefixtures("no_collection")
def test_a_port_that_fails_again_and_again_while_the_others_work() -> None:
    bench = ChipBench("si3210", "si3210")
    bench.started()
    bench.chips[0].fault = Fault.GONE
    bench.run(1500)
    gc.collect()

    bench.run(5000)
    bench.board.close()

    assert gc.collect() == 0


@pytest.mark.usefixtures("no_collection")
def test_a_card_without_its_driver_and_a_process_that_is_not_there(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path, tmp_path)
    assert_leaves_nothing(DahdiE1Board("e1", DahdiE1(span=1), paths))
    assert_leaves_nothing(open_sip(BoardEntry(board="sip", kind="sip"), paths))


def test_what_is_wrong_with_a_port_is_told_once_and_not_at_each_opening(caplog: pytest.LogCaptureFixture) -> None:
    bench = ChipBench("si3210", "si3210")
    for chip in bench.chips:
        chip.fault = Fault.STUCK_HIGH

    for _ in range(5):
        open_and_close(bench.board, fails=True)
    assert len(caplog.messages) == 2
    bench.chips[0].fault = Fault.GONE
    open_and_close(bench.board, fails=True)

    assert len(caplog.messages) == 3, "another trouble is news"


def test_a_port_that_answers_with_other_numbers_each_time_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = ChipBench("si3210")
    bench.started()
    (port,) = bench.board._ports
    caplog.clear()

    for number in range(5):
        wrong = said_by_chip("chip_wrong", chip="si3210", values=f"{number:#x}")
        port.fail(ChipError(wrong, port.where), number * 1000)

    assert len(caplog.messages) == 1
    assert port.problem is not None and "0x4" in port.problem.fault.what, "the newest is shown"
