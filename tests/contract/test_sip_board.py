"""The SIP worker's board keeps the contract."""

from __future__ import annotations

from pathlib import Path

from boards.base import Board
from boards.sip import open_board
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from tests.contract.suite import BoardContract


class TestSipBoard(BoardContract):
    has_clock = False
    channels = 30

    def make_board(self, paths: BoxPaths) -> Board:
        return open_board(BoardEntry(board="sip", kind="sip"), paths)

    def far_path(self, paths: BoxPaths) -> Path:
        return paths.sip_socket

    def test_its_channels_are_thirty_lines(self, board: Board) -> None:
        assert [place.label for place in board.channels] == [f"SIP-{line}" for line in range(1, 31)]
        assert self.extensions(board) == []
