"""The simulator's board keeps the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boards.base import Board, LoopBoard, NotSupported
from boards.signals import ChannelKind, LoopWay
from boards.sim import open_board
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from tests.contract.far_end import FarEnd
from tests.contract.suite import BoardContract, receive_all


class TestSimulatorBoard(BoardContract):
    has_clock = True
    channels = 38

    def make_board(self, paths: BoxPaths) -> Board:
        return open_board(BoardEntry(board="sim", kind="sim"), paths)

    def far_path(self, paths: BoxPaths) -> Path:
        return paths.simulator_socket

    def test_its_channels_are_one_e1_and_eight_phones(self, board: Board) -> None:
        labels = [place.label for place in board.channels]

        assert (labels[0], labels[14], labels[15], labels[29]) == ("E1-1/1", "E1-1/15", "E1-1/17", "E1-1/31")
        assert labels[30:] == [f"FXS-{port}" for port in range(1, 9)]
        assert (self.trunks(board), self.extensions(board)) == (list(range(30)), list(range(30, 38)))

    def test_its_own_loop_gives_back_what_its_e1_is_sent_and_leaves_the_phones_alone(
        self, opened: Board, far: FarEnd
    ) -> None:
        assert isinstance(opened, LoopBoard)
        said = [np.full((38, 80), 100 + number, np.uint8) for number in range(3)]
        opened.begin_loop(LoopWay.LOCAL)
        for block in said:
            opened.send_block(block)
            far.block(np.full((38, 80), 7, np.uint8))
        blocks, _ = receive_all(opened)
        opened.end_loop()
        far.block(np.full((38, 80), 8, np.uint8))
        (after,), _ = receive_all(opened)

        for block, sent in zip(blocks, said, strict=True):
            assert np.array_equal(block[:30], sent[:30])
            assert (block[30:] == 7).all()
        assert (after == 8).all()
        with pytest.raises(NotSupported):
            opened.begin_loop(LoopWay.TOWARD_EXCHANGE)

    def test_its_analogue_trunks_come_after_the_phones(self, paths: BoxPaths) -> None:
        places = open_board(BoardEntry(board="sim", kind="sim", extensions=2, exchange_lines=2), paths).channels

        assert [place.label for place in places[30:]] == ["FXS-1", "FXS-2", "FXO-1", "FXO-2"]
        assert {place.kind for place in places[32:]} == {ChannelKind.EXCHANGE_LINE}
