"""A card of SPI line chips keeps the contract, with simulated chips. What its ports do: tests/boards/."""

from __future__ import annotations

from boards.base import Board
from boards.signals import FromBoard, HookChange, Ring, RingDetected
from boards.spi_analogue import SpiAnalogueBoard
from drivers.si3210 import LineFeed
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.core.line_schemas import AnalogueLines, LinePort
from tests.contract.chip_contract import ChipBoardContract
from tests.contract.chip_far_end import CardSlot, ChipFarEnd
from tests.contract.suite import receive_all


class TestSpiAnalogueBoard(ChipBoardContract):
    has_clock = True
    channels = 4
    kinds = ("si3210", "si3210", "si3050", "si3050")
    slots = (0, 1, 5, 9)

    def make_chip_board(self, place: CardSlot) -> Board:
        chips = zip(self.kinds, self.devices, self.slots, strict=True)
        ports = tuple(LinePort(chip=kind, spi=device, slot=slot) for kind, device, slot in chips)  # type: ignore[arg-type]
        return SpiAnalogueBoard("card", AnalogueLines(ports=ports), place.buses("board card"))

    def test_its_channels_are_its_ports(self, board: Board) -> None:
        labels = [(place.kind.value, place.label) for place in board.channels]
        assert labels[:2] == [("extension", "card-FXS-1"), ("extension", "card-FXS-2")]
        assert labels[2:] == [("fxo", "card-FXO-1"), ("fxo", "card-FXO-2")]

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: ChipFarEnd) -> None:  # type: ignore[override]
        phone, line = far.card.chips[0], far.card.chips[2]
        assert isinstance(phone, SimulatedSi3210) and isinstance(line, SimulatedSi3050)
        told: list[FromBoard] = []
        phone.lift()
        line.ring(True)
        for _ in range(30):
            far.block()
            told += receive_all(opened)[1]

        assert set(told) == {HookChange(0, True), RingDetected(2, True)}

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: ChipFarEnd) -> None:  # type: ignore[override]
        chip = far.card.chips[1]
        assert isinstance(chip, SimulatedSi3210)

        opened.send_signal(Ring(1, True))
        assert chip.rings
        opened.send_signal(Ring(1, False))
        assert chip.feed() is LineFeed.FORWARD_ON_HOOK_TRANSMISSION
        assert chip.get("ringing_control") == 0  # no cadence of the chip's own
