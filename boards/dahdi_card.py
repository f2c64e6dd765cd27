"""What every board of the DAHDI driver has: one span, its channels in step, its alarms and counters. Not a kind itself;
`dahdi_e1.py` and `dahdi_analogue.py` say what the channels are and what their events mean.

The span is configured through the driver when the board is opened, so that a card that was pulled and put back works
again without a person; `system.conf` is for the driver's own tools only.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from types import TracebackType

from boards.base import ALAW_SILENCE, Block, BoardCounters, BoardError, ChannelPlace, NotSupported, cannot_do
from boards.signals import TO_KIND, Alarm, FromBoard, ToBoard
from drivers.dahdi import Channel, ChannelState, DahdiError
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import Event, LineConfig, SpanAlarm
from drivers.dahdi_stream import CUSHION, ChannelStream
from firmware.core.faults import fault

LOOK_BLOCKS = 100
"""Every second the card's counters are read, and its alarms in case that no event told them."""
ECHO_TAPS = 128
"""16 ms: what the cards' own tools take for lines of a town."""
ALARM_NAMES = {
    SpanAlarm.LOS: "LOS",
    SpanAlarm.LFA: "LOF",
    SpanAlarm.LMFA: "LOMF",
    SpanAlarm.BLUE: "AIS",
    SpanAlarm.YELLOW: "RAI",
    SpanAlarm.LOOPBACK: "LOOPBACK",
    SpanAlarm.NOT_OPEN: "NOT_OPEN",
}
"""Field words. RED alone (no card says why) is shown as RED; RECOVERING ends by itself."""

_log = logging.getLogger(__name__)


def alarm_words(alarms: SpanAlarm) -> frozenset[str]:
    """Field words of a span's alarms."""
    words = {word for bit, word in ALARM_NAMES.items() if bit in alarms}
    if SpanAlarm.RED in alarms and not words & {"LOS", "LOF", "LOMF", "AIS"}:
        words.add("RED")
    if SpanAlarm.RECOVERING in alarms and not words:
        words.add("RECOVERING")
    return frozenset(words)


class DahdiCard:
    """One span as a board. Subclasses implement `_settings`, `_opened`, `_event`, `_signal`, `_each_…`."""

    def __init__(self, name: str, span: int, channels: Sequence[ChannelPlace], echo_canceller: str = "") -> None:
        self.name = name
        self.channels: Sequence[ChannelPlace] = tuple(channels)
        self.has_clock = True
        self.counters = BoardCounters()
        self._span = span
        self._echo_canceller = echo_canceller
        self._control: Control | None = None
        self._stream: ChannelStream | None = None
        self._lines: list[Channel] = []
        self._alarms: frozenset[str] = frozenset()
        self._waiting: list[FromBoard] = []
        self._look_in = 0
        self._echo_failures = 0

    # ---- what a kind of board says -----------------------------------------------------------------------------------

    line_config = LineConfig(0)
    clock_from = 0
    _silence = ALAW_SILENCE
    """Its code on the lines."""
    _cancels_at_rest = True
    """The echo canceller runs before the first call too."""

    def _settings(self, states: Sequence[ChannelState]) -> tuple[list[ChannelSetting], list[ChannelState]]:
        """What all channels of the span shall be, and those that are the board's channels, in their order."""
        raise NotImplementedError

    def _before_opening(self, control: Control) -> None:
        """Something that the driver's channels take up when they are opened."""

    def _choose_law(self) -> None:
        """The channels are open, nothing has been read or written yet: say what their samples are."""

    def _opened(self) -> None:
        """The channels are open: prepare them, say how they are."""

    def _event(self, index: int, event: int) -> None:
        """An event of a channel that is not an alarm of the span."""

    def _signal(self, signal: ToBoard) -> None:
        """Do what the gateway says; the channel and its kind are checked."""
        raise NotImplementedError

    def _each_block(self) -> None:
        """Blocks have come: something that has to be tried again soon."""

    def _each_second(self) -> None:
        """Something that has to be looked after."""

    # ---- the Board contract ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Configure the span, open all channels. Raises BoardError if the driver, the span or a channel is missing."""
        if self._stream is not None:
            return
        with self._telling():
            self._control = control = Control()
            control.configure_span(self._span, self.line_config, self.clock_from)
            settings, states = self._settings(control.channels_of(self._span))
            control.configure_channels(settings)
            self._before_opening(control)
            for place, state in zip(self.channels, states, strict=True):
                self._lines.append(Channel(state.number, f"span {self._span} {place.label}"))
            self._choose_law()
            self._stream = ChannelStream(self._lines, CUSHION, silence=self._silence)
            self.counters = BoardCounters()
            self._echo_failures = 0
            self._waiting = []
            self._alarms = frozenset()
            self._opened()
            if self._echo_canceller and self._cancels_at_rest:
                for line in self._lines:
                    line.set_echo_cancel(ECHO_TAPS)
            self._look()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        for line in self._lines:
            line.close()
        if self._control is not None:
            self._control.close()
        self._stream = self._control = None
        self._lines = []

    def fileno(self) -> int:
        return self._running().fileno()

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        """Blocks, oldest first, then what has happened on the lines."""
        stream = self._running()
        with self._telling():
            blocks: list[Block] = list(stream.receive())
            for index, event in stream.events():
                if event in (Event.ALARM, Event.NOALARM):
                    self._look_in = 0
                self._event(index, event)
            self.counters.blocks_received += len(blocks)
            self._look_in -= len(blocks)
            if blocks:
                self._each_block()
            if self._look_in <= 0:
                self._look()
                self._each_second()
        signals, self._waiting = self._waiting, []
        return blocks, signals

    def send_block(self, block: Block) -> None:
        stream = self._running()
        with self._telling():
            before = stream.lost_outward
            if stream.send(block):
                self.counters.blocks_sent += 1
            self.counters.lost_outward += stream.lost_outward - before

    def send_signal(self, signal: ToBoard) -> None:
        self._running()
        if not 0 <= signal.channel < len(self.channels):
            raise BoardError(fault("no_such_channel", channel=signal.channel), self.name)
        place = self.channels[signal.channel]
        if not isinstance(signal, TO_KIND[place.kind]):
            raise NotSupported(cannot_do(place, signal), self.name, place.label)
        with self._telling():
            self._signal(signal)

    def _cancel_echo(self, index: int, on: bool = True) -> None:
        """Begin a channel's canceller anew with a call, or end it: the path of the last call is not that of this one,
        and the driver leaves a canceller off for good that a fax or modem (2100 Hz) has ended. A call does without one
        that the driver refuses."""
        if not self._echo_canceller:
            return
        try:
            self._lines[index].set_echo_cancel(ECHO_TAPS if on else 0)
        except DahdiError as error:
            if error.gone:
                raise
            self._echo_failures += 1
            _log.warning("board %s: the call goes on with echo: %s", self.name, error)

    # ---- alarms and counters -----------------------------------------------------------------------------------------

    def _tell(self, signal: FromBoard) -> None:
        """Hand a signal to the gateway with the next `receive`."""
        self._waiting.append(signal)

    def _look(self) -> None:
        """Ask the driver for alarms and counters."""
        self._look_in = LOOK_BLOCKS
        assert self._control is not None and self._stream is not None
        span = self._control.span(self._span)
        alarms = alarm_words(span.alarms)
        for word in sorted(self._alarms ^ alarms, key=lambda word: (word not in alarms, word)):
            self._tell(Alarm(word, word in alarms))
        self._alarms = alarms
        self.counters.lost_inward = self._stream.lost_inward
        self.counters.slips = self._stream.slips
        self.counters.crc_errors = span.crc4_errors
        self.counters.extra = {
            "line_underruns": self._stream.underruns,
            "e_bit_errors": span.e_bit_errors,
            "bipolar_violations": span.bipolar_violations,
            "frame_errors": span.frame_errors,
            "missed_interrupts": span.irq_misses,
            "echo_failures": self._echo_failures,
        }

    def _running(self) -> ChannelStream:
        if self._stream is None:
            raise BoardError(fault("not_open"), self.name)
        return self._stream

    def _telling(self) -> _Telling:
        """What the driver refuses becomes a BoardError, after which the board is closed."""
        return _Telling(self)


class _Telling:
    """The context of what is asked of the driver. No generator: from Python 3.13 on an error that passes through one
    keeps itself and all frames that it saw in a circle, at each opening anew, and the gateway collects none."""

    def __init__(self, card: DahdiCard) -> None:
        self._card = card

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        card = self._card
        if isinstance(error, DahdiError | ValueError):
            with contextlib.suppress(OSError):
                card.close()
        if isinstance(error, DahdiError):
            raise BoardError(error.fault, card.name, error.where) from error
        if isinstance(error, ValueError):  # fewer channels than places
            raise BoardError(fault("span_other"), card.name, f"span {card._span}") from error
