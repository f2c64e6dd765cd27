"""A loop test by the real gateway process on the real driver: two spans at once, whose far ends are looped.

The first is the gateway's clock, the second is answered past its tick; the first has ISDN (and no signalling process,
so its D channel is down) and the driver's echo canceller, which must not touch the pattern; the second has line bits,
which the loop gives back too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.base import Block
from boards.signals import LoopWay
from drivers.dahdi_numbers import Event, Signalling
from firmware.lines.line_commands import ConfigureLines
from firmware.lines.loop_messages import BeginLoopTest, LoopOutcome
from firmware.lines.messages import ChannelChanged, IncomingCall, LoopTested
from tests.box.running_gateway import Callserver
from tests.vm.inside.far_line import FarLine
from tests.vm.inside.gateway_process import GatewayOnSpans
from tests.vm.inside.spans import DynamicSpan, create

NAMES = ("isdn", "r2")
TRIES = 5
"""A stall of the guest that lost samples, which is counted, has the test made again."""


class Plug(FarLine):
    """A loop plug: what comes goes back, samples and line bits."""

    is_in = True

    def look(self) -> int:
        blocks: list[Block] = self.stream.receive()
        for index, event in self.stream.events():
            if event == Event.BITSCHANGED and self.is_in:
                self.channels[index].send_bits(self.channels[index].receive_bits())
        for block in blocks:
            self.stream.send(block)
        return len(blocks)


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[GatewayOnSpans]:
    pairs = [(create(key, 0), create(key, 1)) for key in (1, 2)]
    spans: list[DynamicSpan] = [span for pair in pairs for span in pair]
    settings = ({"signalling": "pri", "echo_canceller": "mg2"}, {"signalling": "cas"})
    entries = [
        {"board": name, "kind": "dahdi_e1", "e1": {"span": pair[0].number, **more}}
        for name, more, pair in zip(NAMES, settings, pairs, strict=True)
    ]
    far = [Plug(pairs[0][1]), Plug(pairs[1][1], Signalling.CAS)]
    gateway = GatewayOnSpans(tmp_path, entries, far, spans)
    yield gateway
    gateway.close()


def losses(gateway: GatewayOnSpans) -> list[tuple[int, int, int]]:
    """What the far ends have lost so far."""
    return [(far.stream.slips, far.stream.underruns, far.stream.lost_inward) for far in gateway.far]


def outcomes(gateway: GatewayOnSpans, callserver: Callserver, way: LoopWay) -> list[LoopOutcome]:
    before = len(callserver.all(LoopTested))
    callserver.say(
        *(BeginLoopTest(request=f"{way}/{name}/{before}", board=name, way=way, seconds=1.0) for name in NAMES)
    )
    gateway.until(lambda: len(callserver.all(LoopTested)) == before + 2, f"end of the tests ({way})", 25)
    return [event.outcome for event in callserver.all(LoopTested)[before:]]


def test_two_looped_spans_bring_every_bit_back_and_spans_without_hardware_have_no_loop_of_their_own(
    plugged: GatewayOnSpans,
) -> None:
    callserver = plugged.start()
    callserver.say(ConfigureLines())
    plugged.until(lambda: all(callserver.board(name).working for name in NAMES), "boards", 5)
    plugged.serve(1.0)  # line bits settle, and what the start has left in the driver's buffers is given back

    for outcome in outcomes(plugged, callserver, LoopWay.LOCAL):
        assert outcome.reason == "cannot_loop" and outcome.fault is not None and outcome.fault.code == "no_loop"

    for _ in range(TRIES):
        before = losses(plugged)
        found = outcomes(plugged, callserver, LoopWay.FAR)
        for outcome in found:
            print(outcome.board, outcome.counters, {(one.bits, one.interruptions) for one in outcome.channels})
            assert (outcome.reason, outcome.seconds, len(outcome.channels)) == ("", 1.0, 30)
            assert {(one.errors, one.comes_from) for one in outcome.channels} == {(0, "")}, "wrong between its losses"
        if {(one.bits, one.interruptions) for outcome in found for one in outcome.channels} == {(64_000, 0)}:
            break
        counted = losses(plugged) != before or any(outcome.counters for outcome in found)
        assert counted, "interrupted, and nothing was counted"
    else:
        pytest.fail("each time a stall of the guest lost samples")

    plugged.serve(0.5)
    assert callserver.all(IncomingCall) == [], "our own bits have come back as a seizure"
    states = {event.state.label: event.state.state for event in callserver.all(ChannelChanged)}
    assert {state for label, state in states.items() if label.startswith("E1-3")} == {"idle"}
