"""The PRI worker as a process with a far exchange and gateways in the hands of a test. No tests here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from boards.pri_link import PriLink
from boards.signals import Connect, FromBoard, Proceeding, Setup
from drivers.libpri import LibpriSpan
from drivers.pri_stack import TIME_SLOTS, PlaceCall, PriCommand, PriEvent, PriSettings, Progress, Progressed, Restarted
from firmware.core.paths import BoxPaths

ROOT = Path(__file__).resolve().parents[2]


def now_us() -> int:
    return time.monotonic_ns() // 1000


class FarEnd(Protocol):
    """Where the exchange's frames go and come from: a DAHDI D channel, or `SocketEnd`."""

    def receive(self) -> bytes | None: ...
    def send(self, frame: bytes) -> None: ...
    def close(self) -> None: ...


class SocketEnd:
    """Listens for the worker, whose D channel it is."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.setblocking(False)
        self._line: socket.socket | None = None

    def receive(self) -> bytes | None:
        try:
            if self._line is None:
                self._line, _ = self._listener.accept()
                self._line.setblocking(False)
            frame = self._line.recv(2048)
        except BlockingIOError:
            return None
        except ConnectionError:
            frame = b""
        if not frame:
            self._line.close()
            self._line = None
        return frame or None

    def send(self, frame: bytes) -> None:
        """Lost while nobody is there."""
        with suppress(ConnectionError):
            if self._line is not None:
                self._line.send(frame)

    def close(self) -> None:
        self._listener.close()
        if self._line is not None:
            self._line.close()


class FarExchange:
    """The network side of the line, in real time."""

    def __init__(self, end: FarEnd, *, overlap: bool = False) -> None:
        self._end = end
        self.stack = LibpriSpan(PriSettings(network=True, overlap=overlap), now_us())
        self.events: list[PriEvent] = []

    def turn(self) -> None:
        while frame := self._end.receive():
            self.events += self.stack.receive(frame, now_us())
        self.events += self.stack.run_timers(now_us())
        for frame in self.stack.take_frames():
            self._end.send(frame)

    def do(self, *commands: PriCommand) -> None:
        for command in commands:
            self.events += self.stack.do(command, now_us())

    def close(self) -> None:
        self.stack.close()
        self._end.close()


class Worker:
    """The worker's process, its exchange, and as many gateways as the test wants."""

    def __init__(self, folder: Path, place: str = "", end: FarEnd | None = None, *, overlap: bool = False) -> None:
        """`place`: the worker's D channel, `end` the other end of it; without them a socket. `overlap`: the exchange
        sends called numbers digit by digit."""
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        self.exchange = FarExchange(end or SocketEnd(folder / "dchannel"), overlap=overlap)
        self.log = folder / "pri.log"
        command = [sys.executable, "-m", "firmware.box.pri.process", "--data", str(self.paths.data), "--span", "1"]
        command += ["--overlap"] if overlap else []
        self._command = [*command, "--d-channel", place or f"unix:{folder}/dchannel"]
        self.begin()
        self.links: list[PriLink] = []
        self.signals: list[FromBoard] = []

    def begin(self) -> None:
        """Start the process, also anew when it has ended."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**os.environ, "LINEBOX_RUN": str(self.paths.run)},
                stdout=log,
                stderr=log,
            )

    def until(self, is_true: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not is_true():
            self.exchange.turn()
            for link in self.links:
                if link.is_connected or link.try_connect():
                    self.signals += link.receive()
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{what}: {self.exchange.events} {self.signals}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.001)

    def gateway(self) -> PriLink:
        link = PriLink(1, self.paths)
        self.links.append(link)
        self.until(lambda: link.is_connected, "the worker's link")
        return link

    def heard(self, kind: type[FromBoard]) -> list[FromBoard]:
        return [signal for signal in self.signals if isinstance(signal, kind)]

    def call(self, gateway: PriLink, number: int, slot: int) -> None:
        """A call from the exchange that is answered."""
        channel = TIME_SLOTS.index(slot)
        self.exchange.do(PlaceCall(call=-number, slot=slot, called="12345", calling="13800138000"))
        self.until(lambda: any(signal.channel == channel for signal in self.heard(Setup)), "Setup")  # type: ignore[union-attr]
        gateway.send_signal(Proceeding(channel))
        gateway.send_signal(Connect(channel))
        self.until(lambda: Progressed(-number, Progress.ANSWERED, slot) in self.exchange.events, "CONNECT")

    def close(self) -> None:
        for link in self.links:
            link.close()
        self.exchange.close()


@contextmanager
def running(folder: Path, place: str = "", end: FarEnd | None = None, *, overlap: bool = False) -> Iterator[Worker]:
    """A worker whose exchange has it in order, and which in the end stops as it should."""
    worker = Worker(folder, place, end, overlap=overlap)
    try:
        worker.until(
            lambda: Restarted(TIME_SLOTS[-1]) in worker.exchange.events, "layer 2 and the restart of all channels"
        )
        yield worker
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(60) == 0
        assert "Traceback" not in worker.log.read_text()
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()
        worker.close()
