"""An E1 span behind a framer chip on SPI, its 32 slots on a TDM bus, which is the clock. Line bits (R2) in slot 16.

ISDN on such a span is not here: its D channel has to outlive the gateway, and this board's slots are the gateway's.
"""

from __future__ import annotations

import contextlib
from functools import partial

import msgspec

from boards.base import Block, BoardError, ChannelPlace, NotSupported, cannot_do
from boards.signals import Alarm, Bits, ChannelKind, FromBoard, LoopWay, ToBoard
from boards.tdm_board import Buses, TdmBoard
from drivers.cas_slot import CasSlot
from drivers.e1_framer import ALARMS, Ds26521
from drivers.simulated.line_card import simulated_card
from drivers.spi_line_chip import ChipError, PowerUp, SpiBus, open_spi
from drivers.tdm_alsa import TdmStream, open_pcms
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry, FramerSpan
from firmware.core.paths import BoxPaths

SIGNALLING_SLOT = 16
SLOTS = tuple(slot for slot in range(1, 32) if slot != SIGNALLING_SLOT)
ALARM_LOOK_MS, CHECK_MS = 50, 250
RAISE_MS, CLEAR_MS = 100, 500
"""An alarm is told when it was there, or away, for so long without a break."""
NO_MULTIFRAME = "LOMF"
"""Loss of multiframe alignment: line bits cannot be read."""
STARTING = "starting"


class FramerE1Board(TdmBoard):
    """Channels 0 to 29 are the time slots 1 to 15 and 17 to 31. In service when the chip is set up and the line has no
    alarm."""

    def __init__(self, name: str, span: FramerSpan, buses: Buses) -> None:
        places = tuple(ChannelPlace(ChannelKind.CAS, f"{name}-E1/{slot}", slot) for slot in SLOTS)
        super().__init__(name, places, SLOTS, span.tdm, span.reset, buses)
        self._span = span
        self._bus: SpiBus | None = None
        self._is_looped = False
        self._cas = CasSlot()

    def _start_chips(self) -> None:
        self._cas = CasSlot()
        self._told: set[str] = set()
        self._differs_since: dict[str, int] = {}
        self._alarm_ms = self._check_ms = 0
        self._bus = self._buses.spi(self._span.spi, self._span.spi)
        self._chip = Ds26521(self._bus, self._span.spi, "whole")
        self._steps: PowerUp | None = self._chip.power_up(self._span.clock, self._span.crc4, self._span.impedance)
        self._wake_ms = next(self._steps).wait_ms

    def _close_chips(self) -> None:
        if self._bus is not None:
            if self._is_looped:
                self._is_looped = False
                with contextlib.suppress(ChipError, OSError):
                    self._chip.loop()  # it would stay, with nobody to open it
            try:
                self._bus.close()
            except OSError:
                pass  # it is gone, and what it held with it
        self._bus = None

    # ---- work --------------------------------------------------------------------------------------------------------

    def _look(self) -> list[FromBoard]:
        if self._steps is not None:
            return self._go_on_starting(self._steps)
        signals: list[FromBoard] = []
        if self._now_ms >= self._alarm_ms:
            self._alarm_ms = self._now_ms + ALARM_LOOK_MS
            there = set(self._chip.alarms())
            if not there - {"RAI"}:
                if not self._cas.aligned:
                    there.add(NO_MULTIFRAME)
                elif self._cas.remote_alarm:
                    there.add("RAI")  # the far end finds our frames and not our multiframes
            signals += self._alarms(there)
            self._chip.count()
        if self._now_ms >= self._check_ms:
            self._check_ms = self._now_ms + CHECK_MS
            self._chip.check()
        return signals

    def _go_on_starting(self, steps: PowerUp) -> list[FromBoard]:
        if STARTING not in self._told:
            self._told.add(STARTING)
            return [Alarm(STARTING, True)]
        if self._now_ms < self._wake_ms:
            return []
        try:
            self._wake_ms = self._now_ms + next(steps).wait_ms
        except StopIteration:
            self._steps = None
            self._told.discard(STARTING)
            self._alarm_ms = self._now_ms + ALARM_LOOK_MS
            # A line that is dead from the start must not look idle for the time that an alarm takes.
            first = sorted(self._chip.alarms())
            self._told |= set(first)
            return [*(Alarm(name, True) for name in first), Alarm(STARTING, False)]
        return []

    def _alarms(self, there: set[str]) -> list[FromBoard]:
        """Tell what has been different for long enough."""
        signals: list[FromBoard] = []
        for name in (*ALARMS, NO_MULTIFRAME):
            if (name in there) == (name in self._told):
                self._differs_since.pop(name, None)
                continue
            since = self._differs_since.setdefault(name, self._now_ms)
            if self._now_ms - since >= (RAISE_MS if name in there else CLEAR_MS):
                self._told ^= {name}
                signals.append(Alarm(name, name in there))
        return signals

    def _take_frame(self, frame: Block) -> list[FromBoard]:
        if self._steps is not None or self._told - {NO_MULTIFRAME, "RAI"}:
            return []
        return [Bits(channel, abcd) for channel, abcd in self._cas.receive(frame[SIGNALLING_SLOT])]

    def _count(self, tdm: TdmStream) -> None:
        errors = self._chip.errors
        self.counters.slips, self.counters.crc_errors = errors.slips, errors.crc_errors
        self.counters.extra = {
            "bipolar_violations": errors.bipolar_violations,
            "frame_errors": errors.frame_errors,
            "far_block_errors": errors.far_block_errors,
            "overruns": tdm.counters.overruns,
            "card_underruns": tdm.counters.underruns,
        }

    def send_block(self, block: Block) -> None:
        self._frame[SIGNALLING_SLOT] = self._cas.block()
        super().send_block(block)

    def send_signal(self, signal: ToBoard) -> None:
        """Set line bits. Raises NotSupported for other signals, BoardError for bits that cannot be sent."""
        place = self._place(signal)
        if not isinstance(signal, Bits):
            raise NotSupported(cannot_do(place, signal), self.name, place.label)
        try:
            self._cas.set(signal.channel, signal.abcd)
        except ValueError as error:
            raise NotSupported(fault("wrong_bits", error=error), self.name, place.label) from error

    # ---- loops -------------------------------------------------------------------------------------------------------

    def begin_loop(self, way: LoopWay) -> None:
        """The framer's own loop, or the line interface's. Raises NotSupported while the chip is set up."""
        self._opened()
        if self._steps is not None:
            raise NotSupported(fault(STARTING), self.name)
        self._loop(way)

    def end_loop(self) -> None:
        """A chip that is being set up has no loop."""
        self._opened()
        if self._steps is None:
            self._loop(LoopWay.FAR)

    def _loop(self, way: LoopWay) -> None:
        self._is_looped = way is not LoopWay.FAR
        try:
            self._chip.loop(local=way is LoopWay.LOCAL, outward=way is LoopWay.TOWARD_EXCHANGE)
        except ChipError as error:
            self.close()
            raise self._board_error(error) from error


def open_board(entry: BoardEntry, paths: BoxPaths) -> FramerE1Board:
    """The board of a configuration entry of kind `framer_e1`; not started yet. Raises BoardError."""
    span = entry.framer
    if span is None:
        raise BoardError(fault("section_missing", section="framer"), entry.board, "boards.json")
    if span.hardware == "simulated":
        card = simulated_card(["ds26521"], span.tdm.slots)
        span = msgspec.structs.replace(span, reset="")  # that of the processor is real
        return FramerE1Board(entry.board, span, Buses(lambda path, _: card.chips[0], card.pcms))
    pcms = partial(open_pcms, span.tdm.card, span.tdm.slots, span.tdm.samples, span.tdm.card)
    return FramerE1Board(entry.board, span, Buses(open_spi, pcms))
