"""Loop tests of E1 boards: who may be tested, what is sent and compared on the time slots, when it ends. Sans-I/O.

While a test runs the channels are blocked: no call is placed or taken there, and the exchange is told so. Line bits
that come are kept and count when it is over, because in a loop they are our own. The board is told by orders
(`take_orders`), whose outcome is handed back. The pattern itself is tones/bit_pattern.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from boards.base import ALAW_SILENCE, Block, BoardCounters
from boards.signals import Bits, FromBoard, LoopWay
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.core.faults import Fault
from firmware.lines.board_row import BoardRow
from firmware.lines.kinds import take_signal
from firmware.lines.line_bank import LineBank
from firmware.lines.loop_messages import BeginLoopTest, LoopedChannel, LoopOutcome
from firmware.lines.messages import LoopTested
from firmware.tones.bit_pattern import PatternChecker, PatternSender

BLOCKS_A_SECOND = 100
NUMBERS_BLOCKS = BLOCKS_A_SECOND
SETTLING_BLOCKS = 2 * BLOCKS_A_SECOND
"""Before counting: the loop closes, the numbers of the slots go round; then the pattern does and is found."""
PATIENCE_US = 10 * MICROSECONDS
"""A board that gives no blocks for so long in all ends the test."""
REQUESTS_REMEMBERED = 64
RESTING = frozenset({"idle", "blocked", "out_of_service"})
NO_CARRIER = frozenset({"LOS", "LOF", "AIS", "RED", "NOT_OPEN", "starting"})
"""Alarms with which nothing can come back from outside."""
LINE_ALARMS = frozenset({"LOS", "LOF", "LOMF", "AIS", "RAI", "RED"})
"""Alarms that say something about the line under test. Others only follow from the loop: LOOPBACK, a D channel that
hears itself."""


class LoopState(StrEnum):
    BEGINNING = "beginning"
    """The board is told."""
    SETTLING = "settling"
    COUNTING = "counting"
    ENDING = "ending"
    """The board is told that it is over."""


class LoopOrder(NamedTuple):
    """For a board; each is answered: `begun`, `counted`, `ended`."""

    board: str
    what: Literal["begin", "count", "end"]
    way: LoopWay


@dataclass
class _Running:
    """One test."""

    command: BeginLoopTest
    row: BoardRow
    channels: NDArray[np.intp]
    """Gateway channels under test."""
    slots: NDArray[np.int64]
    deadline_us: int
    state: LoopState = LoopState.BEGINNING
    blocks: int = 0
    """In this state."""
    reason: str = ""
    fault: Fault | None = None
    looped_by: str = ""
    before: dict[str, int] = field(default_factory=dict)
    alarms: set[str] = field(default_factory=set)
    kept: dict[int, Bits] = field(default_factory=dict)
    """The newest line bits of each channel, by its index on the board."""

    def __post_init__(self) -> None:
        self.sender = PatternSender(self.slots)
        self.checker = PatternChecker(self.slots)

    @property
    def is_whole(self) -> bool:
        """All channels of the board are under test."""
        return len(self.channels) == len(self.row.places)


class LoopTests:
    """The tests of all boards, at most one of each."""

    def __init__(self, bank: LineBank, rows: Mapping[str, BoardRow]) -> None:
        self._bank = bank
        self._rows = rows
        self._running: dict[str, _Running] = {}
        self._orders: list[LoopOrder] = []
        self._requests: deque[str] = deque(maxlen=REQUESTS_REMEMBERED)

    def begin(self, command: BeginLoopTest, now: Stamp) -> None:
        """Test, or say why not."""
        if command.request in self._requests:
            return
        self._requests.append(command.request)
        row = self._rows.get(command.board)
        if (reason := self._refusal(row, command.way)) or row is None:
            self._report(command, LoopOutcome(board=command.board, way=command.way, seconds=0, reason=reason), now)
            return
        slots = [(row.first + index, place.time_slot) for index, place in enumerate(row.places) if place.time_slot]
        channels = [channel for channel, _ in slots]
        self._running[row.name] = _Running(
            command=command,
            row=row,
            channels=np.array(channels, np.intp),
            slots=np.array([slot for _, slot in slots], np.int64),
            deadline_us=now.mono_us + round(command.seconds * MICROSECONDS) + PATIENCE_US,
        )
        self._bank.hold(channels, True, now)
        self._orders.append(LoopOrder(row.name, "begin", command.way))

    def _refusal(self, row: BoardRow | None, way: LoopWay) -> str:
        if row is None:
            return "no_such_board"
        channels = [row.first + index for index, place in enumerate(row.places) if place.time_slot]
        if not channels:
            return "no_time_slots"
        if row.name in self._running:
            return "running"
        if not row.state.working:
            return "not_working"
        if any(self._bank.lines[channel].display_state() not in RESTING for channel in channels):
            return "calls"
        if way is LoopWay.FAR and any(alarm.code in NO_CARRIER for alarm in row.alarms):
            return "no_carrier"
        return ""

    def take_orders(self) -> list[LoopOrder]:
        """For boards, since the last call, in order."""
        orders, self._orders = self._orders, []
        return orders

    # ---- what the board says -----------------------------------------------------------------------------------------

    def begun(self, board: str, problem: Fault | None) -> None:
        """The board carries every octet as it is, and has closed its loop if it was to; or cannot, and why."""
        test = self._running.get(board)
        if test is None or test.state is not LoopState.BEGINNING:
            return
        if problem is not None and test.command.way is not LoopWay.TOWARD_EXCHANGE:
            test.reason, test.fault = "cannot_loop", problem
            self._end(test)
            return
        test.looped_by = "card" if problem is None else "box"
        test.state = LoopState.SETTLING

    def counted(self, board: str, counters: BoardCounters) -> None:
        """What the board had counted when counting began."""
        if (test := self._running.get(board)) is not None:
            test.before = _named(counters)

    def ended(self, board: str, counters: BoardCounters, now: Stamp) -> None:
        """The board is as before."""
        test = self._running.get(board)
        if test is not None:
            self._over(test, _named(counters), now)

    def failed(self, board: str, now: Stamp) -> None:
        """The board does not work any more: its loop is gone with it."""
        if (test := self._running.get(board)) is not None:
            test.reason = test.reason or "board_failed"
            self._over(test, {}, now)

    def alarm(self, board: str, code: str) -> None:
        """An alarm of the board was raised."""
        test = self._running.get(board)
        if test is not None and test.state is LoopState.COUNTING and code in LINE_ALARMS:
            test.alarms.add(code)

    def keeps(self, board: str, signal: FromBoard) -> bool:
        """True for line bits of a channel under test: they count when it is over."""
        test = self._running.get(board)
        if test is None or not isinstance(signal, Bits):
            return False
        test.kept[signal.channel] = signal
        return True

    # ---- samples -----------------------------------------------------------------------------------------------------

    def exchange(self, board: str, block: Block) -> Block | None:
        """A block of a board all of whose channels are under test, by the board's own clock: what goes out for it.
        None: it is not, and its blocks go through the tick as ever."""
        test = self._running.get(board)
        return self._answer(test, block) if test is not None and test.is_whole else None

    def take_from(self, received: Block, came: Mapping[str, Block | None]) -> list[tuple[NDArray[np.intp], Block]]:
        """A tick: the rows under test are taken out of `received` (all channels), and silent. What goes out on which
        rows instead of what the switch gives."""
        answers = []
        for name, test in self._running.items():
            if came.get(name) is not None:
                answers.append((test.channels, self._answer(test, received[test.channels])))
            received[test.channels] = ALAW_SILENCE
        return answers

    def is_past_the_tick(self, board: str, block: Block | None) -> bool:
        """True if what goes out on the board was the answer to `exchange`, and not to this tick."""
        test = self._running.get(board)
        return test is not None and test.is_whole and block is None

    def _answer(self, test: _Running, block: Block) -> Block:
        if test.state not in (LoopState.SETTLING, LoopState.COUNTING):
            return np.full_like(block, ALAW_SILENCE)
        test.blocks += 1
        if test.state is LoopState.COUNTING and test.blocks > round(test.command.seconds * BLOCKS_A_SECOND):
            test.blocks -= 1
            self._end(test)
            return np.full_like(block, ALAW_SILENCE)
        if test.state is LoopState.SETTLING and test.blocks > SETTLING_BLOCKS:
            test.state, test.blocks = LoopState.COUNTING, 1
            test.alarms = {alarm.code for alarm in test.row.alarms} & LINE_ALARMS
            test.checker.forget()
            self._orders.append(LoopOrder(test.row.name, "count", test.command.way))
        if test.command.way is LoopWay.TOWARD_EXCHANGE:
            return block.copy()
        test.checker.take(block)
        is_first = test.state is LoopState.SETTLING and test.blocks <= NUMBERS_BLOCKS
        return test.sender.numbers() if is_first else test.sender.block()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def stop(self, board: str) -> None:
        """End the test of a board now, if there is one. One that is at its end keeps what it found."""
        test = self._running.get(board)
        if test is not None and test.state is not LoopState.ENDING:
            test.reason = "stopped"
            self._end(test)

    def stop_all(self) -> None:
        """Whoever asked is gone."""
        for board in list(self._running):
            self.stop(board)

    def advance(self, now: Stamp) -> None:
        """End what has taken too long."""
        for test in list(self._running.values()):
            if test.deadline_us <= now.mono_us:
                test.deadline_us = now.mono_us + PATIENCE_US
                if test.state is not LoopState.COUNTING:
                    test.reason = test.reason or "not_working"
                if test.state in (LoopState.BEGINNING, LoopState.ENDING):
                    self._over(test, {}, now)
                else:
                    self._end(test)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds of the next one, or None."""
        return min((test.deadline_us for test in self._running.values()), default=None)

    def _end(self, test: _Running) -> None:
        if test.state is not LoopState.ENDING:
            test.state = LoopState.ENDING
            self._orders.append(LoopOrder(test.row.name, "end", test.command.way))

    def _over(self, test: _Running, counters: dict[str, int], now: Stamp) -> None:
        del self._running[test.row.name]
        self._bank.hold([int(channel) for channel in test.channels], False, now)
        for index, signal in test.kept.items():
            line = self._bank.lines[test.row.first + index]
            self._bank.perform(line, take_signal(line, signal, now), now)
        self._report(test.command, self._outcome(test, counters), now)

    def _outcome(self, test: _Running, counters: dict[str, int]) -> LoopOutcome:
        way = test.command.way
        if test.reason:
            return LoopOutcome(board=test.row.name, way=way, seconds=0, reason=test.reason, fault=test.fault)
        grown = {name: count - test.before.get(name, 0) for name, count in counters.items()}
        outward = way is LoopWay.TOWARD_EXCHANGE
        return LoopOutcome(
            board=test.row.name,
            way=way,
            seconds=test.blocks / BLOCKS_A_SECOND,
            channels=() if outward else _channels(test),
            counters={name: count for name, count in grown.items() if count > 0},
            alarms=tuple(sorted(test.alarms)),
            looped_by=test.looped_by if outward else "",
        )

    def _report(self, command: BeginLoopTest, outcome: LoopOutcome, now: Stamp) -> None:
        self._bank.report(LoopTested(number=0, leg="", sample=0, at=now, request=command.request, outcome=outcome))


def _channels(test: _Running) -> tuple[LoopedChannel, ...]:
    found = test.checker.findings()
    labels = {place.time_slot: place.label for place in test.row.places}
    return tuple(
        LoopedChannel(
            label=labels[int(slot)],
            bits=int(found.bits[row]),
            errors=int(found.errors[row]),
            interruptions=int(found.interruptions[row]),
            comes_from="" if found.source[row] in (slot, -1) else labels[int(found.source[row])],
        )
        for row, slot in enumerate(test.slots)
    )


def _named(counters: BoardCounters) -> dict[str, int]:
    return {
        "slips": counters.slips,
        "crc_errors": counters.crc_errors,
        "lost_inward": counters.lost_inward,
        "lost_outward": counters.lost_outward,
        **counters.extra,
    }
