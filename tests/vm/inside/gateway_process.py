"""The real gateway process on spans of the driver; the test is its far ends and its callserver."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.messages import PeerGone
from firmware.core.paths import BoxPaths
from tests.box.running_gateway import Callserver
from tests.vm.inside.far_line import FarLine
from tests.vm.inside.scripted_worker import ScriptedWorker
from tests.vm.inside.spans import DynamicSpan

ROOT = Path(__file__).resolve().parents[3]
BOARD_FILES = Path(__file__).resolve().parent / "board_files"
_START = """
import sys, boards
boards.__path__.append(sys.argv.pop(1))  # boards of the tests are found beside the shipped ones
from firmware.box.gateway.process import main
sys.exit(main())
"""


class GatewayOnSpans:
    """The process with the boards of these entries of `boards.json`. Closes `far` and `workers`, destroys `spans`."""

    def __init__(
        self,
        folder: Path,
        entries: Sequence[dict[str, Any]],
        far: Sequence[FarLine],
        spans: Sequence[DynamicSpan],
    ) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        save_subjects(self.paths, {**demonstration_documents("a password for tests"), "boards": list(entries)})
        self.far = list(far)
        self.workers: list[ScriptedWorker] = []
        self.connected: Callserver | None = None
        self._spans = spans
        environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run), "PYTHONPATH": f"{ROOT}:{ROOT / 'packages'}"}
        command = [sys.executable, "-c", _START, str(BOARD_FILES), "--data", str(self.paths.data)]
        self._errors = (folder / "gateway.log").open("wb+")
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._errors)

    def start(self) -> Callserver:
        """Wait until it listens, and attach."""
        self.until(self._attach, "gateway", 20)
        assert self.connected is not None
        return self.connected

    def _attach(self) -> bool:
        try:
            self.connected = Callserver(self.paths)
        except PeerGone:
            return False
        return True

    @property
    def pid(self) -> int:
        return self._process.pid

    def serve(self, seconds: float, until: Callable[[], object] = lambda: False) -> bool:
        """Serve far ends, workers and callserver for so long, or until something holds; what held."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            select.select([far.stream.fileno() for far in self.far], [], [], 0.01)
            for part in (*self.far, *self.workers):
                part.look()
            if self.connected is not None:
                self.connected.look()
            if until():
                return True
        return False

    def until(self, condition: Callable[[], object], what: str, seconds: float = 5) -> None:
        assert self.serve(seconds, condition), f"no {what}: {Path(self._errors.name).read_text()}"

    def close(self) -> None:
        if self.connected is not None:
            self.connected.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        self._errors.close()
        for part in (*self.far, *self.workers):
            part.close()
        for span in self._spans:
            span.destroy()
