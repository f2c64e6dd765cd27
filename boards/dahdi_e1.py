"""An E1 of a DAHDI card as a board: 30 channels. Signals of ISDN come from its worker over the signal link, line bits
(China No.1) from the driver. It is a clock.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from typing import Literal

from boards.base import Block, Board, BoardError, ChannelPlace, NotSupported
from boards.dahdi_card import DahdiCard
from boards.pri_link import PriLink, pri_channels
from boards.signals import Bits, ChannelKind, FromBoard, LoopWay, Setup, ToBoard
from drivers.dahdi import ChannelState, DahdiError
from drivers.dahdi_control import ChannelSetting
from drivers.dahdi_numbers import Event, LineConfig, Maintenance, Signalling
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry, DahdiE1
from firmware.core.paths import BoxPaths

SIGNALLING_SLOT = 16
"""Time slot of an E1 that carries signalling and no call (ITU-T G.704)."""
ANSWERED, IDLE = 0b0100, 0b1000
"""Line bits a and b (ITU-T Q.421), of either side."""
AB = 0b1100
BEARERS = tuple(slot for slot in range(1, 32) if slot != SIGNALLING_SLOT)


def channels(span: int, signalling: Literal["pri", "cas"]) -> tuple[ChannelPlace, ...]:
    """The 30 bearer channels of a span."""
    if signalling == "pri":
        return pri_channels(span)
    return tuple(ChannelPlace(ChannelKind.CAS, f"E1-{span}/{slot}", slot) for slot in BEARERS)


LOOPS = {
    LoopWay.FAR: Maintenance.NONE,
    LoopWay.LOCAL: Maintenance.LOCAL_LOOP,
    LoopWay.TOWARD_EXCHANGE: Maintenance.LINE_LOOP,
}


class DahdiE1Board(DahdiCard):
    """Implements `boards.base.Board` and `LoopBoard`."""

    def __init__(self, name: str, settings: DahdiE1, paths: BoxPaths) -> None:
        super().__init__(name, settings.span, channels(settings.span, settings.signalling), settings.echo_canceller)
        self.line_config = LineConfig.HDB3 | (LineConfig.CRC4 if settings.crc4 else 0)
        if settings.signalling == "pri":
            self.line_config |= LineConfig.CCS
        self.clock_from = settings.clock_from
        self._is_isdn = settings.signalling == "pri"
        self._paths = paths
        # Register tones of both sides sound at the same time, which a canceller takes for echo.
        self._cancels_at_rest = self._is_isdn
        self._bits: list[int] = []
        self._is_looped = self._is_tested = False
        self._link: PriLink | None = None
        self._watcher: select.epoll | None = None

    def _settings(self, states: Sequence[ChannelState]) -> tuple[list[ChannelSetting], list[ChannelState]]:
        bearers = [state for state in states if state.position in BEARERS]
        signalling = Signalling.CLEAR if self._is_isdn else Signalling.CAS
        settings = [ChannelSetting(state.number, signalling, self._echo_canceller) for state in bearers]
        if self._is_isdn:
            settings += [
                ChannelSetting(state.number, Signalling.HDLCFCS)
                for state in states
                if state.position == SIGNALLING_SLOT
            ]
        return settings, bearers

    def _opened(self) -> None:
        assert self._stream is not None and self._control is not None
        self._control.set_maintenance(self._span, Maintenance.NONE)  # a process that died in a test left its loop
        self._watcher = select.epoll()
        self._watcher.register(self._stream.fileno(), select.EPOLLIN)
        if self._is_isdn:
            for line in self._lines:
                line.set_audio(True)
            self._link = PriLink(self._span, self._paths)
            self._look_after_link(self._link)
        else:
            self._bits = [-1] * len(self._lines)
            for index in range(len(self._lines)):
                self._look_at_bits(index)

    def close(self) -> None:
        self._open_loop()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        if self._link is not None:
            self._link.close()
            self._link = None
        super().close()

    def fileno(self) -> int:
        self._running()
        assert self._watcher is not None
        return self._watcher.fileno()

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        blocks, signals = super().receive()
        if self._link is not None:
            from_worker = self._link.receive()
            with self._telling():
                for signal in from_worker:
                    if isinstance(signal, Setup):
                        self._cancel_echo(signal.channel)
            signals += from_worker
        return blocks, signals

    # ---- loops -------------------------------------------------------------------------------------------------------

    def begin_loop(self, way: LoopWay) -> None:
        """No canceller on any channel, and the card's own loop. Raises NotSupported if the card has none."""
        self._running()
        assert self._control is not None
        with self._telling():
            self._is_tested = True
            for index in range(len(self._lines)):
                self._cancel_echo(index, False)
            self._is_looped = way is not LoopWay.FAR
            if self._is_looped and not self._control.set_maintenance(self._span, LOOPS[way]):
                self._is_looped = False
                raise NotSupported(fault("no_loop"), self.name, f"span {self._span}")

    def end_loop(self) -> None:
        """Counters are read before the loop opens, which itself makes errors; alarms are looked at soon after."""
        self._running()
        with self._telling():
            self._look()
            self._open_loop()
            self._look_in = 0
            if self._cancels_at_rest:
                for index in range(len(self._lines)):
                    self._cancel_echo(index)

    def _cancel_echo(self, index: int, on: bool = True) -> None:
        """Whatever happens on the line during a test, no canceller touches the pattern."""
        super()._cancel_echo(index, on and not self._is_tested)

    def _open_loop(self) -> None:
        self._is_tested = False
        if self._is_looped and self._control is not None:
            self._is_looped = False
            with contextlib.suppress(DahdiError):  # the span is gone, and its loop with it
                self._control.set_maintenance(self._span, Maintenance.NONE)

    def _each_second(self) -> None:
        if self._link is not None:
            self._look_after_link(self._link)

    def _look_after_link(self, link: PriLink) -> None:
        """Connect if need be; wake up when the worker says something. A closed descriptor has left the watcher."""
        if link.is_connected:
            return
        if link.try_connect():
            assert self._watcher is not None
            self._watcher.register(link.fileno(), select.EPOLLIN)

    def _event(self, index: int, event: int) -> None:
        if event == Event.BITSCHANGED:
            self._look_at_bits(index)

    def _look_at_bits(self, index: int) -> None:
        """The driver tells changes of other bits too, and several at once: only what is new counts."""
        bits = self._lines[index].receive_bits()
        if bits != self._bits[index]:
            self._bits[index] = bits
            self._cancel_in_speech(index, bits)
            self._tell(Bits(index, bits))

    def _cancel_in_speech(self, index: int, abcd: int) -> None:
        """The canceller runs from answer to idle."""
        if abcd & AB in (ANSWERED, IDLE):
            self._cancel_echo(index, abcd & AB == ANSWERED)

    def _signal(self, signal: ToBoard) -> None:
        if isinstance(signal, Bits):
            self._cancel_in_speech(signal.channel, signal.abcd)
            self._lines[signal.channel].send_bits(signal.abcd)
        elif self._link is not None:
            if isinstance(signal, Setup):
                self._cancel_echo(signal.channel)
            self._link.send_signal(signal)


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry of kind `dahdi_e1`; not started yet. Raises BoardError without `e1`."""
    if entry.e1 is None:
        raise BoardError(fault("span_missing"), entry.board, "boards.json")
    return DahdiE1Board(entry.board, entry.e1, paths)
