"""A process that hangs is ended and started again, its place told; nobody else is, and nobody speaks for another.

That one that was stopped, and so does not hear SIGABRT, is killed: tests/running/test_processes_hang.py.
"""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.box.supervision.child import Plan
from firmware.box.supervision.supervisor import Supervisor
from firmware.box.supervision.watchdog import NotifySocket, Watch
from firmware.core.paths import BoxPaths
from firmware.core.process_table import read_process_table
from tests.box.supervised_box import STAYS, Start, boxes, python

LIMIT_SECONDS = 1.2
"""More than a turn of the supervisor may count after it stood still."""
LIVES = """
import sys, time
from firmware.box.sign_of_life import begin_signs_of_life
sign = begin_signs_of_life()
sign.ready()
def lives():
    while time.monotonic() < until:
        sign.alive(time.monotonic_ns() // 1000)
        time.sleep(0.01)
def hangs():
    while True:
        pass
until = time.monotonic() + float(sys.argv[1])
print('here', flush=True)
lives()
sign.status('waits for a part')
hangs()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with boxes(tmp_path) as begin:
        yield begin


class HeldByTheKernel:
    """A process in the hands of a disk that does not answer."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    one = NotifySocket(tmp_path / "systemd")
    yield one
    one.close()


def watched(name: str, lives_seconds: float = 600.0, limit_seconds: float = LIMIT_SECONDS) -> dict[str, Any]:
    """Gives signs of life for so long; then it turns in a circle."""
    plan = python(name, LIVES, watchdog_seconds=limit_seconds)
    return {**plan, "command": [*plan["command"], str(lives_seconds)]}


def test_one_that_hangs_is_ended_and_started_again_and_it_is_told_where_it_stood(start: Start) -> None:
    starts_for_ever = python("callserver", STAYS, watchdog_seconds=0.1)
    nobody_watches = python("archive", STAYS)
    box = start(watched("gateway", lives_seconds=0.3), watched("web"), starts_for_ever, nobody_watches)
    first = box.pid("gateway")
    others = {name: box.pid(name) for name in ("web", "callserver", "archive")}
    box.until(lambda: read_process_table(box.paths)["gateway"].pid not in {0, first})
    entry = read_process_table(box.paths)["gateway"]
    assert (entry.hangs, entry.restarts, entry.last_exit, entry.state) == (1, 1, -signal.SIGABRT, "running")
    assert {name: box.pid(name) for name in others} == others, "who gives signs, or gave none yet, is left alone"
    output = box.output()
    assert re.search(r"gateway hangs: no sign of life for [1-9]\.[0-9] s; it is ended \(SIGABRT\)", output)
    assert "gateway.log" in output and "it said last of itself: waits for a part" in output
    assert re.search(
        r"killed by SIGABRT after .* s; restarting now \(restart 1\)\n  its main thread stood at File .* in hangs",
        output,
    )
    assert "in hangs" in box.log("gateway"), "the whole story is in its log"
    assert "Traceback" not in output


def test_one_that_even_sigkill_does_not_end_is_told_once_and_nothing_more_is_tried(tmp_path: Path) -> None:
    """The kernel holds it, for a disk: nothing that a test can do. So the steps are taken by hand."""
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    told: list[str] = []
    supervisor = Supervisor(paths, [Plan("recorder", ("true",), watchdog_seconds=10.0)], say=told.append)
    (slot,) = supervisor._slots
    held = HeldByTheKernel()
    slot.child, slot.watch = held, Watch(10.0)  # type: ignore[assignment]
    slot.watch.hear(b"WATCHDOG=1", 0.0)
    for second in range(60):
        supervisor._end_if_hung(slot, float(second))
    assert held.signals == [signal.SIGABRT, signal.SIGKILL] and slot.entry.hangs == 1
    assert len(told) == 3 and told[2].startswith("recorder does not end by SIGKILL either: the kernel holds it")
    slot.log.close()
    supervisor._selector.close()


def test_nobody_speaks_for_another(start: Start, tmp_path: Path) -> None:
    """A process that hangs is ended although its neighbour and a stranger give signs all the time."""
    flood = (
        "import socket, sys, time\n"
        "one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "while True:\n"
        "  try: one.sendto(b'WATCHDOG=1', sys.argv[1])\n"
        "  except OSError: pass\n"
        "  time.sleep(0.01)\n"
    )
    box = start(watched("web", lives_seconds=0.3), watched("gateway"))
    box.pid("web")
    stranger = subprocess.Popen([sys.executable, "-S", "-c", flood, str(box.paths.notify_socket)])
    try:
        box.until(lambda: "web killed by SIGABRT" in box.output())
        assert read_process_table(box.paths)["gateway"].hangs == 0
    finally:
        stranger.kill()
        stranger.wait()


def test_a_supervisor_that_was_suspended_kills_nobody_when_it_wakes(start: Start) -> None:
    limit = LIMIT_SECONDS + 2.0  # so long the machine may stand still before the last of them goes on
    box = start(watched("gateway", limit_seconds=limit), watched("web", limit_seconds=limit), python("archive", STAYS))
    pids = [box.pid("gateway"), box.pid("web")]
    third = box.pid("archive")
    # Everybody stands still, as with a closed lid, for longer than the limit; the supervisor wakes up first.
    for pid in (box.process.pid, *pids):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(limit + 0.5)
    os.kill(third, signal.SIGKILL)
    box.process.send_signal(signal.SIGCONT)
    box.until(lambda: read_process_table(box.paths)["archive"].pid not in {0, third})
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert [box.pid("gateway"), box.pid("web")] == pids and "hangs" not in box.output()


def test_the_supervisor_itself_gives_signs_to_who_started_it_and_hands_nothing_of_that_on(
    start: Start, systemd: NotifySocket, tmp_path: Path
) -> None:
    asks = "import os, time; print({name: os.environ.get(name) for name in %r}, flush=True); time.sleep(600)"
    names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    box = start(
        python("archive", asks % (names,)),
        python("web", asks % (names,), watchdog_seconds=7.5),
        needs=("a",),
        # A sign each half second: a socket may hold no more than ten, and what does not fit in is lost.
        environment={"NOTIFY_SOCKET": str(tmp_path / "systemd"), "WATCHDOG_USEC": "4000000"},
    )
    heard: list[tuple[int, bytes]] = []

    def hears(wanted: bytes) -> bool:
        heard.extend(systemd.receive())
        return any(wanted in datagram for _, datagram in heard)

    box.until(lambda: hears(b"WATCHDOG=1"))
    assert not hears(b"READY=1")
    (box.paths.run / "a").touch()
    box.until(lambda: hears(b"READY=1\nSTATUS=all is there"))
    box.pid("archive"), box.pid("web")
    assert ast.literal_eval(box.log("archive")) == dict.fromkeys(names)
    assert ast.literal_eval(box.log("web")) == {
        "NOTIFY_SOCKET": str(box.paths.notify_socket),
        "WATCHDOG_USEC": "7500000",
        "WATCHDOG_PID": None,
    }
    heard.clear()
    box.until(lambda: hears(b"WATCHDOG=1"))
    box.end()
    assert hears(b"STOPPING=1") and {pid for pid, _ in heard} == {box.process.pid}
