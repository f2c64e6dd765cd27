"""Connections between processes: a listener whose queue is full is waited for, as long as was said."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from firmware.core import messages
from firmware.core.messages import PeerGone, connect, listen


class Crowd:
    """Connections that wait until a listener takes them, as many as its queue holds."""

    def __init__(self, path: Path, listener: socket.socket, sockets: contextlib.ExitStack) -> None:
        self._listener = listener
        self._sockets = sockets
        with contextlib.suppress(BlockingIOError):
            while True:
                one = sockets.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                one.setblocking(False)
                one.connect(str(path))

    def take_one(self, *_: object) -> None:
        self._sockets.enter_context(self._listener.accept()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cti.sock"


@pytest.fixture
def crowd(path: Path) -> Iterator[Crowd]:
    with contextlib.ExitStack() as sockets:
        yield Crowd(path, sockets.enter_context(listen(path)), sockets)


def test_who_connects_while_the_queue_is_full_waits_for_a_place_in_it(
    path: Path, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages.time, "sleep", crowd.take_one)
    connect(path, msgspec.json.decode).close()


def test_a_queue_that_stays_full_is_told_from_nobody_who_listens(path: Path, crowd: Crowd) -> None:
    with pytest.raises(PeerGone, match=r"too many wait to be taken at cti\.sock"):
        connect(path, msgspec.json.decode, timeout_seconds=0.01)


def test_where_nobody_listens_is_told_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(messages.time, "sleep")
    with pytest.raises(PeerGone, match=r"nobody listens at cti\.sock \(No such file or directory\)"):
        connect(path, msgspec.json.decode)
