"""The simulator process at the gateway's real board and a callserver played by the test: clock, loss, return, report.

In real time, so everything is counted in board blocks; what the machine does to the clock is in the report.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from boards.signals import Release
from drivers.block_link import connect_link
from firmware.box.demonstration import demonstration_documents
from firmware.box.simulator.process import BUFFER_BLOCKS
from firmware.calls.messages import (
    AgentState,
    EventName,
    GetBoxState,
    SetReady,
    SignIn,
    Subscribe,
)
from firmware.core.configuration import save_subjects
from firmware.core.messages import PeerGone
from firmware.core.paths import BoxPaths
from firmware.simulator.report import read_report
from tests.box.running_simulator import (
    FXS_1,
    ROOT,
    CallserverSide,
    GatewaySide,
    Simulator,
    callserver_of,
    gateway_of,
    simulator_in,
)

ATTEMPTS = 5
"""At what a stall of this machine spoils."""


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with simulator_in(tmp_path) as running:
        yield running


@pytest.fixture
def gateway(simulator: Simulator) -> Iterator[GatewaySide]:
    with gateway_of(simulator) as side:
        yield side


@pytest.fixture
def callserver(simulator: Simulator) -> Iterator[CallserverSide]:
    with callserver_of(simulator) as side:
        yield side


def test_agent_and_citizen_talk_over_the_real_board_and_hear_every_sample_once(tmp_path: Path) -> None:
    for attempt in range(ATTEMPTS):
        folder = tmp_path / f"attempt-{attempt}"
        folder.mkdir()
        with (
            simulator_in(folder) as simulator,
            gateway_of(simulator) as gateway,
            callserver_of(simulator) as callserver,
        ):
            wrong = what_was_not_heard(simulator, gateway, callserver)
            clock = read_report(simulator.report)[1]
        if not wrong:
            return
        assert any(entry.event in ("lost", "not_taken", "gap") for entry in clock), f"{wrong}; clock: {clock}"
    pytest.fail(f"the machine stalled in each of {ATTEMPTS} attempts: {wrong}")


def what_was_not_heard(simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide) -> list[str]:
    """One call, in which both speak patterns."""
    assert gateway.run(20, until=lambda: gateway.joined, meanwhile=callserver.turn)
    callserver.tell(EventName.ESTABLISHED, 7, agent="801")
    joined_at = gateway.blocks
    assert gateway.run(10, until=lambda: gateway.blocks >= joined_at + 150, meanwhile=callserver.turn)
    callserver.tell(EventName.CONTACT_ENDED, 7)
    gateway.board.send_signal(Release(channel=0))
    assert gateway.run(5, until=lambda: not gateway.joined, meanwhile=callserver.turn)

    people = simulator.stop()

    assert callserver.asked == [
        Subscribe(after=-1),
        GetBoxState(),
        SignIn(agent="801", seat="1"),
        SetReady(agent="801"),
    ]
    li, phone = people["li"], people["FXS-1"]
    assert li.party.channel == "E1-1/1"
    (said,) = li.sent
    assert not said.goes_on
    assert li.event("released") is not None
    assert phone.events[-1].event == "on_hook"
    wrong = []
    for hearer, speaker in ((li, phone.party.speaker), (phone, li.party.speaker)):
        report = hearer.heard_pattern(speaker)
        if not report.exactly_once or report.last - report.first < 140 * 80 or hearer.missing_blocks():
            wrong.append(f"{hearer.party.name}: {report}, {hearer.missing_blocks()} blocks missing")
    return wrong


def test_a_new_gateway_is_told_which_phones_are_off_hook_and_the_old_ones_call_is_lost(
    simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide
) -> None:
    assert gateway.run(20, until=lambda: callserver.state is AgentState.READY, meanwhile=callserver.turn)
    callserver.tell(EventName.DELIVERED, 7, agent="801")  # who hears nothing of a call puts the handset down soon
    assert gateway.run(20, until=lambda: gateway.joined, meanwhile=callserver.turn)

    gateway.board.close()
    time.sleep(0.3)
    second = GatewaySide(simulator)
    assert second.run(5, until=lambda: len(second.hooks()) == 2, meanwhile=callserver.turn)
    second.run(0.5, meanwhile=callserver.turn)
    second.board.close()

    assert second.hooks() == [(FXS_1, True), (34, True)]
    people = simulator.stop()
    assert people["li"].events[-1].detail == "line_lost"
    clock = [entry.event for entry in read_report(simulator.report)[1]]
    assert clock.count("gateway_arrived") == 2
    assert clock.count("gateway_lost") >= 1


def test_after_a_stall_the_missed_blocks_come_at_once_and_what_a_card_could_not_hold_is_counted(
    simulator: Simulator, gateway: GatewaySide
) -> None:
    assert gateway.run(10, until=lambda: gateway.blocks > 30)

    simulator.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, simulator.process.pid, os.WSTOPPED)
    gateway.run(1.0)
    lost_before = gateway.board.counters.lost_inward  # the machine may have stood still already
    simulator.process.send_signal(signal.SIGCONT)
    stalled_at = gateway.blocks
    assert gateway.run(10, until=lambda: gateway.blocks > stalled_at + 100)
    lost_since = gateway.board.counters.lost_inward - lost_before
    simulator.stop()

    clock = read_report(simulator.report)[1]
    place = max(range(len(clock)), key=lambda n: clock[n].microseconds)
    stall, lost = clock[place : place + 2]
    assert lost.event == "lost"
    # Also what this process did not read in time, up to the last that it has seen.
    counted = [entry.blocks or 1 for entry in clock[place:] if entry.event in ("lost", "not_taken")]
    assert lost_since in accumulate(counted)
    assert abs(lost.blocks - (stall.microseconds // 10_000 - BUFFER_BLOCKS)) <= 2


def test_the_clock_keeps_ten_milliseconds_whatever_the_loop_does(simulator: Simulator, gateway: GatewaySide) -> None:
    assert gateway.run(10, until=lambda: gateway.blocks > 10)
    ahead: list[float] = []
    """Blocks ahead of a clock of 100 a second, at each look."""

    def look() -> None:
        blocks = gateway.blocks + gateway.board.counters.lost_inward
        ahead.append(blocks - time.monotonic() * 100)

    def most_ahead() -> float:
        """A machine that stands still makes blocks late, never early: of many looks the earliest says how it is."""
        ahead.clear()
        gateway.run(1.5, meanwhile=look)
        return max(ahead)

    assert abs(most_ahead() - most_ahead()) <= 4


def test_an_agents_link_to_the_callserver_comes_back_and_asks_for_what_it_missed(
    simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide
) -> None:
    assert gateway.run(10, until=lambda: callserver.state is AgentState.READY, meanwhile=callserver.turn)

    callserver.drop()
    last = callserver.number
    callserver.asked.clear()
    callserver.state = AgentState.LOGGED_OUT
    assert gateway.run(10, until=lambda: callserver.state is AgentState.READY, meanwhile=callserver.turn)

    assert callserver.asked[:3] == [Subscribe(after=last), GetBoxState(), SignIn(agent="801", seat="1")]


def test_garbage_on_both_sockets_breaks_only_the_connection_it_came_on(
    simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide
) -> None:
    assert gateway.run(10, until=lambda: callserver.state is AgentState.READY, meanwhile=callserver.turn)
    assert callserver.peer is not None
    callserver.peer.send({"type": "nonsense"})
    gateway.board.close()
    for body in (b"{", b"\xff", b'{"type":"ring"}', b"[]"):
        link, _ = connect_link(simulator.paths.simulator_socket, timeout_seconds=10.0)
        with contextlib.suppress(Exception):
            link.send_signal(body)
        time.sleep(0.05)
        link.close()

    again = GatewaySide(simulator)
    with contextlib.suppress(PeerGone):
        callserver.turn()
    callserver.drop()
    callserver.asked.clear()
    assert again.run(10, until=lambda: again.blocks > 20 and bool(callserver.asked), meanwhile=callserver.turn)
    again.board.close()
    simulator.stop()
    entries = read_report(simulator.report)[1]
    assert sum(entry.event == "gateway_lost" for entry in entries) >= 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[citizens]]\nat_second = 1", 'did you mean "at_seconds"?'),
        ("what", "bad.toml: is not TOML"),
        ('[[phones]]\nextension = "FXS-9"\nbehaviour = "empty"', "8 extension ports, there is no FXS-9"),
    ],
)
def test_a_scenario_that_cannot_be_played_stops_it_with_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    scenario = tmp_path / "bad.toml"
    scenario.write_text(text)
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here"))
    options = ["--data", str(paths.data), "--scenario", str(scenario), "--report", str(tmp_path / "report")]

    done = subprocess.run(
        [sys.executable, "-m", "firmware.box.simulator.process", *options],
        cwd=ROOT,
        env={**os.environ, "LINEBOX_RUN": str(paths.run)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
