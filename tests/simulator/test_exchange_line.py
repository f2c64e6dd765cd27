"""The exchange's end of a simulated analogue trunk behaves as one that tells an end by busy tone alone."""

from __future__ import annotations

import numpy as np

from boards.signals import DialPulses, FromBoard, Loop, LoopCurrent, RingDetected, ToBoard
from firmware.media.codec import SILENCE, Alaw, decode
from firmware.simulator.citizens import Outcome
from firmware.simulator.exchange_line import LineState
from firmware.simulator.scenario import Citizen, HangUp, Step, Talk, Wait
from firmware.simulator.world import BLOCK_US, World
from firmware.tones.call_progress import bursts_of
from firmware.tones.caller_id import read_message
from firmware.tones.fsk import FskDetector
from tests.simulator.scripted_box import START

LINE, OTHER = 32, 33


class Box:
    """At the box's end of two analogue trunks (after an E1 and two phones)."""

    def __init__(self, *citizens: Citizen) -> None:
        self.world = World(citizens, (), START, extensions=2, exchange_lines=2)
        self.said: list[tuple[float, FromBoard]] = []
        """(seconds, signal)."""
        self.heard: list[Alaw] = []
        self._silence = np.full((len(self.world.channels), 80), SILENCE, dtype=np.uint8)

    def run(self, seconds: float, *signals: ToBoard) -> None:
        for number in range(round(seconds * 100)):
            now = START.later(self.world.block * BLOCK_US)
            block, said = self.world.step(self._silence, signals if number == 0 else (), now)
            self.said += [((now.mono_us - START.mono_us) / 1e6, signal) for signal in said]
            self.heard.append(block[LINE])

    def of(self, kind: type) -> list[tuple[float, FromBoard]]:
        return [(at, signal) for at, signal in self.said if isinstance(signal, kind)]

    def audio(self) -> Alaw:
        audio, self.heard = np.concatenate(self.heard), []
        return audio

    @property
    def line(self) -> LineState:
        return self.world.exchange_lines[LINE].state


def citizen(*steps: Step, at: float = 1.0) -> Citizen:
    return Citizen(at_seconds=at, calling="13912345678", audio=True, trunk="exchange_line", steps=steps)


def test_it_rings_one_second_in_five_and_says_the_number_after_the_first_ring() -> None:
    box = Box(citizen(Wait(until="answered")))
    box.run(12)

    assert [(round(at), signal.on) for at, signal in box.of(RingDetected)] == [  # type: ignore[union-attr]
        (1, True),
        (2, False),
        (6, True),
        (7, False),
        (11, True),
    ]
    detector = FskDetector(1)
    linear = decode(box.audio()).reshape(-1, 1, 80)
    (message,) = [one for block in linear for one in detector.process(block, np.zeros(1, dtype=np.intp))]
    assert message.intact and read_message(message.kind, message.content).number == "13912345678"


def test_the_loop_answers_and_busy_tone_says_that_the_citizen_has_left_until_it_is_opened() -> None:
    box = Box(citizen(Wait(until="answered"), Talk(), Wait(seconds=2.0), HangUp()))
    box.run(3)
    box.run(2.5, Loop(LINE, True))
    assert [signal for _, signal in box.of(LoopCurrent)] == [LoopCurrent(LINE, True)]
    box.audio()
    box.run(5)
    assert box.line is LineState.LEFT and LINE in box.world.callers
    assert all(abs(one.hz - 450) < 3 and abs(one.duration / 8 - 350) < 5 for one in bursts_of(box.audio()))
    box.run(0.1, Loop(LINE, False))

    assert box.line is LineState.IDLE and box.world.callers == {}
    assert set(np.unique(np.concatenate(box.heard[5:]))) == {SILENCE}
    assert box.world.totals.by_outcome[Outcome.HUNG_UP] == 1 and box.world.quiet


def test_a_line_that_the_box_does_not_give_back_is_counted() -> None:
    box = Box(citizen(Wait(until="answered"), Wait(seconds=1.0), HangUp()))
    box.run(2)
    box.run(15, Loop(LINE, True))

    assert box.world.totals.unconfirmed_releases == 1


def test_the_box_hangs_up_first() -> None:
    box = Box(citizen(Wait(until="answered"), Wait(until="cleared")))
    box.run(2)
    box.run(2, Loop(LINE, True))
    box.run(0.1, Loop(LINE, False))

    assert box.world.totals.by_outcome[Outcome.RELEASED] == 1 and box.line is LineState.IDLE


def test_a_second_citizen_comes_by_the_next_line_and_a_third_finds_none() -> None:
    box = Box(*(citizen(Wait(until="answered"), at=1.0 + number) for number in range(3)))
    box.run(4)

    assert set(box.world.callers) == {LINE, OTHER}
    assert box.world.totals.by_outcome[Outcome.NO_CHANNEL] == 1


def test_a_citizen_who_gives_up_stops_the_ringing() -> None:
    box = Box(citizen(Wait(seconds=0.4), HangUp()))
    box.run(10)

    assert [signal for _, signal in box.of(RingDetected)] == [RingDetected(LINE, True), RingDetected(LINE, False)]
    assert box.world.callers == {}


def test_a_gateway_that_dies_leaves_the_lines_at_rest() -> None:
    box = Box(citizen(Wait(until="answered"), Wait(seconds=60.0)))
    box.run(2)
    box.run(1, Loop(LINE, True))
    box.world.gateway_lost(START.later(box.world.block * BLOCK_US))

    assert box.line is LineState.IDLE and box.world.quiet
    assert box.world.totals.by_outcome[Outcome.LINE_LOST] == 1


def test_the_box_calls_out_by_pulses_and_somebody_or_busy_tone_answers() -> None:
    box = Box()
    box.run(1, Loop(LINE, True))
    assert bursts_of(box.audio()) == [], "dial tone has no end"
    box.run(5, DialPulses(LINE, "8765"))
    assert box.world.exchange_lines[LINE].number == "8765"
    box.run(0.1, Loop(LINE, False))
    box.run(0.1, Loop(LINE, True))
    box.run(4.0, DialPulses(LINE, "10"))
    box.audio()
    box.run(5)

    assert len(bursts_of(box.audio())) >= 6
