"""The Board contract for boards on the real DAHDI driver: a dynamic span, whose peer is the line's far end.

Runs in the test guest only (`scripts/test vm`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.base import Board
from firmware.core.paths import BoxPaths
from tests.contract.stream_contract import StreamBoardContract
from tests.vm.inside.far_line import FarLine, StreamEnd
from tests.vm.inside.spans import DynamicSpan, create


class DriverBoardContract(StreamBoardContract):
    """Subclasses give `driver_board`, `far_line` and what happens on their kind of line."""

    held_seconds = 0.32
    near: DynamicSpan
    pulled: Path

    def driver_board(self, span: int, paths: BoxPaths) -> Board:
        raise NotImplementedError

    def far_line(self, span: DynamicSpan) -> FarLine:
        raise NotImplementedError

    def make_board(self, paths: BoxPaths) -> Board:
        return self.driver_board(1, paths)

    @pytest.fixture
    def line(self, board: Board) -> Iterator[DynamicSpan]:
        """The span at the far end."""
        self.near, other = create(1, 0), create(1, 1)
        assert self.near.number == 1
        yield other
        board.close()
        self.near.destroy()
        other.destroy()

    @pytest.fixture
    def far(self, line: DynamicSpan) -> Iterator[FarLine]:  # type: ignore[override]
        far = self.far_line(line)
        yield far
        far.close()

    def pull(self, far: StreamEnd) -> None:
        self.pulled = self.near.pull()

    def put_back(self, far: StreamEnd) -> None:
        self.near.put_back(self.pulled)
