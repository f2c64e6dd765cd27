"""A supervisor in a process of its own, with tiny stand-ins for the processes of a box. No tests here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from firmware.core.paths import BoxPaths
from firmware.core.process_table import read_process_table

BOX = """
import json, os, sys
from pathlib import Path
from firmware.box.supervision import child
from firmware.box.supervision.child import Plan
if "NO_WAITING" in os.environ:
    child.BACK_OFF_SECONDS = (0.0,) * 5
from firmware.box.sign_of_life import sign_of_life
from firmware.box.supervision.supervisor import Supervisor
from firmware.core.paths import BoxPaths
paths = BoxPaths(Path(sys.argv[1]) / "data", Path(sys.argv[1]) / "run")
paths.make()
plans = [Plan(**one) for one in json.loads(sys.argv[2])]
def missing():
    return [name for name in json.loads(sys.argv[3]) if not (paths.run / name).exists()]
sign = sign_of_life()
def ready():
    print("READY", flush=True)
    sign.ready("all is there")
Supervisor(paths, plans, say=lambda text: print(text, flush=True), missing=missing,
           on_ready=ready, module_check_seconds=0.2, sign=sign).run()
print("STOPPED", flush=True)
"""
STAYS = "import time; print('here', flush=True); time.sleep(600)"


def python(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": [sys.executable, "-S", "-c", code], **more}


class RunningBox:
    """A supervisor in a process of its own."""

    def __init__(
        self, folder: Path, plans: list[dict[str, Any]], needs: list[str], environment: dict[str, str]
    ) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self._output = folder / "output"
        for log in self.paths.logs.glob("*.log"):
            log.unlink()  # of the box before in the same folder
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BOX, str(folder), json.dumps(plans), json.dumps(needs)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    def output(self) -> str:
        return self._output.read_text()

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, f"never came:\n{self.output()}"
            assert self.process.poll() is None, f"the supervisor ended:\n{self.output()}"
            time.sleep(0.01)
        return result

    def pid(self, name: str) -> int:
        """The process, once it has said something (so that it is past its start)."""
        self.until(lambda: self.log(name))
        return int(self.until(lambda: (entry := read_process_table(self.paths).get(name)) and entry.pid))

    def log(self, name: str) -> str:
        """Empty as long as there is none: also for a moment while the file becomes the older one."""
        try:
            return (self.paths.logs / f"{name}.log").read_text()
        except FileNotFoundError:
            return ""

    def end(self, number: int = signal.SIGTERM) -> float:
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - began


Start = Callable[..., RunningBox]


@contextmanager
def boxes(folder: Path) -> Iterator[Start]:
    """Gives what starts a supervisor: `start(plan, …, needs=files that make the box ready, environment=…)`."""
    started: list[RunningBox] = []

    def begin(
        *plans: dict[str, Any], needs: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> RunningBox:
        started.append(RunningBox(folder, list(plans), list(needs), environment or {}))
        return started[-1]

    yield begin
    for box in started:
        if box.process.poll() is None:
            box.process.kill()
            box.process.wait()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
