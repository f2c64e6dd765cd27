"""From the wires of simulated chips to the events of the gateway's core and back, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from drivers.simulated.register_chip import Fault
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.core.clock import Stamp
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, Attach, ClearLeg, RingExtension
from firmware.lines.messages import ChannelChanged, IncomingCall, LegAnswered, LegCleared
from firmware.media.sounds import SoundStore
from firmware.tones.plan import load_plan
from tests.boards.chip_board import ChipBench


class Lines:
    """A phone (channel 0) and an exchange line (channel 1) on one card, and the gateway's core."""

    def __init__(self) -> None:
        self.bench = ChipBench("si3210", "si3050")
        self.board = self.bench.board
        sounds = SoundStore.load(load_plan().samples())
        self.gateway = Gateway([(self.board.name, self.board.channels)], sounds, "boot", "machine")
        self.now = Stamp(1_000_000, 1_790_000_000_000_000, True)
        self.gateway.attach(Attach("", 0), self.now)
        self.board.open()
        self.gateway.board_opened(self.board.name, self.now)
        self.run(2000)

    def run(self, ms: int) -> None:
        for _ in range(ms // 10):
            self.now = self.now.later(10_000)
            self.bench.far.block()
            blocks, signals = self.board.receive()
            for block in blocks:
                self.board.send_block(self.gateway.tick({self.board.name: block}, self.now)[self.board.name])
            for signal in signals:
                self.gateway.handle_signal(self.board.name, signal, self.now)
            for _, line_signal in self.gateway.take_signals():
                self.board.send_signal(line_signal)
            self.bench.far.look()

    def all(self, kind: type) -> list:  # type: ignore[type-arg]
        return [event for event in self.gateway.events_after(0) if isinstance(event, kind)]

    @property
    def phone(self) -> SimulatedSi3210:
        return cast(SimulatedSi3210, self.bench.chips[0])

    @property
    def line(self) -> SimulatedSi3050:
        return cast(SimulatedSi3050, self.bench.chips[1])


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    lines.board.close()


def states(lines: Lines, channel: int) -> list[str]:
    return [one.state.state for one in lines.all(ChannelChanged) if one.state.channel == channel]


def test_a_phone_is_rung_in_the_cadence_of_the_line_machine_and_answers(lines: Lines) -> None:
    assert states(lines, 0)[-1] == "idle"
    lines.gateway.handle_command(RingExtension(request="r1", channel=0), lines.now)
    heard = []
    for _ in range(700):
        lines.run(10)
        heard.append(lines.phone.rings)
    assert 95 <= sum(heard[:500]) <= 105  # 1 s on, 4 s off
    assert sum(heard[500:]) >= 95

    lines.phone.lift()
    lines.run(300)
    assert len(lines.all(LegAnswered)) == 1
    assert not lines.phone.rings


def test_a_call_on_the_exchange_line_is_taken_and_given_up(lines: Lines) -> None:
    for _ in range(4):
        lines.line.ring(True)
        lines.run(1000)
        lines.line.ring(False)
        lines.run(4000)
        if lines.all(IncomingCall):
            break
    (call,) = lines.all(IncomingCall)
    lines.gateway.handle_command(AnswerLeg(leg=call.leg), lines.now)
    lines.run(500)
    assert lines.line.off_hook()

    lines.gateway.handle_command(ClearLeg(leg=call.leg), lines.now)
    lines.run(3000)
    assert not lines.line.off_hook()
    assert len(lines.all(LegCleared)) == 1


def test_a_phone_call_outlives_a_brown_out_of_its_chip(lines: Lines) -> None:
    lines.phone.lift()
    lines.run(300)
    lines.phone.reset()
    lines.run(2500)

    assert lines.all(LegCleared) == []
    assert states(lines, 0)[-1] == "up"
    lines.phone.put_down()
    lines.run(1000)
    assert len(lines.all(LegCleared)) == 1
    assert states(lines, 0)[-1] == "idle"


def test_a_phone_that_was_put_down_during_the_brown_out_is_seen(lines: Lines) -> None:
    lines.phone.lift()
    lines.run(300)
    lines.phone.reset()
    lines.run(300)
    lines.phone.put_down()
    lines.run(3000)

    assert len(lines.all(LegCleared)) == 1
    assert states(lines, 0)[-1] == "idle"


def test_a_port_that_stays_dead_ends_its_call(lines: Lines) -> None:
    lines.phone.lift()
    lines.run(300)
    lines.phone.fault = Fault.STUCK_LOW
    lines.run(8000)

    assert len(lines.all(LegCleared)) == 1
    assert states(lines, 0)[-1] == "out_of_service"
    assert states(lines, 1)[-1] == "idle"


def test_a_brown_out_of_an_exchange_line_ends_its_call(lines: Lines) -> None:
    lines.line.ring(True)
    lines.run(1000)
    lines.line.ring(False)
    lines.run(4000)
    lines.line.ring(True)
    lines.run(1000)
    lines.line.ring(False)
    (call,) = lines.all(IncomingCall)
    lines.gateway.handle_command(AnswerLeg(leg=call.leg), lines.now)
    lines.run(500)
    lines.line.reset()
    lines.run(6000)

    assert len(lines.all(LegCleared)) == 1
    assert states(lines, 1)[-1] == "idle"
    assert not lines.line.off_hook()
