"""A board with a simulated card, opened and driven block by block; media time is the test's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boards.base import Board
from boards.framer_e1 import FramerE1Board
from boards.signals import Alarm, FromBoard
from boards.spi_analogue import SpiAnalogueBoard
from drivers.simulated.register_chip import RegisterChip
from drivers.spi_line_chip import Termination
from firmware.core.faults import Fault
from firmware.core.line_schemas import AnalogueLines, FramerSpan, LinePort
from tests.contract.chip_far_end import CardSlot, ChipFarEnd


class ChipBench:
    """`chips` are on the card; `told` holds all signals since the start or the last `forget`."""

    def __init__(self, *kinds: str, line: Termination = "china", **settings: Any) -> None:
        """`settings`: further fields of the board's section of `boards.json`."""
        self.place = CardSlot()
        self.kinds = kinds
        self.devices = [f"/dev/spidev0.{number}" for number in range(len(kinds))]
        self.told: list[FromBoard] = []
        self.board: Board
        if kinds == ("ds26521",):
            self.board = FramerE1Board(
                "span", FramerSpan(spi=self.devices[0], **settings), self.place.buses("board span")
            )
        else:
            ports = tuple(
                LinePort(chip=kind, spi=device, slot=slot, line=line)  # type: ignore[arg-type]
                for slot, (kind, device) in enumerate(zip(kinds, self.devices, strict=True))
            )
            self.board = SpiAnalogueBoard(
                "card", AnalogueLines(ports=ports, **settings), self.place.buses("board card")
            )
        self.plug()

    def plug(self) -> None:
        """Put a new card in."""
        slots: Sequence[int] = range(1, 31) if self.kinds == ("ds26521",) else range(len(self.kinds))
        self.far = ChipFarEnd(self.place, self.kinds, self.devices, slots)

    @property
    def chips(self) -> list[RegisterChip]:
        return self.far.card.chips

    def run(self, ms: int) -> None:
        """Let media time pass. Raises BoardError if the board fails."""
        for _ in range(ms // 10):
            self.far.block()
            self.told += self.board.receive()[1]

    def started(self) -> ChipBench:
        """Open and wait until the ports work."""
        self.board.open()
        self.run(2000)
        self.forget()
        return self

    def forget(self) -> None:
        self.told.clear()

    def take(self) -> list[FromBoard]:
        told, self.told = self.told, []
        return told

    def raised(self) -> dict[str, tuple[int, ...]]:
        """Alarms of ports that stand, in words, by what was told since the start or `forget`."""
        alarms: dict[str, tuple[int, ...]] = {}
        for signal in self.told:
            if isinstance(signal, Alarm):
                (channel,) = signal.channels
                words = f"{self.board.channels[channel].label}: {Fault(signal.alarm, signal.arguments).what}"
                alarms.pop(words, None)
                if signal.raised:
                    alarms[words] = signal.channels
        return alarms
