"""The gateway's door to the callserver: who hangs counts as gone, who shows life stays. Virtual time, real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from select import epoll

import pytest

from firmware.box.gateway.door import SILENT_US, CallserverDoor
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths
from firmware.lines.line_commands import Attach, Resume
from firmware.lines.messages import Snapshot, decode_from_gateway
from tests.lines.bench import Bench


class Door:
    """A gateway of the bench with its door, and one callserver that has attached."""

    def __init__(self, folder: Path) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        self.bench = Bench()
        self.watcher = epoll()
        self.door = CallserverDoor(self.paths, self.bench.gateway, self.bench.clock, self.watcher)

    def attach(self) -> Peer:
        callserver = connect(self.paths.gateway_socket, decode_from_gateway)
        callserver.send(Attach("", 0))
        self.serve()
        assert isinstance(callserver.receive()[0], Snapshot)
        return callserver

    def serve(self) -> None:
        while ready := self.watcher.poll(0):
            for descriptor, mask in ready:
                self.door.handle(descriptor, mask)

    def wait(self, microseconds: int) -> None:
        self.bench.clock.advance_to(self.bench.clock.now().mono_us + microseconds)
        self.serve()
        self.door.watch(self.bench.clock.now().mono_us)

    def close(self) -> None:
        self.door.close()
        self.watcher.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    one = Door(tmp_path)
    yield one
    one.close()


def test_a_callserver_that_hangs_counts_as_gone_and_can_come_back(door: Door) -> None:
    callserver = door.attach()
    door.wait(SILENT_US)
    assert door.bench.gateway.attached
    door.wait(1)
    assert not door.bench.gateway.attached
    with pytest.raises(PeerGone):
        callserver.receive()
    callserver.close()

    again = door.attach()
    assert door.bench.gateway.attached
    again.close()


def test_a_callserver_that_shows_life_stays_however_quiet_the_lines_are(door: Door) -> None:
    callserver = door.attach()
    for _ in range(10):
        callserver.send(Resume(0))
        door.wait(SILENT_US)
    assert door.bench.gateway.attached
    callserver.close()


def test_who_has_not_attached_shows_no_life_for_another(door: Door) -> None:
    callserver = door.attach()
    stranger = connect(door.paths.gateway_socket, decode_from_gateway)
    stranger.send(Resume(0))
    door.wait(SILENT_US + 1)
    assert not door.bench.gateway.attached
    for peer in (callserver, stranger):
        peer.close()
