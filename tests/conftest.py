"""For every test: nothing may be left behind. Not a place for fixtures of one subject; those stand beside their tests.

After each test there may be no new thread, child process, socket, or open file below a run folder or the temporary
folder. After each file of tests there may be no process anywhere that was started by it, also none that was orphaned.
A box keeps its run folder, in shared memory, when it stops; those of a file's boxes go after its last test.
What module and session fixtures hold (a running box, a browser) is started before the first look and does not count.
A test that must leave something says so: `@pytest.mark.leaves("threads")`.

What hypothesis makes up is the same in every run of the same test, and how long it takes is not judged: a test that
was green is green again, also on a machine that stands still now and then.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: its idle threads disturb real-time tests

import psutil
import pytest
from hypothesis import HealthCheck, settings

from firmware.core.paths import box_paths

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

MARKER = "LINEBOX_TEST_PROCESS"
GRACE_S = 10.0
"""How long what was told to end may take to end. Only waited for when something is there."""

RUN_FOLDERS = Path("/dev/shm")
WATCHED_FOLDERS = (tempfile.gettempdir(), f"{RUN_FOLDERS}/linebox-")


Found = dict[str, str]
"""What is there at one look: identity → description. A child's command line changes at exec, its identity not."""


def _threads() -> Found:
    return {str(thread.ident): thread.name for thread in threading.enumerate() if thread.is_alive()}


def _descendants(pid: int) -> Iterator[int]:
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listing.read_text().split()
        except OSError:
            continue  # ended between the two looks
        for child in children:
            yield int(child)
            yield from _descendants(int(child))


def _command(pid: int) -> str:
    """The command line of a process; empty for one that has ended, waited for or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    # Within exec the command line is empty for a moment although the process is there.
    return "" if state in "ZX" else line[:120] or "(starting)"


def _children() -> Found:
    return {str(pid): command for pid in _descendants(os.getpid()) if (command := _command(pid))}


def _descriptors() -> Found:
    """Open sockets and files of tests, as `4 -> socket:[123]`. Libraries' own pipes and event files are not meant."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:") or target.startswith(WATCHED_FOLDERS):
            found[f"{number} {target}"] = target
    return found


KINDS: dict[str, Callable[[], Found]] = {"threads": _threads, "children": _children, "descriptors": _descriptors}


def _new_since(before: dict[str, Found]) -> list[str]:
    return [
        f"{kind}: {description} ({identity})"
        for kind, was in before.items()
        for identity, description in KINDS[kind]().items()
        if identity not in was
    ]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    allowed = {kind for marker in request.node.iter_markers("leaves") for kind in marker.args}
    before = {kind: look() for kind, look in KINDS.items() if kind not in allowed}
    yield
    if _new_since(before):
        gc.collect()  # what only a reference cycle holds is not a leak
        until = time.monotonic() + GRACE_S
        while _new_since(before) and time.monotonic() < until:
            time.sleep(0.02)
    left = _new_since(before)
    assert not left, "the test left behind:\n  " + "\n  ".join(left)


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


@pytest.fixture(scope="module", autouse=True)
def no_run_folder_survives_its_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A run folder is named after its data folder: only those go whose data folder lies where tests make theirs."""
    yield
    there = set(RUN_FOLDERS.glob("linebox-*"))
    if there:
        for folder, _, _ in os.walk(tmp_path_factory.getbasetemp()):
            run = box_paths(Path(folder)).run
            if run in there:
                shutil.rmtree(run)


def _marked(mark: str) -> list[str]:
    wanted = f"{MARKER}={mark}".encode()
    found = []
    for pid in psutil.pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone
        if wanted in environment.split(b"\0") and (command := _command(pid)):
            found.append(f"{command} ({pid})")
    return found
