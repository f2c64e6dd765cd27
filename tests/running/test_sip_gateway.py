"""The gateway's process with the SIP worker as its board: real callers, a scripted callserver, no other process."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.signals import Cause
from drivers import sip_stack
from firmware.core.messages import PeerGone
from firmware.lines.line_commands import AnswerLeg, AnyLineCommand, ClearLeg, Hear, Join, Play
from firmware.lines.messages import DigitReceived, IncomingCall, LegCleared
from tests.box.running_gateway import Callserver, RunningGateway
from tests.running import sipp_scenarios as scenarios
from tests.running.running_box import until
from tests.running.sip_peers import Baresip, SippCall, SippRun, run_sipp, seconds_of_tone, tone
from tests.running.sip_worker_process import Worker

pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"),
]

DIAL_TONE = "tone:dial"
"""450 Hz without a break."""


class Exchange:
    """Gateway, SIP worker, and a callserver that answers each call with a tone; `act` may do more with each event."""

    def __init__(self, folder: Path) -> None:
        self.gateway = RunningGateway(folder, with_far_end=False)
        self.worker = Worker(folder)
        self.callserver: Callserver
        self._seen = 0
        self._orders: queue.SimpleQueue[AnyLineCommand] = queue.SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="callserver")

    def start(self) -> None:
        self.worker.start()
        self._attach()
        self._thread.start()
        self.wait_for_sip()

    def _attach(self) -> None:
        callserver = self.gateway.callserver()
        self._seen = 0
        self.callserver = callserver

    def wait_for_sip(self, working: bool = True) -> None:
        what = "works" if working else "is out of order"
        until(lambda: self.callserver.board("sip").working == working, f"the SIP board {what}")

    def calls(self) -> list[IncomingCall]:
        return self.callserver.all(IncomingCall)

    def say(self, command: AnyLineCommand) -> None:
        """The callserver's thread says it: its connection is for one."""
        self._orders.put(command)

    def _serve(self) -> None:
        while not self._stopping:
            try:
                self.callserver.look(0.02)
                for event in self.callserver.events[self._seen :]:
                    self._seen += 1
                    if isinstance(event, IncomingCall):
                        self.callserver.say(AnswerLeg(event.leg), Play(event.leg, "greeting", (DIAL_TONE,), True))
                while not self._orders.empty():
                    self.callserver.say(self._orders.get())
            except PeerGone:
                self.callserver.close()
                while not self._stopping:  # the gateway was killed and will be started again
                    try:
                        self._attach()
                        break
                    except (AssertionError, PeerGone):
                        time.sleep(0.05)

    def close(self) -> None:
        self._stopping = True
        try:
            if self._thread.ident is not None:
                self._thread.join()
                self.callserver.close()
            if self.worker.runs():
                assert self.worker.stop() == 0
        finally:
            self.gateway.close()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path)
    try:
        exchange.start()
        yield exchange
    finally:
        exchange.close()


def callers(count: int) -> list[SippCall]:
    return [SippCall(f"139{number:08}", "12345", 9) for number in range(count)]


def test_two_callers_hear_the_greeting_then_each_other_and_the_box_hangs_up(exchange: Exchange) -> None:
    port = exchange.worker.port
    with Baresip(tone(1000, 60), number="1001") as one, Baresip(tone(2000, 60), number="1002") as other:
        one.dial("12345", port)
        other.dial("12345", port)
        one.wait_for("CALL_ESTABLISHED")
        other.wait_for("CALL_ESTABLISHED")
        for phone in (one, other):
            until(lambda phone=phone: seconds_of_tone(phone.heard_so_far(), 450) > 1.0, "the greeting is heard")
        one.press("1")
        until(lambda: exchange.callserver.all(DigitReceived), "the digit is there")
        leg = {call.calling: call.leg for call in exchange.calls()}
        exchange.say(Join((Hear(leg["1001"], (leg["1002"],)), Hear(leg["1002"], (leg["1001"],)))))
        for phone, hertz in ((one, 2000), (other, 1000)):
            until(lambda p=phone, hz=hertz: seconds_of_tone(p.heard_so_far(), hz) > 0.8, "the other one is heard")
        exchange.say(ClearLeg(leg["1001"]))
        one.wait_for("CALL_CLOSED")
        other.hang_up()
        other.wait_for("CALL_CLOSED")
        until(lambda: len(exchange.callserver.all(LegCleared)) == 2, "both legs are cleared")

    (digit,) = exchange.callserver.all(DigitReceived)
    assert (digit.leg, digit.digit, digit.source) == (leg["1001"], "1", "events")
    assert {cleared.leg: cleared.by for cleared in exchange.callserver.all(LegCleared)} == {
        leg["1001"]: "box",
        leg["1002"]: "line",
    }


def test_the_sip_worker_is_killed_its_calls_end_and_the_board_comes_back(exchange: Exchange) -> None:
    with SippRun(scenarios.box_hangs_up(), callers(3), exchange.worker.port) as talking:
        talking.wait_until_up()

        exchange.worker.stop(signal.SIGKILL)

        until(lambda: len(exchange.callserver.all(LegCleared)) == 3, "the legs end")
    assert {cleared.cause for cleared in exchange.callserver.all(LegCleared)} == {Cause.FAILURE}
    exchange.wait_for_sip(False)

    took = []
    for _ in range(3):  # in one, this machine may stand still or have much else to do
        exchange.worker.start()
        began = time.monotonic()
        exchange.wait_for_sip()
        took.append(time.monotonic() - began)
        if took[-1] < 5:
            break
        exchange.worker.stop(signal.SIGKILL)
        exchange.wait_for_sip(False)
    assert min(took) < 5
    assert run_sipp(scenarios.caller_hangs_up(0.3), callers(3), exchange.worker.port).successful == 3


def test_the_gateway_is_killed_its_sip_calls_are_hung_up_and_the_next_gateway_takes_calls(exchange: Exchange) -> None:
    before = exchange.callserver
    with SippRun(scenarios.box_hangs_up(), callers(3), exchange.worker.port, limit_seconds=30) as talking:
        talking.wait_until_up()

        exchange.gateway.stop(signal.SIGKILL)

        assert talking.wait().successful == 3
    assert run_sipp(scenarios.refused(503), callers(1), exchange.worker.port).successful == 1

    exchange.gateway.start()
    until(lambda: exchange.callserver is not before, "the next gateway is there")
    exchange.wait_for_sip()
    assert run_sipp(scenarios.caller_hangs_up(0.3), callers(3), exchange.worker.port).successful == 3


def test_a_hundred_calls_in_a_row_ten_at_once_end_with_idle_channels(exchange: Exchange) -> None:
    result = run_sipp(scenarios.caller_hangs_up(0.3), callers(100), exchange.worker.port, rate=20, at_once=10)
    until(lambda: len(exchange.callserver.all(LegCleared)) == 100, "all legs are cleared")

    assert (result.successful, result.failed) == (100, 0), result.errors
    assert len(exchange.calls()) == 100
    before = exchange.callserver
    again = Callserver(exchange.gateway.paths)  # takes the other's place, which then takes this one's
    again.close()
    until(lambda: exchange.callserver is not before, "a new snapshot has come")
    assert exchange.callserver.snapshot is not None
    states = {one.label: one.state for one in exchange.callserver.snapshot.channels if one.board == "sip"}
    assert set(states.values()) == {"idle"}
    assert len(states) == 30
