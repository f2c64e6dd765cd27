"""The far end of a board on a bus: simulated chips, their telephones and a TDM bus, in the words of `FarEnd`."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boards.base import ALAW_SILENCE, Block
from boards.tdm_board import Buses
from drivers.simulated.line_card import SimulatedCard, simulated_card
from drivers.spi_line_chip import ChipError, SpiBus
from drivers.tdm_alsa import BLOCK_NS, PREFILL, PcmPair
from firmware.core.faults import fault
from tests.drivers.simulated_gpio import SimulatedGpio


@dataclass
class Played:
    number: int
    samples: Block


class CardSlot:
    """The place where a card is plugged in or not: what the board's buses are opened with."""

    def __init__(self) -> None:
        self.card: SimulatedCard | None = None
        self.devices: Sequence[str] = ()
        self.gpio = SimulatedGpio()
        self.now_ns = 0
        """Media time."""
        self.opened: list[str] = []
        """Each device, as often as the board opened it."""

    def buses(self, where: str) -> Buses:
        """For a board in media time."""
        return Buses(self.spi, lambda: self.pcms(where), self.gpio.open, clock=lambda: self.now_ns)

    def spi(self, path: str, where: str) -> SpiBus:
        self.opened.append(path)
        if self.card is None:
            raise ChipError(fault("spi_absent", device=path, error="pulled"), where)
        return self.card.chips[self.devices.index(path)]

    def pcms(self, where: str) -> PcmPair:
        if self.card is None:
            raise ChipError(fault("tdm_absent", card="card", error="pulled"), where)
        return self.card.pcms()


class ChipFarEnd:
    """A plugged card. Blocks come from and go to the channels' slots."""

    def __init__(self, place: CardSlot, kinds: Sequence[str], devices: Sequence[str], slots: Sequence[int]) -> None:
        self.card = simulated_card(kinds, 32, timed=False)
        self.slots = np.array(slots)
        self.blocks: list[Played] = []
        self._skip = PREFILL
        self._place = place
        place.card, place.devices = self.card, devices

    def block(self, samples: Block | int = ALAW_SILENCE, number: int | None = None) -> None:
        """Give one block for all channels; `number` is where the card has run over before it and lost four."""
        if number is not None:
            self._place.now_ns += 4 * BLOCK_NS
            self.card.tdm.give(-errno.EPIPE)
        else:
            self._place.now_ns += BLOCK_NS
        frame = np.full((32, 80), ALAW_SILENCE, np.uint8)
        frame[self.slots] = samples
        self.card.tdm.give(frame)

    def look(self) -> None:
        """Take what was played, without the silence that was there at the start."""
        for frame in self.card.tdm.take():
            if self._skip:
                self._skip -= 1
            else:
                self.blocks.append(Played(len(self.blocks), frame[self.slots]))

    def hang_up(self) -> None:
        """Pull the card."""
        self.card.tdm.pulled = True
        self._place.card = None

    def close(self) -> None:
        self._place.card = None
