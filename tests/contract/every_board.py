"""What every board owes the gateway (boards/base.py), of hardware or not, as tests. Subclasses say how to reach one.

`suite.py` has the rest, `chip_contract.py` and `driver_contract.py` say it of boards on a bus and on a real driver.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.base import BLOCK, Block, Board, BoardError
from boards.signals import ChannelKind, FromBoard
from firmware.core.paths import BoxPaths


def receive_all(board: Board) -> tuple[list[Block], list[FromBoard]]:
    """Everything that waits at the board, in two lists."""
    blocks: list[Block] = []
    signals: list[FromBoard] = []
    while True:
        more_blocks, more_signals = board.receive()
        if not more_blocks and not more_signals:
            return blocks, signals
        blocks += more_blocks
        signals += more_signals


class EveryBoard:
    """Subclasses give `make_board`; its far end is not there yet."""

    has_clock: bool
    channels: int

    @pytest.fixture
    def paths(self, tmp_path: Path) -> BoxPaths:
        paths = BoxPaths(tmp_path / "data", tmp_path / "run")
        paths.make()
        return paths

    def make_board(self, paths: BoxPaths) -> Board:
        raise NotImplementedError

    @pytest.fixture
    def board(self, paths: BoxPaths) -> Iterator[Board]:
        board = self.make_board(paths)
        yield board
        board.close()

    def trunks(self, board: Board) -> list[int]:
        return [index for index, place in enumerate(board.channels) if place.kind is ChannelKind.TRUNK]

    def extensions(self, board: Board) -> list[int]:
        return [index for index, place in enumerate(board.channels) if place.kind is ChannelKind.EXTENSION]

    # ---- before it is open -------------------------------------------------------------------------------------------

    def test_its_channels_are_known_before_it_is_opened(self, board: Board) -> None:
        assert len(board.channels) == self.channels
        assert board.has_clock is self.has_clock
        labels = [place.label for place in board.channels]
        assert len(set(labels)) == len(labels)

    def test_a_board_that_is_not_there_says_so_at_once_with_a_remedy(self, board: Board) -> None:
        took = []
        for _ in range(5):
            board.close()  # each time the first attempt, which is the one that might wait
            start = time.monotonic()
            with pytest.raises(BoardError) as error:
                board.open()
            took.append(time.monotonic() - start)

        assert min(took) < 0.2  # the machine itself may stall in one
        assert board.name in error.value.where
        assert error.value.remedy

    def test_nothing_can_be_sent_or_received_before_it_is_open(self, board: Board) -> None:
        with pytest.raises(BoardError):
            board.receive()
        with pytest.raises(BoardError):
            board.send_block(np.zeros((self.channels, BLOCK), np.uint8))
        board.close()
        board.close()
