"""10,000 random courses of bits, tones, commands and time on an R2 line: no crash, no stuck channel, each leg once."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from boards.signals import Bits, Cause
from firmware.core.clock import Stamp
from firmware.lines.line import Effect, RegisterListen, RegisterTone, Report, Send
from firmware.lines.line_commands import PlaceCall
from firmware.lines.messages import CallPlaced, IncomingCall, LegAlerting, LegAnswered, LegCleared, LegReleasing
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import load_r2_plan
from firmware.lines.r2.states import HeardTone, R2State

PLAN = load_r2_plan()
IDLE, SEIZE, HIGH, ANSWER = 0b1011, 0b0011, 0b1111, 0b0111
CAUSES = list(Cause)
COURSES, PARTS = 10_000, 10


class Course:
    """One line, alone; the far end is whatever the course says."""

    def __init__(self) -> None:
        self.now = Stamp(1_000_000, 1_000_000)
        self.line = R2Line(channel=0, boot="b", plan=PLAN)
        self.courses: dict[str, list[Any]] = {}
        self.listening: str | None = None
        self.sending = 0
        self.requests = 0
        self.start_board()

    def start_board(self) -> None:
        if not self.line.in_service:
            self.line.put_in_service()
            self.take(self.line.begin(self.now))

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Report(event):
                    if event.leg:
                        self.courses.setdefault(event.leg, []).append(event)
                case RegisterListen(direction):
                    self.listening = direction
                case RegisterTone(_, signal):
                    assert 0 <= signal <= 15
                    self.sending = signal
                case Send(signal):
                    assert self.line.in_service, "bits to a board that is not there"
                    assert isinstance(signal, Bits)
                    assert signal.abcd & 3 == 3
        self.check()

    def check(self) -> None:
        line = self.line
        assert (self.listening is not None) == line.listening
        assert not self.sending or line.register is not None, "a tone that no register answers for"
        live = [leg for leg, course in self.courses.items() if not isinstance(course[-1], LegCleared)]
        assert live == ([line.leg] if line.leg else []), "a leg that events do not know"
        if line.state is R2State.IDLE:
            assert line.register is None
            assert not line.leg
            assert set(line.timers) <= {"recognition", "failure", "shortest_signal"}

    def wait(self, seconds: float) -> None:
        end = self.now.mono_us + round(seconds * 1_000_000)
        while (due := self.line.next_deadline()) is not None and due <= end:
            self.now = Stamp(max(due, self.now.mono_us), due)
            self.take(self.line.advance(self.now))
        self.now = Stamp(end, end)

    def bits(self, abcd: int, settle: bool = True) -> None:
        self.take(self.line.handle(Bits(0, abcd), self.now))
        if settle:
            self.wait(0.06)

    def tone(self, signal: int, on: bool) -> None:
        if self.listening is not None:
            self.take(self.line.handle(HeardTone(signal, on), self.now))

    def cycle(self, signal: int) -> None:
        """A tone of the far end from its beginning to its end."""
        self.tone(signal, True)
        self.wait(0.05)
        self.tone(signal, False)
        self.wait(0.05)

    def place(self, called: str = "12345") -> None:
        self.requests += 1
        self.take(self.line.handle(PlaceCall(str(self.requests), 0, called, "13800138000"), self.now))

    def incoming(self, steps: int) -> None:
        """The first steps of a call that comes in and is answered."""
        self.bits(SEIZE)
        for signal in [1, 2, 3, 4, 5, 1, 1, 3, 8, 10, 15, 3][:steps]:
            self.cycle(signal) if signal != 3 or steps < 12 else self.tone(signal, True)
        if steps > 12:
            self.take(self.line.alert(self.now))
        if steps > 13:
            self.tone(3, False)
        if steps > 14:
            self.take(self.line.answer(self.now))
            self.wait(0.5)

    def outgoing(self, steps: int) -> None:
        """The first steps of a call that is placed and answered."""
        self.place()
        if steps:
            self.bits(HIGH)
        for signal in [1, 1, 1, 1, 6, *([1] * 12), 3, 1][: max(0, steps - 1)]:
            self.cycle(signal)
        if steps > 20:
            self.bits(ANSWER)

    def random_step(self, chance: random.Random) -> None:
        line = self.line
        match chance.randrange(16):
            case 0 | 1 | 2:
                self.bits(
                    chance.choice([IDLE, IDLE, SEIZE, HIGH, ANSWER, 0, chance.randrange(16)]), chance.random() < 0.7
                )
            case 3 | 4:
                self.tone(chance.randint(1, 15), chance.random() < 0.6)
            case 5 | 6:
                self.cycle(chance.choice([1, 1, 1, 2, 3, 4, 5, 6, 15, chance.randint(1, 15)]))
            case 7:
                self.place(chance.choice(["12345", "1", "0755886012345678"]))
            case 8:
                self.take(line.answer(self.now))
            case 9:
                self.take(line.alert(self.now))
            case 10:
                self.take(line.clear(chance.choice(CAUSES), self.now))
            case 11:
                self.take(line.block(chance.random() < 0.4, self.now))
            case 12:
                self.take(line.alarm(chance.random() < 0.4, self.now))
            case 13:
                if chance.random() < 0.3:
                    self.take(line.take_out_of_service(self.now))
                self.start_board()
            case 14:
                self.wait(chance.choice([0.02, 0.2, 1.1, 5.1, 16.0, 100.0]))
            case _:
                self.line = msgspec.json.decode(msgspec.json.encode(line), type=R2Line)

    def finish(self) -> None:
        """The far end is at rest, the board works, nobody wants anything: so must the line be."""
        self.start_board()
        self.take(self.line.alarm(False, self.now))
        self.take(self.line.block(False, self.now))
        self.take(self.line.clear(Cause.NORMAL, self.now))
        self.bits(IDLE)
        self.take(self.line.clear(Cause.NORMAL, self.now))
        self.wait(30.0)
        assert self.line.display_state() == "idle"
        assert self.line.timers == {}
        assert self.line.sent_bits == IDLE
        for course in self.courses.values():
            assert isinstance(course[0], IncomingCall | CallPlaced)
            assert [isinstance(event, LegCleared) for event in course] == [False] * (len(course) - 1) + [True]
            assert all(
                sum(isinstance(event, kind) for event in course) <= 1
                for kind in (LegAlerting, LegAnswered, LegReleasing)
            )
        # As good as new: a call comes in and is answered.
        known = len(self.courses)
        self.incoming(20)
        assert self.line.state is R2State.UP
        assert len(self.courses) == known + 1


REACHED: set[R2State] = set()


@pytest.mark.parametrize("part", range(PARTS))
def test_any_course_ends_with_an_idle_line_and_complete_legs(part: int) -> None:
    for seed in range(part * COURSES // PARTS, (part + 1) * COURSES // PARTS):
        chance = random.Random(seed)
        course = Course()
        try:
            if chance.random() < 0.9:
                course.bits(IDLE)
            if chance.random() < 0.7:
                begin = chance.choice([course.incoming, course.outgoing])
                begin(chance.randint(0, 22))
            REACHED.add(course.line.state)
            for _ in range(chance.randint(1, 25)):
                course.random_step(chance)
                REACHED.add(course.line.state)
            course.finish()
        except Exception as error:
            raise AssertionError(f"course {seed}, state {course.line.state}") from error


def test_the_courses_went_through_every_state() -> None:
    """Says that the test above is one: it must have been everywhere. Runs alone, it plays a part first."""
    if not REACHED:
        test_any_course_ends_with_an_idle_line_and_complete_legs(0)
    assert set(R2State) == REACHED
