"""For every test: nothing may be left behind. Not a place for fixtures of one subject; those stand beside their tests.

After each test there may be no new thread, child process, socket, or open file below a run folder or the temporary
folder. After each file of tests there may be no process anywhere that was started by it, also none that was orphaned.
What module and session fixtures hold (a running box, a browser) is started before the first look and does not count.
A test that must leave something says so: `@pytest.mark.leaves("threads")`.
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: its idle threads disturb real-time tests

import psutil
import pytest

MARKER = "LINEBOX_TEST_PROCESS"
GRACE_S = 2.0
"""How long what was told to end may take to end. Only waited for when something is there."""

WATCHED_FOLDERS = (tempfile.gettempdir(), "/dev/shm/linebox-")


def _threads() -> set[str]:
    return {f"{thread.name} ({thread.ident})" for thread in threading.enumerate() if thread.is_alive()}


def _descendants(pid: int) -> Iterator[int]:
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listing.read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def _command(pid: int) -> str:
    """The command line of a process, with its pid; empty for one that has ended, waited for or not."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    return f"{pid}: {line[:120]}" if line else ""


def _children() -> set[str]:
    return {command for pid in _descendants(os.getpid()) if (command := _command(pid))}


def _descriptors() -> set[str]:
    """Open sockets and files of tests, as `4 -> socket:[123]`. Libraries' own pipes and event files are not meant."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:") or target.startswith(WATCHED_FOLDERS):
            found.add(f"{number} -> {target}")
    return found


KINDS: dict[str, Callable[[], set[str]]] = {"threads": _threads, "children": _children, "descriptors": _descriptors}


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    allowed = {kind for marker in request.node.iter_markers("leaves") for kind in marker.args}
    before = {kind: look() for kind, look in KINDS.items() if kind not in allowed}
    yield
    left = {kind: KINDS[kind]() - was for kind, was in before.items()}
    if any(left.values()):
        gc.collect()  # what only a reference cycle holds is not a leak
        until = time.monotonic() + GRACE_S
        while any(left.values()) and time.monotonic() < until:
            time.sleep(0.02)
            left = {kind: KINDS[kind]() - was for kind, was in before.items()}
    lines = [f"{kind}: {item}" for kind, items in left.items() for item in sorted(items)]
    assert not lines, "the test left behind:\n  " + "\n  ".join(lines)


@pytest.fixture(scope="module", autouse=True)
def no_process_survives_its_file() -> Iterator[None]:
    """Finds processes by a mark in their environment, so also those whose parent has died."""
    mark = uuid.uuid4().hex
    outer = os.environ.get(MARKER)
    os.environ[MARKER] = mark
    yield
    if outer is None:
        del os.environ[MARKER]
    else:
        os.environ[MARKER] = outer
    until = time.monotonic() + GRACE_S
    while (left := _marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left, "processes that this file of tests started are still running:\n  " + "\n  ".join(left)


def _marked(mark: str) -> list[str]:
    wanted = f"{MARKER}={mark}".encode()
    found = []
    for pid in psutil.pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone
        if wanted in environment.split(b"\0") and (command := _command(pid)):
            found.append(command)
    return found
