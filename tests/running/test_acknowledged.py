"""*Acknowledged* means: it is on disk. Judged by the kernel's own account of what the callserver did, in which order.

Every event and reply that leaves the callserver must come after an fdatasync of the database log that came after the
write that holds it. The same check is run on a callserver that does not synchronise, to see that it finds that.
"""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from firmware.calls.messages import (
    CallEvent,
    EventName,
    Request,
    SetNotReady,
    SetReady,
    SignIn,
    Subscribe,
    decode_to_client,
)
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths
from tests.running.running_box import prepare, until

TRACED = "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,write,openat,close"
EVENT = re.compile(r'"type":"event","number":(\d+)')
REPLY = re.compile(r'"type":"reply","id":(\d+)')
RECORDED = re.compile(r"([\w-]+-\d{8}\.au)")
ASKED = re.compile(r"asked-(\d+)-")
WANTED = 60
"""Events that a run is to deliver."""


@dataclass
class Call:
    """One system call: when it began and when it returned, as positions in the trace."""

    name: str
    descriptor: int
    data: str
    began: int
    returned: int


def read_trace(path: Path) -> Iterator[Call]:
    """The calls of an strace of several threads, unfinished ones joined with their ends."""
    unfinished: dict[tuple[str, str], tuple[int, str]] = {}
    for position, line in enumerate(path.read_text(errors="replace").splitlines()):
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if match := re.match(r"<\.\.\. (\w+) resumed>", rest):
            began, head = unfinished.pop((thread, match[1]), (position, f"{match[1]}(-1"))
            rest = head + rest[match.end() :]
        elif rest.endswith("<unfinished ...>"):
            name = rest.partition("(")[0]
            unfinished[thread, name] = (position, rest.removesuffix("<unfinished ...>"))
            continue
        else:
            began = position
        name, _, arguments = rest.partition("(")
        found = re.match(r"(-?\d+)", arguments)
        yield Call(name, int(found[1]) if found else -1, arguments.replace('\\"', '"'), began, position)


def broken_promises(path: Path, log_name: str) -> tuple[list[str], list[str]]:
    """The events, replies and recordings that were told, and which of them before they were on disk."""
    logs: set[int] = set()
    """Descriptors of the database's log; readers open it too."""
    written: dict[str, int] = {}
    """What the log holds → position at which its write had returned; durable ones move to `durable`."""
    durable: dict[str, int] = {}
    told: list[str] = []
    broken: list[str] = []
    # What is closed may have another owner before the call that closed it has returned.
    calls = sorted(read_trace(path), key=lambda call: call.began if call.name == "close" else call.returned)
    for call in calls:
        if call.name == "openat" and log_name in call.data:
            logs.add(int(call.data.rsplit("= ", 1)[1].split()[0]))
        elif call.name == "close":
            logs.discard(call.descriptor)
        elif call.name == "pwrite64" and call.descriptor in logs:
            for number in EVENT.findall(call.data):
                written.setdefault(f"event {number}", call.returned)
            for number in ASKED.findall(call.data):
                written.setdefault(f"reply {number}", call.returned)
            for file in RECORDED.findall(call.data):
                written.setdefault(f"recording {file}", call.returned)
        elif call.name in ("fdatasync", "fsync") and call.descriptor in logs and call.data.endswith("= 0"):
            for what, when in written.items():
                if when < call.began:
                    durable.setdefault(what, call.returned)
        elif call.name in ("sendto", "sendmsg", "write"):
            promised = [f"event {number}" for number in EVENT.findall(call.data)]
            promised += [f"reply {number}" for number in REPLY.findall(call.data) if int(number) >= 100]
            if "open_recording" in call.data:
                promised += [f"recording {file}" for file in RECORDED.findall(call.data)]
            for what in promised:
                told.append(what)
                if durable.get(what, call.began + 1) > call.began:
                    broken.append(what)
    return told, broken


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield process
        finally:
            # strace itself does not take a SIGTERM; it ends with what it traces.
            for one in psutil.Process(process.pid).children() or [process]:
                with suppress(psutil.NoSuchProcess):
                    one.terminate()
            process.wait(timeout=30)


def scenario(folder: Path) -> Path:
    """A call every fifth of a second."""
    steps = [{"do": "wait", "until": "answered"}, {"do": "wait", "seconds": 0.5}, {"do": "hang_up"}]
    citizens = [{"at_seconds": 0.5 + one / 5, "calling": "138", "steps": steps} for one in range(200)]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": []}))
    return path


def talk_to(paths: BoxPaths) -> int:
    """Subscribe, and ask for changes all the time; returns when enough was told."""

    def connected() -> Peer | None:
        try:
            return connect(paths.cti_socket, decode_to_client)
        except PeerGone:
            return None

    peer = until(connected, "the callserver listens")
    peer.send(Request(1, Subscribe(0), "asked"))
    peer.send(Request(2, SignIn("801", "1"), "asked"))
    events = number = recordings = 0
    end = time.monotonic() + 60.0
    try:
        while (events < WANTED or not recordings) and time.monotonic() < end:
            body = SetReady("801") if number % 2 else SetNotReady("801", "break")
            peer.send(Request(100 + number, body, f"asked-{100 + number}-"))
            number += 1
            select.select([peer], [], [], 0.1)
            told = [message for message in peer.receive() if isinstance(message, CallEvent)]
            events += len(told)
            recordings += sum(event.name is EventName.RECORDING_CLOSED for event in told)
    finally:
        peer.close()
    return events


def traced_run(folder: Path, synchronous: str) -> tuple[list[str], list[str]]:
    """Gateway, recorder, simulator and a traced callserver; gives what was told and what was told too early."""
    paths = BoxPaths(folder / "data", folder / "run")
    prepare(paths)
    trace = folder / "trace"
    python, data = sys.executable, ["--data", str(paths.data)]
    run = {"LINEBOX_RUN": str(paths.run)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in run.items():
            patch.setenv(name, value)
        strace = ["strace", "-f", "-s", "200000", "-e", TRACED, "-o", str(trace)]
        callserver = [*strace, python, "-m", "firmware.box.callserver.process", *data, "--synchronous", synchronous]
        simulator = [python, "-m", "firmware.box.simulator.process", *data, "--scenario", str(scenario(folder))]
        with (
            running(simulator, folder / "simulator.log"),
            running([python, "-m", "firmware.box.gateway.process", *data], folder / "gateway.log"),
            running([python, "-m", "firmware.box.recorder.process", *data], folder / "recorder.log"),
            running(callserver, folder / "callserver.log"),
        ):
            assert talk_to(paths) >= WANTED
    return broken_promises(trace, "calls.db-wal")


def test_no_event_reply_or_recording_is_told_before_fdatasync_returned(tmp_path: Path) -> None:
    told, broken = traced_run(tmp_path, "FULL")
    assert {what.split()[0] for what in told} == {"event", "reply", "recording"}
    assert len(told) > WANTED
    assert broken == []


def test_the_check_finds_a_callserver_that_does_not_synchronise(tmp_path: Path) -> None:
    told, broken = traced_run(tmp_path, "OFF")
    assert len(broken) > len(told) / 2
