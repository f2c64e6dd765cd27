"""Hints: real messages of real failures find their cause; every entry is complete."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.core.hints import HINTS, ClearError, hint, with_hint
from firmware.core.messages import PeerGone, connect, listen


def port_in_use(folder: Path) -> None:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        one.listen()
        two.bind(one.getsockname())


def long_socket_path(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / ("x" * 120)))


def damaged_database(folder: Path) -> None:
    (folder / "a.db").write_bytes(b"no database" * 100)
    connection = sqlite3.connect(folder / "a.db")
    try:
        connection.execute("select * from a")
    finally:
        connection.close()


def missing_module(folder: Path) -> None:
    import pjsua2_that_is_not_there  # noqa: F401


def full_disk(folder: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as disk:
        disk.write(b"x")


def callserver_absent(folder: Path) -> None:
    connect(folder / "cti.sock", lambda data: data)


def callserver_overrun(folder: Path) -> None:
    with contextlib.ExitStack() as sockets:
        sockets.enter_context(listen(folder / "cti.sock"))
        while True:
            sockets.enter_context(contextlib.closing(connect(folder / "cti.sock", lambda data: data, 0.0)))


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (port_in_use, "another program listens"),
        (long_socket_path, "longer than a socket name"),
        (damaged_database, "database file is damaged"),
        (missing_module, "a Python package is missing"),
        (full_disk, "the disk is full"),
        (callserver_absent, "the callserver does not run"),
        (callserver_overrun, "hangs, or too many"),
    ],
)
def test_a_real_failure_finds_its_cause(tmp_path: Path, failure: Callable[[Path], None], cause: str) -> None:
    with pytest.raises((OSError, sqlite3.Error, ImportError, PeerGone)) as caught:
        failure(tmp_path)
    found = hint(str(caught.value))
    assert found is not None and cause in found.cause


def test_the_missing_sip_stack_is_not_taken_for_any_missing_package() -> None:
    found = hint("ModuleNotFoundError: No module named 'pjsua2'")
    assert found is not None and "build_pjsua2" in found.remedy


def test_an_unknown_message_stays_as_it_is() -> None:
    assert with_hint("the moon is blue") == "the moon is blue"
    assert "remedy: choose another" in with_hint("[Errno 98] Address already in use")


def test_every_entry_is_a_pattern_with_cause_and_remedy_and_is_not_hidden_by_an_earlier_one() -> None:
    for entry in HINTS:
        assert re.compile(entry.message) and entry.cause and entry.remedy
        parts = entry.message.split("|") if "(" not in entry.message else []
        plain = [part for part in parts if not re.search(r"[\\?]", part)]
        assert all(hint(part) is entry for part in plain), entry.message


def test_a_clear_error_reads_as_what_happened_and_what_to_do() -> None:
    assert str(ClearError("the port is taken", "take another")) == "the port is taken\n  remedy: take another"
