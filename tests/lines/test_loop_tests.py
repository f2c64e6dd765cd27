"""A loop test at the gateway: what it sends and finds, what happens to calls meanwhile, and that it always ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, Block, BoardCounters, ChannelPlace
from boards.dahdi_e1 import channels
from boards.signals import Alarm, Bits, Blocked, Cause, ChannelKind, LoopWay, Release, Setup, ToBoard
from firmware.core.clock import VirtualClock
from firmware.core.faults import Fault, fault
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, Attach, ConfigureLines, Hear, Join, PlaceCall
from firmware.lines.loop_messages import BeginLoopTest, LoopedChannel, LoopOutcome
from firmware.lines.loop_tests import LoopOrder
from firmware.lines.messages import AnyLineEvent, IncomingCall, LoopTested, RingFailed
from firmware.media.sounds import SoundStore
from firmware.tones.bit_pattern import BITS

ISDN, R2, OTHER = 0, 30, 60
"""First channels of the boards."""
DELAY = 5
"""Blocks that the loop takes."""
CLEAN = 30 * [(0, "")]

Line = Callable[[Block], Block]


class LoopBench:
    """A gateway with an ISDN span, one with line bits and a third for calls, in virtual time. `line`: what the far end
    makes of the blocks of the board under test."""

    def __init__(self, line: Line = lambda block: block) -> None:
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        places = [("isdn", channels(1, "pri")), ("r2", channels(2, "cas")), ("other", channels(3, "pri"))]
        phones = ("phones", (ChannelPlace(ChannelKind.EXTENSION, "P-1"),))
        self.gateway = Gateway([*places, phones], SoundStore({}), boot="b00t", machine_boot="machine")
        self.line = line
        self.board = "isdn"
        self.sent: deque[Block] = deque()
        self.orders: list[LoopOrder] = []
        self.signals: list[tuple[str, ToBoard]] = []
        self.problem: Fault | None = None
        self.counters = BoardCounters()
        self.loops_bits = False
        for name in ("isdn", "r2", "other", "phones"):
            self.gateway.board_opened(name, self.clock.now())
        self.gateway.attach(Attach("", 0), self.clock.now())
        for channel in range(30):
            self.gateway.handle_signal("r2", Bits(channel, 0b1001), self.clock.now())
        self.run(0.5)

    def begin(self, board: str = "isdn", way: LoopWay = LoopWay.FAR, seconds: float = 1.0, request: str = "1") -> None:
        self.board = board
        command = BeginLoopTest(request=request, board=board, way=way, seconds=seconds)
        self.gateway.handle_command(command, self.clock.now())
        self.serve()

    def serve(self) -> None:
        """What the process does for the boards after each turn."""
        for name, signal in self.gateway.take_signals():
            self.signals.append((name, signal))
            if self.loops_bits and name == self.board and isinstance(signal, Bits):
                self.gateway.handle_signal(name, signal, self.clock.now())
        waiting = deque(self.gateway.loop_tests.take_orders())
        while waiting:
            self.orders.append(order := waiting.popleft())
            match order.what:
                case "begin":
                    self.gateway.loop_tests.begun(order.board, self.problem)
                case "count":
                    self.gateway.loop_tests.counted(order.board, self.counters)
                case "end":
                    self.gateway.loop_tests.ended(order.board, self.counters, self.clock.now())
            waiting.extend(self.gateway.loop_tests.take_orders())

    def tick(self, **others: Block) -> dict[str, Block]:
        self.clock.advance_to(self.clock.now().mono_us + 10_000)
        back = self.sent.popleft() if len(self.sent) >= DELAY else np.full((30, 80), ALAW_SILENCE, np.uint8)
        out = self.gateway.tick({self.board: self.line(back), **others}, self.clock.now())
        self.sent.append(out[self.board].copy())
        self.serve()
        return out

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.tick()

    def wait(self, seconds: float) -> None:
        """Without blocks."""
        end = self.clock.now().mono_us + round(seconds * 1e6)
        while (due := self.gateway.next_deadline()) is not None and due <= end:
            self.clock.advance_to(due)
            self.gateway.advance(self.clock.now())
            self.serve()
        self.clock.advance_to(end)

    def events(self) -> list[AnyLineEvent]:
        return self.gateway.events_after(0)

    @property
    def outcomes(self) -> list[LoopOutcome]:
        return [event.outcome for event in self.events() if isinstance(event, LoopTested)]

    @property
    def outcome(self) -> LoopOutcome:
        (outcome,) = self.outcomes
        return outcome

    def states(self, first: int = ISDN) -> set[str]:
        return {line.display_state() for line in self.gateway.lines[first : first + 30]}

    def said(self, board: str, kind: type[ToBoard]) -> list[ToBoard]:
        return [signal for name, signal in self.signals if name == board and isinstance(signal, kind)]


@pytest.fixture
def bench() -> LoopBench:
    return LoopBench()


def judged(found: tuple[LoopedChannel, ...]) -> list[tuple[int, str]]:
    return [(one.errors, one.comes_from) for one in found]


# ---- what is found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "first"), [("isdn", ISDN), ("r2", R2)])
@pytest.mark.parametrize("way", [LoopWay.FAR, LoopWay.LOCAL])
def test_a_good_loop_brings_every_bit_of_all_channels_back(way: LoopWay, board: str, first: int) -> None:
    bench = LoopBench()
    bench.loops_bits = True
    bench.begin(board, way, seconds=2)
    bench.run(1)
    assert bench.states(first) == {"blocked"} and bench.outcomes == []
    bench.run(3.5)

    outcome = bench.outcome
    assert (outcome.board, outcome.way, outcome.seconds, outcome.reason) == (board, way, 2.0, "")
    assert judged(outcome.channels) == CLEAN
    assert {one.bits for one in outcome.channels} == {200 * BITS}
    assert {one.interruptions for one in outcome.channels} == {0}
    assert [order.what for order in bench.orders] == ["begin", "count", "end"]
    assert bench.states(first) == {"idle"}


def test_wrong_bits_are_found_on_their_channel() -> None:
    def line(block: Block) -> Block:
        block = block.copy()
        block[7, 3] ^= 0x10
        return block

    bench = LoopBench(line)
    bench.begin()
    bench.run(3.5)

    assert [one.errors for one in bench.outcome.channels] == [100 if row == 7 else 0 for row in range(30)]


def test_channels_that_are_swapped_or_open_are_named() -> None:
    def line(block: Block) -> Block:
        block = block.copy()
        block[[2, 3]] = block[[3, 2]]
        block[20] = ALAW_SILENCE
        return block

    bench = LoopBench(line)
    bench.begin()
    bench.run(3.5)

    found = {one.label: one for one in bench.outcome.channels}
    assert (found["E1-1/3"].comes_from, found["E1-1/4"].comes_from) == ("E1-1/4", "E1-1/3")
    assert [one.label for one in bench.outcome.channels if not one.bits] == ["E1-1/22"]
    assert sum(bool(one.comes_from) for one in bench.outcome.channels) == 2


def test_without_a_loop_nothing_comes_back(bench: LoopBench) -> None:
    bench.line = lambda block: np.full_like(block, ALAW_SILENCE)
    bench.begin()
    bench.run(3.5)

    assert {(one.bits, one.errors) for one in bench.outcome.channels} == {(0, 0)}


def test_what_the_board_counted_and_which_alarms_there_were_is_told(bench: LoopBench) -> None:
    bench.counters = BoardCounters(crc_errors=4, lost_inward=1)
    bench.begin()
    bench.run(2.5)
    bench.counters = BoardCounters(crc_errors=9, slips=2, lost_inward=1, extra={"e_bit_errors": 3})
    bench.gateway.handle_signal("isdn", Alarm("RAI", True), bench.clock.now())
    bench.gateway.handle_signal("isdn", Alarm("RAI", False), bench.clock.now())
    bench.gateway.handle_signal("isdn", Alarm("LOOPBACK", True), bench.clock.now())
    bench.run(1)

    assert bench.outcome.counters == {"crc_errors": 5, "slips": 2, "e_bit_errors": 3}
    assert bench.outcome.alarms == ("RAI",)


def test_towards_the_exchange_every_octet_goes_back_as_it_came(bench: LoopBench) -> None:
    bench.begin(way=LoopWay.TOWARD_EXCHANGE)
    bench.run(0.1)
    said = np.random.default_rng(1).integers(0, 256, (30, 80), dtype=np.uint8)
    bench.line = lambda block: said

    assert np.array_equal(bench.tick()["isdn"], said)
    bench.run(3.5)
    assert (bench.outcome.looped_by, bench.outcome.seconds, bench.outcome.channels) == ("card", 1.0, ())


def test_a_board_with_a_clock_of_its_own_is_answered_block_by_block_past_the_tick(bench: LoopBench) -> None:
    silent = np.full((30, 80), ALAW_SILENCE, np.uint8)
    assert bench.gateway.loop_tests.exchange("isdn", silent) is None
    bench.begin(seconds=1)
    back = silent
    for _ in range(320):
        back = bench.gateway.loop_tests.exchange("isdn", back)
        if back is None:
            break
        bench.clock.advance_to(bench.clock.now().mono_us + 10_000)
        assert "isdn" not in bench.gateway.tick({"other": silent}, bench.clock.now())
        bench.serve()
        if bench.outcomes:
            break

    assert judged(bench.outcome.channels) == CLEAN
    assert "isdn" in bench.gateway.tick({"other": silent}, bench.clock.now())


# ---- who may not be tested -------------------------------------------------------------------------------------------


def refused(bench: LoopBench, board: str = "isdn", way: LoopWay = LoopWay.FAR) -> str:
    before = len(bench.outcomes)
    bench.begin(board, way, request=f"{len(bench.events())}")
    assert len(bench.outcomes) == before + 1, "it began"
    return bench.outcomes[-1].reason


def test_a_board_with_a_call_is_not_tested_and_the_call_goes_on(bench: LoopBench) -> None:
    bench.gateway.handle_signal("isdn", Setup(4, "12345"), bench.clock.now())

    assert refused(bench) == "calls"
    assert bench.gateway.lines[ISDN + 4].display_state() == "seized"
    assert bench.orders == [] and bench.said("isdn", Blocked) == []


def test_what_cannot_be_tested_is_told(bench: LoopBench) -> None:
    assert refused(bench, "nowhere") == "no_such_board"
    assert refused(bench, "phones") == "no_time_slots"
    bench.gateway.handle_signal("isdn", Alarm("LOS", True), bench.clock.now())
    assert refused(bench) == "no_carrier"
    bench.gateway.board_failed("other", fault("no_audio"), bench.clock.now())
    assert refused(bench, "other") == "not_working"
    bench.begin("isdn", LoopWay.LOCAL, request="local")
    assert refused(bench, "isdn", LoopWay.LOCAL) == "running"


def test_a_board_without_that_loop_says_so_and_is_looped_outward_by_the_box(bench: LoopBench) -> None:
    bench.problem = fault("no_loop")
    bench.begin(way=LoopWay.LOCAL)
    assert (bench.outcome.reason, bench.outcome.fault) == ("cannot_loop", fault("no_loop"))
    assert bench.states() == {"idle"}

    bench.begin(way=LoopWay.TOWARD_EXCHANGE, request="2")
    bench.run(3.5)
    assert (bench.outcomes[-1].reason, bench.outcomes[-1].looped_by) == ("", "box")


# ---- calls meanwhile -------------------------------------------------------------------------------------------------


def test_no_call_is_taken_or_placed_meanwhile_and_none_sticks(bench: LoopBench) -> None:
    bench.begin()
    bench.run(0.5)
    assert bench.said("isdn", Blocked) == [Blocked(channel, True) for channel in range(30)]
    bench.gateway.handle_signal("isdn", Setup(3, "12345"), bench.clock.now())
    bench.gateway.handle_command(PlaceCall("out", ISDN + 9, "110"), bench.clock.now())
    bench.serve()
    assert bench.said("isdn", Release) == [Release(3, Cause.CONGESTION)]
    assert [event.request for event in bench.events() if isinstance(event, RingFailed)] == ["out"]
    bench.gateway.handle_signal("isdn", Release(3), bench.clock.now())
    bench.run(3.5)

    assert judged(bench.outcome.channels) == CLEAN
    assert not any(isinstance(event, IncomingCall) for event in bench.events())
    assert bench.states() == {"idle"}
    assert bench.said("isdn", Blocked)[30:] == [Blocked(channel, False) for channel in range(30)]


def test_line_bits_in_a_loop_seize_nothing_and_leave_no_channel_stuck() -> None:
    bench = LoopBench()
    bench.begin("r2")
    bench.loops_bits = True
    bench.run(0.5)
    for channel, bits in enumerate((0b0001, 0b1101, 0b0101, 0b1001)):  # whatever a loop that closes may show
        for each in (0b1001, bits, 0b1001, 0b0001, 0b1101):
            bench.gateway.handle_signal("r2", Bits(channel, each), bench.clock.now())
    bench.run(2.7)
    assert judged(bench.outcome.channels) == CLEAN
    bench.run(1)

    assert not any(isinstance(event, IncomingCall) for event in bench.events())
    assert {line.leg for line in bench.gateway.lines} == {""}
    assert bench.states(R2) == {"idle"}


def test_a_seizure_that_stands_at_the_end_counts_then(bench: LoopBench) -> None:
    bench.begin("r2")
    bench.run(0.5)
    bench.gateway.handle_signal("r2", Bits(2, 0b0001), bench.clock.now())
    bench.run(0.5)
    assert bench.states(R2) == {"blocked"}
    bench.run(2.2)

    assert bench.gateway.lines[R2 + 2].display_state() == "seized"


def test_what_is_blocked_by_hand_meanwhile_counts_when_it_is_over(bench: LoopBench) -> None:
    def blocked() -> list[int]:
        return [number for number, line in enumerate(bench.gateway.lines) if line.display_state() == "blocked"]

    bench.gateway.handle_command(ConfigureLines(blocked=("E1-1/6", "E1-1/7")), bench.clock.now())
    bench.begin()
    bench.run(1)
    bench.gateway.handle_command(ConfigureLines(blocked=("E1-1/7", "E1-1/8")), bench.clock.now())
    assert blocked() == list(range(ISDN, ISDN + 30))
    told = bench.gateway.snapshot(False, bench.clock.now()).channels
    assert {told[number].state for number in blocked()} == {"testing"}
    bench.run(3.5)

    assert bench.outcome.reason == "" and blocked() == [ISDN + 6, ISDN + 7]


def test_other_boards_go_on_untouched(bench: LoopBench) -> None:
    for channel in (0, 1):
        bench.gateway.handle_signal("other", Setup(channel, "12345"), bench.clock.now())
    legs = [event.leg for event in bench.events() if isinstance(event, IncomingCall)]
    for leg in legs:
        bench.gateway.handle_command(AnswerLeg(leg), bench.clock.now())
    joined = Join((Hear(legs[0], (legs[1],)), Hear(legs[1], (legs[0],))))
    bench.gateway.handle_command(joined, bench.clock.now())
    bench.begin()
    generator = np.random.default_rng(2)
    for number in range(330):
        said = generator.integers(0, 256, (30, 80), dtype=np.uint8)
        out = bench.tick(other=said)["other"]
        if number > 2:
            assert np.array_equal(out[[0, 1]], said[[1, 0]])
            assert (out[2:] == ALAW_SILENCE).all()
        assert (bench.gateway.received[ISDN : ISDN + 30] == ALAW_SILENCE).all() or bench.outcomes

    assert judged(bench.outcome.channels) == CLEAN


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_it_ends_when_the_callserver_goes(bench: LoopBench) -> None:
    bench.begin(seconds=600)
    bench.run(2)
    bench.gateway.detach(bench.clock.now())
    bench.serve()

    assert bench.outcome.reason == "stopped"
    assert bench.orders[-1].what == "end" and bench.states() == {"idle"}


def test_it_ends_with_its_board(bench: LoopBench) -> None:
    bench.begin()
    bench.run(2)
    bench.gateway.board_failed("isdn", fault("no_audio"), bench.clock.now())
    assert bench.outcome.reason == "board_failed"
    bench.gateway.board_opened("isdn", bench.clock.now())

    assert bench.states() == {"idle"}
    assert refused_not(bench)


def refused_not(bench: LoopBench) -> bool:
    """Another test can begin."""
    bench.sent.clear()
    bench.begin(request="again")
    bench.run(3.5)
    return judged(bench.outcomes[-1].channels) == CLEAN


def test_it_ends_if_the_board_gives_no_blocks(bench: LoopBench) -> None:
    bench.begin(seconds=5)
    bench.wait(20)

    assert bench.outcome.reason == "not_working"
    assert bench.states() == {"idle"} and bench.gateway.next_deadline() is None


def test_a_test_asked_for_twice_is_one(bench: LoopBench) -> None:
    bench.begin()
    bench.begin()
    bench.run(3.5)
    bench.begin()
    bench.run(3.5)

    assert len(bench.outcomes) == 1
