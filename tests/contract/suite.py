"""What a board whose far end is a process owes the gateway, as tests. Its own file subclasses `BoardContract`.

The board under test is opened against a far end that the test plays. What boards of hardware owe too stands in
`every_board.py`.
"""

from __future__ import annotations

import gc
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards.base import BLOCK, Board, BoardError, NotSupported
from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    Digit,
    Flash,
    FromBoard,
    HookChange,
    Proceeding,
    Release,
    Ring,
    Setup,
    ToBoard,
)
from firmware.core.paths import BoxPaths
from tests.contract.every_board import EveryBoard, receive_all
from tests.contract.far_end import FarEnd, hello_of


def cannot_apply(reason: str) -> Any:
    """In the place of a test that a kind of board cannot have: it is reported as skipped, with the reason."""

    def skipped(self: object) -> None:
        pytest.skip(reason)

    return skipped


class BoardContract(EveryBoard):
    """Subclasses give `board` and `far`, not yet connected, and say which channels are which."""

    def far_path(self, paths: BoxPaths) -> Path:
        raise NotImplementedError

    @pytest.fixture
    def far(self, board: Board, paths: BoxPaths) -> Iterator[FarEnd]:
        """The far end, listening."""
        far = FarEnd(self.far_path(paths), hello_of(board.channels, board.has_clock))
        yield far
        far.close()

    @pytest.fixture
    def opened(self, board: Board, far: FarEnd) -> Board:
        with pytest.raises(BoardError):
            board.open()  # the far end has not greeted yet
        far.accept()
        board.open()
        return board

    # ---- before it is open -------------------------------------------------------------------------------------------

    def test_a_far_end_that_hangs_delays_the_gateway_once_and_for_a_moment_only(
        self, board: Board, far: FarEnd, paths: BoxPaths
    ) -> None:
        took = []
        for one in (board, *(self.make_board(paths) for _ in range(4))):
            took.append([self._delay(one) for _ in range(3)])
            one.close()
        first, *later = (np.min(delays, axis=0) for delays in zip(*took, strict=True))  # the machine itself may stall
        assert first[0] < 0.3
        assert max(seconds for seconds, _ in later) < 0.11
        assert max(processor for _, processor in (first, *later)) < 0.01

    def _delay(self, board: Board) -> tuple[float, float]:
        """Seconds for which an attempt that fails keeps the gateway, and those that it costs the processor: hardly
        any."""
        start = time.monotonic(), time.thread_time()
        with pytest.raises(BoardError, match="not greeted"):
            board.open()
        return time.monotonic() - start[0], time.thread_time() - start[1]

    # ---- blocks ------------------------------------------------------------------------------------------------------

    def test_blocks_come_in_whole_and_in_order(self, opened: Board, far: FarEnd) -> None:
        sent = [np.random.default_rng(n).integers(0, 256, (self.channels, BLOCK), dtype=np.uint8) for n in range(3)]
        for block in sent:
            far.block(block)

        received, _ = receive_all(opened)

        assert [block.shape for block in received] == [(self.channels, BLOCK)] * 3
        assert np.array_equal(np.stack(received), np.stack(sent))
        assert opened.counters.blocks_received == 3
        assert opened.counters.lost_inward == 0

    def test_it_is_readable_when_there_is_something_and_quiet_when_not(self, opened: Board, far: FarEnd) -> None:
        assert select.select([opened.fileno()], [], [], 0)[0] == []
        assert opened.receive() == ([], [])
        far.block()
        assert select.select([opened.fileno()], [], [], 1)[0] == [opened.fileno()]

    def test_blocks_go_out_whole_and_numbered(self, opened: Board, far: FarEnd) -> None:
        block = np.random.default_rng(1).integers(0, 256, (self.channels, BLOCK), dtype=np.uint8)
        for _ in range(3):
            opened.send_block(block)

        far.look()

        assert [packet.number for packet in far.blocks] == [0, 1, 2]
        assert np.array_equal(far.blocks[2].samples, block)
        assert opened.counters.blocks_sent == 3

    def test_a_gap_in_what_comes_is_counted(self, opened: Board, far: FarEnd) -> None:
        far.block()
        far.block(number=5)

        assert len(receive_all(opened)[0]) == 2
        assert opened.counters.lost_inward == 4

    def test_after_a_stall_everything_that_waits_comes_in_the_order_of_time(self, opened: Board, far: FarEnd) -> None:
        first, last = self.trunks(opened)[0], self.trunks(opened)[-1]
        for number in range(20):
            far.block(number)
            if number == 4:
                far.signal(Setup(first, "12345"), Setup(last, "12345"))
            if number == 15:
                far.signal(Release(first))

        course: list[object] = []
        while (got := opened.receive()) != ([], []):
            course += [int(block[0, 0]) for block in got[0]]
            course += [(type(signal).__name__, signal.channel) for signal in got[1]]

        assert course == [
            *range(5),
            ("Setup", first),
            ("Setup", last),
            *range(5, 16),
            ("Release", first),
            *range(16, 20),
        ]

    def test_a_far_end_that_does_not_read_costs_blocks_and_not_the_gateway(self, opened: Board, far: FarEnd) -> None:
        block = np.zeros((self.channels, BLOCK), np.uint8)
        while not opened.counters.lost_outward:
            opened.send_block(block)
        sent = opened.counters.blocks_sent
        far.look()
        opened.send_block(block)
        far.look()

        assert far.blocks[-1].number == sent + 1  # the far end sees the gap
        assert len(far.blocks) == sent + 1

    def test_blocks_that_the_gateway_drops_leave_a_gap_for_the_far_end_to_see(self, opened: Board, far: FarEnd) -> None:
        block = np.zeros((self.channels, BLOCK), np.uint8)
        opened.send_block(block)
        opened.counters.lost_outward += 7
        opened.send_block(block)
        far.look()

        assert [packet.number for packet in far.blocks] == [0, 8]

    # ---- signals -----------------------------------------------------------------------------------------------------

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: FarEnd) -> None:
        said: list[FromBoard] = [Alarm("LOS", True), Alarm("LOS", False, (0, 1))]
        for channel in self.trunks(opened)[:2]:
            said += [
                Setup(channel, "12345", "13800138000", "张三", "restricted", "events"),
                Digit(channel, "5", 90),
                Blocked(channel, True),
                Release(channel, Cause.BUSY),
            ]
        for channel in self.extensions(opened)[:2]:
            said += [HookChange(channel, True), Flash(channel), Digit(channel, "3", 50)]
        far.signal(*said)

        assert receive_all(opened) == ([], said)

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: FarEnd) -> None:
        said: list[ToBoard] = []
        for channel in self.trunks(opened)[:2]:
            said += [Proceeding(channel), Alerting(channel), Connect(channel), Release(channel), Blocked(channel, True)]
        for channel in self.extensions(opened)[:2]:
            said += [Ring(channel, True), Ring(channel, False)]
        for signal in said:
            opened.send_signal(signal)
        far.look()

        assert far.signals == said

    def test_a_signal_that_the_channel_cannot_do_is_refused_and_the_board_goes_on(
        self, opened: Board, far: FarEnd
    ) -> None:
        refused: list[ToBoard] = [Ring(channel, True) for channel in self.trunks(opened)[:1]]
        refused += [Connect(channel) for channel in self.extensions(opened)[:1]]
        for signal in refused:
            with pytest.raises(NotSupported) as error:
                opened.send_signal(signal)
            assert opened.channels[signal.channel].label in error.value.where
        with pytest.raises(BoardError):
            opened.send_signal(Release(self.channels))

        far.block()
        assert len(receive_all(opened)[0]) == 1

    # ---- trouble -----------------------------------------------------------------------------------------------------

    def test_a_far_end_that_dies_is_an_error_after_what_it_still_said(self, opened: Board, far: FarEnd) -> None:
        far.block(1)
        far.hang_up()

        assert len(opened.receive()[0]) == 1
        with pytest.raises(BoardError):
            receive_all(opened)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b'{"type":"nonsense"}',
            b'{"type":"setup","channel":"one","called":"1"}',
            b'{"type":"setup","channel":999,"called":"1"}',
            b'{"type":"release","channel":-1}',
            b'{"type":"ring","channel":0,"on":true}',
            b'{"type":"alarm","alarm":"LOS","raised":true,"channels":[77]}',
        ],
    )
    def test_nonsense_from_the_far_end_is_an_error_that_says_what(
        self, opened: Board, far: FarEnd, body: bytes
    ) -> None:
        far.raw(body)
        with pytest.raises(BoardError) as error:
            opened.receive()
        assert opened.name in str(error.value)

    def test_after_trouble_it_can_be_opened_again_as_new(self, opened: Board, far: FarEnd) -> None:
        far.block(number=100)
        opened.send_block(np.zeros((self.channels, BLOCK), np.uint8))
        far.hang_up()
        with pytest.raises(BoardError):
            receive_all(opened)
            receive_all(opened)
        opened.close()

        with pytest.raises(BoardError):
            opened.open()
        far.accept()
        opened.open()

        far.block(number=500)
        assert len(receive_all(opened)[0]) == 1
        assert opened.counters.lost_inward == 0
        opened.send_block(np.zeros((self.channels, BLOCK), np.uint8))
        far.look()
        assert far.blocks[-1].number == 0

    def test_closing_frees_its_descriptors(self, board: Board, far: FarEnd) -> None:
        gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(BoardError):
                board.open()
            far.accept()
            board.open()
            board.close()
            far.hang_up()

        assert len(os.listdir("/proc/self/fd")) == before
