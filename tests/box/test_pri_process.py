"""The PRI worker as a process: a far exchange on its D channel, gateways that come, die and come again on its link."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.pri_link import ALARM as NO_WORKER
from boards.pri_link import PriLink
from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    FromBoard,
    Proceeding,
    Release,
    Setup,
)
from drivers.pri_stack import (
    TIME_SLOTS,
    Answer,
    Clear,
    Cleared,
    Forget,
    Gone,
    Incoming,
    LayerTwo,
    PlaceCall,
    Proceed,
    Progress,
    Progressed,
    Restarted,
)
from firmware.box.demonstration import demonstration_documents
from firmware.box.pri import process as process_module
from firmware.calls.messages import CallEvent, EventName, Reply, Subscribe, decode_request
from firmware.core.clock import Stamp
from firmware.core.configuration import save_subjects
from firmware.core.messages import Peer, accept, listen
from firmware.core.paths import BoxPaths
from firmware.lines.isdn.channels import ALARM as NO_LAYER_TWO
from firmware.lines.isdn.timers import SETTLE_US
from tests.box.pri_worker import ROOT, Worker, running

SLOT_17 = TIME_SLOTS.index(17)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with running(tmp_path) as worker:
        yield worker


def test_calls_of_both_directions(worker: Worker) -> None:
    gateway = worker.gateway()
    worker.call(gateway, 1, 17)
    (setup,) = worker.heard(Setup)
    assert isinstance(setup, Setup)
    assert (setup.called, setup.calling) == ("12345", "13800138000")
    gateway.send_signal(Release(SLOT_17))
    worker.until(lambda: Gone(-1) in worker.exchange.events, "the end")
    worker.until(lambda: worker.heard(Release), "its confirmation")

    gateway.send_signal(Setup(0, "110", calling="12345"))
    worker.until(lambda: any(isinstance(event, Incoming) for event in worker.exchange.events), "SETUP")
    (incoming,) = [event for event in worker.exchange.events if isinstance(event, Incoming)]
    worker.exchange.do(Proceed(incoming.call, 1), Answer(incoming.call, 1))
    worker.until(lambda: worker.heard(Connect), "Connect")
    worker.exchange.do(Clear(incoming.call, 16))
    worker.until(lambda: Release(0, Cause.NORMAL) in worker.signals, "Release")


def test_a_gateway_that_dies_has_its_calls_cleared_and_the_next_finds_layer_two_up(worker: Worker) -> None:
    first = worker.gateway()
    for number, slot in enumerate((1, 17, 31), 1):
        worker.call(first, number, slot)
    worker.exchange.do(PlaceCall(call=-4, slot=5, called="12345"))
    worker.until(lambda: len(worker.heard(Setup)) == 4, "a call that is not answered yet")
    worker.exchange.events.clear()
    worker.links.clear()

    first.close()
    worker.until(lambda: worker.exchange.stack.calls == 0, "the end of all calls")

    assert [Cleared(-number, 41) in worker.exchange.events for number in range(1, 5)] == [True] * 4
    worker.exchange.do(PlaceCall(call=-5, slot=17, called="12345"))
    worker.until(lambda: Cleared(-5, 41) in worker.exchange.events, "a call without a gateway")

    worker.signals.clear()
    second = worker.gateway()
    worker.call(second, 6, 17)
    assert not [event for event in worker.exchange.events if isinstance(event, LayerTwo)]
    assert worker.heard(Alarm) == [Alarm(NO_WORKER, raised, tuple(range(30))) for raised in (True, False)]


def test_a_gateway_that_is_replaced_while_it_lives(worker: Worker) -> None:
    first = worker.gateway()
    worker.call(first, 1, 17)

    second = worker.gateway()
    worker.links.remove(first)  # else it would take its place again
    worker.until(lambda: Cleared(-1, 41) in worker.exchange.events, "the end of the first one's call")
    assert Release(SLOT_17, Cause.FAILURE) in [*worker.signals, *first.receive()]
    first.close()

    worker.signals.clear()
    worker.call(second, 2, 17)


def test_a_gateway_that_hangs_is_let_go_after_5_seconds(worker: Worker) -> None:
    worker.gateway()
    worker.exchange.do(PlaceCall(call=-1, slot=17, called="12345"))
    worker.until(lambda: worker.heard(Setup), "Setup")
    worker.until(lambda: Progressed(-1, Progress.PROCEEDING, 17) in worker.exchange.events, "CALL PROCEEDING")

    worker.until(lambda: Cleared(-1, 41) in worker.exchange.events, "the end of a call that nobody attends to")

    assert "did not attend" in worker.log.read_text()


def test_nonsense_on_the_link_ends_the_link_and_nothing_else(worker: Worker) -> None:
    gateway = worker.gateway()
    worker.call(gateway, 1, 17)
    assert gateway._link is not None
    gateway._link.send_signal(b'{"type":"setup","channel":99,"called":"1"}')

    worker.until(lambda: Release(SLOT_17, Cause.FAILURE) in worker.signals, "the gateway's end to see it")
    worker.until(lambda: Cleared(-1, 41) in worker.exchange.events, "the end of its call")
    worker.signals.clear()
    worker.until(lambda: gateway.is_connected, "the link to be there again")
    worker.call(gateway, 2, 17)


def test_the_worker_dies_and_its_calls_with_it_and_comes_back(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    try:
        worker.until(lambda: Restarted(31) in worker.exchange.events, "layer 2")
        gateway = worker.gateway()
        gateway.send_signal(Blocked(3, True))
        worker.call(gateway, 1, 17)
        worker.signals.clear()

        worker.process.kill()
        worker.process.wait()
        until = time.monotonic() + 60
        while gateway.is_connected and time.monotonic() < until:
            worker.signals += gateway.receive()
            time.sleep(0.001)

        assert worker.signals == [Release(SLOT_17, Cause.FAILURE), Alarm(NO_WORKER, True, tuple(range(30)))]
        gateway.send_signal(Setup(0, "110"))
        assert gateway.receive() == [Release(0, Cause.FAILURE)]
        assert not gateway.try_connect()
        assert "no board answers" in gateway.problem
    finally:
        worker.close()


def test_the_next_worker_restarts_the_channels_that_had_calls_and_no_other(tmp_path: Path) -> None:
    with running(tmp_path) as worker:
        gateway = worker.gateway()
        worker.call(gateway, 1, 17)
        worker.call(gateway, 2, 3)
        worker.process.kill()
        worker.process.wait()
        worker.exchange.events.clear()

        worker.begin()
        worker.until(lambda: {3, 17} <= restarted(worker), "the end of both calls")

        worker.exchange.do(Forget(-1), Forget(-2))
        worker.until(lambda: gateway.is_connected, "the gateway to find the new worker")
        worker.signals.clear()
        worker.call(gateway, 3, 17)
        gateway.send_signal(Release(SLOT_17))
        worker.until(lambda: Gone(-3) in worker.exchange.events, "its end")
        assert restarted(worker) == {3, 17}
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(60) == 0
        worker.exchange.events.clear()

        worker.begin()
        worker.until(lambda: LayerTwo(True) in worker.exchange.events, "layer 2")
        worker.until(lambda: gateway.is_connected, "a worker after one that stopped as it should")
        worker.call(gateway, 4, 5)
        settled = time.monotonic() + 2 * SETTLE_US / 1e6
        worker.until(lambda: time.monotonic() > settled, "time for a restart")
        assert restarted(worker) == set()


def restarted(worker: Worker) -> set[int | None]:
    return {event.slot for event in worker.exchange.events if isinstance(event, Restarted)}


def test_a_callserver_that_is_stopped_is_not_seen_by_the_exchange(worker: Worker) -> None:
    """Nothing of the worker is connected with the callserver: the gateway's lines keep a call alive without it."""
    gateway = worker.gateway()
    worker.exchange.do(PlaceCall(call=-1, slot=17, called="12345"))
    worker.until(lambda: worker.heard(Setup), "Setup")
    gateway.send_signal(Proceeding(SLOT_17))

    gateway.send_signal(Alerting(SLOT_17))  # what a trunk line says by itself when no callserver comes (UNATTENDED_US)

    worker.until(lambda: Progressed(-1, Progress.ALERTING, 17) in worker.exchange.events, "ALERTING")
    assert len(list(worker.paths.run.glob("*.sock"))) == 1


class Callserver:
    """Tells its clients that the configuration has changed, when the test wants it. Without a thread."""

    def __init__(self, paths: BoxPaths) -> None:
        self._listener = listen(paths.cti_socket)
        self._peer: Peer | None = None
        self.asked: list[object] = []

    def turn(self) -> bool:
        """True once the worker has subscribed."""
        if self._peer is None:
            self._peer = accept(self._listener, decode_request)
        else:
            requests = self._peer.receive()
            self.asked += [request.body for request in requests]
            for request in requests:
                self._peer.send(Reply(request.id))
        return self.asked == [Subscribe()]

    def configuration_changed(self) -> None:
        assert self._peer is not None
        at = Stamp(1, 1, True)
        self._peer.send(CallEvent(number=1, name=EventName.CONFIGURATION_CHANGED, at=at))

    def end(self) -> None:
        self._listener.close()
        if self._peer is not None:
            self._peer.close()
            self._peer = None


def configure(paths: BoxPaths, *numbers: str) -> None:
    """The demonstration county, whose first service has these numbers."""
    documents = demonstration_documents("not used here")
    documents["services"][0]["called"] = list(numbers)
    save_subjects(paths, documents)


def test_a_new_number_is_whole_from_the_reload_on(tmp_path: Path) -> None:
    """Overlap receiving. Of a number that is not known, the last digit is followed by T302 (15 s)."""
    configure(BoxPaths(tmp_path / "data", tmp_path / "run"), "12345")
    with running(tmp_path, overlap=True) as worker:
        callserver = Callserver(worker.paths)
        gateway = worker.gateway()
        worker.until(callserver.turn, "the worker to ask for what changes")

        def places(slot: int, called: str) -> None:
            worker.exchange.do(PlaceCall(call=-slot, slot=slot, called=called, complete=False))

        def arrived() -> dict[int, str]:
            return {TIME_SLOTS[one.channel]: one.called for one in worker.heard(Setup) if isinstance(one, Setup)}

        def arrives(slot: int, called: str) -> None:
            places(slot, called)
            worker.until(lambda: slot in arrived(), called, 10.0)  # before T302 is over
            gateway.send_signal(Proceeding(TIME_SLOTS.index(slot)))

        places(1, "12320")
        arrives(2, "12345")
        assert arrived() == {2: "12345"}

        configure(worker.paths, "12345", "12320")
        known = worker.log.read_text().count("called numbers are known")
        callserver.configuration_changed()
        worker.until(lambda: worker.log.read_text().count("called numbers are known") > known, "the file to be read")
        arrives(3, "12320")

        (worker.paths.configuration / "services.json").write_text("nonsense")
        callserver.configuration_changed()
        worker.until(
            lambda: "no more digits come" in worker.log.read_text(), "the worker to say that it cannot read it"
        )
        callserver.end()
        arrives(4, "12320")
        configure(worker.paths, "12333")
        callserver = Callserver(worker.paths)
        worker.until(callserver.turn, "the worker to ask the callserver that is back")
        arrives(5, "12333")
        callserver.end()


def test_without_an_exchange_the_worker_says_so_and_waits(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    log = tmp_path / "pri.log"
    command = [sys.executable, "-m", "firmware.box.pri.process", "--data", str(paths.data), "--span", "2"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--d-channel", f"unix:{tmp_path}/nobody"],
            cwd=ROOT,
            env={**os.environ, "LINEBOX_RUN": str(paths.run)},
            stdout=out,
            stderr=out,
        )
    link = PriLink(2, paths)
    try:
        until = time.monotonic() + 60
        signals: list[FromBoard] = []
        while Alarm(NO_LAYER_TWO, True, tuple(range(30))) not in signals:
            link.try_connect()
            signals += link.receive()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.005)
        assert "nobody listens" in log.read_text()
    finally:
        link.close()
        process.terminate()
        assert process.wait(60) == 0


def test_types_and_plans_of_the_configuration_reach_the_stack() -> None:
    settings = process_module.stack_settings(True, "unknown/isdn", "national/isdn")

    assert settings.network
    assert (settings.called_type, settings.called_plan) == ("unknown", "isdn")
    assert (settings.calling_type, settings.calling_plan) == ("national", "isdn")
