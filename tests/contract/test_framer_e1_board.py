"""A framer board keeps the contract, with a simulated chip. What it does with alarms and errors: tests/boards/."""

from __future__ import annotations

import numpy as np

from boards.base import Board
from boards.framer_e1 import SLOTS, FramerE1Board
from boards.signals import Bits
from drivers.cas_slot import BLOCKED, CasSlot
from firmware.core.line_schemas import FramerSpan
from tests.contract.chip_contract import ChipBoardContract
from tests.contract.chip_far_end import CardSlot, ChipFarEnd
from tests.contract.suite import receive_all


class TestFramerE1Board(ChipBoardContract):
    has_clock = True
    channels = 30
    kinds = ("ds26521",)
    slots = SLOTS

    def make_chip_board(self, place: CardSlot) -> Board:
        return FramerE1Board("span", FramerSpan(spi=self.devices[0]), place.buses("board span"))

    def test_its_channels_are_the_time_slots_that_carry_speech(self, board: Board) -> None:
        labels = [place.label for place in board.channels]

        assert (labels[0], labels[14], labels[15], labels[29]) == (
            "span-E1/1",
            "span-E1/15",
            "span-E1/17",
            "span-E1/31",
        )

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: ChipFarEnd) -> None:  # type: ignore[override]
        other = CasSlot()
        opened.send_signal(Bits(0, 0b0001))
        opened.send_signal(Bits(29, 0b1101))
        opened.send_block(np.zeros((30, 80), np.uint8))

        frames = far.card.tdm.take()
        assert dict(other.receive(frames[-1][16])) == {**dict.fromkeys(range(30), BLOCKED), 0: 1, 29: 13}

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: ChipFarEnd) -> None:  # type: ignore[override]
        other = CasSlot()
        other.set(3, 0b0101)
        frame = np.zeros((32, 80), np.uint8)
        frame[16] = np.roll(other.block(), 7)  # the far end's multiframes begin somewhere
        far.card.tdm.give(frame)

        told = {one.channel: one.abcd for one in receive_all(opened)[1] if isinstance(one, Bits)}
        assert told == {**dict.fromkeys(range(30), BLOCKED), 3: 5}
