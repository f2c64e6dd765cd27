"""An E1 span behind a simulated framer: alarms, counters, line bits and trouble.

Alarm and error states are injected into the chip's status registers: not run on hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

from boards.base import BoardError, NotSupported
from boards.framer_e1 import FramerE1Board
from boards.signals import Alarm, Bits, LoopWay
from drivers.cas_slot import CasSlot
from drivers.simulated.ds26521 import SimulatedDs26521
from drivers.simulated.register_chip import Fault
from tests.boards.chip_board import ChipBench


class SpanBench(ChipBench):
    """The far end sends good multiframes unless `cas` is None."""

    cas: CasSlot | None

    def __init__(self, **settings: Any) -> None:
        super().__init__("ds26521", **settings)
        self.cas = CasSlot()
        self.cas.receive(self.cas.block())  # it finds multiframes

    @property
    def chip(self) -> SimulatedDs26521:
        return cast(SimulatedDs26521, self.chips[0])

    def run(self, ms: int) -> None:
        for _ in range(ms // 10):
            frame = np.full((32, 80), 0xD5, np.uint8)
            if self.cas is not None:
                frame[16] = self.cas.block()
            self.far.card.tdm.give(frame)
            self.told += self.board.receive()[1]


@pytest.fixture
def span() -> Iterator[SpanBench]:
    bench = SpanBench()
    bench.started()
    yield bench
    bench.board.close()


def test_the_chip_is_set_up_for_a_chinese_e1(span: SpanBench) -> None:
    assert span.chip.is_running()
    for field in ("hdb3", "crc4", "common_channel"):
        assert span.chip.get_field("receive_control_1", field) == 1
    assert span.chip.get_field("transmit_control_1", "hdb3") == span.chip.get_field("transmit_control_1", "crc4") == 1
    assert span.chip.get_field("global_clock", "reference") == 0  # the network's clock
    assert span.chip.get("transmit_align") == 0x1B
    for way in ("receive", "transmit"):
        assert span.chip.get_field(f"liu_{way}_impedance", "impedance") == 3  # 120 ohm


def test_it_can_give_the_clock_on_coaxial_cable_without_crc4() -> None:
    bench = SpanBench(clock="box", impedance=75, crc4=False)
    bench.started()

    assert bench.chip.get_field("global_clock", "reference") == 10  # the box's own
    for way in ("receive", "transmit"):
        assert bench.chip.get_field(f"liu_{way}_impedance", "impedance") == 0  # 75 ohm
        assert bench.chip.get_field(f"{way}_control_1", "crc4") == 0
        assert bench.chip.get_field(f"{way}_control_1", "hdb3") == 1
    bench.board.close()


def test_the_span_is_out_of_service_until_the_chip_runs() -> None:
    bench = SpanBench()
    bench.board.open()
    bench.run(1000)

    alarms = [one for one in bench.told if isinstance(one, Alarm)]
    assert (alarms[0], alarms[-1]) == (Alarm("starting", True), Alarm("starting", False))
    bench.board.close()


@pytest.mark.parametrize(
    ("state", "alarm", "told_to_far_end"),
    [("los", "LOS", True), ("lof", "LOF", True), ("ais", "AIS", True), ("rai", "RAI", False)],
)
def test_each_alarm_is_raised_and_cleared_within_three_seconds(
    span: SpanBench, state: str, alarm: str, told_to_far_end: bool
) -> None:
    span.chip.raised = {state}
    span.run(500)
    assert span.take() == [Alarm(alarm, True)]
    assert span.chip.sends_remote_alarm() is told_to_far_end

    span.chip.raised = set()
    span.run(1000)
    assert span.take() == [Alarm(alarm, False)]
    assert not span.chip.sends_remote_alarm()


def test_a_disturbance_of_fifty_milliseconds_is_no_alarm(span: SpanBench) -> None:
    span.chip.raised = {"los"}
    span.run(50)
    span.chip.raised = set()
    span.run(1000)

    assert span.take() == []


def test_an_alarm_that_goes_and_comes_again_stays(span: SpanBench) -> None:
    span.chip.raised = {"los"}
    span.run(500)
    assert span.take() == [Alarm("LOS", True)]
    for state in (set(), {"los"}) * 3:
        span.chip.raised = state
        span.run(300)

    assert span.take() == []


def test_a_line_that_is_dead_from_the_start_is_never_shown_as_good() -> None:
    bench = SpanBench()
    bench.chip.raised = {"los"}
    bench.board.open()
    bench.run(2000)

    course = [one for one in bench.told if isinstance(one, Alarm)]
    assert course == [Alarm("starting", True), Alarm("LOS", True), Alarm("starting", False)]
    bench.board.close()


def test_errors_and_slips_are_counted(span: SpanBench) -> None:
    span.chip.add_errors(crc_errors=300, line_code_violations=7, frame_errors=2, far_block_errors=258)
    span.run(1100)
    span.chip.add_errors(crc_errors=1)
    span.chip.slip()
    span.run(1100)

    assert span.board.counters.crc_errors == 301
    assert span.board.counters.slips == 1
    shown = span.board.counters.extra
    assert (shown["bipolar_violations"], shown["frame_errors"], shown["far_block_errors"]) == (7, 2, 258)


def test_line_bits_of_the_far_end_are_told_when_they_change(span: SpanBench) -> None:
    assert span.cas is not None
    span.cas.set(17, 0b0001)
    span.run(20)
    assert span.take() == [Bits(17, 0b0001)]

    span.run(500)
    assert span.take() == []


def test_without_multiframes_the_line_bits_are_an_alarm(span: SpanBench) -> None:
    cas, span.cas = span.cas, None
    span.run(500)
    assert span.take() == [Alarm("LOMF", True)]

    span.cas = cas
    span.run(1000)
    told = span.take()
    assert Alarm("LOMF", False) in told
    assert len([one for one in told if isinstance(one, Bits)]) == 30  # told anew


def test_a_far_end_that_does_not_find_our_multiframes_is_an_alarm(span: SpanBench) -> None:
    assert span.cas is not None
    well, deaf = span.cas, CasSlot()
    span.cas = deaf
    span.run(500)
    assert [one for one in span.take() if isinstance(one, Alarm)] == [Alarm("RAI", True)]

    span.cas = well
    span.run(1000)
    assert [one for one in span.take() if isinstance(one, Alarm)] == [Alarm("RAI", False)]


def loops(span: SpanBench) -> tuple[int, int]:
    """The framer's own, and that of the line interface."""
    chip = span.chip
    return chip.get_field("receive_control_3", "framer_loopback"), chip.get_field("liu_maintenance", "remote_loopback")


@pytest.mark.parametrize(
    ("way", "closed"), [(LoopWay.FAR, (0, 0)), (LoopWay.LOCAL, (1, 0)), (LoopWay.TOWARD_EXCHANGE, (0, 1))]
)
def test_a_loop_is_closed_and_opened_and_the_transmitter_stays_on(
    span: SpanBench, way: LoopWay, closed: tuple[int, int]
) -> None:
    board = cast(FramerE1Board, span.board)
    board.begin_loop(way)
    assert loops(span) == closed
    span.run(500)
    board.end_loop()

    assert loops(span) == (0, 0)
    assert span.chip.get_field("liu_maintenance", "transmit_enable") == 1


def test_a_loop_ends_with_the_board_and_one_that_a_dead_process_left_is_opened(span: SpanBench) -> None:
    board = cast(FramerE1Board, span.board)
    board.begin_loop(LoopWay.LOCAL)
    board.close()
    assert loops(span) == (0, 0)

    span.chip.set_field("receive_control_3", framer_loopback=1)
    span.chip.set_field("liu_maintenance", remote_loopback=1)
    span.started()
    assert loops(span) == (0, 0)


def test_there_is_no_loop_while_the_chip_is_set_up() -> None:
    bench = SpanBench()
    bench.board.open()
    with pytest.raises(NotSupported):
        cast(FramerE1Board, bench.board).begin_loop(LoopWay.LOCAL)
    bench.board.close()


def test_bits_that_would_look_like_an_alignment_word_are_refused(span: SpanBench) -> None:
    with pytest.raises(NotSupported, match="0000 cannot be sent"):
        span.board.send_signal(Bits(0, 0))


@pytest.mark.parametrize(
    ("fault", "what"),
    [(Fault.STUCK_HIGH, "stays high"), (Fault.STUCK_LOW, "stays low"), (Fault.GONE, "SPI bus failed")],
)
def test_a_dead_bus_is_an_error_with_a_remedy_and_the_board_comes_back(
    span: SpanBench, fault: Fault, what: str
) -> None:
    span.chip.fault = fault
    with pytest.raises(BoardError, match=what) as error:
        span.run(500)
    assert "span" in error.value.where
    assert error.value.remedy

    with pytest.raises(BoardError, match=what):
        span.board.open()
    span.chip.fault = Fault.NONE
    span.started()
    assert span.chip.is_running()


def test_a_brown_out_is_found_and_healed_by_opening_again(span: SpanBench) -> None:
    span.chip.reset()
    with pytest.raises(BoardError, match="lost its set-up"):
        span.run(500)

    span.started()
    assert span.chip.is_running()


def test_a_wrong_chip_is_refused(span: SpanBench) -> None:
    span.board.close()
    span.chip.set("identity", 0xB0)  # a DS21458

    with pytest.raises(BoardError, match=r"no DS26521 .identity 0xb0") as error:
        span.board.open()
    assert "boards.json" in error.value.remedy
