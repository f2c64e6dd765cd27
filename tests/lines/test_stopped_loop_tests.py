"""A loop test that is stopped before its time: the channels are back at once, and nobody else's test is touched."""

from __future__ import annotations

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, BoardCounters
from boards.signals import Bits, Blocked, LoopWay
from firmware.lines.loop_messages import BeginLoopTest, StopLoopTest
from tests.lines.test_loop_tests import CLEAN, R2, LoopBench, judged, refused_not


def stop(bench: LoopBench, board: str = "isdn") -> None:
    bench.gateway.handle_command(StopLoopTest(board), bench.clock.now())
    bench.serve()
    bench.serve()  # what the end of the test gave the boards to say


@pytest.mark.parametrize("way", LoopWay)
@pytest.mark.parametrize("after", [0, 1.0, 5.0])
def test_the_loop_is_opened_and_the_channels_are_back_at_once(way: LoopWay, after: float) -> None:
    bench = LoopBench()
    bench.begin(way=way, seconds=600)
    bench.run(after)
    assert bench.states() == {"blocked"}
    stop(bench)

    assert (bench.outcome.reason, bench.outcome.channels) == ("stopped", ())
    assert bench.orders[-1].what == "end" and bench.states() == {"idle"}
    assert bench.said("isdn", Blocked)[30:] == [Blocked(channel, False) for channel in range(30)]
    assert bench.gateway.next_deadline() is None
    assert refused_not(bench)


def test_nothing_of_the_loop_goes_back_to_the_exchange_any_more() -> None:
    bench = LoopBench()
    bench.begin(way=LoopWay.TOWARD_EXCHANGE, seconds=600)
    bench.run(1)
    said = np.random.default_rng(1).integers(0, 256, (30, 80), dtype=np.uint8)
    bench.line = lambda block: said
    assert np.array_equal(bench.tick()["isdn"], said)
    stop(bench)

    assert (bench.tick()["isdn"] == ALAW_SILENCE).all()


def test_a_stop_before_the_board_has_begun_ends_it_in_order() -> None:
    bench = LoopBench()
    begin = BeginLoopTest(request="1", board="isdn", way=LoopWay.LOCAL, seconds=600)
    bench.gateway.handle_command(begin, bench.clock.now())
    stop(bench)

    assert [order.what for order in bench.orders] == ["begin", "end"]
    assert bench.outcome.reason == "stopped" and bench.states() == {"idle"}


def test_a_stop_where_none_runs_does_nothing() -> None:
    bench = LoopBench()
    for board in ("isdn", "nowhere", "phones"):
        stop(bench, board)
    assert bench.outcomes == [] and bench.orders == []

    bench.begin(seconds=1)
    stop(bench, "r2")
    stop(bench, "nowhere")
    bench.run(3.5)
    assert bench.outcome.reason == "" and judged(bench.outcome.channels) == CLEAN


def test_a_stop_that_comes_as_it_ends_leaves_what_was_found() -> None:
    bench = LoopBench()
    bench.begin(seconds=1)
    tests, board = bench.gateway.loop_tests, "isdn"
    back = np.full((30, 80), ALAW_SILENCE, np.uint8)
    for _ in range(301):
        answer = tests.exchange(board, back)
        assert answer is not None
        back = answer
        for order in tests.take_orders():
            if order.what == "count":
                tests.counted(board, bench.counters)
    stop(bench)
    assert bench.outcomes == []
    tests.ended(board, BoardCounters(), bench.clock.now())

    assert bench.outcome.reason == "" and judged(bench.outcome.channels) == CLEAN


def test_a_seizure_that_stands_when_it_is_stopped_counts_then() -> None:
    bench = LoopBench()
    bench.begin("r2", seconds=600)
    bench.run(0.5)
    bench.gateway.handle_signal("r2", Bits(2, 0b0001), bench.clock.now())
    stop(bench, "r2")
    bench.run(0.2)  # until the change of bits is recognised

    assert bench.gateway.lines[R2 + 2].display_state() == "seized"
