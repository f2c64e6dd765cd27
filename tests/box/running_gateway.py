"""A real gateway process between a scripted E1 and phones on one side and a scripted callserver on the other.

Blocks go in lockstep: the far end is the clock, so its pace is the test's, and samples are counted instead of seconds.
If the machine stalls the test for a second, the gateway's software timer steps in, and more blocks come back than were
sent: what has come is read before the next block goes out, so that the answer to that one is told from them.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TypeVar

import numpy as np

from boards import sim
from boards.base import ALAW_SILENCE, Block
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths
from firmware.lines.line_commands import AnyLineCommand, Attach, Resume
from firmware.lines.messages import AnyLineEvent, BoardChanged, BoardState, Snapshot, decode_from_gateway
from tests.contract.far_end import FarEnd, hello_of

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = len(sim.CHANNELS)
FIRST_PHONE = 30
Event = TypeVar("Event")


def silence() -> Block:
    return np.full((CHANNELS, 80), ALAW_SILENCE, np.uint8)


class Callserver:
    """A scripted callserver: keeps all events."""

    def __init__(self, paths: BoxPaths, boot: str = "", last_number: int = 0) -> None:
        self.peer: Peer = connect(paths.gateway_socket, decode_from_gateway)
        self.events: list[AnyLineEvent] = []
        self.snapshot: Snapshot | None = None
        self.peer.send(Attach(boot, last_number))
        self._life_sign = time.monotonic()

    def look(self, seconds: float = 0.0) -> None:
        """Read what has come; wait for something for at most `seconds`. Shows life, as a callserver does."""
        if time.monotonic() - self._life_sign > 1.0:
            self._life_sign = time.monotonic()
            self.peer.send(Resume(0))
        if select.select([self.peer.fileno()], [], [], seconds)[0]:
            for message in self.peer.receive():
                if isinstance(message, Snapshot):
                    self.snapshot = message
                else:
                    self.events.append(message)

    def say(self, *commands: AnyLineCommand) -> None:
        for command in commands:
            self.peer.send(command)

    def all(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def board(self, name: str) -> BoardState:
        """The board as it was told last."""
        told = [event.state for event in self.all(BoardChanged) if event.state.board == name]
        before = [board for board in (self.snapshot.boards if self.snapshot else ()) if board.board == name]
        return (before + told)[-1]

    def is_gone(self, seconds: float = 60.0) -> bool:
        """True once the gateway has closed the connection."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.look(0.05)
            except PeerGone:
                return True
        return False

    def close(self) -> None:
        self.peer.close()


class RunningGateway:
    """The process and its far end."""

    def __init__(self, folder: Path, with_far_end: bool = True) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        save_subjects(self.paths, demonstration_documents("a password for tests"))
        self.far: FarEnd | None = None
        self._closed = False
        self._accepting: threading.Thread | None = None
        if with_far_end:
            self.start_far_end()
            # Greeted while the gateway starts, so that it need not try again after a second.
            self._accepting = threading.Thread(target=self.e1.accept, args=(60.0, lambda: self._closed))
            self._accepting.start()
        self.errors = (folder / "gateway.log").open("wb+")
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "firmware.box.gateway.process", "--data", str(self.paths.data)]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self.errors)
        return self.process

    def greeted(self) -> None:
        """Wait until the far end has greeted the gateway that was started first."""
        assert self._accepting is not None
        self._accepting.join()

    def start_far_end(self) -> None:
        self.far = FarEnd(self.paths.simulator_socket, hello_of(sim.CHANNELS, has_clock=True))

    def log(self) -> str:
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def callserver(self, boot: str = "", last_number: int = 0, seconds: float = 60.0) -> Callserver:
        """Connect and attach, waiting for the gateway to start if need be; the snapshot has come."""
        end = time.monotonic() + seconds
        while True:
            try:
                callserver = Callserver(self.paths, boot, last_number)
                break
            except PeerGone:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < end, "the gateway does not listen"
                time.sleep(0.005)
        while callserver.snapshot is None:
            callserver.look(0.5)
            assert time.monotonic() < end, "no snapshot"
        return callserver

    # ---- the far end -------------------------------------------------------------------------------------------------

    @property
    def e1(self) -> FarEnd:
        assert self.far is not None
        return self.far

    def exchange(self, block: Block | None = None, seconds: float = 60.0) -> Block:
        """Send a block and wait for the answer to it: what the far end hears."""
        self.e1.look()
        want = len(self.e1.blocks) + 1
        self.e1.block(silence() if block is None else block)
        end = time.monotonic() + seconds
        while len(self.e1.blocks) < want:
            assert self.e1.link is not None
            select.select([self.e1.link.fileno()], [], [], 0.05)
            self.e1.look()
            assert time.monotonic() < end, "the gateway does not answer blocks: " + self.log()
        return self.e1.blocks[-1].samples

    def until(self, what: type[Event], callserver: Callserver, seconds: float = 60.0) -> Event:
        """Exchange silence, faster than the line would, until a new event of this kind has come."""
        before = len(callserver.all(what))
        end = time.monotonic() + seconds
        while len(callserver.all(what)) <= before:
            self.exchange()
            callserver.look(0.002)
            assert time.monotonic() < end, f"no {what.__name__} in {callserver.events}"
        return callserver.all(what)[before]

    def wait_for_board(self, callserver: Callserver, name: str = "sim", working: bool = True) -> BoardState:
        """Until the gateway tells that a board works, or does not; its far end is silent meanwhile."""
        end = time.monotonic() + 60
        while callserver.board(name).working != working:
            callserver.look(0.05)
            assert time.monotonic() < end, f"board {name} is {callserver.board(name)}"
        return callserver.board(name)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._closed = True
        if self._accepting is not None:
            self._accepting.join()
        self.process.wait(60)
        if self.far is not None:
            self.far.close()
        self.errors.close()
