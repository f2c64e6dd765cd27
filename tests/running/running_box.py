"""Starts a whole box as its users do (`linebox up`), and lets a test look at it, ask it and kill parts of it.

Nothing of the box runs in the test's process. A box of the tests has twelve seats, all with desk phones, so that ten
calls can talk at once.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from firmware.box.demonstration import demonstration_documents
from firmware.calls.messages import AnyRequestBody, BoxState, GetBoxState, Reply
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import ProcessEntry, read_process_table
from firmware.records.database import open_for_reading

LINEBOX = (sys.executable, "-m", "firmware.box.cli")
ANY_PORTS = ("--web-port", "0", "--sip-port", "0")
READY_SECONDS = 90.0
SEATS = 12


class BoxTimeout(AssertionError):
    """Something that should have become true did not."""


def until(true: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait until `true()` gives something true, and give that."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > end:
            raise BoxTimeout(f"after {seconds:.0f} s still not so: {what}")
        time.sleep(0.05)


def prepare(
    paths: BoxPaths,
    greeting: list[str] | None = None,
    analogue_trunks: int = 0,
    seats: int = SEATS,
    **queue_fields: Any,
) -> None:
    """Configure a box with so many desk phones, another greeting, so many analogue trunks, and every queue with
    `queue_fields` changed. Nothing is announced to who waits or is connected: what is lost is counted from the
    agent's answer on."""
    paths.make()
    documents = demonstration_documents("not used in tests", analogue_trunks)
    for board in documents["boards"]:
        if board["kind"] == "sim":
            board["extensions"] = seats
    documents["agents"] = [
        {"agent": str(801 + one), "name": f"坐席{one + 1}", "queues": ["general", "consult", "complaint"]}
        for one in range(seats)
    ]
    documents["seats"] = [{"seat": str(one + 1), "extension": f"FXS-{one + 1}"} for one in range(seats)]
    for service in documents["services"] if greeting is not None else []:
        service["greeting"] = greeting
    for queue in documents["queues"]:
        queue.update({"agent_announcement": [], "announce_every_seconds": 0.0, **queue_fields})
    save_subjects(paths, documents)


class RunningBox:
    """A box of its own data folder. `start` may be called again after `kill_everything`."""

    def __init__(self, folder: Path, *arguments: str, **configuration: Any) -> None:
        """`arguments` of `linebox up`; `configuration` as for `prepare`."""
        self.paths = box_paths(folder / "data")
        self._arguments = arguments
        self._log = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self.web_port = self.sip_port = 0
        prepare(self.paths, **configuration)

    # ---- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start and wait until it says that it is ready. A box that does not become ready is stopped."""
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*LINEBOX, "up", "--data", str(self.paths.data), *ANY_PORTS, *self._arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pattern = re.compile(r"Linebox ready: http://127\.0\.0\.1:(\d+) \(SIP (\d+)\)")

        def ready() -> re.Match[str] | None:
            assert self._process is not None
            text = self._log.read_bytes()[begin:].decode(errors="replace")
            assert self._process.poll() is None, f"linebox up ended:\n{text}"
            return pattern.search(text)

        try:
            found = until(ready, "linebox up says that it is ready", READY_SECONDS)
        except BaseException:
            self.stop()
            raise
        self.web_port, self.sip_port = int(found[1]), int(found[2])

    def stop(self) -> None:
        """The orderly end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()  # and the kernel its children
            process.wait(timeout=10)
            raise

    def kill_everything(self) -> None:
        """SIGKILL to the supervisor and every process of the box, as near to at once as can be."""
        assert self._process is not None
        # The supervisor first: it can start nobody any more, and the kernel ends its children with it.
        pids = [self._process.pid, *(entry.pid for entry in self.processes().values() if entry.pid)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait(timeout=10)
        self._process = None

    def processes(self) -> dict[str, ProcessEntry]:
        return read_process_table(self.paths)

    def pid(self, name: str) -> int:
        return self.processes()[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to one process; returns when another one runs in its place."""
        old = until(lambda: self.pid(name), f"{name} runs")
        os.kill(old, signal.SIGKILL)
        until(lambda: self.pid(name) not in (0, old), f"{name} runs again")

    # ---- looking ----------------------------------------------------------------------------------------------------

    def ask(self, body: AnyRequestBody) -> Reply:
        """A request to the callserver."""
        from firmware.box.commands.cti_request import ask

        return ask(self.paths, body, "test")

    def state(self) -> BoxState:
        state = self.ask(GetBoxState()).state
        assert state is not None
        return state

    def contact_states(self) -> Counter[str]:
        """How many contacts are in each state, all at one moment."""
        return Counter(one.state for one in self.state().contacts)

    def contacts_in(self, state: str) -> int:
        """How many contacts are in a state now. Two such questions are of two moments: `contact_states`."""
        return self.contact_states()[state]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a table, by number. What is compared with rows of other tables comes from `rows_of`."""
        return self.rows_of(table)[0]

    def rows_of(self, *of_tables: Table) -> list[list[dict[str, Any]]]:
        """All rows of each of these tables, by number, at one and the same moment."""
        with open_for_reading(self.paths.calls_database).connect() as connection:
            return [
                [dict(row) for row in connection.execute(select(table).order_by(table.c.number)).mappings()]
                for table in of_tables
            ]

    def get(self, path: str) -> bytes:
        """The body of a GET of the REST interface with a token from `linebox token`. Raises HTTPError."""
        return self._web(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a POST of the REST interface. Raises HTTPError, also while call control is away from the
        pages: `is_healthy` tells whether it is."""
        return json.loads(self._web(path, json.dumps(body).encode()))

    def _web(self, path: str, body: bytes | None) -> bytes:
        if not self._token:
            command = [*LINEBOX, "token", "--data", str(self.paths.data)]
            self._token = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}{path}",
            body,
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: bytes = answer.read()
        except urllib.error.HTTPError as refused:
            # It holds its connection as long as somebody holds it, as the report of a failed test does.
            with refused:
                said = refused.read().decode(errors="replace")
            raise urllib.error.HTTPError(
                request.full_url, refused.code, f"{refused.reason}: {said}", refused.headers, io.BytesIO(said.encode())
            ) from None
        return found

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def is_healthy(self) -> bool:
        """What the pages say of the box; False while they are away."""
        try:
            return bool(self.json("/api/v1/health")["ready"])
        except (OSError, http.client.HTTPException):  # the latter: it ended in the middle of its answer
            return False
