"""The SIP worker as a process with a run folder of its own, for tests. No tests here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.block_link import LinkError
from firmware.core.paths import BoxPaths
from tests.running.running_box import until
from tests.running.scripted_gateway import ScriptedGateway
from tests.running.sip_peers import free_ports

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """The process, in a run folder of its own."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        """`prefix`: a command that runs the worker, given after it."""
        self._prefix = prefix
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.port = free_ports(1)[0]
        self._log = folder / "sip.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "firmware.box.sip.process",
            "--data",
            str(self.paths.data),
            "--port",
            str(self.port),
        ]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, *command],
                cwd=ROOT,
                env={**os.environ, "LINEBOX_RUN": str(self.paths.run)},
                stdout=log,
                stderr=log,
            )

    def gateway(self) -> ScriptedGateway:
        def connect() -> ScriptedGateway | None:
            try:
                return ScriptedGateway(self.paths.sip_socket)
            except LinkError:
                return None

        gateway: ScriptedGateway = until(connect, "the SIP worker takes a gateway")
        return gateway

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status, also if it has ended before. Raises TimeoutExpired after it was killed."""
        assert self.process is not None
        self.process.send_signal(how)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def running(folder: Path, prefix: tuple[str, ...] = ()) -> Iterator[Worker]:
    """A worker that runs, and in the end stops as it should, having met nothing that it did not foresee."""
    worker = Worker(folder, prefix)
    worker.start()
    try:
        yield worker
    except BaseException:
        worker.stop(signal.SIGKILL)
        raise
    code = worker.stop()
    assert code == 0, worker.log()[-3000:]
    assert "Traceback" not in worker.log(), worker.log()[-3000:]
