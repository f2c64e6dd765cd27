"""Who hangs and what is done with him, in virtual time; and whose signs of life count, over a real socket."""

from __future__ import annotations

import array
import gc
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.box.supervision.watchdog import (
    ABORT_SECONDS,
    DATAGRAMS_A_TURN,
    KILL_SECONDS,
    LONGEST_TURN_SECONDS,
    AwakeTime,
    NotifySocket,
    Step,
    Watch,
    where_it_hung,
)


def test_a_start_may_take_as_long_as_it_takes() -> None:
    watch = Watch(10.0)
    watch.hear(b"STATUS=brings the database up to date\n", 5.0)
    assert watch.due(3600.0) is None
    watch.hear(b"READY=1\n", 3600.0)
    assert watch.due(3610.0) is None
    assert watch.due(3610.1) is Step.ABORT


def test_one_that_gives_signs_is_left_alone_for_ever() -> None:
    watch = Watch(10.0)
    for second in range(0, 1000, 9):
        watch.hear(b"WATCHDOG=1", float(second))
        assert watch.due(float(second) + 8.9) is None
    assert not watch.is_hung


def test_one_that_falls_silent_is_asked_where_it_stands_then_killed_then_given_up_each_once() -> None:
    watch = Watch(10.0)
    watch.hear(b"WATCHDOG=1", 0.0)
    assert watch.due(10.5) is Step.ABORT and watch.is_hung
    watch.hear(b"WATCHDOG=1", 10.6)  # too late: it is dying already
    assert watch.due(10.5 + ABORT_SECONDS - 0.01) is None
    assert watch.due(10.5 + ABORT_SECONDS) is Step.KILL
    assert watch.due(11.0 + ABORT_SECONDS) is None
    assert watch.due(12.0 + ABORT_SECONDS + KILL_SECONDS) is Step.GIVE_UP
    assert watch.due(1e6) is None


def test_one_that_stops_by_itself_may_take_one_limit_for_it() -> None:
    watch = Watch(10.0)
    watch.hear(b"WATCHDOG=1", 0.0)
    watch.hear(b"STOPPING=1", 9.0)
    assert watch.due(18.9) is None and watch.due(19.1) is Step.ABORT


@pytest.mark.parametrize(
    "nonsense", [b"", b"\xff\xfe", b"WATCHDOG=0", b"watchdog=1", b"WATCHDOG=11", b"READY", b"=" * 4000]
)
def test_what_is_no_sign_is_none(nonsense: bytes) -> None:
    watch = Watch(10.0)
    watch.hear(b"WATCHDOG=1", 0.0)
    watch.hear(nonsense, 10.0)
    assert watch.due(10.1) is Step.ABORT


def test_what_a_process_says_of_itself_is_one_printable_line_of_bounded_length() -> None:
    watch = Watch(10.0)
    watch.hear("READY=1\nSTATUS=the disk 盘 hangs\x1b[2J\nX_OTHER=1\n".encode(), 0.0)
    assert watch.status == "the disk 盘 hangs [2J"
    watch.hear(b"STATUS=" + b"x" * 4000, 0.0)
    assert len(watch.status) == 200


def test_a_supervisor_that_stood_still_counts_a_second_of_it_at_most() -> None:
    awake = AwakeTime(100.0)
    assert awake.turn(100.5) == 0.5
    watch = Watch(10.0)
    watch.hear(b"WATCHDOG=1", awake.seconds)
    assert watch.due(awake.turn(4000.0)) is None, "SIGSTOP, a closed lid, a paused machine"
    assert awake.seconds == 0.5 + LONGEST_TURN_SECONDS
    assert awake.turn(3999.0) == awake.seconds


def test_the_innermost_place_is_found_in_what_faulthandler_writes() -> None:
    wrote = (
        b'Fatal Python error: Aborted\n\nThread 0x00007f (most recent call first):\n  File "a.py", line 1 in x\n\n'
        b'Current thread 0x00008f (most recent call first):\n  File "b.py", line 7 in loops\n'
        b'  File "b.py", line 9 in run\n'
        b"\nExtension modules: numpy (total: 1)\n"
    )
    assert where_it_hung(wrote) == 'File "b.py", line 7 in loops'
    assert where_it_hung(b"Traceback: nothing of that\n") == ""


@pytest.fixture
def signs(tmp_path: Path) -> Iterator[NotifySocket]:
    one = NotifySocket(tmp_path / "notify.sock")
    yield one
    one.close()
    assert not (tmp_path / "notify.sock").exists()


@pytest.fixture
def mine(tmp_path: Path, signs: NotifySocket) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect(str(tmp_path / "notify.sock"))
        yield one


def test_the_kernel_says_who_speaks(signs: NotifySocket, mine: socket.socket, tmp_path: Path) -> None:
    mine.send(b"WATCHDOG=1")
    send = "import socket,sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', sys.argv[1])"
    other = subprocess.Popen([sys.executable, "-S", "-c", send, str(tmp_path / "notify.sock")])
    assert other.wait() == 0
    assert list(signs.receive()) == [(os.getpid(), b"WATCHDOG=1"), (other.pid, b"READY=1")]
    assert list(signs.receive()) == []


def test_an_overlong_datagram_is_left_out_and_descriptors_that_come_along_are_not_taken(
    signs: NotifySocket, mine: socket.socket
) -> None:
    gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
    before = len(os.listdir("/proc/self/fd"))
    mine.send(b"WATCHDOG=1\n" * 1000)
    gift = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 10))]
    mine.sendmsg([b"WATCHDOG=1"], gift)
    mine.send(b"")
    assert [datagram for _, datagram in signs.receive()] == [b"WATCHDOG=1", b""]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_stranger_who_floods_does_not_keep_the_supervisor_from_its_other_work(
    signs: NotifySocket, mine: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DATAGRAMS_A_TURN < 10_000
    monkeypatch.setattr("firmware.box.supervision.watchdog.DATAGRAMS_A_TURN", 3)
    for _ in range(5):
        mine.send(b"nonsense")
    assert len(list(signs.receive())) == 3
    assert select.select([signs], [], [], 0)[0], "the rest comes with the next turn"
    assert len(list(signs.receive())) == 2


def test_a_left_over_socket_of_a_killed_supervisor_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "notify.sock").touch()
    one = NotifySocket(tmp_path / "notify.sock")
    assert (tmp_path / "notify.sock").stat().st_mode & 0o777 == 0o600
    one.close()
