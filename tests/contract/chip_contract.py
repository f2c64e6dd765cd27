"""The Board contract for boards on a bus. What the general suite says of a far process is said of a card here."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator

import numpy as np
import pytest

from boards.base import BLOCK, Board, BoardError, NotSupported
from boards.signals import ChannelKind, Connect, FromBoard, Release, Ring, ToBoard
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.core.paths import BoxPaths
from tests.contract.chip_far_end import CardSlot, ChipFarEnd
from tests.contract.suite import BoardContract, cannot_apply, receive_all

START_BLOCKS = 200
"""Within two seconds of media time every port works."""


class ChipBoardContract(BoardContract):
    """Subclasses give `make_chip_board`, the chips and their slots; the board is opened against a simulated card."""

    kinds: tuple[str, ...]
    slots: tuple[int, ...]

    @property
    def devices(self) -> list[str]:
        return [f"/dev/spidev0.{number}" for number in range(len(self.kinds))]

    def make_chip_board(self, place: CardSlot) -> Board:
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> CardSlot:
        return CardSlot()

    @pytest.fixture
    def board(self, paths: BoxPaths, place: CardSlot) -> Iterator[Board]:
        board = self.make_chip_board(place)
        yield board
        board.close()

    @pytest.fixture
    def far(self, board: Board, place: CardSlot) -> Iterator[ChipFarEnd]:  # type: ignore[override]
        far = ChipFarEnd(place, self.kinds, self.devices, self.slots)
        yield far
        far.close()

    def start(self, board: Board, far: ChipFarEnd) -> list[FromBoard]:
        """Open the board and let its chips start; gives what it told meanwhile, and counts from 0 again."""
        board.open()
        told: list[FromBoard] = []
        for _ in range(START_BLOCKS):
            far.block()
            told += receive_all(board)[1]
        board.counters.blocks_received = 0
        return told

    @pytest.fixture
    def opened(self, board: Board, far: ChipFarEnd) -> Board:  # type: ignore[override]
        self.start(board, far)
        return board

    # ---- said of a card ----------------------------------------------------------------------------------------------

    def test_a_far_end_that_hangs_delays_the_gateway_once_and_for_a_moment_only(  # type: ignore[override]
        self, board: Board, far: ChipFarEnd
    ) -> None:
        for chip in far.card.chips:
            if isinstance(chip, SimulatedSi3210):
                chip.never_calibrates = True
        before = time.thread_time()
        board.open()
        for _ in range(100):
            far.block()
            receive_all(board)

        assert time.thread_time() - before < 0.5  # and no sleep: media time is the test's

    def test_a_far_end_that_does_not_read_costs_blocks_and_not_the_gateway(  # type: ignore[override]
        self, opened: Board, far: ChipFarEnd
    ) -> None:
        block = np.zeros((self.channels, BLOCK), np.uint8)
        for _ in range(20):
            opened.send_block(block)
        sent = opened.counters.blocks_sent
        assert opened.counters.lost_outward == 20 - sent > 0
        far.look()
        opened.send_block(block)
        far.look()

        assert len(far.blocks) == sent + 1

    test_blocks_that_the_gateway_drops_leave_a_gap_for_the_far_end_to_see = cannot_apply("TDM frames carry no number")
    test_nonsense_from_the_far_end_is_an_error_that_says_what = cannot_apply(
        "what a chip can say wrongly is told as its port's alarm: tests/boards/test_spi_analogue.py, test_framer_e1.py"
    )

    def test_after_a_stall_everything_that_waits_comes_in_the_order_of_time(  # type: ignore[override]
        self, opened: Board, far: ChipFarEnd
    ) -> None:
        """All blocks: chips are asked how the line is now, and keep no past."""
        for number in range(20):
            far.block(number)

        blocks, _ = receive_all(opened)

        assert [int(block[0, 0]) for block in blocks] == list(range(20))

    def test_a_signal_that_the_channel_cannot_do_is_refused_and_the_board_goes_on(  # type: ignore[override]
        self, opened: Board, far: ChipFarEnd
    ) -> None:
        refused: list[ToBoard] = [Ring(channel, True) for channel in self.trunks(opened)[:1]]
        refused += [Connect(channel) for channel in self.extensions(opened)[:1]]
        refused += [Ring(at, True) for at, one in enumerate(opened.channels) if one.kind is ChannelKind.EXCHANGE_LINE]
        for signal in refused:
            with pytest.raises(NotSupported) as error:
                opened.send_signal(signal)
            assert opened.channels[signal.channel].label in error.value.where
        with pytest.raises(BoardError):
            opened.send_signal(Release(self.channels))

        far.block()
        assert len(receive_all(opened)[0]) == 1

    def test_a_far_end_that_dies_is_an_error_after_what_it_still_said(  # type: ignore[override]
        self, opened: Board, far: ChipFarEnd
    ) -> None:
        far.block(1)
        far.hang_up()

        with pytest.raises(BoardError) as error:
            receive_all(opened)
        assert opened.name in error.value.where

    def test_after_trouble_it_can_be_opened_again_as_new(  # type: ignore[override]
        self, opened: Board, far: ChipFarEnd, place: CardSlot
    ) -> None:
        far.block(number=100)
        far.hang_up()
        with pytest.raises(BoardError):
            receive_all(opened)
        opened.close()
        with pytest.raises(BoardError):
            opened.open()

        again = ChipFarEnd(place, self.kinds, self.devices, self.slots)
        self.start(opened, again)

        again.block(7)
        assert int(receive_all(opened)[0][0][0, 0]) == 7
        assert opened.counters.lost_inward == 0
        opened.send_block(np.full((self.channels, BLOCK), 9, np.uint8))
        again.look()
        assert int(again.blocks[-1].samples[0, 0]) == 9

    def test_closing_frees_its_descriptors(self, board: Board, far: ChipFarEnd) -> None:  # type: ignore[override]
        gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            board.open()
            board.close()

        assert len(os.listdir("/proc/self/fd")) == before
        assert all(chip.closed for chip in far.card.chips)
