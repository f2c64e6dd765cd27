"""The bus between the gateway and a process that plays a board."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.block_link import (
    VERSION,
    BlockLink,
    BlockPacket,
    Hello,
    LinkAttempt,
    LinkChannel,
    LinkError,
    LinkListener,
    connect_link,
)

HELLO = Hello(VERSION, "test", True, (LinkChannel("trunk", "T-1"), LinkChannel("extension", "P-1")))
Ends = tuple[BlockLink, BlockLink]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[LinkListener]:
    listener = LinkListener(tmp_path / "link.sock", HELLO)
    yield listener
    listener.close()


@pytest.fixture
def ends(listener: LinkListener, tmp_path: Path) -> Iterator[Ends]:
    """Gateway's end and far end, greeted."""
    attempt = LinkAttempt(tmp_path / "link.sock")
    far = listener.accept()
    assert far is not None
    greeted = attempt.hello(1.0)
    assert greeted is not None
    assert greeted[1] == HELLO
    yield greeted[0], far
    greeted[0].close()
    far.close()


def block(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (2, 80), dtype=np.uint8)


def test_blocks_and_signals_arrive_in_order_and_unchanged(ends: Ends) -> None:
    near, far = ends
    far.send_block(7, block(7))
    far.send_signal(b'{"a":1}')
    far.send_block(8, block(8))

    packets = near.receive()

    assert [packet.number if isinstance(packet, BlockPacket) else packet for packet in packets] == [7, b'{"a":1}', 8]
    assert isinstance(packets[2], BlockPacket)
    assert np.array_equal(packets[2].samples, block(8))
    assert near.receive() == []


def test_both_ways_are_alike(ends: Ends) -> None:
    near, far = ends
    near.send_block(0, block(1)[:, :])
    (packet,) = far.receive()

    assert isinstance(packet, BlockPacket)
    assert np.array_equal(packet.samples, block(1))


def test_no_more_is_read_than_was_asked_for(ends: Ends) -> None:
    near, far = ends
    for number in range(5):
        far.send_block(number, block(number))

    assert len(near.receive(3)) == 3
    assert len(near.receive(3)) == 2


def test_half_a_second_of_a_full_box_waits_for_an_end_that_stalls(tmp_path: Path) -> None:
    hello = Hello(VERSION, "full", True, tuple(LinkChannel("trunk", str(n)) for n in range(38)))
    listener = LinkListener(tmp_path / "full.sock", hello)
    attempt = LinkAttempt(tmp_path / "full.sock")
    far = listener.accept()
    greeted = attempt.hello(1.0)
    assert far is not None
    assert greeted is not None
    samples = np.zeros((38, 80), np.uint8)

    assert all(far.send_block(number, samples) for number in range(50))
    assert len(greeted[0].receive(100)) == 50
    for end in (far, greeted[0], listener):
        end.close()


def test_an_end_that_does_not_read_costs_blocks_that_are_counted(ends: Ends) -> None:
    near, far = ends
    while far.send_block(0, block(0)):
        pass

    assert far.dropped == 1
    with pytest.raises(LinkError, match="could not be sent"):
        far.send_signal(b"x" * 4000)
    near.receive(10_000)
    assert far.send_block(1, block(1))


@pytest.mark.parametrize("read", [True, False])
def test_the_other_end_s_death_is_told_after_its_last_words(ends: Ends, read: bool) -> None:
    near, far = ends
    near.send_block(0, block(0))
    if read:
        far.receive()
    far.send_block(1, block(1))
    far.close()

    assert len(near.receive()) == 1
    with pytest.raises(LinkError, match="gone"):
        near.receive()
    with pytest.raises(LinkError):
        near.send_block(1, block(1))


@pytest.mark.parametrize("packet", [b"B", b"B" + bytes(8 + 159), b"B" + bytes(8 + 161), b"X", b"Hello"])
def test_a_packet_of_neither_kind_is_refused(ends: Ends, packet: bytes) -> None:
    near, far = ends
    far._socket.send(packet)

    with pytest.raises(LinkError, match="neither a signal nor a block"):
        near.receive()


def test_nobody_there_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"absent\.sock"):
        connect_link(tmp_path / "absent.sock")


def test_one_that_never_greets_is_not_waited_for(listener: LinkListener, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="timed out"):
        connect_link(tmp_path / "link.sock", timeout_seconds=0.01)
    assert listener.accept() is None  # the connection that gave up is found dead


def test_connecting_while_the_far_end_is_slow_works_within_the_time(listener: LinkListener, tmp_path: Path) -> None:
    accepted: list[BlockLink | None] = []
    timer = threading.Timer(0.05, lambda: accepted.append(listener.accept()))
    timer.start()
    link, hello = connect_link(tmp_path / "link.sock", timeout_seconds=2.0)
    timer.join()

    assert hello == HELLO
    link.close()
    assert accepted[0] is not None
    accepted[0].close()


@pytest.mark.parametrize(
    "greeting", [b"", b"B", b"H{", b"Hnull", b'H{"version":99,"name":"","has_clock":true,"channels":[]}']
)
def test_a_greeting_that_makes_no_sense_is_refused(tmp_path: Path, greeting: bytes) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(tmp_path / "odd.sock"))
    server.listen(1)
    attempt = LinkAttempt(tmp_path / "odd.sock")
    connection, _ = server.accept()
    connection.send(greeting)
    connection.close()

    with pytest.raises(LinkError):
        attempt.hello(1.0)
    server.close()


def test_the_socket_is_the_owner_s_alone_and_replaces_a_dead_one(listener: LinkListener, tmp_path: Path) -> None:
    path = tmp_path / "link.sock"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    second = LinkListener(path, HELLO)
    attempt = LinkAttempt(path)
    assert second.accept() is not None
    attempt.close()
    second.close()
    assert not path.exists()


def test_strangers_are_not_taken_for_the_gateway(listener: LinkListener, tmp_path: Path) -> None:
    path = str(tmp_path / "link.sock")
    words = (b"", b"B", b"H", b"Hnull", b'H{"version":99}', b"H" + b"[" * 60_000, b'H{"version":' + b"9" * 5000 + b"}")
    strangers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in words]
    for stranger, said in zip(strangers, words, strict=True):
        stranger.connect(path)
        if said:
            stranger.send(said)

    assert listener.accept() is None
    for stranger, said in zip(strangers, words, strict=True):
        assert stranger.recv(1000).startswith(b"H{")  # everybody is greeted
        if said:
            assert stranger.recv(1000) == b""
    attempt = LinkAttempt(tmp_path / "link.sock")
    link = listener.accept()
    assert link is not None  # while a silent one is still connected
    for end in (*strangers, attempt, link):
        end.close()


def test_many_silent_strangers_do_not_pile_up(listener: LinkListener, tmp_path: Path) -> None:
    strangers = []
    for _ in range(20):
        strangers.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        strangers[-1].connect(str(tmp_path / "link.sock"))
        assert listener.accept() is None
    closed = 0
    for stranger in strangers:
        stranger.setblocking(False)
        assert stranger.recv(1000).startswith(b"H{")
        with contextlib.suppress(BlockingIOError):
            closed += stranger.recv(1000) == b""
        stranger.close()
    assert closed == 12
