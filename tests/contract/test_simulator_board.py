"""The simulator's board keeps the contract."""

from __future__ import annotations

from pathlib import Path

from boards.base import Board
from boards.signals import ChannelKind
from boards.sim import open_board
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from tests.contract.suite import BoardContract


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

    def test_its_analogue_trunks_come_after_the_phones(self, paths: BoxPaths) -> None:
        places = open_board(BoardEntry(board="sim", kind="sim", extensions=2, exchange_lines=2), paths).channels

        assert [place.label for place in places[30:]] == ["FXS-1", "FXS-2", "FXO-1", "FXO-2"]
        assert {place.kind for place in places[32:]} == {ChannelKind.EXCHANGE_LINE}
