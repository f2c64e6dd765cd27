"""ISDN over the real driver: our PRI worker on the D channel of one span, libpri as the exchange on its peer's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.pri_link import PriLink
from boards.signals import Alarm, Cause, Connect, Release, Setup
from drivers.d_channel import open_d_channel
from drivers.dahdi_numbers import Signalling
from drivers.pri_stack import (
    TIME_SLOTS,
    Answer,
    Clear,
    Cleared,
    Gone,
    Incoming,
    LayerTwo,
    PlaceCall,
    Proceed,
    Progress,
    Progressed,
    Restart,
    RestartDone,
)
from tests.box.pri_worker import Worker, running
from tests.vm.inside.spans import SIGNALLING_SLOT, DynamicSpan

SLOT_17 = TIME_SLOTS.index(17)


@pytest.fixture
def worker(tmp_path: Path, pair: tuple[DynamicSpan, DynamicSpan]) -> Iterator[Worker]:
    ours, theirs = pair
    for span in pair:
        span.configure(Signalling.CLEAR)
    end = open_d_channel(f"dahdi:{theirs.channel(SIGNALLING_SLOT)}")
    with running(tmp_path, f"dahdi:{ours.channel(SIGNALLING_SLOT)}", end) as worker:
        yield worker


def test_calls_of_both_directions_and_their_ends(worker: Worker) -> None:
    gateway = worker.gateway()
    for number, slot in enumerate(TIME_SLOTS, 1):
        worker.call(gateway, number, slot)
    for number in range(1, 31):
        worker.exchange.do(Clear(-number, 16))
    worker.until(lambda: len(worker.heard(Release)) == 30, "the end of thirty calls")
    for channel in range(30):
        gateway.send_signal(Release(channel))
    worker.until(lambda: worker.exchange.stack.calls == 0, "nothing left at the exchange")
    settled = time.monotonic() + 0.5
    worker.until(lambda: time.monotonic() > settled, "the last RELEASE COMPLETE to arrive")

    gateway.send_signal(Setup(SLOT_17, "110", calling="12345"))
    worker.until(lambda: any(isinstance(event, Incoming) for event in worker.exchange.events), "SETUP")
    (incoming,) = [event for event in worker.exchange.events if isinstance(event, Incoming)]
    assert (incoming.slot, incoming.called, incoming.calling) == (17, "110", "12345")
    worker.exchange.do(Proceed(incoming.call, 17), Answer(incoming.call, 17))
    worker.until(lambda: worker.heard(Connect), "Connect")
    gateway.send_signal(Release(SLOT_17))
    worker.until(lambda: Gone(incoming.call) in worker.exchange.events, "the end")


def test_glare_and_restart(worker: Worker) -> None:
    gateway = worker.gateway()
    gateway.send_signal(Setup(SLOT_17, "110"))
    time.sleep(0.001)
    worker.exchange.do(PlaceCall(call=-1, slot=17, called="12345"))
    worker.until(lambda: worker.heard(Release) and worker.heard(Setup), "the network's call to go through")
    assert worker.heard(Release) == [Release(SLOT_17, Cause.CONGESTION)]
    gateway.send_signal(Connect(SLOT_17))
    worker.until(lambda: Progressed(-1, Progress.ANSWERED, 17) in worker.exchange.events, "CONNECT")

    worker.exchange.do(Restart(17))

    worker.until(lambda: RestartDone(17) in worker.exchange.events, "RESTART ACKNOWLEDGE")
    worker.until(lambda: Release(SLOT_17, Cause.FAILURE) in worker.signals, "the end of its call")


def test_a_gateway_dies_and_another_comes_and_layer_two_stays(worker: Worker) -> None:
    first = worker.gateway()
    for number, slot in enumerate((1, 17, 31), 1):
        worker.call(first, number, slot)
    worker.exchange.events.clear()
    worker.links.clear()
    first.close()
    worker.until(lambda: worker.exchange.stack.calls == 0, "the end of its calls")
    assert all(Cleared(-number, 41) in worker.exchange.events for number in (1, 2, 3))

    worker.signals.clear()
    second: PriLink = worker.gateway()
    worker.call(second, 4, 17)

    assert not [event for event in worker.exchange.events if isinstance(event, LayerTwo)]
    assert [alarm for alarm in worker.heard(Alarm) if isinstance(alarm, Alarm) and alarm.alarm == "D-channel"] == []
