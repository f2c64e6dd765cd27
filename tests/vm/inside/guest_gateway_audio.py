"""The real gateway process on the real driver, its channels joined crosswise: every bit of speech comes through.

Two pairs of E1: the gateway has one end of each, the test the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from boards.dahdi_e1 import channels
from boards.signals import Connect, Proceeding, Release, Setup, Signal
from firmware.lines.line_commands import AnswerLeg, Hear, Join
from firmware.lines.messages import BoardChanged, IncomingCall, LegAnswered, LegCleared
from tests.box.running_gateway import Callserver
from tests.vm.inside.far_line import FarLine, channels_that_heard, random_blocks
from tests.vm.inside.gateway_process import GatewayOnSpans
from tests.vm.inside.scripted_worker import ScriptedWorker
from tests.vm.inside.spans import DynamicSpan, create

Pairs = Sequence[tuple[DynamicSpan, DynamicSpan]]


@pytest.fixture
def pairs() -> Pairs:
    return [(create(key, 0), create(key, 1)) for key in (1, 2)]


def spans_of(pairs: Pairs) -> list[DynamicSpan]:
    return [span for pair in pairs for span in pair]


def answer_and_join(gateway: GatewayOnSpans, callserver: Callserver, count: int) -> dict[int, str]:
    """Each channel of the first board hears its like on the second and the other way round; the legs by channel."""
    legs = {call.channel: call.leg for call in callserver.all(IncomingCall)}
    callserver.say(*(AnswerLeg(leg) for leg in legs.values()))
    ways = [(channel, channel + count) for channel in range(count)]
    callserver.say(
        Join(tuple(Hear(legs[one], (legs[other],)) for one, other in ways)),
        Join(tuple(Hear(legs[other], (legs[one],)) for one, other in ways)),
    )
    gateway.until(lambda: len(callserver.all(LegAnswered)) == 2 * count, "answer")
    return legs


def faults(gateway: GatewayOnSpans, callserver: Callserver, names: Sequence[str]) -> list[object]:
    """All that boards and far ends have counted so far."""
    states = [callserver.board(name) for name in names]
    told: list[object] = [(state.lost_inward, state.lost_outward, state.counters) for state in states]
    return told + [
        (far.stream.slips, far.stream.underruns, far.stream.lost_inward, far.stream.lost_outward) for far in gateway.far
    ]


def settle(gateway: GatewayOnSpans, callserver: Callserver, names: Sequence[str]) -> None:
    """Until nothing has been counted for two and a half seconds: what a stall has left (everything starting, the test
    making samples) is made up for by slips, which are not bit for bit."""
    end, calm_since, before = time.monotonic() + 30, time.monotonic(), faults(gateway, callserver, names)
    while time.monotonic() - calm_since < 2.5:
        assert time.monotonic() < end, f"it never comes to rest: {before}"
        gateway.serve(0.5)
        if (now := faults(gateway, callserver, names)) != before:
            calm_since, before = time.monotonic(), now


def check_every_bit(gateway: GatewayOnSpans, callserver: Callserver, names: Sequence[str], count: int) -> None:
    """Six tenths of a second of random codes both ways, another row on each channel. A stall that was counted meanwhile
    has the scene played again: gateway and both far ends nearly fill the one processor of the guest."""
    sent = random_blocks(11, 60, count), random_blocks(12, 60, count)
    for _ in range(6):
        settle(gateway, callserver, names)
        before = faults(gateway, callserver, names)
        for far, blocks in zip(gateway.far, sent, strict=True):
            far.heard.clear()
            far.to_play = list(blocks)
        gateway.serve(1.3)
        heard = [list(far.heard) for far in reversed(gateway.far)]
        came = [channels_that_heard(said, got) for said, got in zip(sent, heard, strict=True)]
        if came == [count, count]:
            return
        # A slip may go on for 2.6 s and is counted at its end; the gateway tells counters every ten seconds at most.
        gateway.serve(14.0, lambda known=before: faults(gateway, callserver, names) != known)
        counted = faults(gateway, callserver, names)
        assert counted != before, f"{came} channels came whole, and nothing was counted: {counted}"
    pytest.fail(f"{came} channels came whole; {before} and then {counted}")


# ---- sixty-two channels ----------------------------------------------------------------------------------------------


@pytest.fixture
def standing(tmp_path: Path, pairs: Pairs) -> Iterator[GatewayOnSpans]:
    """All slots of both spans are bearers: bchan=1-31,32-62 and no D channel."""
    entries = [{"board": f"span{pair[0].number}", "kind": "standing_lines"} for pair in pairs]
    far = [FarLine(pair[1], slots=tuple(range(1, 32))) for pair in pairs]
    gateway = GatewayOnSpans(tmp_path, entries, far, spans_of(pairs))
    yield gateway
    gateway.close()


def test_sixty_two_channels_pass_every_bit_both_ways(standing: GatewayOnSpans, pairs: Pairs) -> None:
    callserver = standing.start()
    standing.until(lambda: len(callserver.all(IncomingCall)) == 62, "sixty-two lines")

    answer_and_join(standing, callserver, 31)

    check_every_bit(standing, callserver, [f"span{pair[0].number}" for pair in pairs], 31)


# ---- sixty calls with signalling -------------------------------------------------------------------------------------

NAMES = ("e1", "e2")


@pytest.fixture
def isdn(tmp_path: Path, pairs: Pairs) -> Iterator[GatewayOnSpans]:
    entries = [
        {"board": name, "kind": "dahdi_e1", "e1": {"span": pair[0].number}}
        for name, pair in zip(NAMES, pairs, strict=True)
    ]
    gateway = GatewayOnSpans(tmp_path, entries, [FarLine(pair[1]) for pair in pairs], spans_of(pairs))
    gateway.workers += [
        ScriptedWorker(channels(pair[0].number, "pri"), gateway.paths.pri_socket(pair[0].number)) for pair in pairs
    ]
    yield gateway
    gateway.close()


def told(worker: ScriptedWorker, kind: type[Signal]) -> int:
    return sum(isinstance(one, kind) for one in worker.signals)


def test_sixty_isdn_calls_are_joined_end_when_a_card_is_pulled_and_its_channels_return(
    isdn: GatewayOnSpans, pairs: Pairs
) -> None:
    gateway = isdn
    callserver = gateway.start()
    gateway.until(lambda: all(worker.link for worker in gateway.workers), "signalling processes", 10)
    gateway.serve(1.5)  # the alarm of the missing signalling process ends
    for worker in gateway.workers:
        worker.say(*(Setup(channel, "12345", f"139{channel:08d}") for channel in range(30)))
    gateway.until(lambda: len(callserver.all(IncomingCall)) == 60, "sixty calls")
    gateway.until(lambda: all(told(worker, Proceeding) == 30 for worker in gateway.workers), "Proceeding")
    legs = answer_and_join(gateway, callserver, 30)
    gateway.until(lambda: all(told(worker, Connect) == 30 for worker in gateway.workers), "Connect")
    check_every_bit(gateway, callserver, NAMES, 30)

    device = pairs[1][0].pull()
    gateway.until(lambda: len(callserver.all(LegCleared)) == 30, "end of the calls on the card that was pulled", 3)
    assert {event.leg for event in callserver.all(LegCleared)} == {legs[channel] for channel in range(30, 60)}
    gateway.until(lambda: not callserver.board("e2").working, "board that fails", 3)
    (fault,) = callserver.board("e2").faults
    assert fault.what and fault.remedy
    assert callserver.board("e1").working

    pairs[1][0].put_back(device)
    gateway.until(lambda: callserver.board("e2").working, "board that returns", 3)
    assert any(isinstance(event, BoardChanged) for event in callserver.events)
    gateway.workers[0].say(Release(0))
    gateway.until(lambda: legs[0] in {event.leg for event in callserver.all(LegCleared)}, "end of the released call", 3)
