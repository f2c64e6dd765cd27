"""Analogue trunks when everything happens in any order: no stuck line, no loop left closed, each leg cleared once."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from boards.signals import Alarm, Cause, Loop, LoopCurrent, Polarity, RingDetected
from firmware.core.faults import fault
from firmware.lines.exchange_states import HeardCaller, HeardLesson, HeardProgress, Progress
from firmware.lines.line_commands import AlertLeg, AnswerLeg, ClearLeg, LearnTone, PlaceCall
from firmware.lines.messages import (
    CallPlaced,
    IncomingCall,
    LearnFailed,
    LegAlerting,
    LegAnswered,
    LegCleared,
    ToneLearnt,
)
from firmware.tones.cadence import LearnedTone
from firmware.tones.caller_id import CallerId
from tests.lines.exchange_bench import FIRST, ExchangeBench

TONE = LearnedTone(411, 190, 200, -18, 10, (188, 192), (198, 202))


class Chance:
    """One history; `closed` is what the board was told last."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        settings = {"answer_by": self.random.choice(["polarity", "dialling"])}
        self.bench = ExchangeBench(**settings)
        self.closed = False
        self.requests = 0

    def leg(self) -> str:
        begun = [*self.bench.all(IncomingCall), *self.bench.all(CallPlaced)]
        return self.random.choice(begun).leg if begun else "b00t.0.1"

    def lesson(self, calls: bool) -> LearnTone:
        return LearnTone(request=f"lesson-{self.requests}", channel=FIRST, called="10" if calls else "", seconds=5.0)

    def step(self) -> None:
        bench, now, flip = self.bench, self.bench.clock.now(), self.random.random() < 0.5
        gateway = bench.gateway
        line = gateway.lines[FIRST]
        self.requests += 1
        if not line.in_service:  # a board that is closed says nothing until it is open again
            gateway.board_opened("card", now)
        what = self.random.choice(
            [
                lambda: bench.signal(RingDetected(FIRST, flip)),
                lambda: bench.signal(RingDetected(FIRST, True), RingDetected(FIRST, False), RingDetected(FIRST, True)),
                lambda: bench.signal(LoopCurrent(FIRST, flip)),
                lambda: bench.signal(Polarity(FIRST, flip)),
                lambda: bench.signal(Alarm("power", flip)),
                lambda: bench.command(AnswerLeg(self.leg())),
                lambda: bench.command(AlertLeg(self.leg())),
                lambda: bench.command(ClearLeg(self.leg(), Cause.BUSY)),
                lambda: bench.configure(blocked=flip),
                lambda: bench.command(PlaceCall(f"out-{self.requests}", FIRST, "110")),
                lambda: bench.command(self.lesson(flip)),
                lambda: bench.configure(any_regular_tone=flip),
                lambda: gateway._bank.heard(line, HeardLesson(TONE), now),
                lambda: gateway._bank.heard(line, HeardCaller(CallerId("138")), now),
                lambda: gateway._bank.heard(line, HeardProgress("dial_tone"), now),
                lambda: gateway._bank.heard(line, HeardProgress(self.random.choice(get_args(Progress))), now),
                lambda: gateway._bank.heard(line, HeardProgress("ringback"), now),
                lambda: gateway.board_failed("card", fault("no_audio"), now),
                lambda: bench.wait(self.random.choice([0.1, 0.4, 2.0, 7.0])),
                bench.tick,
            ]
        )
        what()
        bench.look()
        for signal in bench.said():
            if isinstance(signal, Loop):
                assert signal.closed != self.closed, "said twice"
                self.closed = signal.closed
        if not line.in_service:
            self.closed = False  # a board that is closed opens its loops
        self.check()

    def check(self) -> None:
        line = self.bench.gateway.lines[FIRST]
        begun = [event.leg for event in (*self.bench.all(IncomingCall), *self.bench.all(CallPlaced))]
        cleared = [event.leg for event in self.bench.all(LegCleared)]
        assert len(set(begun)) == len(begun)
        assert len(set(cleared)) == len(cleared)
        assert set(cleared) <= set(begun)
        assert set(begun) - set(cleared) == ({line.leg} if line.leg else set())
        answered = [event.leg for event in self.bench.all(LegAnswered)]
        assert len(set(answered)) == len(answered)
        rung = [event.leg for event in self.bench.all(LegAlerting)]
        assert len(set(rung)) == len(rung)
        assert self.closed == (line.state.value in ("seized", "dialling", "calling", "caught", "up", "learning"))
        lessons = [event.request for event in (*self.bench.all(ToneLearnt), *self.bench.all(LearnFailed))]
        assert len(set(lessons)) == len(lessons)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_the_line_comes_to_rest(seed: int) -> None:
    chance = Chance(seed)
    for _ in range(120):
        chance.step()
    bench = chance.bench
    if not bench.gateway.lines[FIRST].in_service:
        bench.open()
    bench.signal(Alarm("power", False), RingDetected(FIRST, False))
    bench.configure()
    bench.command(ClearLeg(bench.gateway.lines[FIRST].leg))
    bench.wait(20)

    assert bench.state(FIRST) == "idle"
    assert bench.gateway.snapshot(False, bench.clock.now()).legs == ()
    assert bench.gateway.next_deadline() is None
    bench.said()
    assert bench.answered()
