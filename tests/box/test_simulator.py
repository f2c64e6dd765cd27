"""The simulator process at the gateway's real board and a callserver played by the test: clock, loss, return, report.

In real time, so everything is counted in board blocks; what the machine does to the clock is in the report.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.base import Block, Board, BoardError
from boards.signals import Connect, FromBoard, HookChange, Proceeding, Release, Ring, Setup
from boards.sim import open_board
from drivers.block_link import connect_link
from firmware.box.demonstration import demonstration_documents
from firmware.box.simulator.process import BUFFER_BLOCKS
from firmware.calls.messages import (
    AgentState,
    AgentView,
    AnyRequestBody,
    BoxState,
    CallEvent,
    EventName,
    GetBoxState,
    Reply,
    Request,
    SetReady,
    SignIn,
    Subscribe,
    decode_request,
)
from firmware.core.clock import SystemClock
from firmware.core.configuration import save_subjects
from firmware.core.line_schemas import BoardEntry
from firmware.core.messages import Peer, PeerGone, accept, listen
from firmware.core.paths import BoxPaths, box_paths
from firmware.simulator.report import PartyReport, read_report

FXS_1 = 30
ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """
[[citizens]]
name = "li"
at_seconds = 1.0
calling = "13800001111"
audio = true
steps = [
  { do = "wait", until = "answered" },
  { do = "talk", pattern = true },
  { do = "wait", until = "cleared", at_most_seconds = 30.0 },
]

[[phones]]
extension = "FXS-1"
behaviour = "manned"
agent = "801"
seat = "1"
answer_seconds = 0.2
says = "pattern"

[[phones]]
extension = "FXS-5"
behaviour = "headset"
"""


class Simulator:
    """The process under test."""

    def __init__(self, folder: Path) -> None:
        self.report = folder / "report"
        scenario = folder / "scenario.toml"
        scenario.write_text(SCENARIO)
        self.paths: BoxPaths = box_paths(folder / "data")
        self.paths.make()
        save_subjects(self.paths, demonstration_documents("not used here"))
        options = ("--data", str(self.paths.data), "--scenario", str(scenario), "--report", str(self.report))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firmware.box.simulator.process", *options],
            cwd=ROOT,
            env={**os.environ, "LINEBOX_RUN": str(self.paths.run)},
            stderr=subprocess.PIPE,
        )

    def stop(self) -> dict[str, PartyReport]:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        return read_report(self.report)[0]


class GatewaySide:
    """Answers calls, joins the citizen with FXS-1, and sends a block for each that it gets."""

    def __init__(self, simulator: Simulator) -> None:
        self._process = simulator.process
        self.board: Board = open_board(BoardEntry(board="sim", kind="sim"), simulator.paths)
        self.signals: list[FromBoard] = []
        self.blocks = 0
        self.joined = False
        eventually(self._opened, "the simulator listens")

    def _opened(self) -> bool:
        assert self._process.poll() is None, "the simulator has ended"
        try:
            self.board.open()
        except BoardError:
            time.sleep(0.02)
            return False
        return True

    def run(
        self, seconds: float, until: Callable[[], bool] = lambda: False, meanwhile: Callable[[], None] = lambda: None
    ) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return True
            select.select([self.board], [], [], 0.01)
            meanwhile()
            while self._take():
                pass
        return until()

    def _take(self) -> bool:
        blocks, signals = self.board.receive()
        for block in blocks:
            self.blocks += 1
            self.board.send_block(self._switched(block))
        for each in signals:
            self.signals.append(each)
            if isinstance(each, Setup):
                self.board.send_signal(Proceeding(channel=each.channel))
                self.board.send_signal(Connect(channel=each.channel))
                self.board.send_signal(Ring(channel=FXS_1, on=True))
            elif isinstance(each, HookChange) and each.channel == FXS_1:
                self.joined = each.off_hook
            elif isinstance(each, Release):
                self.board.send_signal(Release(channel=each.channel))
        return bool(blocks or signals)

    def _switched(self, block: Block) -> Block:
        out = np.full_like(block, 0xD5)
        if self.joined:
            out[0], out[FXS_1] = block[FXS_1], block[0]
        return out

    def hooks(self) -> list[tuple[int, bool]]:
        return [(s.channel, s.off_hook) for s in self.signals if isinstance(s, HookChange)]


class CallserverSide:
    """Plays cti.sock: every agent's wish comes true."""

    def __init__(self, paths: BoxPaths) -> None:
        self._listener = listen(paths.cti_socket)
        self._clock = SystemClock()
        self.peer: Peer | None = None
        self.asked: list[AnyRequestBody] = []
        self.number = 10
        self.state = AgentState.LOGGED_OUT

    def turn(self) -> None:
        if self.peer is None:
            self.peer = accept(self._listener, decode_request)
        else:
            for request in self.peer.receive():
                self._answer(request)

    def _answer(self, request: Request) -> None:
        assert self.peer is not None
        self.asked.append(request.body)
        match request.body:
            case GetBoxState():
                agent = AgentView(agent="801", name="王", state=self.state)
                box = BoxState(
                    number=self.number,
                    at=self._clock.now(),
                    box_id="x",
                    gateway_connected=True,
                    recorder_connected=True,
                    agents=(agent,),
                )
                self.peer.send(Reply(request.id, state=box))
                return
            case SignIn():
                self.state = AgentState.NOT_READY
            case SetReady():
                self.state = AgentState.READY
            case _:
                pass
        self.peer.send(Reply(request.id))
        if not isinstance(request.body, Subscribe):
            reason = "signed_in" if self.state is AgentState.NOT_READY else ""
            self.tell(EventName.AGENT_STATE_CHANGED, agent="801", state=self.state, reason=reason)

    def tell(self, name: EventName, contact: int = 0, **fields: str) -> None:
        assert self.peer is not None
        self.number += 1
        self.peer.send(CallEvent(number=self.number, name=name, at=self._clock.now(), contact=contact, **fields))

    def drop(self) -> None:
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def close(self) -> None:
        self.drop()
        self._listener.close()


def eventually(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    running = Simulator(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    assert running.process.stderr is not None
    running.process.stderr.close()
    shutil.rmtree(running.paths.run)


@pytest.fixture
def gateway(simulator: Simulator) -> Iterator[GatewaySide]:
    side = GatewaySide(simulator)
    yield side
    side.board.close()


@pytest.fixture
def callserver(simulator: Simulator) -> Iterator[CallserverSide]:
    side = CallserverSide(simulator.paths)
    yield side
    side.close()


def test_agent_and_citizen_talk_over_the_real_board_and_hear_every_sample_once(
    simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide
) -> None:
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
    for hearer, speaker in ((li, phone.party.speaker), (phone, li.party.speaker)):
        report = hearer.heard_pattern(speaker)
        assert report.exactly_once, f"{hearer.party.name}: {report}; clock: {read_report(simulator.report)[1]}"
        assert report.last - report.first >= 140 * 80
        assert hearer.missing_blocks() == 0
    assert li.event("released") is not None
    assert phone.events[-1].event == "on_hook"


def test_a_new_gateway_is_told_which_phones_are_off_hook_and_the_old_ones_call_is_lost(
    simulator: Simulator, gateway: GatewaySide, callserver: CallserverSide
) -> None:
    assert gateway.run(20, until=lambda: gateway.joined, meanwhile=callserver.turn)
    callserver.tell(EventName.DELIVERED, 7, agent="801")
    callserver.turn()

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
    time.sleep(1.0)
    simulator.process.send_signal(signal.SIGCONT)
    stalled_at = gateway.blocks
    assert gateway.run(10, until=lambda: gateway.blocks > stalled_at + 100)

    def counted() -> int:
        return sum(entry.blocks for entry in read_report(simulator.report)[1] if entry.event == "lost")

    assert gateway.run(10, until=lambda: gateway.board.counters.lost_inward == counted())
    simulator.stop()
    clock = read_report(simulator.report)[1]
    place = next(n for n, entry in enumerate(clock) if entry.event == "stall" and entry.microseconds > 900_000)
    stall, lost = clock[place : place + 2]
    assert lost.event == "lost"
    assert abs(lost.blocks - (stall.microseconds // 10_000 - BUFFER_BLOCKS)) <= 2


def test_the_clock_keeps_ten_milliseconds_whatever_the_loop_does(simulator: Simulator, gateway: GatewaySide) -> None:
    assert gateway.run(10, until=lambda: gateway.blocks > 10)
    began, first = time.monotonic(), gateway.blocks + gateway.board.counters.lost_inward

    def is_on_time() -> bool:
        blocks = gateway.blocks + gateway.board.counters.lost_inward - first
        return abs(blocks - (time.monotonic() - began) * 100) <= 4

    gateway.run(2)
    assert gateway.run(2, until=is_on_time)  # not while this machine stands still


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
    entries = read_report(simulator.report)[1]
    assert sum(entry.event == "gateway_lost" for entry in entries) >= 4

    simulator.stop()


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
