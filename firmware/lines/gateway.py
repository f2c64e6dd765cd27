"""The gateway's core: boards' blocks and signals in, line commands in; blocks, signals and numbered events out.

It owns the switch, the digit detector and one line machine a channel. Sans-I/O: no sockets, clock or thread, so that
the same core runs in real time (firmware/box/gateway) and in the virtual time of a simulated day. Channels are
numbered through all boards, in the order of the configuration; a board speaks of its own channels from 0.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block, BoardCounters, ChannelPlace
from boards.signals import (
    Alarm,
    Blocked,
    Cause,
    Digit,
    FromBoard,
    ToBoard,
)
from firmware.core.clock import Stamp
from firmware.lines.board_row import BoardRow, board_rows
from firmware.lines.digits import inband_digit, signalled_digit
from firmware.lines.ears import Ears, Heard
from firmware.lines.event_store import EventStore
from firmware.lines.exchange_line import ExchangeLine, ExchangeLineSettings, HeardCaller, HeardProgress
from firmware.lines.extension import ExtensionLine, ring_failed
from firmware.lines.hearing import Hearing
from firmware.lines.kinds import AnyLine, new_line, take_signal
from firmware.lines.line import (
    BusyTone,
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
from firmware.lines.line_sounds import LineSounds
from firmware.lines.line_states import channel_state, leg_state
from firmware.lines.messages import (
    AlertLeg,
    AnswerLeg,
    AnyLineCommand,
    AnyLineEvent,
    Attach,
    BlockChannel,
    BoardChanged,
    BoardState,
    CallPlaced,
    ChannelChanged,
    ChannelState,
    ClearLeg,
    IncomingCall,
    Join,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    PhoneLifted,
    PlaceCall,
    Play,
    PlayEnded,
    Resume,
    RingExtension,
    Snapshot,
    StopPlay,
    TellPhone,
)
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import R2Plan, load_r2_plan
from firmware.lines.r2.states import HeardTone
from firmware.lines.trunk import TrunkLine
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore
from firmware.tones.dtmf import DetectedDigit
from firmware.tones.mfc import MfcSender

MICROSECONDS_PER_SAMPLE = 125
REQUESTS_REMEMBERED = 4096
"""Ring requests that are known when they come again."""

_log = logging.getLogger(__name__)


class Gateway:
    """All lines of one start of the gateway. `boot` names it, `machine_boot` the machine's (for monotonic times)."""

    def __init__(
        self,
        boards: Sequence[tuple[str, Sequence[ChannelPlace]]],
        sounds: SoundStore,
        boot: str,
        machine_boot: str,
        r2_plan: R2Plan | None = None,
        exchange_lines: Mapping[str, ExchangeLineSettings] | None = None,
    ) -> None:
        """`boards`: name and channels of each, in the configuration's order. `r2_plan`: tables of the CAS channels
        (None: China's as shipped). `exchange_lines`: settings of analogue trunks by label. Raises ValueError for a name
        twice, R2PlanError, PlanError."""
        self.boot = boot
        self.machine_boot = machine_boot
        self.attached = False
        """True while a callserver is connected."""
        self._boards = {row.name: row for row in board_rows(boards)}
        self._places = [place for _, places in boards for place in places]
        self._board_of = [row for row in self._boards.values() for _ in row.places]
        plan = r2_plan or load_r2_plan()
        self.lines: list[AnyLine] = [
            new_line(place.kind, channel, boot, plan, (exchange_lines or {}).get(place.label))
            for channel, place in enumerate(self._places)
        ]
        self.received: Block = np.full((len(self.lines), BLOCK), ALAW_SILENCE, np.uint8)
        """What came in in the last tick, all channels; overwritten by the next."""
        self.sent: Block = self.received.copy()
        """What went out in the last tick, all channels."""
        self._plane = MediaPlane(len(self.lines), sounds)
        self._ears = Ears(len(self.lines))
        self._register_sender = MfcSender()
        self._hearing = Hearing(self._plane)
        self._line_sounds = LineSounds(self._plane)
        self._legs: dict[str, int] = {}
        self._leg_began = [0] * len(self.lines)
        self._shown = [("out_of_service", "")] * len(self.lines)
        self._deadlines: list[tuple[int, int]] = []
        self._requests: dict[str, None] = {}
        self._signals: list[tuple[str, ToBoard]] = []
        self._store = EventStore()

    # ---- time --------------------------------------------------------------------------------------------------------

    @property
    def sample(self) -> int:
        """Samples since the start: the count of the first sample of the next tick."""
        return self._plane.sample

    def tick(self, blocks: Mapping[str, Block | None], now: Stamp) -> dict[str, Block]:
        """One tick of 10 ms: a block [channels, 80] A-law of each board in (None: silence), one for each out."""
        self.advance(now)
        for name, row in self._boards.items():
            block = blocks.get(name)
            self.received[row.rows] = ALAW_SILENCE if block is None else block
        begin = self._plane.sample
        result = self._plane.tick(self.received)
        self.sent = result.sent
        self._register_sender.lay_over(self.sent, begin)
        for channel, heard in self._ears.process(self._plane.linear, begin):
            self._heard(self.lines[channel], heard, now)
        self._plays_ended(result.ended, now)
        return {name: result.sent[row.rows] for name, row in self._boards.items()}

    def advance(self, now: Stamp) -> None:
        """Fire the timers that are due."""
        while self._deadlines and self._deadlines[0][0] <= now.mono_us:
            _, channel = heapq.heappop(self._deadlines)
            line = self.lines[channel]
            self._perform(line, line.advance(now), now)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds of the next timer, or None."""
        while self._deadlines:
            deadline, channel = self._deadlines[0]
            if self.lines[channel].next_deadline() == deadline:
                return deadline
            heapq.heappop(self._deadlines)  # that timer was stopped; a later one of its line has an entry of its own
        return None

    def idle_until(self, now: Stamp) -> int | None:
        """Monotonic microseconds of the next thing that happens without audio or anybody's doing: a timer or the end of
        a play. None: nothing will. A simulation may `skip_to` that moment if no audio matters until then."""
        ends = self._plane.next_end()
        moments = [self.next_deadline()]
        if self._ears.awaited:
            moments.append(now.mono_us + BLOCK * MICROSECONDS_PER_SAMPLE)
        if ends is not None:
            moments.append(now.mono_us + (ends - self.sample) * MICROSECONDS_PER_SAMPLE)
        return min((moment for moment in moments if moment is not None), default=None)

    def skip_to(self, sample: int, now: Stamp) -> list[PlayEnded]:
        """Let time pass without audio up to `sample` (whole blocks), which is the moment `now`. Fires timers and ends
        plays in the order of time; the ends are events as always and are given back too. Raises ValueError for time
        that has passed."""
        before = self._store.last_number
        while (ends := self._plane.next_end()) is not None and ends <= sample:
            moment = now.later((ends - sample) * MICROSECONDS_PER_SAMPLE)
            self.advance(moment)
            self._plays_ended(self._plane.skip(ends - self._plane.sample), moment)
        self._plane.skip(sample - self._plane.sample)
        self.advance(now)
        return [event for event in self._store.after(before) if isinstance(event, PlayEnded)]

    # ---- outputs -----------------------------------------------------------------------------------------------------

    def take_signals(self) -> list[tuple[str, ToBoard]]:
        """Signals for boards since the last call, by board name, in order, with the board's own channel numbers."""
        signals, self._signals = self._signals, []
        return signals

    @property
    def last_number(self) -> int:
        """Number of the newest line event."""
        return self._store.last_number

    def events_after(self, number: int, limit: int | None = None) -> list[AnyLineEvent]:
        """Line events after `number`, oldest first, at most `limit`."""
        return self._store.after(number, limit)

    # ---- boards ------------------------------------------------------------------------------------------------------

    def board_opened(self, board: str, now: Stamp) -> None:
        """The board works: its channels are idle, and it will tell which phones lie lifted."""
        row = self._boards[board]
        for line in self.lines[row.rows]:
            line.put_in_service()
            if line.blocked and isinstance(line, TrunkLine):
                self._send(line.channel, Blocked(line.channel, True))
            self._perform(line, line.begin(now) if isinstance(line, R2Line) else [], now)
        self._board_changed(row, row.working(), now)

    def board_failed(self, board: str, problem: str, remedy: str, now: Stamp) -> None:
        """The board does not work (any more): its legs end, its channels are out of service. Said twice: no change."""
        row = self._boards[board]
        for line in self.lines[row.rows]:
            self._perform(line, line.take_out_of_service(now), now)
        self._board_changed(row, row.failed(problem, remedy), now)

    def board_counters(self, board: str, counters: BoardCounters, now: Stamp) -> bool:
        """What the board has lost so far. True if that is more than was known."""
        row = self._boards[board]
        return self._board_changed(row, row.counted(counters), now)

    def handle_signal(self, board: str, signal: FromBoard, now: Stamp) -> None:
        """Something happened on a board's channel. A signal that the channel's kind does not have is passed over."""
        row = self._boards[board]
        if isinstance(signal, Alarm):
            self._alarm(row, signal, now)
            return
        if not row.holds(signal.channel):
            return
        channel = row.first + signal.channel
        line = self.lines[channel]
        if isinstance(signal, Digit):
            self._report(signalled_digit(line, signal, self.sample, self._leg_began[channel], now))
        else:
            self._perform(line, take_signal(line, signal, now), now)

    # ---- callserver --------------------------------------------------------------------------------------------------

    def attach(self, attach: Attach, now: Stamp) -> tuple[Snapshot, list[AnyLineEvent]]:
        """A callserver is there: what it gets first, and the events that follow at once (see `Snapshot`)."""
        self.attached = True
        known = attach.last_number if attach.boot == self.boot else 0
        resumed = self._store.can_resume(known)
        missed = self._store.after(known) if resumed else []
        return self.snapshot(resumed, now), missed

    def detach(self, now: Stamp) -> None:
        """The callserver has gone: calls that come, and those not alerted yet, are the gateway's to keep alive."""
        self.attached = False
        for line in self.lines:
            if isinstance(line, TrunkLine | R2Line):
                line.watch_unattended(now)
                self._watch(line)

    def handle_command(self, command: AnyLineCommand, now: Stamp) -> None:
        """Do what a callserver says. Said twice, or of a leg that is gone, it does nothing. Attach is for `attach`."""
        match command:
            case AnswerLeg() | AlertLeg() | ClearLeg():
                self._leg_command(command, now)
            case RingExtension() | PlaceCall():
                self._ring(command, now)
            case TellPhone(channel=channel) if 0 <= channel < len(self.lines):
                line = self.lines[channel]
                if isinstance(line, ExtensionLine):
                    self._perform(line, line.tell(command), now)
            case Play():
                for sound in command.sounds:
                    if sound not in self._plane.sounds:
                        _log.warning("there is no sound %s to play", sound)
                self._hearing.play(command)
            case StopPlay():
                self._hearing.stop(command.leg)
            case Join():
                self._hearing.join(command.hearing)
            case BlockChannel():
                self._block(command, now)
            case Resume():
                self._store.confirm(command.last_number)

    def _leg_command(self, command: AnswerLeg | AlertLeg | ClearLeg, now: Stamp) -> None:
        channel = self._legs.get(command.leg)
        if channel is None:
            return
        line = self.lines[channel]
        effects: list[Effect] = []
        if isinstance(command, ClearLeg):
            effects = line.clear(command.cause, now)
            self._hearing.close(command.leg)  # a trunk that is still to confirm is heard no more either
        elif not isinstance(line, ExtensionLine):
            effects = line.answer(now) if isinstance(command, AnswerLeg) else line.alert(now)
        self._perform(line, effects, now)

    def _ring(self, command: RingExtension | PlaceCall, now: Stamp) -> None:
        if command.request in self._requests:
            return
        self._requests[command.request] = None
        if len(self._requests) > REQUESTS_REMEMBERED:
            del self._requests[next(iter(self._requests))]
        line = self.lines[command.channel] if 0 <= command.channel < len(self.lines) else None
        if isinstance(line, ExtensionLine) and isinstance(command, RingExtension):
            self._perform(line, line.ring(command, now), now)
        elif isinstance(line, R2Line | ExchangeLine) and isinstance(command, PlaceCall):
            self._perform(line, line.handle(command, now), now)
        else:
            self._report(ring_failed(command.request, Cause.UNALLOCATED, now))

    def _block(self, command: BlockChannel, now: Stamp) -> None:
        if not 0 <= command.channel < len(self.lines):
            return
        line = self.lines[command.channel]
        blocked = command.blocked
        self._perform(line, line.block(blocked, now), now)

    def snapshot(self, resumed: bool, now: Stamp) -> Snapshot:
        """How all lines are now."""
        return Snapshot(
            boot=self.boot,
            machine_boot=self.machine_boot,
            resumed=resumed,
            last_number=self._store.last_number,
            sample=self.sample,
            at=now,
            legs=tuple(leg_state(leg, self.lines[channel], self._hearing) for leg, channel in self._legs.items()),
            channels=tuple(self._channel_state(line) for line in self.lines),
            boards=tuple(row.state for row in self._boards.values()),
        )

    def _channel_state(self, line: AnyLine) -> ChannelState:
        return channel_state(line, self._places[line.channel], self._board_of[line.channel].name)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _perform(self, line: AnyLine, effects: Sequence[Effect], now: Stamp) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(line.channel, effect.signal)
                case Report():
                    self._follow_leg(effect.event, line.channel)
                    self._report(effect.event)
                case BusyTone() | RingbackTone() | Howler() | PhoneData() | DialTones() | StopSound():
                    self._line_sounds.perform(line.channel, effect)
                case RegisterTone(signal=0):
                    self._register_sender.stop(line.channel)
                case RegisterTone():
                    self._register_sender.start(line.channel, effect.direction, effect.signal)
                case RegisterListen() | ListenTo():
                    self._ears.listen(line, effect)
                case Unattended():
                    if not self.attached and not isinstance(line, ExtensionLine):
                        self._perform(line, line.alert(now), now)
        self._watch(line)
        self._show(line, now)

    def _heard(self, line: AnyLine, heard: Heard, now: Stamp) -> None:
        match heard, line:
            case HeardTone(), R2Line():
                self._perform(line, line.handle(heard, now), now)
            case ((HeardCaller() | HeardProgress()), ExchangeLine()):
                self._perform(line, line.heard(heard, now), now)
            case DetectedDigit(), ExchangeLine(talking=False):
                self._perform(line, line.digit(heard.digit, now), now)
            case DetectedDigit(), _:
                self._report(inband_digit(line, heard, now))

    def _follow_leg(self, event: AnyLineEvent, channel: int) -> None:
        match event:
            case LegAlerting() if event.leg in self._legs:
                pass  # of a call that was placed: a leg since its CallPlaced
            case LegAnswered() if isinstance(self.lines[channel], R2Line) and not self._hearing.playing_to(event.leg):
                self._plane.stop_play(channel)  # ringback tone
            case IncomingCall() | PhoneLifted() | CallPlaced() | LegAlerting():
                self._legs[event.leg] = channel
                self._leg_began[channel] = self.sample
                self._hearing.open(event.leg, channel)
                self._ears.begin(channel)
            case LegReleasing():
                self._hearing.close(event.leg)
            case LegCleared():
                self._hearing.close(event.leg)
                self._plane.silence(channel)  # busy tone
                del self._legs[event.leg]

    def _report(self, event: AnyLineEvent | None) -> None:
        """Number an event and keep it; None is no event."""
        if event is None:
            return
        number = self._store.last_number + 1
        self._store.append(msgspec.structs.replace(event, number=number, sample=self.sample))

    def _send(self, channel: int, signal: ToBoard) -> None:
        row = self._board_of[channel]
        self._signals.append((row.name, msgspec.structs.replace(signal, channel=channel - row.first)))

    def _watch(self, line: AnyLine) -> None:
        deadline = line.next_deadline()
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, line.channel))

    def _show(self, line: AnyLine, now: Stamp) -> None:
        shown = (line.display_state(), line.leg)
        if shown != self._shown[line.channel]:
            self._shown[line.channel] = shown
            state = self._channel_state(line)
            self._report(ChannelChanged(number=0, leg="", sample=0, at=now, state=state))

    def _board_changed(self, row: BoardRow, state: BoardState, now: Stamp) -> bool:
        if state == row.state:
            return False
        row.state = state
        self._report(BoardChanged(number=0, leg="", sample=0, at=now, state=state))
        return True

    def _alarm(self, row: BoardRow, signal: Alarm, now: Stamp) -> None:
        for channel in sorted(row.set_alarm(signal.alarm, signal.raised, signal.channels)):
            line = self.lines[channel]
            self._perform(line, line.alarm(row.is_alarmed(channel), now), now)
        alarms = tuple(sorted(row.alarms))
        self._board_changed(row, msgspec.structs.replace(row.state, alarms=alarms), now)

    def _plays_ended(self, channels: Sequence[int], now: Stamp) -> None:
        for leg, play in self._hearing.ended(channels):
            self._report(PlayEnded(number=0, leg=leg, sample=0, at=now, play=play))
