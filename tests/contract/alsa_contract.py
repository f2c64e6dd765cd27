"""The Board contract for boards on a bus whose samples go through the real ALSA: a loop-back sound card of the kernel.

Chips are simulated (SPI has no stand-in). Runs in the test guest only (`scripts/test vm`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boards.base import Board
from boards.signals import Alarm
from boards.tdm_board import Buses
from drivers.tdm_alsa import INWARD_DEPTH
from firmware.core.paths import BoxPaths
from tests.contract.stream_contract import StreamBoardContract
from tests.contract.suite import cannot_apply
from tests.vm.inside.far_line import BoardEnd, StreamEnd, run
from tests.vm.inside.loop_card import FarSlots, LoopCard


class AlsaBoardContract(StreamBoardContract):
    """Subclasses give `bus_board`, `far_slots` and what happens on their kind of line."""

    held_seconds = (INWARD_DEPTH - 1) * 0.01  # a card that is full has run over
    blocks_at_a_time = 2  # the loop-back card's timer counts ticks of 4 ms, and wakes its readers every 20 ms
    kinds: tuple[str, ...]
    card: LoopCard

    @property
    def devices(self) -> list[str]:
        return [f"/dev/spidev0.{number}" for number in range(len(self.kinds))]

    def bus_board(self, buses: Buses) -> Board:
        raise NotImplementedError

    def far_slots(self) -> FarSlots:
        raise NotImplementedError

    def in_service(self, end: BoardEnd) -> bool:
        """All that the board said was wrong while it started is well again."""
        alarms = [signal for signal in end.signals if isinstance(signal, Alarm)]
        standing = {(one.alarm, one.channels) for one in alarms if one.raised}
        standing -= {(one.alarm, one.channels) for one in alarms if not one.raised}
        return bool(alarms) and not standing

    def make_board(self, paths: BoxPaths) -> Board:
        self.card = LoopCard(self.kinds, self.devices)
        return self.bus_board(self.card.buses())

    @pytest.fixture
    def board(self, paths: BoxPaths) -> Iterator[Board]:
        board = self.make_board(paths)
        yield board
        board.close()
        self.card.plug()  # for other tests in this guest

    @pytest.fixture
    def line(self, board: Board) -> Iterator[LoopCard]:
        self.card.plug()
        yield self.card
        board.close()
        self.card.unplug()

    @pytest.fixture
    def far(self, line: LoopCard) -> Iterator[FarSlots]:  # type: ignore[override]
        far = self.far_slots()
        yield far
        far.close()

    @pytest.fixture
    def opened(self, board: Board, far: FarSlots) -> Board:  # type: ignore[override]
        board.open()
        end = BoardEnd(board)
        assert run([end, far], 3, lambda: self.in_service(end)), end.signals
        run([end, far], 0.1)  # the card's first underrun is over, which its steps of two blocks cause
        return board

    def pull(self, far: StreamEnd) -> None:
        self.card.pull()

    def put_back(self, far: StreamEnd) -> None:
        assert isinstance(far, FarSlots)
        far.close()
        self.card.plug()
        far.open()

    test_nonsense_from_the_far_end_is_an_error_that_says_what = cannot_apply(
        "what a chip can say wrongly is told as its port's alarm: tests/boards/test_spi_analogue.py, test_framer_e1.py"
    )
