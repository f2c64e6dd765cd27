"""The gateway's core: boards' blocks and signals in, line commands in; blocks, signals and numbered events out.

Sans-I/O: no sockets, clock or thread, so that the same core runs in real time (firmware/box/gateway) and in the virtual
time of a simulated day. It owns the switch, the boards' rows and, through `LineBank`, one line machine a channel.
Channels are numbered through all boards, in the order of the configuration; a board speaks of its own channels from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block, BoardCounters, ChannelPlace
from boards.signals import Alarm, Blocked, Digit, FromBoard, ToBoard
from firmware.core.clock import Stamp
from firmware.core.faults import Fault
from firmware.lines.board_row import BoardRow, board_rows
from firmware.lines.commands import LineCommands
from firmware.lines.digits import signalled_digit
from firmware.lines.kinds import AnyLine, take_signal
from firmware.lines.line_bank import LineBank
from firmware.lines.line_commands import AnyLineCommand, Attach
from firmware.lines.loop_messages import BeginLoopTest, StopLoopTest
from firmware.lines.loop_tests import LoopTests
from firmware.lines.messages import AnyLineEvent, BoardChanged, BoardState, PlayEnded, Snapshot
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import R2Plan, load_r2_plan
from firmware.lines.trunk import TrunkLine
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore

MICROSECONDS_PER_SAMPLE = 125


class Gateway:
    """All lines of one start of the gateway. `boot` names it, `machine_boot` the machine's (for monotonic times)."""

    def __init__(
        self,
        boards: Sequence[tuple[str, Sequence[ChannelPlace]]],
        sounds: SoundStore,
        boot: str,
        machine_boot: str,
        r2_plan: R2Plan | None = None,
    ) -> None:
        """`boards`: name and channels of each, in the configuration's order. `r2_plan`: tables of the CAS channels
        (None: China's as shipped). Lines are as usual until `ConfigureLines`. Raises ValueError for a name twice,
        R2PlanError, PlanError."""
        self.boot = boot
        self.machine_boot = machine_boot
        self._boards = {row.name: row for row in board_rows(boards)}
        self._plane = MediaPlane(sum(len(places) for _, places in boards), sounds)
        self._bank = LineBank(list(self._boards.values()), self._plane, boot, r2_plan or load_r2_plan())
        self._commands = LineCommands(self._bank)
        self.loop_tests = LoopTests(self._bank, self._boards)
        """What they order of the boards is for whoever holds these (`take_orders`)."""
        self.received: Block = np.full((len(self.lines), BLOCK), ALAW_SILENCE, np.uint8)
        """What came in in the last tick, all channels; overwritten by the next."""
        self.sent: Block = self.received.copy()
        """What went out in the last tick, all channels."""
        self.recorded: Block = self.sent
        """The same as recordings may hold it: without what was whispered."""

    @property
    def lines(self) -> Sequence[AnyLine]:
        """The machines, by channel number."""
        return self._bank.lines

    @property
    def attached(self) -> bool:
        """True while a callserver is connected."""
        return self._bank.attended

    # ---- time --------------------------------------------------------------------------------------------------------

    @property
    def sample(self) -> int:
        """Samples since the start: the count of the first sample of the next tick."""
        return self._plane.sample

    def tick(self, blocks: Mapping[str, Block | None], now: Stamp) -> dict[str, Block]:
        """One tick of 10 ms: a block [channels, 80] A-law of each board in (None: silence), one for each out. None out
        for a board without a block here that is in a loop test: its blocks are answered by `loop_tests.exchange`."""
        self.advance(now)
        for name, row in self._boards.items():
            block = blocks.get(name)
            self.received[row.rows] = ALAW_SILENCE if block is None else block
        patterns = self.loop_tests.take_from(self.received, blocks)
        begin = self._plane.sample
        result = self._plane.tick(self.received)
        self.sent = result.sent
        self._bank.listen(self.sent, begin, now)
        self.recorded = result.recorded()
        self._bank.plays_ended(result.ended, now)
        for rows, pattern in patterns:
            self.sent[rows] = pattern
        return {
            name: self.sent[row.rows]
            for name, row in self._boards.items()
            if not self.loop_tests.is_past_the_tick(name, blocks.get(name))
        }

    def advance(self, now: Stamp) -> None:
        """Fire the timers that are due."""
        self._bank.advance(now)
        self.loop_tests.advance(now)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds of the next timer, or None."""
        moments = (self._bank.next_deadline(), self.loop_tests.next_deadline())
        return min((moment for moment in moments if moment is not None), default=None)

    def idle_until(self, now: Stamp) -> int | None:
        """Monotonic microseconds of the next thing that happens without audio or anybody's doing: a timer or the end of
        a play. None: nothing will. A simulation may `skip_to` that moment if no audio matters until then."""
        ends = self._plane.next_end()
        moments = [self.next_deadline()]
        if self._bank.ears.awaited:
            moments.append(now.mono_us + BLOCK * MICROSECONDS_PER_SAMPLE)
        if ends is not None:
            moments.append(now.mono_us + (ends - self.sample) * MICROSECONDS_PER_SAMPLE)
        return min((moment for moment in moments if moment is not None), default=None)

    def skip_to(self, sample: int, now: Stamp) -> list[PlayEnded]:
        """Let time pass without audio up to `sample` (whole blocks), which is the moment `now`. Fires timers and ends
        plays in the order of time; the ends are events as always and are given back too. Raises ValueError for time
        that has passed."""
        before = self._bank.store.last_number
        while (ends := self._plane.next_end()) is not None and ends <= sample:
            moment = now.later((ends - sample) * MICROSECONDS_PER_SAMPLE)
            self.advance(moment)
            self._bank.plays_ended(self._plane.skip(ends - self._plane.sample), moment)
        self._plane.skip(sample - self._plane.sample)
        self.advance(now)
        return [event for event in self._bank.store.after(before) if isinstance(event, PlayEnded)]

    # ---- outputs -----------------------------------------------------------------------------------------------------

    def take_signals(self) -> list[tuple[str, ToBoard]]:
        """Signals for boards since the last call, by board name, in order, with the board's own channel numbers."""
        return self._bank.take_signals()

    @property
    def last_number(self) -> int:
        """Number of the newest line event."""
        return self._bank.store.last_number

    def events_after(self, number: int, limit: int | None = None) -> list[AnyLineEvent]:
        """Line events after `number`, oldest first, at most `limit`."""
        return self._bank.store.after(number, limit)

    # ---- boards ------------------------------------------------------------------------------------------------------

    def board_opened(self, board: str, now: Stamp) -> None:
        """The board works: its channels are idle, and it will tell which phones lie lifted."""
        row = self._boards[board]
        for line in self.lines[row.rows]:
            line.put_in_service()
            if line.blocked and isinstance(line, TrunkLine):
                self._bank.send(line.channel, Blocked(line.channel, True))
            self._bank.perform(line, line.begin(now) if isinstance(line, R2Line) else [], now)
        self._board_changed(row, row.working(), now)

    def board_failed(self, board: str, fault: Fault, now: Stamp) -> None:
        """The board does not work (any more): its legs end, its channels are out of service. Said twice: no change."""
        row = self._boards[board]
        for line in self.lines[row.rows]:
            self._bank.perform(line, line.take_out_of_service(now), now)
        self.loop_tests.failed(board, now)
        self._board_changed(row, row.failed(fault), now)

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
        if not row.holds(signal.channel) or self.loop_tests.keeps(board, signal):
            return
        channel = row.first + signal.channel
        line = self.lines[channel]
        if isinstance(signal, Digit):
            digit = signalled_digit(line, signal, self.sample, self._bank.leg_began(channel), now)
            self._bank.dialled(line, digit, now)
        else:
            self._bank.perform(line, take_signal(line, signal, now), now)

    def _board_changed(self, row: BoardRow, state: BoardState, now: Stamp) -> bool:
        if state == row.state:
            return False
        news = row.take(state)
        if news or self._bank.attended:  # who is not there gets the newest words with the snapshot
            self._bank.report(BoardChanged(number=0, leg="", sample=0, at=now, state=state, news=news))
        return True

    def _alarm(self, row: BoardRow, signal: Alarm, now: Stamp) -> None:
        alarm = Fault(signal.alarm, signal.arguments)
        if signal.raised:
            self.loop_tests.alarm(row.name, alarm.code)
        for channel in sorted(row.set_alarm(alarm, signal.raised, signal.channels)):
            line = self.lines[channel]
            self._bank.perform(line, line.alarm(row.is_alarmed(channel), now), now)
        if row.state.working:
            self._board_changed(row, msgspec.structs.replace(row.state, faults=row.faults()), now)

    # ---- callserver --------------------------------------------------------------------------------------------------

    def attach(self, attach: Attach, now: Stamp) -> tuple[Snapshot, list[AnyLineEvent]]:
        """A callserver is there: what it gets first, and the events that follow at once (see `Snapshot`)."""
        self._bank.attended = True
        known = attach.last_number if attach.boot == self.boot else 0
        resumed = self._bank.store.can_resume(known)
        missed = self._bank.store.after(known) if resumed else []
        return self.snapshot(resumed, now), missed

    def detach(self, now: Stamp) -> None:
        """The callserver has gone: calls that come, and those not alerted yet, are the gateway's to keep alive."""
        self._bank.attended = False
        self.loop_tests.stop_all()
        for line in self.lines:
            if isinstance(line, TrunkLine | R2Line):
                line.watch_unattended(now)
                self._bank.watch(line)

    def handle_command(self, command: AnyLineCommand, now: Stamp) -> None:
        """Do what a callserver says. Said twice, or of a leg that is gone, it does nothing. Attach is for `attach`."""
        if isinstance(command, BeginLoopTest):
            self.loop_tests.begin(command, now)
        elif isinstance(command, StopLoopTest):
            self.loop_tests.stop(command.board)
        else:
            self._commands.handle(command, now)

    def snapshot(self, resumed: bool, now: Stamp) -> Snapshot:
        """How all lines are now."""
        return Snapshot(
            boot=self.boot,
            machine_boot=self.machine_boot,
            resumed=resumed,
            last_number=self._bank.store.last_number,
            sample=self.sample,
            at=now,
            legs=self._bank.leg_states(),
            channels=tuple(self._bank.channel_state(line) for line in self.lines),
            boards=tuple(row.state for row in self._boards.values()),
            sounds=self._plane.sounds.names,
        )
