"""200 times `kill -9` of a recorder or a gateway that records: no file breaks, nothing that was told is missing.

Real processes: callserver and simulator run all the time, recorder and gateway are forked by `nursery.py`. Each is
killed at a random moment while recordings are open, which is looked up in /proc.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from select import POLLIN, poll
from typing import Any

import pytest
import soundfile
from sqlalchemy import func, select

from firmware.box import cli
from firmware.calls.messages import CallEvent, EventName, Request, Subscribe, decode_to_client
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths
from firmware.records.database import open_for_reading
from firmware.records.recording import HEADER_SIZE, content_of
from firmware.records.tables import events, recordings
from tests.running.running_box import prepare, until

KILLS = 200
GATEWAY_KILLS = 16
SEED = 20261122
MOST_SECONDS = 0.12
"""The victim lives this long at most after it began to record."""
OFTEN = "16384"
"""Bytes by which a recording grows each second in those recorders that write all the time, a dozen of them: a disk that
takes 30 ms to make each durable keeps up."""
MOST_WAITING = 6
"""Recordings that may wait to be closed when somebody is killed."""


def scenario(folder: Path) -> Path:
    """Five calls in two seconds; each talks for five seconds to whoever listens."""
    steps = [{"do": "wait", "until": "answered"}, {"do": "wait", "seconds": 5.0}, {"do": "hang_up"}]
    citizens = [{"at_seconds": 0.2 + one * 0.4, "calling": f"139{one:08d}", "steps": steps} for one in range(2000)]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": []}))
    return path


class Box:
    """Callserver and simulator as they are; recorder and gateway from the nursery."""

    def __init__(self, folder: Path) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        prepare(self.paths)
        self._folder = folder
        self._environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run)}
        self._dead_boots: set[str] = set()
        self._engine = open_for_reading(self.paths.calls_database)
        self._end = ExitStack()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._start("firmware.box.callserver.process")
        self._simulator = self._start("firmware.box.simulator.process", "--scenario", str(scenario(self._folder)))
        self._nursery = self._end.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.running.nursery"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert self._answer() == "ready"
        self.pids = {name: self.born(name) for name in ("gateway", "recorder")}
        self.witness: Peer = self._end.enter_context(closing(until(self._connected, "the callserver listens")))
        self.witness.send(Request(1, Subscribe(0), "test"))
        self.told: dict[int, CallEvent] = {}

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, "--data", str(self.paths.data), *arguments]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        self._end.callback(process.wait)
        self._end.callback(process.kill)
        return process

    def _answer(self) -> str:
        assert self._nursery.stdout is not None
        return self._nursery.stdout.readline().strip()

    def born(self, name: str, *arguments: str) -> int:
        """Another one of it; gives its process number."""
        assert self._nursery.stdin is not None
        words = [str(self._folder / name), name, "--data", str(self.paths.data), *arguments]
        self._nursery.stdin.write(json.dumps(words) + "\n")
        self._nursery.stdin.flush()
        return int(self._answer())

    def _connected(self) -> Peer | None:
        try:
            return connect(self.paths.cti_socket, decode_to_client)
        except PeerGone:
            return None

    def listen(self) -> None:
        """Take what the callserver has told meanwhile."""
        for message in self.witness.receive():
            if isinstance(message, CallEvent):
                self.told[message.number] = message

    def records(self) -> bool:
        """Does the recorder hold a recording open, of a gateway that lives? And are all but the last calls that ended
        closed: a recorder that only ever lives a tenth of a second would be as good as dead."""
        self.listen()
        with self._engine.connect() as connection:
            waiting = select(func.count()).where(recordings.c.state == "closing")
            if connection.execute(waiting).scalar_one() > MOST_WAITING:
                return False
        folder = f"/proc/{self.pids['recorder']}/fd"
        try:
            held = [os.readlink(f"{folder}/{one}") for one in os.listdir(folder)]
        except OSError:
            return False  # a descriptor was closed while we looked
        return any(one.endswith(".au") for one in held) and Path(f"/proc/{self.pids['gateway']}").exists()

    def kill(self, name: str, *arguments: str) -> None:
        """The next one is born when this one has gone, as the supervisor does it: a disk may hold it for a moment."""
        if name == "gateway":
            self._dead_boots |= {ring.stem.removeprefix("audio-") for ring in self.paths.run.glob("audio-*.ring")}
        victim, gone = os.pidfd_open(self.pids[name]), poll()
        try:
            gone.register(victim, POLLIN)
            signal.pidfd_send_signal(victim, signal.SIGKILL)
            assert gone.poll(30_000), f"{name} does not end"
        finally:
            os.close(victim)
        self.pids[name] = self.born(name, *arguments)

    def has_brought_over(self) -> bool:
        """Does no recording wait for the ring of a gateway that has died? Of those a box keeps only the last one's."""
        with self._engine.connect() as connection:
            waiting = select(recordings.c.gateway_boot).where(recordings.c.state.in_(("open", "closing")))
            return self._dead_boots.isdisjoint(connection.execute(waiting).scalars())

    def end_calls(self) -> None:
        """No more citizens; every recording is closed."""
        self._simulator.kill()
        self._simulator.wait()
        until(self._all_closed, "all recordings are closed")
        self.listen()

    def _all_closed(self) -> bool:
        self.listen()
        return all(row["state"] == "closed" for row in self.rows())

    def rows(self) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(recordings).order_by(recordings.c.number)).mappings().all()
        return [dict(row) for row in rows]

    def last_event(self) -> int:
        with self._engine.connect() as connection:
            last: int = connection.execute(select(func.max(events.c.number))).scalar_one()
        return last

    def verify(self, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = cli.main(["verify-recordings", "--json", "--data", str(self.paths.data)])
        return code, json.loads(capsys.readouterr().out)

    def close(self) -> None:
        """The nursery ends when nobody speaks to it any more, and with it whom it has borne."""
        self._end.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def test_two_hundred_kills_of_whoever_records_lose_nothing_that_was_told(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    gateways = set(chance.sample(range(KILLS), GATEWAY_KILLS))
    for kill in range(KILLS):
        until(
            lambda kill=kill: box.records() and (kill not in gateways or box.has_brought_over()),
            f"calls are recorded again (kill {kill})",
        )
        time.sleep(chance.uniform(0.0, MOST_SECONDS))
        if kill in gateways:
            box.kill("gateway")
        else:  # half of them write all the time
            box.kill("recorder", *(["--write-bytes", OFTEN] if chance.random() < 0.5 else []))
    until(box.records, "calls are recorded after the last kill")
    box.end_calls()

    rows = {row["number"]: row for row in box.rows()}
    for row in rows.values():
        path = box.paths.recordings / row["file"]
        assert soundfile.info(path).frames == row["samples"], row
        assert content_of(path) == (row["samples"], row["missing"], row["sha256"]), row
    closed = {event.recording for event in box.told.values() if event.name is EventName.RECORDING_CLOSED}
    assert closed <= set(rows)
    assert sorted(box.told) == list(range(1, len(box.told) + 1)) and box.last_event() >= len(box.told)
    # Nobody was dead for as long as the ring reaches back.
    assert {row["number"]: row["missing"] for row in rows.values() if row["missing"]} == {}
    assert len(rows) > KILLS / 4 and sum(row["samples"] for row in rows.values()) > 60 * 8000

    code, report = box.verify(capsys)
    assert (code, report["recordings"]) == (0, len(rows)), report
    victim = chance.choice([row for row in rows.values() if row["samples"]])
    with (box.paths.recordings / victim["file"]).open("r+b") as file:
        file.seek(HEADER_SIZE + chance.randrange(victim["samples"] * 2))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    code, report = box.verify(capsys)
    named = [report["first"][key] for key in ("what", "recording", "file")]
    assert (code, named) == (1, ["audio_changed", victim["number"], victim["file"]])
