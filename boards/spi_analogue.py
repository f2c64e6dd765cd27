"""A card of SPI line chips: attached phones (Si3210) and exchange lines (Si3050). Its TDM bus is the clock.

What one port does is in `line_ports.py`; chips and buses are drivers. This file puts blocks together with ports: media
time is the count of blocks, and each block gives every port its look. A port that fails is out of service with its
reason as an alarm; when none works, or the TDM bus fails, the board does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block, BoardCounters, BoardError, ChannelPlace, NotSupported
from boards.exchange_port import ExchangePort
from boards.line_ports import ExtensionPort, Port, PortState
from boards.signals import TO_KIND, ChannelKind, FromBoard, ToBoard
from drivers.gpio_lines import GpioLine, OpenLine, periphery_line
from drivers.simulated.line_card import simulated_card
from drivers.spi_line_chip import ChipError, SpiBus, open_spi
from drivers.tdm_alsa import PcmPair, TdmStream, open_pcms
from firmware.core.paths import BoxPaths
from firmware.core.schemas import AnalogueLines, BoardEntry

BLOCK_MS = 10
RESET_MS = 50
"""How long the chips are left alone after the reset line."""
STARTS_A_TURN = 2
"""Ports whose start goes on in one turn: a start step is up to 50 accesses, which must not stop the other boards."""
KINDS = {"si3210": ChannelKind.EXTENSION, "si3050": ChannelKind.EXCHANGE_LINE}
LABELS = {"si3210": "FXS", "si3050": "FXO"}
PORTS: dict[str, type[Port]] = {"si3210": ExtensionPort, "si3050": ExchangePort}


@dataclass(frozen=True)
class Buses:
    """What the board's buses are opened with."""

    spi: Callable[[str, str], SpiBus]
    """SPI device and where (for errors) → one chip's bus. Raises ChipError."""
    pcms: Callable[[], PcmPair]
    """Capture and playback of the TDM bus. Raises ChipError."""
    gpio: OpenLine = periphery_line


def board_error(error: ChipError) -> BoardError:
    return BoardError(error.what, error.where, error.remedy)


class SpiAnalogueBoard:
    """Implements `boards.base.Board`."""

    has_clock = True

    def __init__(self, name: str, lines: AnalogueLines, buses: Buses) -> None:
        self.name = name
        self.counters = BoardCounters()
        self._lines = lines
        self._buses = buses
        self._slots = np.array([port.slot for port in lines.ports])
        numbers = dict.fromkeys(LABELS, 0)
        places: list[ChannelPlace] = []
        for port in lines.ports:
            numbers[port.chip] += 1
            places.append(ChannelPlace(KINDS[port.chip], f"{name}-{LABELS[port.chip]}-{numbers[port.chip]}"))
        self.channels: Sequence[ChannelPlace] = tuple(places)
        self._ports: list[Port] = []
        self._tdm: TdmStream | None = None
        self._reset: GpioLine | None = None
        self._now_ms = 0
        self._first_start = 0
        self._frame: Block = np.full((lines.tdm.slots, BLOCK), ALAW_SILENCE, np.uint8)
        self._unsaid: list[FromBoard] = []

    # ---- open, close -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the TDM bus and every chip that answers; they are in service some hundred milliseconds later. Raises
        BoardError if the TDM bus or all chips fail."""
        if self._tdm is not None:
            return
        self.counters = BoardCounters()
        self._now_ms = 0
        self._unsaid = []
        where = f"board {self.name}"
        try:
            self._pulse_reset(where)
            self._tdm = TdmStream(self._lines.tdm.slots, self._lines.tdm.samples, where, self._buses.pcms)
            self._ports = [self._new_port(index) for index in range(len(self.channels))]
            for port in self._ports:
                try:
                    port.start(RESET_MS if self._reset else 0)
                except ChipError as error:
                    self._unsaid += port.fail(error, 0)
            self._see_that_one_works()
        except ChipError as error:
            self.close()
            raise board_error(error) from error

    def _new_port(self, index: int) -> Port:
        entry, label = self._lines.ports[index], self.channels[index].label
        where = f"board {self.name} {label} ({entry.spi})"
        return PORTS[entry.chip](
            index, label, entry.slot, where, self._lines.framing, lambda: self._buses.spi(entry.spi, where)
        )

    def _pulse_reset(self, where: str) -> None:
        """All chips through reset; microseconds are enough for the pulse."""
        if self._lines.reset:
            line = GpioLine(self._lines.reset, "out", where, open_line=self._buses.gpio)
            line.set(True)
            line.set(False)
            self._reset = line

    def _see_that_one_works(self) -> None:
        """Raises the first port's ChipError if every port has failed."""
        problems = [port.problem for port in self._ports if port.state is PortState.FAILED]
        if len(problems) == len(self._ports) and problems[0] is not None:
            raise problems[0]

    def close(self) -> None:
        for port in self._ports:
            port.close()
        self._ports = []
        if self._tdm is not None:
            self._tdm.close()
            self._tdm = None
        if self._reset is not None:
            self._reset.close()
            self._reset = None

    def fileno(self) -> int:
        return self._opened().descriptor

    # ---- work --------------------------------------------------------------------------------------------------------

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        """Blocks that wait, and what the lines have done until now."""
        tdm = self._opened()
        try:
            frames = tdm.read_blocks()
            signals, self._unsaid = self._unsaid, []
            if frames:
                lost = tdm.counters.lost_inward - self.counters.lost_inward
                self._now_ms += (len(frames) + lost) * BLOCK_MS
                signals += self._look()
        except ChipError as error:
            self.close()
            raise board_error(error) from error
        self._count(tdm, len(frames))
        return [np.ascontiguousarray(frame[self._slots]) for frame in frames], signals

    def _look(self) -> list[FromBoard]:
        """Every working port, and in turn a few of those that start."""
        signals: list[FromBoard] = []
        resting = [port for port in self._ports if port.state is not PortState.WORKING]
        if resting:
            self._first_start = (self._first_start + STARTS_A_TURN) % len(resting)
            resting = (resting[self._first_start :] + resting[: self._first_start])[:STARTS_A_TURN]
        for port in self._ports:
            if port.state is PortState.WORKING:
                signals += port.look(self._now_ms)
        for port in resting:
            signals += port.look(self._now_ms)
        self._see_that_one_works()
        return signals

    def _count(self, tdm: TdmStream, blocks: int) -> None:
        self.counters.blocks_received += blocks
        self.counters.lost_inward = tdm.counters.lost_inward
        self.counters.extra = {
            "overruns": tdm.counters.overruns,
            "card_underruns": tdm.counters.underruns,
            "port_failures": sum(port.failures for port in self._ports),
        }

    def send_block(self, block: Block) -> None:
        self._frame[self._slots] = block
        try:
            sent = self._opened().write_block(self._frame)
        except ChipError as error:
            self.close()
            raise board_error(error) from error
        if sent:
            self.counters.blocks_sent += 1
        else:
            self.counters.lost_outward += 1

    def send_signal(self, signal: ToBoard) -> None:
        """Ring a phone, close a loop, dial. Raises NotSupported for what the kind of port cannot do."""
        self._opened()
        fault = "This is a fault in Linebox"
        if not 0 <= signal.channel < len(self.channels):
            raise BoardError(f"there is no channel {signal.channel}", f"board {self.name}", fault)
        place = self.channels[signal.channel]
        if not isinstance(signal, TO_KIND[place.kind]):
            what = f"{place.kind} channels cannot do {type(signal).__name__}"
            raise NotSupported(what, f"board {self.name} channel {place.label}", fault)
        self._unsaid += self._ports[signal.channel].send(signal, self._now_ms)

    def _opened(self) -> TdmStream:
        if self._tdm is None:
            raise BoardError("the board is not open", f"board {self.name}", "It is opened by itself")
        return self._tdm


def open_board(entry: BoardEntry, paths: BoxPaths) -> SpiAnalogueBoard:
    """The board of a configuration entry of kind `spi_analogue`; not started yet. Raises BoardError."""
    lines = entry.analogue
    where = f"board {entry.board}"
    if lines is None:
        raise BoardError('"analogue" is missing', where, "Run linebox config check: it says what is wrong")
    if lines.hardware == "simulated":
        card = simulated_card([port.chip for port in lines.ports], lines.tdm.slots)
        devices = {port.spi: chip for port, chip in zip(lines.ports, card.chips, strict=True)}
        return SpiAnalogueBoard(entry.board, lines, Buses(lambda path, _: devices[path], card.pcms))
    tdm = lines.tdm
    pcms = partial(open_pcms, tdm.card, tdm.slots, tdm.samples, where)
    return SpiAnalogueBoard(entry.board, lines, Buses(open_spi, pcms))
