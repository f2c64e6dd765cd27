"""A card of SPI line chips: attached phones (Si3210) and exchange lines (Si3050). Its TDM bus is the clock.

What one port does is in `line_ports.py`; chips and buses are drivers. This file puts blocks together with ports: media
time is the count of blocks, and each block gives every port its look. A port that fails is out of service with its
reason as an alarm; when none works, or the TDM bus fails, the board does.
"""

from __future__ import annotations

from functools import partial

import msgspec

from boards.base import Block, BoardError, ChannelPlace, NotSupported, cannot_do
from boards.exchange_port import ExchangePort
from boards.interrupt_line import InterruptLine
from boards.line_ports import ExtensionPort, Port, PortState
from boards.signals import TO_KIND, ChannelKind, FromBoard, ToBoard
from boards.tdm_board import Buses, TdmBoard
from drivers.simulated.line_card import simulated_card
from drivers.spi_line_chip import ChipError, open_spi
from drivers.tdm_alsa import TdmStream, open_pcms
from firmware.core.faults import fault
from firmware.core.line_schemas import AnalogueLines, BoardEntry
from firmware.core.paths import BoxPaths

RESET_MS = 50
"""How long the chips are left alone after the reset line."""
STARTS_A_TURN = 2
"""Ports whose start goes on in one turn: a start step is up to 50 accesses, which must not stop the other boards."""
KINDS = {"si3210": ChannelKind.EXTENSION, "si3050": ChannelKind.EXCHANGE_LINE}
LABELS = {"si3210": "FXS", "si3050": "FXO"}
PORTS: dict[str, type[Port]] = {"si3210": ExtensionPort, "si3050": ExchangePort}


class SpiAnalogueBoard(TdmBoard):
    """One channel a line chip."""

    def __init__(self, name: str, lines: AnalogueLines, buses: Buses) -> None:
        numbers = dict.fromkeys(LABELS, 0)
        places: list[ChannelPlace] = []
        for port in lines.ports:
            numbers[port.chip] += 1
            places.append(ChannelPlace(KINDS[port.chip], f"{name}-{LABELS[port.chip]}-{numbers[port.chip]}"))
        super().__init__(name, tuple(places), [port.slot for port in lines.ports], lines.tdm, lines.reset, buses)
        self._lines = lines
        self._ports: list[Port] = []
        self._first_start = 0
        self._interrupt: InterruptLine | None = None

    def _start_chips(self) -> None:
        """Every chip that answers. Raises the first one's ChipError if none does."""
        if self._lines.interrupt:
            self._interrupt = InterruptLine(self._lines.interrupt, self._buses.gpio)
        told = [port.problem for port in self._ports]  # at the last opening: what is still so is no news
        self._ports = [self._new_port(index) for index in range(len(self.channels))]
        for port, problem in zip(self._ports, told, strict=False):
            port.problem = problem
        for port in self._ports:
            try:
                port.start(RESET_MS if self._reset else 0)
            except ChipError as error:
                self._unsaid += port.fail(error, 0)
        self._see_that_one_works()

    def _new_port(self, index: int) -> Port:
        entry, label = self._lines.ports[index], self.channels[index].label
        where = f"{label} ({entry.spi})"
        return PORTS[entry.chip](
            index, label, entry, where, self._lines.framing, lambda: self._buses.spi(entry.spi, where)
        )

    def _see_that_one_works(self) -> None:
        """Raises the first port's ChipError if every port has failed."""
        problems = [port.problem for port in self._ports if port.state is PortState.FAILED]
        if len(problems) == len(self._ports) and problems[0] is not None:
            raise ChipError(problems[0].fault, problems[0].where)

    def _close_chips(self) -> None:
        for port in self._ports:
            port.close()
        if self._interrupt is not None:
            self._interrupt.close()
            self._interrupt = None

    # ---- work --------------------------------------------------------------------------------------------------------

    def _look(self) -> list[FromBoard]:
        """Every working port that does not rest, and in turn a few of those that start."""
        quiet = self._interrupt is not None and self._interrupt.is_quiet()
        signals: list[FromBoard] = []
        resting = [port for port in self._ports if port.state is not PortState.WORKING]
        if resting:
            self._first_start = (self._first_start + STARTS_A_TURN) % len(resting)
            resting = (resting[self._first_start :] + resting[: self._first_start])[:STARTS_A_TURN]
        for port in self._ports:
            if port.state is PortState.WORKING:
                signals += port.look(self._now_ms, quiet)
                if self._interrupt is not None and port.interrupted:
                    self._interrupt.found(port.channel, port.rested)
        for port in resting:
            signals += port.look(self._now_ms)
        self._see_that_one_works()
        return signals

    def _take_frame(self, frame: Block) -> list[FromBoard]:
        return []

    def _count(self, tdm: TdmStream) -> None:
        self.counters.extra = {
            "overruns": tdm.counters.overruns,
            "card_underruns": tdm.counters.underruns,
            "port_failures": sum(port.failures for port in self._ports),
            "interrupt_failures": int(self._interrupt is not None and not self._interrupt.works),
        }

    def send_signal(self, signal: ToBoard) -> None:
        """Ring a phone, close a loop, dial. Raises NotSupported for what the kind of port cannot do."""
        place = self._place(signal)
        if not isinstance(signal, TO_KIND[place.kind]):
            raise NotSupported(cannot_do(place, signal), self.name, place.label)
        self._unsaid += self._ports[signal.channel].send(signal, self._now_ms)


def open_board(entry: BoardEntry, paths: BoxPaths) -> SpiAnalogueBoard:
    """The board of a configuration entry of kind `spi_analogue`; not started yet. Raises BoardError."""
    lines = entry.analogue
    if lines is None:
        raise BoardError(fault("section_missing", section="analogue"), entry.board, "boards.json")
    if lines.hardware == "simulated":
        card = simulated_card([port.chip for port in lines.ports], lines.tdm.slots)
        devices = {port.spi: chip for port, chip in zip(lines.ports, card.chips, strict=True)}
        lines = msgspec.structs.replace(lines, reset="", interrupt="")  # those of the processor are real
        return SpiAnalogueBoard(entry.board, lines, Buses(lambda path, _: devices[path], card.pcms))
    tdm = lines.tdm
    pcms = partial(open_pcms, tdm.card, tdm.slots, tdm.samples, tdm.card)
    return SpiAnalogueBoard(entry.board, lines, Buses(open_spi, pcms))
