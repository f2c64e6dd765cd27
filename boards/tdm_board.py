"""What boards on a TDM bus have in common: the bus is the clock, a reset line wakes the chips, each block is a turn.

Media time is the count of blocks that came, lost ones too. What the chips do in a turn is the board's own file.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block, BoardCounters, BoardError, ChannelPlace
from boards.signals import FromBoard, ToBoard
from drivers.gpio_lines import GpioLine, OpenLine, periphery_line
from drivers.spi_line_chip import ChipError, SpiBus
from drivers.tdm_alsa import PcmPair, TdmStream
from firmware.core.faults import fault
from firmware.core.line_schemas import TdmBus

BLOCK_MS = 10


@dataclass(frozen=True)
class Buses:
    """What the board's buses are opened with."""

    spi: Callable[[str, str], SpiBus]
    """SPI device and where (for errors) → one chip's bus. Raises ChipError."""
    pcms: Callable[[], PcmPair]
    """Capture and playback of the TDM bus. Raises ChipError."""
    gpio: OpenLine = periphery_line
    clock: Callable[[], int] = time.monotonic_ns
    """ns; what passes while the bus is not read."""


class TdmBoard(ABC):
    """Implements `boards.base.Board` but for what its chips do. `slots` are those of the channels on the bus."""

    has_clock = True

    def __init__(
        self, name: str, channels: Sequence[ChannelPlace], slots: Sequence[int], tdm: TdmBus, reset: str, buses: Buses
    ) -> None:
        self.name = name
        self.channels = channels
        self.counters = BoardCounters()
        self._buses = buses
        self._bus_settings = tdm
        self._reset_name = reset
        self._slots = np.array(slots)
        self._frame: Block = np.full((tdm.slots, BLOCK), ALAW_SILENCE, np.uint8)
        self._tdm: TdmStream | None = None
        self._reset: GpioLine | None = None
        self._now_ms = 0
        self._unsaid: list[FromBoard] = []
        """What the chips said outside of a turn."""

    # ---- what the board's own file does ------------------------------------------------------------------------------

    @abstractmethod
    def _start_chips(self) -> None:
        """Begin the start of the chips; the bus runs. Raises ChipError if the board is of no use."""

    @abstractmethod
    def _look(self) -> list[FromBoard]:
        """Look at the chips, at `_now_ms`. Raises ChipError."""

    @abstractmethod
    def _take_frame(self, frame: Block) -> list[FromBoard]:
        """A frame of all slots came: what else is in it than speech."""

    @abstractmethod
    def _count(self, tdm: TdmStream) -> None:
        """Bring the counters of the chips up to date."""

    @abstractmethod
    def _close_chips(self) -> None: ...

    @abstractmethod
    def send_signal(self, signal: ToBoard) -> None: ...

    # ---- open, close -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the TDM bus and the chips, which are in service some hundred milliseconds later. Raises BoardError if
        bus or chips fail."""
        if self._tdm is not None:
            return
        self.counters = BoardCounters()
        self._now_ms = 0
        self._unsaid = []
        try:
            if self._reset_name:  # all chips; microseconds are enough for the pulse
                self._reset = GpioLine(self._reset_name, "out", "", open_line=self._buses.gpio)
                self._reset.set(True)
                self._reset.set(False)
            bus = self._bus_settings
            self._tdm = TdmStream(bus.slots, bus.samples, "TDM", self._buses.pcms, self._buses.clock)
            self._start_chips()
        except ChipError as error:
            self.close()
            raise self._board_error(error) from error

    def close(self) -> None:
        self._close_chips()
        for part in (self._tdm, self._reset):
            if part is not None:
                try:
                    part.close()
                except OSError:
                    pass  # it is gone, and what it held with it
        self._tdm = self._reset = None

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
                self._now_ms += (len(frames) + tdm.counters.lost_inward - self.counters.lost_inward) * BLOCK_MS
                signals += self._look()
        except ChipError as error:
            self.close()
            raise self._board_error(error) from error
        for frame in frames:
            signals += self._take_frame(frame)
        self.counters.blocks_received += len(frames)
        self.counters.lost_inward = tdm.counters.lost_inward
        self._count(tdm)
        return [np.ascontiguousarray(frame[self._slots]) for frame in frames], signals

    def send_block(self, block: Block) -> None:
        self._frame[self._slots] = block
        try:
            sent = self._opened().write_block(self._frame)
        except ChipError as error:
            self.close()
            raise self._board_error(error) from error
        if sent:
            self.counters.blocks_sent += 1
        else:
            self.counters.lost_outward += 1

    def _place(self, signal: ToBoard) -> ChannelPlace:
        """Where the signal goes. Raises BoardError if there is no such channel, or the board is not open."""
        self._opened()
        if not 0 <= signal.channel < len(self.channels):
            raise BoardError(fault("no_such_channel", channel=signal.channel), self.name)
        return self.channels[signal.channel]

    def _board_error(self, error: ChipError) -> BoardError:
        return BoardError(error.fault, self.name, error.where)

    def _opened(self) -> TdmStream:
        if self._tdm is None:
            raise BoardError(fault("not_open"), self.name)
        return self._tdm
