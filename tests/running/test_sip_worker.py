"""The SIP worker as callers (sipp, baresip) and a gateway see it. The gateway is scripted; the box is not here."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.signals import Alerting, Blocked, Cause, Digit, FromBoard, Release, Setup, ToBoard
from drivers import sip_stack
from firmware.media import codec
from tests.running import sipp_scenarios as scenarios
from tests.running.rtp_room import RtpPhone, RtpRoom
from tests.running.running_box import until
from tests.running.scripted_gateway import ScriptedGateway, refuse_with
from tests.running.sip_peers import (
    LOCAL,
    Baresip,
    SippCall,
    SippRun,
    free_ports,
    run_sipp,
    seconds_of_tone,
    tone,
)
from tests.running.sip_worker_process import Worker, running

pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"),
]

Codes = NDArray[np.uint8]
GREETING = codec.encode(tone(450, 1))


@pytest.fixture(scope="module")
def running_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with running(tmp_path_factory.mktemp("sip")) as worker:
        yield worker


@pytest.fixture
def worker(running_worker: Worker) -> Iterator[Worker]:
    """The worker, which no test may end by accident."""
    yield running_worker
    assert running_worker.runs(), running_worker.log()[-3000:]


@pytest.fixture
def gateway(worker: Worker) -> Iterator[ScriptedGateway]:
    with worker.gateway() as gateway:
        yield gateway
        assert gateway.error is None


def callers(count: int, rtp_ports: list[int] | None = None) -> list[SippCall]:
    return [
        SippCall(f"1380013{8000 + number}", "12345", rtp_ports[number] if rtp_ports else 9) for number in range(count)
    ]


def noise(seed: int, seconds: float = 1.0) -> Codes:
    """A pattern that is like no other: random codes."""
    return np.random.default_rng(seed).integers(0, 256, round(8000 * seconds), dtype=np.uint8)


def seconds_of_pattern(heard: Codes, pattern: Codes, piece: int = 400) -> float:
    """How much of what was heard is, bit for bit and in pieces of 50 ms, out of the repeated pattern."""
    repeated = np.concatenate((pattern, pattern)).tobytes()
    found = sum(heard[at : at + piece].tobytes() in repeated for at in range(0, len(heard) - piece + 1, piece))
    return found * piece / 8000


def talk_and_hang_up(gateway: ScriptedGateway, channel: int, phone: RtpPhone) -> None:
    """Two seconds bit for bit each way, and a digit."""
    until(lambda: seconds_of_pattern(phone.heard(), gateway.plays[channel]) > 2.0, "it hears its channel")
    until(lambda: seconds_of_pattern(gateway.heard(channel), phone.speaks) > 2.0, "its channel hears it")
    until(lambda: gateway.digits(channel), "its digit is there")
    gateway.send(Release(channel))


def all_idle(gateway: ScriptedGateway) -> None:
    until(lambda: not gateway.busy(), f"channels {gateway.busy()} become idle")


# ---- calls -----------------------------------------------------------------------------------------------------------


def test_a_caller_hears_the_box_speaks_to_it_presses_digits_and_hangs_up(
    gateway: ScriptedGateway, worker: Worker
) -> None:
    gateway.plays = dict.fromkeys(range(30), GREETING)

    with Baresip(tone(1000, 60)) as phone:
        phone.dial("12345", worker.port)
        phone.wait_for("CALL_ESTABLISHED")
        (setup,) = gateway.of(Setup)
        assert isinstance(setup, Setup)
        until(lambda: seconds_of_tone(phone.heard_so_far(), 450) > 0.8, "it hears the box")
        phone.press("12345509*#")
        until(lambda: len(gateway.digits(setup.channel)) >= 10, "all digits arrive")
        until(lambda: seconds_of_tone(phone.heard_so_far(), 450) > 3.0, "it hears the box on")
        until(lambda: seconds_of_tone(codec.decode(gateway.heard(setup.channel)), 1000) > 1.5, "the box hears it")
        phone.hang_up()
        phone.wait_for("CALL_CLOSED")
        all_idle(gateway)

        assert len(gateway.of(Setup)) == 1
        assert (setup.called, setup.calling, setup.digits) == ("12345", "13800138000", "events")
        assert seconds_of_tone(phone.heard(), 450) > 3.0
    assert gateway.digits(setup.channel) == "12345509*#"
    durations = [one.duration_ms for one in gateway.of(Digit) if isinstance(one, Digit)]
    assert np.median(durations) >= 50 and max(durations) <= 400, "a stall of the far end may cut one short"
    assert gateway.of(Release) == [Release(setup.channel, Cause.NORMAL)]


def test_the_box_hangs_up(gateway: ScriptedGateway, worker: Worker) -> None:
    with Baresip(tone(1000, 30)) as phone:
        phone.dial("12345", worker.port)
        phone.wait_for("CALL_ESTABLISHED")
        (setup,) = gateway.of(Setup)
        assert isinstance(setup, Setup)

        gateway.send(Release(setup.channel, Cause.NORMAL))

        phone.wait_for("CALL_CLOSED")
        all_idle(gateway)


def test_ten_at_once_each_hears_its_own_channel_and_no_other_bit_for_bit(
    gateway: ScriptedGateway, worker: Worker
) -> None:
    ports = free_ports(20)[::2]
    phones = [RtpPhone(port, noise(100 + index), [(0.5, "7")]) for index, port in enumerate(ports)]
    calls = callers(10, ports)
    gateway.plays = {channel: noise(channel) for channel in range(30)}

    with RtpRoom(phones), SippRun(scenarios.box_hangs_up(), calls, worker.port, rate=50) as run:
        run.wait_until_up()
        channels = {setup.calling: setup.channel for setup in gateway.of(Setup) if isinstance(setup, Setup)}
        assert len(set(channels.values())) == 10
        for phone, call in zip(phones, calls, strict=True):
            talk_and_hang_up(gateway, channels[call.calling], phone)
        result = run.wait()
    all_idle(gateway)

    assert (result.successful, result.failed) == (10, 0), result.errors
    for index, call in enumerate(calls):
        channel = channels[call.calling]
        assert gateway.digits(channel) == "7"
        for other in range(10):
            if other != index:
                assert seconds_of_pattern(gateway.heard(channel), noise(100 + other)) == 0


def test_a_hundred_calls_in_a_row_leave_no_channel_busy(gateway: ScriptedGateway, worker: Worker) -> None:
    result = run_sipp(scenarios.caller_hangs_up(0.2), callers(100), worker.port, rate=30, at_once=10)
    all_idle(gateway)

    assert (result.successful, result.failed) == (100, 0), result.errors
    assert len(gateway.of(Setup)) == 100


def test_a_caller_who_only_speaks_mu_law_is_heard(gateway: ScriptedGateway, worker: Worker) -> None:
    gateway.plays = dict.fromkeys(range(30), GREETING)

    with Baresip(tone(1000, 30), codec="PCMU/8000/1", number="10086") as phone:
        phone.dial("12345", worker.port)
        phone.wait_for("CALL_ESTABLISHED")
        (setup,) = gateway.of(Setup)
        assert isinstance(setup, Setup)
        until(lambda: seconds_of_tone(codec.decode(gateway.heard(setup.channel)), 1000) > 0.8, "the box hears it")
        until(lambda: seconds_of_tone(phone.heard_so_far(), 450) > 0.8, "it hears the box")
        phone.hang_up()
        phone.wait_for("CALL_CLOSED")


def test_a_call_over_tcp(gateway: ScriptedGateway, worker: Worker) -> None:
    with Baresip(tone(1000, 30), transport="tcp") as phone:
        phone.dial("12345", worker.port)
        phone.wait_for("CALL_ESTABLISHED")
        phone.hang_up()
        phone.wait_for("CALL_CLOSED")
        all_idle(gateway)


def test_a_caller_without_events_has_its_digits_in_the_audio(gateway: ScriptedGateway, worker: Worker) -> None:
    scenario = scenarios.caller_hangs_up(0.1, formats="8 0").replace("a=rtpmap:101 telephone-event/8000\n", "")

    result = run_sipp(scenario.replace("a=fmtp:101 0-15\n", ""), callers(1), worker.port)

    assert result.successful == 1, result.errors
    assert [one.digits for one in gateway.of(Setup) if isinstance(one, Setup)] == ["inband"]


def test_a_caller_puts_the_box_on_hold_and_comes_back(gateway: ScriptedGateway, worker: Worker) -> None:
    (port,) = free_ports(1)
    phone = RtpPhone(port, noise(2))
    gateway.plays = dict.fromkeys(range(30), noise(1))

    with RtpRoom([phone]), SippRun(scenarios.caller_holds(1.0, 1.5), callers(1, [port]), worker.port) as run:
        held = until(lambda: run.moment("SIP/2.0 200", "2 INVITE"), "the box is on hold")
        back = until(lambda: run.moment("INVITE", "3 INVITE"), "the caller comes back")
        (setup,) = gateway.of(Setup)
        assert isinstance(setup, Setup)
        until(lambda: seconds_of_pattern(phone.heard_after(back), noise(1)) > 0.6, "it hears the box again")
        until(lambda: seconds_of_pattern(gateway.heard(setup.channel), noise(2)) > 2.0, "the box hears it")
        gateway.send(Release(setup.channel))
        result = run.wait()
    all_idle(gateway)

    assert result.successful == 1, result.errors
    moments = [packet.arrived for packet in phone.packets]
    assert min(moments) < held
    assert not [at for at in moments if held < at < back], "nothing is sent to who does not want to hear"
    while_held = gateway.heard(setup.channel, held + 0.2, back)
    assert seconds_of_pattern(while_held, noise(2)) > 0.3, "it goes on speaking while it holds"


# ---- calls that are not answered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (Cause.BUSY, 486),
        (Cause.NO_ANSWER, 480),
        (Cause.REJECTED, 603),
        (Cause.UNALLOCATED, 404),
        (Cause.CONGESTION, 503),
        (Cause.FAILURE, 500),
    ],
)
def test_a_call_that_the_box_refuses(gateway: ScriptedGateway, worker: Worker, cause: Cause, status: int) -> None:
    gateway.answers = refuse_with(cause)

    result = run_sipp(scenarios.refused(status), callers(1), worker.port)

    assert (result.successful, result.failed) == (1, 0), result.errors + result.messages
    all_idle(gateway)


def only_alert(signal: FromBoard) -> list[ToBoard]:
    match signal:
        case Setup():
            return [Alerting(signal.channel)]
        case Release():
            return [Release(signal.channel)]
    return []


def test_a_caller_who_gives_up_while_it_rings(gateway: ScriptedGateway, worker: Worker) -> None:
    gateway.answers = only_alert

    result = run_sipp(scenarios.caller_gives_up(0.3), callers(5), worker.port)
    all_idle(gateway)

    assert (result.successful, result.failed) == (5, 0), result.errors
    assert [one.cause for one in gateway.of(Release) if isinstance(one, Release)] == [Cause.NORMAL] * 5


def test_the_thirty_first_caller_is_told_that_there_is_no_line(gateway: ScriptedGateway, worker: Worker) -> None:
    with SippRun(scenarios.box_hangs_up(), callers(30), worker.port, rate=100) as thirty:
        thirty.wait_until_up()

        one_more = run_sipp(scenarios.refused(503), callers(1), worker.port)

        for channel in range(30):
            gateway.send(Release(channel))
        result = thirty.wait()
    all_idle(gateway)
    assert one_more.successful == 1, one_more.messages
    assert (result.successful, result.failed) == (30, 0), result.errors
    assert run_sipp(scenarios.caller_hangs_up(0.1), callers(30), worker.port, rate=100).successful == 30


def test_a_blocked_channel_gets_no_call(gateway: ScriptedGateway, worker: Worker) -> None:
    for channel in range(29):
        gateway.send(Blocked(channel, True))
    gateway.send(Setup(channel=0, called="110"))
    until(lambda: gateway.of(Release), "a call out behind them is refused")

    for _ in range(3):
        result = run_sipp(scenarios.caller_hangs_up(0.0), callers(1), worker.port)
        assert result.successful == 1, result.errors
        all_idle(gateway)

    assert [one.channel for one in gateway.of(Setup) if isinstance(one, Setup)] == [29] * 3


def test_a_caller_cannot_make_the_box_call_somebody(gateway: ScriptedGateway, worker: Worker) -> None:
    result = run_sipp(scenarios.caller_asks_for_transfer(403), callers(1), worker.port)

    assert result.successful == 1, result.errors + result.messages


def test_a_call_out_is_refused_and_leaves_the_channel_idle(gateway: ScriptedGateway, worker: Worker) -> None:
    gateway.send(Setup(channel=3, called="110"))

    until(lambda: gateway.of(Release), "it is refused")

    assert gateway.of(Release) == [Release(3, Cause.REJECTED)]


# ---- stalls, deaths --------------------------------------------------------------------------------------------------


def test_after_a_stall_the_callers_get_no_burst(gateway: ScriptedGateway, worker: Worker) -> None:
    (port,) = free_ports(1)
    phone = RtpPhone(port, noise(2))
    gateway.plays = dict.fromkeys(range(30), noise(1))

    with RtpRoom([phone]), SippRun(scenarios.box_hangs_up(), callers(1, [port]), worker.port) as run:
        until(lambda: len(phone.packets) > 20, "there is audio")
        gateway.stall.set()
        time.sleep(0.4)
        gateway.stall.clear()
        over = time.time()
        until(lambda: seconds_of_pattern(phone.heard_after(over), noise(1)) > 1.0, "it hears the box again")
        (setup,) = gateway.of(Setup)
        assert isinstance(setup, Setup)
        gateway.send(Release(setup.channel))
        assert run.wait().successful == 1
    all_idle(gateway)

    assert "SIP lines has gaps" in worker.log() and "remedy: `linebox doctor`" in worker.log()
    assert 30 <= gateway.missing <= gateway.paused_blocks + 5
    assert phone.most_at_once() <= 3


def test_without_a_gateway_calls_end_and_new_ones_are_told_to_come_back(worker: Worker) -> None:
    with contextlib.ExitStack() as held:
        with worker.gateway():
            talking = held.enter_context(SippRun(scenarios.box_hangs_up(), callers(3), worker.port, limit_seconds=30))
            talking.wait_until_up()

        result = talking.wait()
    refused = run_sipp(scenarios.refused(503), callers(2), worker.port)
    with worker.gateway() as gateway:
        after = run_sipp(scenarios.caller_hangs_up(0.1), callers(2), worker.port)
        all_idle(gateway)

    assert result.successful == 3, result.errors
    assert refused.successful == 2, refused.messages
    assert "Retry-After: 2" in refused.messages
    assert after.successful == 2, after.errors


def test_a_gateway_that_hangs_holds_no_caller(worker: Worker) -> None:
    with worker.gateway() as gateway:
        with SippRun(scenarios.box_hangs_up(), callers(2), worker.port, limit_seconds=30) as talking:
            talking.wait_until_up()
            gateway.stall.set()

            assert talking.wait().successful == 2
        gateway.stall.clear()
        until(lambda: gateway.error, "the gateway notices")


def test_killed_and_started_again_it_takes_the_next_call(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.start()
    try:
        with worker.gateway() as gateway, SippRun(scenarios.box_hangs_up(), callers(2), worker.port) as talking:
            talking.wait_until_up()
            with socket.create_connection((LOCAL, worker.port), timeout=2):
                time.sleep(0.05)
                worker.stop(signal.SIGKILL)  # leaves a connection that lingers on the port
            until(lambda: gateway.error, "the gateway notices")

        took: list[float] = []
        while not took or (min(took) >= 5 and len(took) < 3):  # in one, this machine may stand still
            if worker.runs():
                worker.stop(signal.SIGKILL)
            worker.start()
            began = time.monotonic()
            with worker.gateway() as gateway:
                result = run_sipp(scenarios.caller_hangs_up(0.1), callers(2), worker.port)
                over_tcp = run_sipp(scenarios.caller_hangs_up(0.1), callers(2), worker.port, transport="t1")
                all_idle(gateway)
            assert result.successful == 2, result.errors
            assert over_tcp.successful == 2, over_tcp.errors
            took.append(time.monotonic() - began)
        assert min(took) < 5
    finally:
        worker.stop()


def test_at_its_end_it_hangs_up(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.start()
    try:
        with (
            worker.gateway(),
            SippRun(scenarios.box_hangs_up(), callers(2), worker.port, limit_seconds=30) as run,
        ):
            run.wait_until_up()
            assert worker.stop() == 0

            assert run.wait().successful == 2
    finally:
        if worker.runs():
            worker.stop()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, worker.port))
        worker.start()
        try:
            assert worker.process is not None
            assert worker.process.wait(30) == 1
        finally:
            worker.stop(signal.SIGKILL)

    assert "Address already in use" in worker.log()
    assert "remedy: choose another" in worker.log()
