"""What the E1 board does on the real driver beside the contract (guest_contract.py). Its far end is the other span."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from boards.base import Board, BoardError
from boards.dahdi_e1 import open_board
from boards.pri_link import ALARM
from boards.signals import Alarm, Bits, Connect, Release, Setup
from drivers.dahdi_numbers import Signalling
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from tests.vm.inside.far_line import BoardEnd, FarLine, channels_that_heard, random_blocks, run
from tests.vm.inside.scripted_worker import ScriptedWorker
from tests.vm.inside.spans import BEARERS, DynamicSpan

Pair = tuple[DynamicSpan, DynamicSpan]


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    return paths


def e1(paths: BoxPaths, span: int, signalling: str = "pri", **more: object) -> Board:
    settings = {"span": span, "signalling": signalling, **more}
    entry = msgspec.convert({"board": "e1", "kind": "dahdi_e1", "e1": settings}, BoardEntry)
    return open_board(entry, paths)


def worker_alarm(raised: bool) -> Alarm:
    return Alarm(ALARM, raised, tuple(range(30)))


@contextmanager
def opened(board: Board, *far: FarLine) -> Iterator[BoardEnd]:
    board.open()
    end = BoardEnd(board)
    try:
        run([end, *far], 0.3)
        yield end
    finally:
        board.close()
        for line in far:
            line.close()


@pytest.mark.parametrize("signalling", ["pri", "cas"])
def test_every_sample_of_thirty_channels_passes_both_ways_unchanged(
    pair: Pair, paths: BoxPaths, signalling: str
) -> None:
    far = FarLine(pair[1], Signalling.CLEAR if signalling == "pri" else Signalling.CAS)
    board = e1(paths, pair[0].number, signalling)
    inward, outward = random_blocks(1, 100), random_blocks(2, 100)
    with opened(board, far) as end:
        far.to_play, end.to_play = list(inward), list(outward)
        run([end, far], 1.5)
        counters = board.counters

        assert channels_that_heard(inward, end.heard) == 30
        assert channels_that_heard(outward, far.heard) == 30
        assert (counters.lost_inward, counters.lost_outward, counters.slips) == (0, 0, 0)
        assert abs(counters.blocks_received - counters.blocks_sent) <= 1


def test_channels_are_in_step_and_blocks_come_at_the_line_s_pace(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    mark = np.full((30, 80), 0x2A, np.uint8)
    with opened(board, far) as end:
        for _ in range(5):  # the guest may have waited for its disk in one
            start = len(end.heard)
            far.to_play = [mark]
            run([end, far], 1.0)
            came = len(end.heard) - start
            if 99 <= came <= 101:
                break
        rows = np.concatenate(end.heard[start:], axis=1)
        firsts = (rows == 0x2A).argmax(axis=1)

    assert 99 <= came <= 101
    print(f"{came} blocks in 1 s; channels start within {np.ptp(firsts)} samples")
    assert np.ptp(firsts) <= 8  # one chunk of the driver


def test_a_stall_loses_nothing_that_the_driver_can_hold(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    with opened(board, far) as end:
        before = len(end.heard)
        sent = random_blocks(3, 40)
        far.to_play = list(sent)
        run([far], 0.2)
        run([end, far], 0.5)

        assert board.counters.lost_inward == 0
        assert channels_that_heard(sent, end.heard[before:]) == 30


def test_after_a_hole_outward_the_line_is_fed_in_time_again(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    with opened(board, far) as end:
        run([far], 0.1)
        run([end, far], 1.0)
        holes = board.counters.extra["line_underruns"]
        outward = random_blocks(4, 60)
        end.to_play = list(outward)
        run([end, far], 2.0)

        assert holes >= 1
        assert board.counters.extra["line_underruns"] == holes
        assert channels_that_heard(outward, far.heard) == 30


def test_a_stall_that_loses_blocks_leaves_no_delay_behind(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    with opened(board, far) as end:
        run([far], 0.6)
        run([end, far], 11.0)  # a block of what the stall has put in front of the line is given back in five seconds
        far.heard.clear()
        end.to_play = [np.full((30, 80), 0x2A, np.uint8)]
        run([end, far], 0.3)
        delay = int((np.concatenate([block[0] for block in far.heard]) == 0x2A).argmax())

        assert board.counters.lost_inward >= 20
        print(f"{delay} samples from the board to what the far end hears")
        assert 160 <= delay <= 400  # the cushion of two blocks, the block that the far end gathers, and how they lie


def test_an_alarm_is_told_within_three_seconds_and_taken_back_within_three(pair: Pair, paths: BoxPaths) -> None:
    near, far_span = pair
    far = FarLine(far_span)
    board = e1(paths, near.number, "cas")
    board.open()
    end = BoardEnd(board)
    run([end, far], 0.5)
    assert Alarm("RED", True) not in end.signals
    far.close()
    far_span.destroy()

    started = time.monotonic()
    assert run([end], 3, lambda: Alarm("RED", True) in end.signals)
    raised = time.monotonic() - started
    far_span = far_span.create_again()
    far = FarLine(far_span, Signalling.CAS)
    started = time.monotonic()
    assert run([end, far], 3, lambda: Alarm("RED", False) in end.signals)

    print(f"raised after {raised:.2f} s, cleared after {time.monotonic() - started:.2f} s")
    board.close()
    far.close()
    far_span.destroy()


def test_a_card_that_is_pulled_is_an_error_and_works_again_by_itself_when_it_is_back(
    pair: Pair, paths: BoxPaths
) -> None:
    near, far_span = pair
    far = FarLine(far_span)
    board = e1(paths, near.number)
    board.open()
    end = BoardEnd(board)
    run([end, far], 0.3)

    device = near.pull()
    with pytest.raises(BoardError) as pulled:
        run([end, far], 1.0)
    with pytest.raises(BoardError) as absent:
        board.open()
    near.put_back(device)
    board.open()
    sent = random_blocks(5, 30)
    end = BoardEnd(board)
    run([end, far], 0.3)
    far.to_play = list(sent)
    run([end, far], 1.0)

    assert "E1-" in pulled.value.where or "span" in pulled.value.where
    assert absent.value.remedy
    assert channels_that_heard(sent, end.heard) == 30
    board.close()
    far.close()


def test_a_span_that_is_not_there_costs_nothing_however_often_it_is_looked_for(pair: Pair, paths: BoxPaths) -> None:
    """The gateway looks every second and collects no garbage."""
    board = e1(paths, 99)

    def look() -> None:
        try:
            board.open()
        except BoardError:
            board.close()

    look()
    gc.collect()
    gc.disable()
    for _ in range(20):
        look()
    left = gc.collect()
    gc.enable()

    assert left == 0


# ---- line bits -------------------------------------------------------------------------------------------------------


def test_line_bits_are_told_once_each_and_sent(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1], Signalling.CAS)
    board = e1(paths, pair[0].number, "cas")
    for channel in far.channels:
        channel.send_bits(0b1001)

    def told() -> set[int]:
        return {signal.channel for signal in end.signals if isinstance(signal, Bits)}

    with opened(board, far) as end:
        assert run([end, far], 2, lambda: told() == set(range(30))), told()
        assert [signal for signal in end.signals if signal == Bits(3, 0b1001)]
        end.signals.clear()
        far.channels[4].send_bits(0b0001)
        far.channels[5].send_bits(0b1101)
        run([end, far], 2, lambda: len(told()) == 2)
        run([end, far], 0.1)
        assert sorted(end.signals, key=str) == [Bits(4, 0b0001), Bits(5, 0b1101)]

        board.send_signal(Bits(29, 0b0101))
        assert run([end, far], 2, lambda: far.channels[29].receive_bits() == 0b0101)
        assert far.channels[28].receive_bits() != 0b0101


# ---- the signalling process ------------------------------------------------------------------------------------------


def test_without_its_signalling_process_the_span_is_in_alarm_and_with_it_signals_go_both_ways(
    pair: Pair, paths: BoxPaths
) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    with opened(board, far) as end:
        assert worker_alarm(True) in end.signals
        worker = ScriptedWorker(board.channels, paths.pri_socket(pair[0].number))
        assert run([end, far], 3, lambda: worker.accept() and worker_alarm(False) in end.signals)

        worker.say(Setup(2, "12345", "13800138000"), Release(2))
        assert run([end, far], 2, lambda: end.signals[-2:] == [Setup(2, "12345", "13800138000"), Release(2)])
        board.send_signal(Connect(2))
        worker.look()
        assert worker.signals == [Connect(2)]

        worker.hang_up()
        assert run([end, far], 2, lambda: end.signals[-1] == worker_alarm(True))
        assert run([end, far], 3, lambda: worker.accept() and end.signals[-1] == worker_alarm(False))
        worker.close()


def test_nonsense_from_the_signalling_process_ends_the_link_and_not_the_audio(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number)
    worker = ScriptedWorker(board.channels, paths.pri_socket(pair[0].number))
    with opened(board, far) as end:
        assert run([end, far], 3, worker.accept)
        worker.raw(b'{"type":"setup","channel":99,"called":"1"}')
        assert run([end, far], 2, lambda: end.signals[-1] == worker_alarm(True))
        assert len(BEARERS) == 30
        before = len(end.heard)
        run([end, far], 0.2)
        assert len(end.heard) > before
        worker.close()


# ---- the driver's echo canceller -------------------------------------------------------------------------------------


def test_the_drivers_own_echo_canceller_runs_when_it_is_asked_for(pair: Pair, paths: BoxPaths) -> None:
    far = FarLine(pair[1])
    board = e1(paths, pair[0].number, echo_canceller="mg2")
    sent = random_blocks(6, 50)
    with opened(board, far) as end:
        far.to_play = list(sent)
        run([end, far], 1.0)

        assert end.heard
        assert channels_that_heard(sent, end.heard) == 0, "a canceller that runs alters samples"


def test_a_canceller_that_the_driver_has_not_is_said(pair: Pair, paths: BoxPaths) -> None:
    board = e1(paths, pair[0].number, echo_canceller="none")
    with pytest.raises(BoardError, match="none"):
        board.open()
    board.close()
