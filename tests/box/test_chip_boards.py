"""Boards on a bus in the gateway's slots: one that fails is closed with its reason, the others go on, it comes back.

In process and in virtual time; the chips are simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from select import epoll

import pytest

from boards.base import BoardError
from boards.signals import HookChange
from drivers.simulated.register_chip import Fault
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.box.gateway.boards import BoardSlot, BoardSlots, make_board
from firmware.core.faults import Fault as BoardFault
from firmware.core.line_schemas import AnalogueLines, BoardEntry, FramerSpan, LinePort
from firmware.core.paths import BoxPaths
from tests.boards.chip_board import ChipBench


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    return BoxPaths(tmp_path / "data", tmp_path / "run")


class Slots:
    """Two cards in the gateway's slots; `course` is what the gateway was told."""

    def __init__(self) -> None:
        self.benches = {"first": ChipBench("si3210", "si3050"), "second": ChipBench("si3210", "si3210")}
        for name, bench in self.benches.items():
            bench.board.name = name
        self.course: list[tuple[str, str]] = []
        self.watcher = epoll()
        self.now_us = 0
        boards = [bench.board for bench in self.benches.values()]
        self.slots = BoardSlots(boards, self.watcher, self._opened, self._failed)
        self.by_name = {slot.name: slot for slot in self.slots.slots}

    def _opened(self, slot: BoardSlot) -> None:
        self.course.append((slot.name, "opened"))

    def _failed(self, slot: BoardSlot, fault: BoardFault) -> None:
        self.course.append((slot.name, fault.what))

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 100)):
            self.now_us += 10_000
            if self.now_us % 1_000_000 == 0:
                self.slots.close_silent(self.now_us)
                self.slots.open_due(self.now_us)
            for name, bench in self.benches.items():
                if self.by_name[name].is_open:
                    bench.far.block()
                    bench.told += self.slots.receive(self.by_name[name], self.now_us)[1]

    def close(self) -> None:
        self.slots.close()
        self.watcher.close()


@pytest.fixture
def gateway() -> Iterator[Slots]:
    slots = Slots()
    slots.run(3)
    assert slots.course == [("first", "opened"), ("second", "opened")]
    slots.course.clear()
    for bench in slots.benches.values():
        bench.forget()
    yield slots
    slots.close()


def test_a_pulled_card_is_shown_with_its_reason_and_returns_when_it_is_put_back(gateway: Slots) -> None:
    pulled, other = gateway.benches["first"], gateway.benches["second"]
    pulled.far.hang_up()
    gateway.run(3)
    ((name, reason), *_) = gateway.course
    assert name == "first"
    assert "TDM stream failed" in reason
    shown = gateway.by_name["first"].fault
    assert shown is not None and shown.remedy

    phone = other.chips[0]
    assert isinstance(phone, SimulatedSi3210)
    phone.lift()
    gateway.run(0.1)
    assert other.take() == [HookChange(0, True)]

    gateway.course.clear()
    pulled.plug()
    gateway.run(3)
    assert gateway.course == [("first", "opened")]
    assert pulled.raised() == {}


def test_a_board_whose_chips_all_fail_is_disabled_and_the_other_goes_on(gateway: Slots) -> None:
    failing, other = gateway.benches["first"], gateway.benches["second"]
    for chip in failing.chips:
        chip.fault = Fault.STUCK_HIGH
    gateway.run(2)
    assert [name for name, _ in gateway.course] == ["first"]
    assert "stays high" in gateway.course[0][1]
    received = other.board.counters.blocks_received
    gateway.run(1)
    assert other.board.counters.blocks_received == received + 100

    gateway.course.clear()
    for chip in failing.chips:
        chip.reset()
        chip.fault = Fault.NONE
    gateway.run(3)
    assert gateway.course == [("first", "opened")]


@pytest.mark.parametrize(
    "entry",
    [
        BoardEntry(
            board="lines",
            kind="spi_analogue",
            analogue=AnalogueLines(ports=(LinePort(chip="si3210", spi="/dev/spidev9.9", slot=0),)),
        ),
        BoardEntry(board="span", kind="framer_e1", framer=FramerSpan(spi="/dev/spidev9.9")),
    ],
)
def test_a_configured_board_that_is_not_there_says_where_and_what_to_do(entry: BoardEntry, paths: BoxPaths) -> None:
    slots = BoardSlots([make_board(entry, paths)], epoll(), lambda slot: None, lambda slot, fault: None)
    slots.open_due(1_000_000)

    shown = slots.slots[0].fault
    assert shown is not None and shown.what and shown.remedy and shown.place
    slots._watcher.close()


@pytest.mark.parametrize(
    ("kind", "meant"),
    [("dahdi_e2", "Did you mean dahdi_e1? "), ("spi_analog", "Did you mean spi_analogue? "), ("x", "")],
)
def test_a_kind_that_is_not_there_is_said_with_all_that_are_and_the_nearest(
    paths: BoxPaths, kind: str, meant: str
) -> None:
    with pytest.raises(BoardError) as error:
        make_board(BoardEntry(board="lines", kind=kind), paths)

    assert error.value.where == "board lines (boards.json)"
    every = "dahdi_analogue, dahdi_e1, framer_e1, sim, sip, spi_analogue"
    assert error.value.remedy == f"{meant}Kinds: {every}"


def test_a_file_of_boards_that_is_no_board_is_no_kind(paths: BoxPaths) -> None:
    with pytest.raises(BoardError, match="there is no kind of board signals"):
        make_board(BoardEntry(board="lines", kind="signals"), paths)


def test_slips_and_line_errors_of_a_board_and_of_its_buffer_are_counted_together() -> None:
    bench = ChipBench("si3210")
    slot = BoardSlot(bench.board)
    bench.board.counters.slips, bench.board.counters.crc_errors = 2, 5
    slot.elastic.dropped = 1

    counted = slot.counters({})

    assert (counted.slips, counted.crc_errors, counted.lost_inward) == (3, 5, 0)


def test_a_simulated_card_runs_by_its_own_clock(paths: BoxPaths) -> None:
    lines = AnalogueLines(ports=(LinePort(chip="si3210", spi="/dev/spidev0.0", slot=0),), hardware="simulated")
    board = make_board(BoardEntry(board="lines", kind="spi_analogue", analogue=lines), paths)
    board.open()
    watcher = epoll()
    watcher.register(board.fileno())
    blocks = 0
    while blocks < 5:
        assert watcher.poll(2.0)
        blocks += len(board.receive()[0])

    board.close()
    watcher.close()
