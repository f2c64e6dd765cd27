"""Signs of life as systemd's protocol has them: what is sent, how often, to whom; and every process of the box does."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firmware.box.demonstration import demonstration_documents
from firmware.box.sign_of_life import NOBODY, SIGNS_A_LIMIT, SignOfLife, sign_of_life
from firmware.box.supervision.supervisor import can_import
from firmware.box.supervision.up import plans
from firmware.box.supervision.watchdog import NotifySocket
from firmware.calls.messages import Request, SignIn, decode_to_client
from firmware.core.configuration import load_configuration, save_subjects
from firmware.core.messages import connect
from firmware.core.paths import BoxPaths

LIMIT_US = 8_000_000
PERIOD_US = LIMIT_US // SIGNS_A_LIMIT


class Manager:
    """Stands for systemd."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)

    def heard(self) -> list[str]:
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(str(tmp_path / "notify"))
    yield one
    one.socket.close()


@pytest.fixture
def sign(tmp_path: Path, manager: Manager) -> Iterator[SignOfLife]:
    one = SignOfLife(str(tmp_path / "notify"), LIMIT_US)
    yield one
    one.stopping()


def test_start_life_and_end_are_told_in_the_words_of_the_protocol(manager: Manager, sign: SignOfLife) -> None:
    sign.ready("Linebox ready")
    sign.alive(0)
    sign.status("two\nlines 两行")
    sign.stopping()
    sign.stopping()
    sign.alive(1 << 50)
    assert manager.heard() == [
        "READY=1\nSTATUS=Linebox ready\n",
        "WATCHDOG=1\n",
        "STATUS=two lines 两行\n",
        "STOPPING=1\n",
    ]


def test_however_often_the_loop_turns_a_sign_is_given_eight_times_in_the_limit(
    manager: Manager, sign: SignOfLife
) -> None:
    heard = 0
    for now_us in range(0, LIMIT_US, 10_000):
        sign.alive(now_us)
        heard += len(manager.heard())
    assert heard == SIGNS_A_LIMIT
    assert sign.next_us == LIMIT_US, "a loop that sleeps knows when to wake up"


def test_where_something_of_the_process_hangs_that_is_told_in_place_of_the_sign(
    manager: Manager, sign: SignOfLife
) -> None:
    for now_us in range(0, 2 * PERIOD_US, 10_000):
        sign.alive(now_us, hangs="a commit has not come back")
    assert manager.heard() == ["STATUS=a commit has not come back\n"] * 2
    sign.alive(2 * PERIOD_US)
    sign.alive(3 * PERIOD_US)
    assert manager.heard() == ["WATCHDOG=1\nSTATUS=goes on\n", "WATCHDOG=1\n"]


def test_a_manager_that_stands_still_holds_up_nobody_and_hears_again_when_it_is_back(
    manager: Manager, sign: SignOfLife
) -> None:
    for turn in range(1000):  # more than any queue of a socket holds
        sign.alive(turn * PERIOD_US)
    missed_us = sign.next_us
    assert missed_us < 1000 * PERIOD_US, "tried again soon"
    assert manager.heard()
    sign.alive(missed_us)
    assert manager.heard() == ["WATCHDOG=1\n"]


def test_a_manager_that_begins_anew_is_heard_by_its_new_socket(
    manager: Manager, sign: SignOfLife, tmp_path: Path
) -> None:
    manager.socket.close()
    (tmp_path / "notify").unlink()
    sign.alive(0)
    again = Manager(str(tmp_path / "notify"))
    sign.alive(PERIOD_US)
    assert again.heard() == ["WATCHDOG=1\n"]
    again.socket.close()


def test_an_abstract_address_is_understood() -> None:
    name = f"linebox-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    sign = SignOfLife(f"@{name}")
    sign.ready()
    assert manager.heard() == ["READY=1\n"]
    sign.stopping()
    manager.socket.close()


@pytest.mark.parametrize(
    ("pid", "limit", "waited_for"),
    [
        ("", "8000000", True),
        ("own", "8000000", True),
        ("1", "8000000", False),
        ("", "", False),
        ("", "-5", False),
    ],
)
def test_signs_are_given_to_who_waits_for_those_of_this_process(
    manager: Manager, tmp_path: Path, pid: str, limit: str, waited_for: bool
) -> None:
    pid = str(os.getpid()) if pid == "own" else pid
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": limit, "WATCHDOG_PID": pid, "HOME": "/"}
    sign = sign_of_life(environment)
    assert environment == {"HOME": "/"}, "programs that it starts do not speak for it"
    sign.alive(0)
    sign.ready()
    assert manager.heard() == [*(["WATCHDOG=1\n"] if waited_for else []), "READY=1\n"]
    sign.stopping()


def test_where_nobody_asks_nothing_is_told() -> None:
    for sign in (sign_of_life({}), NOBODY, SignOfLife("/does/not/exist", LIMIT_US), SignOfLife("x" * 200, LIMIT_US)):
        sign.ready()
        sign.alive(0)
        sign.status("…")
        sign.stopping()
    assert NOBODY.next_us > 1 << 60


HUNG_COMMIT = """
import sys, time
from firmware.box.callserver import committer, process
committer.HANG_SECONDS = 0.3
process.Journal.commit = lambda *_: time.sleep(600)
sys.exit(process.main())
"""


def test_a_callserver_whose_commit_hangs_says_so_and_gives_no_sign_although_its_loop_turns(
    tmp_path: Path, manager: Manager
) -> None:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here"))
    environment = {
        **os.environ,
        "LINEBOX_RUN": str(paths.run),
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "200000",
    }
    command = [sys.executable, "-c", HUNG_COMMIT, "--data", str(paths.data)]
    callserver = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    heard: list[str] = []

    def hears(wanted: str, times: int = 1) -> None:
        end = time.monotonic() + 20.0
        while sum(wanted in one for one in heard) < times:
            heard.extend(manager.heard())
            assert time.monotonic() < end and callserver.poll() is None, heard
            time.sleep(0.005)

    try:
        hears("WATCHDOG=1")
        with contextlib.closing(connect(paths.cti_socket, decode_to_client)) as client:
            client.send(Request(1, SignIn("801", "1"), "test"))
            hears("STATUS=the records are not on the disk: a commit has not come back for")
            heard.clear()
            hears("STATUS=", times=2)
            assert not any("WATCHDOG=1" in one for one in heard)
    finally:
        callserver.kill()
        callserver.wait()


@pytest.fixture
def images_of_memory_are_wanted() -> Iterator[None]:
    wanted, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (wanted, most))


@pytest.mark.usefixtures("images_of_memory_are_wanted")
def test_every_process_of_the_box_gives_signs_by_itself_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The processes and commands are those of `linebox up`, on a box that has something for each of them to do. None
    leaves an image of its memory, with numbers and voices in it, when it is ended because it hangs."""
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    documents = demonstration_documents("not used here")
    documents["boards"].append({"board": "span", "kind": "dahdi_e1", "e1": {"span": 77, "signalling": "pri"}})
    documents["seats"][1]["display"] = {"kind": "serial", "device": "/dev/ttyNONE0"}
    save_subjects(paths, documents)
    options = argparse.Namespace(no_simulator=False, quiet=True, scenario=None, report=None, seed=None)
    chosen = [
        plan
        for plan in plans(options, paths, load_configuration(paths), 0, 0)
        if not plan.requires or can_import(plan.requires)
    ]
    environment = {**os.environ, "LINEBOX_RUN": str(paths.run), "WATCHDOG_USEC": "1600000"}
    # A socket for each: one may hold no more than ten signs, and what does not fit in while this process stands still
    # is lost.
    signs = {plan.name: NotifySocket(tmp_path / f"{plan.name}.sock") for plan in chosen}
    processes: dict[str, int] = {}
    logs = {plan.name: paths.logs / f"{plan.name}.log" for plan in chosen}
    heard: dict[str, list[str]] = {plan.name: [] for plan in chosen}

    def hear_until(word: str, times: int) -> None:
        end = time.monotonic() + 120.0  # one of them works only when the machine has nothing else to do
        while any(said.count(word) < times for said in heard.values()):
            for name, one in signs.items():
                for pid, datagram in one.receive():
                    assert pid == processes[name]
                    heard[name] += datagram.decode().split()
            time.sleep(0.005)
            missing = [name for name, said in heard.items() if said.count(word) < times]
            assert time.monotonic() < end, "\n".join(f"{name}: {logs[name].read_text()}" for name in missing)

    running = []
    try:
        for plan in chosen:
            with logs[plan.name].open("wb") as log:
                address = {"NOTIFY_SOCKET": str(tmp_path / f"{plan.name}.sock")}
                running.append(subprocess.Popen(plan.command, env=environment | address, stdout=log, stderr=log))
            processes[plan.name] = running[-1].pid
        hear_until("WATCHDOG=1", 3)
        assert {psutil.Process(one.pid).rlimit(psutil.RLIMIT_CORE)[0] for one in running} == {0}
        for one in running:
            one.send_signal(signal.SIGTERM)
        hear_until("STOPPING=1", 1)
        assert [one.wait(20) for one in running] == [0] * len(running)
    finally:
        for one in running:
            one.kill()
            one.wait()
        for sign in signs.values():
            sign.close()
    assert {"gateway", "callserver", "recorder", "archive", "web", "simulator", "displays", "pri-77"} <= set(heard)
    for name, said in heard.items():
        assert said[0] == "READY=1" and said[-1] == "STOPPING=1", f"{name}: {said}"
        assert all(plan.watchdog_seconds > 0 for plan in chosen)
