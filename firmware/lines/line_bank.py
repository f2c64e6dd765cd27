"""All line machines of one start of the gateway, and what they want done: signals, events, sounds, listening, timers.

Not here: boards (`gateway.py`), what a callserver says (`commands.py`), when a machine wants what (the machines).
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Sequence

import msgspec

from boards.base import Block
from boards.signals import ToBoard
from firmware.core.clock import Stamp
from firmware.core.line_schemas import ExchangeLineSettings, R2Settings
from firmware.lines.board_row import BoardRow
from firmware.lines.digits import inband_digit
from firmware.lines.ears import Ears, Heard
from firmware.lines.event_store import EventStore
from firmware.lines.exchange_line import ExchangeLine
from firmware.lines.exchange_states import HeardCaller, HeardLesson, HeardProgress
from firmware.lines.extension import ExtensionLine
from firmware.lines.hearing import Hearing
from firmware.lines.kinds import AnyLine, new_line
from firmware.lines.line import (
    BusyTone,
    DialTone,
    DialTones,
    Effect,
    Howler,
    ListenTo,
    PhoneData,
    RegisterListen,
    RegisterTone,
    Report,
    RingbackTone,
    Send,
    StopSound,
    Unattended,
)
from firmware.lines.line_commands import ConfigureLines
from firmware.lines.line_sounds import LineSounds
from firmware.lines.line_states import channel_state, leg_state
from firmware.lines.messages import (
    AnyLineEvent,
    CallPlaced,
    ChannelChanged,
    ChannelState,
    DigitReceived,
    IncomingCall,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    LegState,
    PhoneLifted,
    PlayEnded,
)
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import R2Plan
from firmware.lines.r2.states import HeardTone
from firmware.media.codec import Alaw
from firmware.media.plane import MediaPlane
from firmware.tones.dtmf import DetectedDigit
from firmware.tones.mfc import MfcSender

_log = logging.getLogger(__name__)


class LineBank:
    """One machine a channel, by channel number."""

    def __init__(
        self,
        rows: Sequence[BoardRow],
        plane: MediaPlane,
        boot: str,
        r2_plan: R2Plan,
    ) -> None:
        """`rows`: the boards in the order of their channels. `r2_plan`: the country's. Raises PlanError."""
        places = [place for row in rows for place in row.places]
        self.lines: list[AnyLine] = [
            new_line(place.kind, channel, boot, r2_plan) for channel, place in enumerate(places)
        ]
        self.attended = False
        """True while a callserver is connected."""
        self.legs: dict[str, int] = {}
        """Leg → channel."""
        self.hearing = Hearing(plane)
        self.store = EventStore()
        self._r2_plan = r2_plan
        self._places = places
        self._board_of = [row for row in rows for _ in row.places]
        self._plane = plane
        self.ears = Ears(len(self.lines))
        self.register_sender = MfcSender()
        self._line_sounds = LineSounds(plane)
        self._leg_began = [0] * len(self.lines)
        self._shown = [("out_of_service", "")] * len(self.lines)
        self._blocked: set[int] = set()
        """Channels that are out of service by hand."""
        self._held: set[int] = set()
        """Channels that a loop test needs for a while."""
        self._deadlines: list[tuple[int, int]] = []
        self._signals: list[tuple[str, ToBoard]] = []

    def at(self, channel: int) -> AnyLine | None:
        """The line on a channel, or None if there is no such channel."""
        return self.lines[channel] if 0 <= channel < len(self.lines) else None

    def configure(self, wanted: ConfigureLines, now: Stamp) -> None:
        """From now on lines are set so. A setting for a line that there is not is told and harms nobody."""
        settings = {entry.line: entry for entry in wanted.exchange_lines}
        for line, place, row in zip(self.lines, self._places, self._board_of, strict=True):
            if isinstance(line, ExchangeLine):
                entry = settings.pop(place.label, None)
                chosen = entry.settings() if entry is not None else ExchangeLineSettings()
                number = chosen.number or wanted.numbers.get(row.name, "")
                chosen = msgspec.structs.replace(chosen, number=number, receive_db=0.0, send_db=0.0)
                self.perform(line, line.configure(chosen), now)  # levels are the switch's
            elif isinstance(line, R2Line):
                line.plan = self._r2_plan.with_settings(wanted.r2.get(row.name, R2Settings()))
        self._blocked = {channel for channel, place in enumerate(self._places) if place.label in wanted.blocked}
        self._block(self.lines, now)
        analogue = [line for line in self.lines if isinstance(line, ExchangeLine | ExtensionLine)]
        labels = {self._places[line.channel].label: line.channel for line in analogue}
        self.hearing.set_line_levels({labels[one]: level for one, level in wanted.levels.items() if one in labels})
        for label in settings:
            _log.warning("there are settings for %s, which is no exchange line of this box", label)

    def hold(self, channels: Sequence[int], held: bool, now: Stamp) -> None:
        """No call on these channels for a while, whatever is blocked by hand meanwhile, or no more so."""
        (self._held.update if held else self._held.difference_update)(channels)
        self._block([self.lines[channel] for channel in channels], now)

    def _block(self, lines: Sequence[AnyLine], now: Stamp) -> None:
        for line in lines:
            self.perform(line, line.block(line.channel in self._blocked or line.channel in self._held, now), now)

    def load_sound(self, name: str, samples: Alaw) -> bool:
        """A recording replaces another, for plays that begin from now on. False if there is no room for it."""
        return self._plane.load_sound(name, samples)

    # ---- time --------------------------------------------------------------------------------------------------------

    def advance(self, now: Stamp) -> None:
        """Fire the timers that are due."""
        while self._deadlines and self._deadlines[0][0] <= now.mono_us:
            _, channel = heapq.heappop(self._deadlines)
            line = self.lines[channel]
            self.perform(line, line.advance(now), now)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds of the next timer, or None."""
        while self._deadlines:
            deadline, channel = self._deadlines[0]
            if self.lines[channel].next_deadline() == deadline:
                return deadline
            heapq.heappop(self._deadlines)  # that timer was stopped; a later one of its line has an entry of its own
        return None

    def listen(self, sent: Block, begin: int, now: Stamp) -> None:
        """The audio part of a tick whose first sample is `begin`: register tones over what is sent, and what was heard
        on the lines."""
        self.register_sender.lay_over(sent, begin)
        for channel, heard in self.ears.process(self._plane.linear, sent, begin):
            self.heard(self.lines[channel], heard, now)

    def heard(self, line: AnyLine, heard: Heard, now: Stamp) -> None:
        """A detector heard something on a line."""
        match heard, line:
            case HeardTone(), R2Line():
                self.perform(line, line.handle(heard, now), now)
            case ((HeardCaller() | HeardLesson() | HeardProgress()), ExchangeLine()):
                self.perform(line, line.heard(heard, now), now)
            case DetectedDigit(), ExchangeLine(talking=False):
                self.perform(line, line.digit(heard.digit, now), now)
            case DetectedDigit(), _:
                self.dialled(line, inband_digit(line, heard, now), now)

    def dialled(self, line: AnyLine, event: DigitReceived | None, now: Stamp) -> None:
        """A digit came from a line, in whatever way; None: one that does not count."""
        if event is not None:
            self.hearing.interrupt(event.leg)
        self.report(event)
        if event is not None and isinstance(line, ExtensionLine):
            self.perform(line, line.digit(now), now)

    def plays_ended(self, channels: Sequence[int], now: Stamp) -> None:
        """The switch says that plays on these channels ran out."""
        for leg, play in self.hearing.ended(channels):
            self.report(PlayEnded(number=0, leg=leg, sample=0, at=now, play=play))

    # ---- what lines want ---------------------------------------------------------------------------------------------

    def perform(self, line: AnyLine, effects: Sequence[Effect], now: Stamp) -> None:
        """Carry out what a line's machine answered; follow its timers and its state."""
        for effect in effects:
            match effect:
                case Send():
                    self.send(line.channel, effect.signal)
                case Report():
                    self._follow_leg(effect.event, line.channel)
                    self.report(effect.event)
                case BusyTone() | DialTone() | RingbackTone() | Howler() | PhoneData() | DialTones() | StopSound():
                    self._line_sounds.perform(line.channel, effect)
                case RegisterTone(signal=0):
                    self.register_sender.stop(line.channel)
                case RegisterTone():
                    self.register_sender.start(line.channel, effect.direction, effect.signal)
                case RegisterListen() | ListenTo():
                    self.ears.listen(line, effect)
                case Unattended():
                    if not self.attended and not isinstance(line, ExtensionLine):
                        self.perform(line, line.alert(now), now)
        self.watch(line)
        self._show(line, now)

    def _follow_leg(self, event: AnyLineEvent, channel: int) -> None:
        match event:
            case LegAlerting() if event.leg in self.legs:
                pass  # of a call that was placed: a leg since its CallPlaced
            case LegAnswered() if isinstance(self.lines[channel], R2Line) and not self.hearing.playing_to(event.leg):
                self._plane.stop_play(channel)  # ringback tone
            case IncomingCall() | PhoneLifted() | CallPlaced() | LegAlerting():
                self.legs[event.leg] = channel
                self._leg_began[channel] = self._plane.sample
                self.hearing.open(event.leg, channel)
                self.ears.begin(channel)
            case LegReleasing():
                self.hearing.close(event.leg)
            case LegCleared():
                self.hearing.close(event.leg)
                self._plane.silence(channel)  # busy tone
                del self.legs[event.leg]

    def report(self, event: AnyLineEvent | None) -> None:
        """Number an event and keep it; None is no event."""
        if event is None:
            return
        number = self.store.last_number + 1
        self.store.append(msgspec.structs.replace(event, number=number, sample=self._plane.sample))

    def send(self, channel: int, signal: ToBoard) -> None:
        """A signal for the board of a channel, in the board's own channel number."""
        row = self._board_of[channel]
        self._signals.append((row.name, msgspec.structs.replace(signal, channel=channel - row.first)))

    def take_signals(self) -> list[tuple[str, ToBoard]]:
        """Signals for boards since the last call, by board name, in order."""
        signals, self._signals = self._signals, []
        return signals

    def watch(self, line: AnyLine) -> None:
        """Follow a line's timers."""
        deadline = line.next_deadline()
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, line.channel))

    # ---- how they are ------------------------------------------------------------------------------------------------

    def leg_began(self, channel: int) -> int:
        """Sample count at which the channel's leg began."""
        return self._leg_began[channel]

    def leg_states(self) -> tuple[LegState, ...]:
        """All legs."""
        return tuple(leg_state(leg, self.lines[channel], self.hearing) for leg, channel in self.legs.items())

    def channel_state(self, line: AnyLine) -> ChannelState:
        """One channel as pages show it."""
        row = self._board_of[line.channel]
        return channel_state(line, self._places[line.channel], row.name, tested=line.channel in self._held)

    def _show(self, line: AnyLine, now: Stamp) -> None:
        state = self.channel_state(line)
        shown = (state.state, state.leg)
        if shown != self._shown[line.channel]:
            self._shown[line.channel] = shown
            self.report(ChannelChanged(number=0, leg="", sample=0, at=now, state=state))
