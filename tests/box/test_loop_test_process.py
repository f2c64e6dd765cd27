"""A loop test by the gateway process on the simulated E1: the board loops itself, the far end loops, the box loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Blocked, HookChange, LoopWay
from firmware.lines.loop_messages import BeginLoopTest, LoopOutcome, StopLoopTest
from firmware.lines.messages import LoopTested, PhoneLifted
from tests.box.running_gateway import FIRST_PHONE, Callserver, RunningGateway, silence

BITS = 100 * 640


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[RunningGateway, Callserver]]:
    running = RunningGateway(tmp_path)
    running.greeted()
    callserver = running.callserver()
    running.wait_for_board(callserver)
    yield running, callserver
    callserver.close()
    running.close()


def begin(gateway: RunningGateway, callserver: Callserver, way: LoopWay, seconds: float = 1.0) -> None:
    callserver.say(BeginLoopTest(request=way, board="sim", way=way, seconds=seconds))
    for _ in range(1000):
        if sum(isinstance(signal, Blocked) and signal.blocked for signal in gateway.e1.signals) == 30:
            return
        gateway.exchange()
    pytest.fail("the channels are not blocked")


def good(outcome: LoopOutcome) -> bool:
    """Every bit of all channels; a stall of this machine loses blocks, and they are counted."""
    assert (outcome.reason, len(outcome.channels)) == ("", 30)
    assert {(one.errors, one.comes_from) for one in outcome.channels} == {(0, "")}
    return bool(outcome.counters) or {(one.bits, one.interruptions) for one in outcome.channels} == {(BITS, 0)}


def test_the_board_loops_itself_and_its_phones_go_on(served: tuple[RunningGateway, Callserver]) -> None:
    gateway, callserver = served
    begin(gateway, callserver, LoopWay.LOCAL)
    gateway.e1.signal(HookChange(FIRST_PHONE, True))
    gateway.until(PhoneLifted, callserver)
    outcome = gateway.until(LoopTested, callserver, 20).outcome

    assert good(outcome)
    for _ in range(5):
        heard = gateway.exchange()
    assert (heard == ALAW_SILENCE).all()
    assert [signal for signal in gateway.e1.signals if isinstance(signal, Blocked)][30:] == [
        Blocked(channel, False) for channel in range(30)
    ]


def test_what_the_far_end_gives_back_is_judged(served: tuple[RunningGateway, Callserver]) -> None:
    gateway, callserver = served
    begin(gateway, callserver, LoopWay.FAR)
    heard = silence()
    for _ in range(1000):
        heard = gateway.exchange(heard)
        callserver.look()
        if callserver.all(LoopTested):
            break

    assert good(callserver.all(LoopTested)[0].outcome)


def test_the_box_loops_the_line_until_its_callserver_goes(served: tuple[RunningGateway, Callserver]) -> None:
    gateway, callserver = served
    begin(gateway, callserver, LoopWay.TOWARD_EXCHANGE, 600.0)
    said = silence()
    said[:30] = np.random.default_rng(1).integers(0, 256, (30, 80), dtype=np.uint8)
    heard = [gateway.exchange(said) for _ in range(20)][-1]
    assert np.array_equal(heard, said)

    callserver.close()
    heard = [gateway.exchange(said) for _ in range(20)][-1]
    assert (heard == ALAW_SILENCE).all()
    again = gateway.callserver()
    for _ in range(20):
        if not again.all(LoopTested):
            again.look(0.5)
    assert again.all(LoopTested)[0].outcome.reason == "stopped"
    again.close()


def test_the_line_is_back_as_soon_as_the_test_is_stopped(served: tuple[RunningGateway, Callserver]) -> None:
    gateway, callserver = served
    begin(gateway, callserver, LoopWay.TOWARD_EXCHANGE, 600.0)
    callserver.say(StopLoopTest("sim"))
    outcome = gateway.until(LoopTested, callserver, 20).outcome

    assert outcome.reason == "stopped"
    for _ in range(5):
        heard = gateway.exchange()
    assert (heard == ALAW_SILENCE).all()
    said = [signal for signal in gateway.e1.signals if isinstance(signal, Blocked)]
    assert said[30:] == [Blocked(channel, False) for channel in range(30)]
