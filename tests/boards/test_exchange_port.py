"""What an exchange port takes for no signal, and how its chip is set for speech and caller identity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from boards.signals import DialPulses, Loop, Polarity, RingDetected
from drivers.simulated.register_chip import Fault
from drivers.simulated.si3050 import SimulatedSi3050
from tests.boards.chip_board import ChipBench


@pytest.fixture
def bench() -> Iterator[ChipBench]:
    """Two phones and an exchange line, not yet open."""
    bench = ChipBench("si3210", "si3210", "si3050")
    yield bench
    bench.board.close()


def line(bench: ChipBench) -> SimulatedSi3050:
    return cast(SimulatedSi3050, bench.chips[2])


def test_ring_bits_of_a_line_that_is_taken_are_no_ring_unless_it_rang_just_before(bench: ChipBench) -> None:
    bench.started()
    line(bench).restless = True
    bench.board.send_signal(Loop(2, True))
    bench.run(300)
    bench.board.send_signal(DialPulses(2, "3"))
    bench.run(1500)
    assert not [one for one in bench.take() if isinstance(one, RingDetected)]

    bench.board.send_signal(Loop(2, False))
    bench.run(300)
    line(bench).ring(True)
    bench.run(20)
    bench.board.send_signal(Loop(2, True))
    bench.run(100)
    assert [one for one in bench.take() if isinstance(one, RingDetected)] == [RingDetected(2, True)]


def test_wires_that_swing_for_a_moment_have_not_changed_polarity(bench: ChipBench) -> None:
    bench.started()
    for lasts in (10, 20, 30):
        line(bench).reverse()
        bench.run(lasts)
        line(bench).reverse()
        bench.run(100)

    assert bench.take() == []


@pytest.mark.parametrize("turned_back", [True, False])
def test_how_the_wires_are_after_the_chip_failed_is_told_if_it_is_not_as_before(
    bench: ChipBench, turned_back: bool
) -> None:
    """Else the next answer, which polarity tells, would be none, and the hang-up after it would be the answer."""
    bench.started()
    line(bench).reverse()
    bench.run(100)
    assert bench.take() == [Polarity(2, True)]

    line(bench).fault = Fault.GONE
    bench.run(300)
    line(bench).reset()
    line(bench).fault = Fault.NONE
    if turned_back:
        line(bench).reverse()
    bench.run(4000)

    told = [signal for signal in bench.take() if isinstance(signal, Polarity)]
    assert told == ([Polarity(2, False)] if turned_back else [])


def test_a_feed_that_the_exchange_takes_away_for_a_second_is_no_cut_line(bench: ChipBench) -> None:
    bench.started()
    line(bench).cut_line()
    bench.run(1200)
    line(bench).cut_line(False)
    bench.run(500)

    assert bench.take() == []


def test_phones_and_lines_speak_a_law_and_a_line_on_hook_is_listened_to(bench: ChipBench) -> None:
    """Caller identity comes while the loop is open."""
    bench.started()
    assert [chip.get_field("pcm_mode", "law") for chip in bench.chips] == [0, 0, 0]
    assert [chip.get_field("pcm_mode", "enable") for chip in bench.chips] == [1, 1, 1]
    assert line(bench).get_field("daa_control_1", "on_hook_monitor") == 1

    bench.board.send_signal(Loop(2, True))
    bench.run(100)
    assert line(bench).get_field("daa_control_1", "on_hook_monitor") == 0
    bench.board.send_signal(Loop(2, False))
    bench.run(100)
    assert line(bench).get_field("daa_control_1", "on_hook_monitor") == 1
