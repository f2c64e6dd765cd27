"""A whole box on real spans inside the guest: gateway, PRI worker, callserver and recorder as the processes they are.

One E1 with ISDN (its far end is the exchange's) and one channel bank of extension ports (its far ends are the phones).
Processes are started here and not by the supervisor, so that a test decides when one dies and when it comes back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Table, select

from firmware.box.commands.cti_request import ask, is_running
from firmware.box.demonstration import demonstration_documents
from firmware.calls.messages import BoxState, GetBoxState
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.media.codec import BLOCK, DECODE, SAMPLE_RATE, Alaw
from firmware.records.database import open_for_reading
from tests.vm.inside.spans import create

ROOT = Path(__file__).resolve().parents[3]
TONE_SHARE = 0.7
"""Of a block's power that must be in the tone: phones differ by 64 Hz."""


class WholeBox:
    """The box's spans, its folder and its processes by name."""

    def __init__(self, folder: Path, seats: int, greeting: str = "prompt:welcome") -> None:
        self.e1, self.far_e1 = create(1, 0), create(1, 1)
        self.bank, self.far_bank = create(2, 0), create(2, 1)
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        documents = demonstration_documents("a password for tests")
        documents["boards"] = [
            {"board": "e1", "kind": "dahdi_e1", "e1": {"span": self.e1.number}},
            {
                "board": "phones",
                "kind": "dahdi_analogue",
                "ports": {"span": self.bank.number, "ports": ["fxs"] * seats},
            },
        ]
        numbers = range(1, seats + 1)
        documents["seats"] = [{"seat": str(number), "extension": f"FXS-{number}"} for number in numbers]
        documents["services"] = [{**service, "greeting": [greeting]} for service in documents["services"]]
        # The agent's number is not told to the citizen: speech begins at once.
        documents["queues"] = [{**queue, "agent_announcement": []} for queue in documents["queues"]]
        queues = documents["agents"][0]["queues"]
        documents["agents"] = [{"agent": str(800 + n), "name": f"{800 + n}号", "queues": queues} for n in numbers]
        documents["logins"] = [{**login, "agent": "801"} for login in documents["logins"]]
        save_subjects(self.paths, documents)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start (or start again) a process of the box by the name of its folder."""
        arguments = ["--span", str(self.e1.number)] if name == "pri" else []
        command = [sys.executable, "-m", f"firmware.box.{name}.process", "--data", str(self.paths.data), *arguments]
        environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run), "PYTHONPATH": f"{ROOT}:{ROOT / 'packages'}"}
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def log(self, name: str) -> str:
        return self._log(name).read_text()

    def _log(self, name: str) -> Path:
        return self.paths.logs / f"{name}.log"

    def state(self) -> BoxState:
        """What the callserver knows of everything. It must be there."""
        state = ask(self.paths, GetBoxState(), "test").state
        assert state is not None
        return state

    def is_ready(self) -> bool:
        """All processes speak with each other and every channel can be used."""
        if not is_running(self.paths):
            return False
        state = self.state()
        return state.gateway_connected and state.recorder_connected and self.is_idle(state)

    def is_idle(self, state: BoxState | None = None) -> bool:
        """No contact, and every channel idle."""
        known = state or self.state()
        return not known.contacts and {channel.state for channel in known.channels} == {"idle"}

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a table, by number."""
        engine = open_for_reading(self.paths.calls_database)
        with engine.connect() as connection:
            found = connection.execute(select(table).order_by(table.c.number)).mappings().all()
        engine.dispose()
        return [dict(row) for row in found]

    def recorded(self, file: str) -> tuple[Alaw, Alaw]:
        """Both tracks of a recording [samples]: what the citizen said, what the citizen heard."""
        content = (self.paths.recordings / file).read_bytes()
        samples = np.frombuffer(content, np.uint8)[int.from_bytes(content[4:8], "big") :]
        return samples[::2], samples[1::2]

    def cpu_seconds(self, name: str) -> float:
        """CPU time of a process so far, of the guest's clock."""
        return int(Path(f"/proc/{self.processes[name].pid}/schedstat").read_text().split()[0]) / 1e9

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 20
        for process in self.processes.values():
            process.wait(max(0.1, end - time.monotonic()))
        for span in (self.e1, self.far_e1, self.bank, self.far_bank):
            span.destroy()


def longest_tone(heard: Alaw, hz: int) -> float:
    """Seconds of the longest stretch in which a tone was heard without a break. A tone, because between boards the
    gateway may slip single samples over 320 ms each (lines/elastic.py), which leaves hardly a code as it was."""
    linear = DECODE[heard[: len(heard) // BLOCK * BLOCK].reshape(-1, BLOCK)]
    wave = np.exp(2j * np.pi * hz / SAMPLE_RATE * np.arange(BLOCK))
    power = np.einsum("bs,bs->b", linear, linear) / BLOCK
    there = (np.abs(linear @ wave) ** 2 * 2 / BLOCK**2 > TONE_SHARE * power) & (power > 0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], there, [False])).astype(np.int8)))
    return float(max(edges[1::2] - edges[::2], default=0)) * BLOCK / SAMPLE_RATE
