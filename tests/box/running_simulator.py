"""The simulator process, the gateway's real board before it, and a callserver played by a test. No tests here."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from boards.base import Block, Board, BoardError
from boards.signals import Connect, FromBoard, HookChange, Proceeding, Release, Ring, Setup
from boards.sim import open_board
from firmware.box.demonstration import demonstration_documents
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
from firmware.core.messages import Peer, accept, listen
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


@contextmanager
def simulator_in(folder: Path) -> Iterator[Simulator]:
    running = Simulator(folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()
        assert running.process.stderr is not None
        running.process.stderr.close()
        shutil.rmtree(running.paths.run)


@contextmanager
def gateway_of(simulator: Simulator) -> Iterator[GatewaySide]:
    side = GatewaySide(simulator)
    try:
        yield side
    finally:
        side.board.close()


@contextmanager
def callserver_of(simulator: Simulator) -> Iterator[CallserverSide]:
    side = CallserverSide(simulator.paths)
    try:
        yield side
    finally:
        side.close()
