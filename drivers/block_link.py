"""The block link: a bus to a process that plays a board (simulator, SIP worker). Not for real hardware.

A Unix SOCK_SEQPACKET connection carries one packet per 10 ms block in each direction and one packet per line signal.
The far process listens; the board in the gateway connects. Packet: one byte of kind, then

* `H` hello, first from each end. Of the far process: JSON {version, name, has_clock, channels:[{kind,label}…]}; of the
  gateway: JSON {version}. Who connects and does not say it is a stranger, and takes nobody's place
* `B` block: 8 bytes little-endian block number of the sender, then channels × 80 bytes of A-law
* `S` signal: JSON, as given by the user of the link (this file does not read it)

Measured on x86_64: a block of 54 channels each way costs 8 µs of processor time (both ends in one process, median).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import stat
import struct
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

VERSION = 1
BLOCK_SAMPLES = 80
_MAXIMUM_PACKET = 65536
_STRANGERS_MOST = 8
"""Connections that have not said hello; the oldest goes when there are more."""
_HEADER = struct.Struct("<cQ")

_log = logging.getLogger(__name__)


class LinkError(Exception):
    """The far process is not there, went away, or sent something that is not of this protocol: `why` says which."""

    def __init__(self, what: str, why: Literal["absent", "ended", "nonsense"] = "nonsense", error: str = "") -> None:
        """`what`: a sentence for the log. `error`: the part of it that the operating system said; empty: all of it."""
        super().__init__(what)
        self.why = why
        self.error = error or what


class LinkChannel(msgspec.Struct, frozen=True):
    kind: str
    label: str


class Hello(msgspec.Struct, frozen=True):
    """What the far process is: protocol version, a name, whether it has a clock, and its channels in order."""

    version: int
    name: str
    has_clock: bool
    channels: tuple[LinkChannel, ...]


class GatewayHello(msgspec.Struct, frozen=True):
    """What the gateway says first, as soon as it has connected."""

    version: int


class BlockPacket(msgspec.Struct, frozen=True):
    number: int
    """The sender's block number: consecutive, so that a gap shows what was lost."""
    samples: NDArray[np.uint8]
    """A-law, shape [channels, 80]."""


class BlockLink:
    """One end of a connected block link. Never blocks. Raises LinkError if the other end has gone or talks nonsense."""

    def __init__(self, connection: socket.socket, channels: int) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._socket = connection
        self._channels = channels
        self.dropped = 0
        """Blocks that were not sent because the other end does not read."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send_block(self, number: int, samples: NDArray[np.uint8]) -> bool:
        """Send one block; False (and counted in `dropped`) if the other end's buffer is full."""
        try:
            self._socket.send(_HEADER.pack(b"B", number) + samples.tobytes())
        except BlockingIOError:
            self.dropped += 1
            return False
        except OSError as error:
            raise LinkError(f"the other end of the block link has gone ({error.strerror})", "ended") from error
        return True

    def send_signal(self, body: bytes) -> None:
        """Send one signal. A far end that lets signals pile up is broken: that raises LinkError."""
        try:
            self._socket.send(b"S" + body)
        except OSError as error:
            raise LinkError(f"a signal could not be sent over the block link ({error.strerror})", "ended") from error

    def receive(self, limit: int = 64) -> list[BlockPacket | bytes]:
        """At most `limit` packets that are waiting, in order: blocks as BlockPacket, signals as their JSON bytes."""
        packets: list[BlockPacket | bytes] = []
        while len(packets) < limit:
            try:
                packet = self._socket.recv(_MAXIMUM_PACKET)
            except BlockingIOError:
                break
            except ConnectionResetError:
                # The other end died with our blocks unread; the kernel says so once and then gives what came before.
                continue
            except OSError as error:
                raise LinkError(f"the block link broke ({error.strerror})", "ended") from error
            if not packet:
                if packets:
                    break  # hand over what came before the end; the next call reports the end
                raise LinkError("the other end of the block link has gone", "ended")
            packets.append(self._decode(packet))
        return packets

    def _decode(self, packet: bytes) -> BlockPacket | bytes:
        if packet[:1] == b"S":
            return packet[1:]
        size = _HEADER.size + self._channels * BLOCK_SAMPLES
        if packet[:1] != b"B" or len(packet) != size:
            raise LinkError(f"a packet of {len(packet)} bytes is neither a signal nor a block of {size} bytes")
        number = _HEADER.unpack_from(packet)[1]
        samples = np.frombuffer(packet, np.uint8, offset=_HEADER.size).reshape(self._channels, BLOCK_SAMPLES)
        return BlockPacket(number, samples)


class LinkAttempt:
    """The gateway's end while it waits for the hello. A far process that hangs must not hold up the gateway, so an
    attempt can be kept and asked again later. Raises LinkError if nobody listens."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(path))
            self._socket.send(b"H" + msgspec.json.encode(GatewayHello(VERSION)))
        except OSError as error:
            self._socket.close()
            said = error.strerror or str(error)
            raise LinkError(f"no board answers at {path.name}: {said}", "absent", f"{path.name}: {said}") from error

    def hello(self, timeout_seconds: float) -> tuple[BlockLink, Hello] | None:
        """The link once the far process has said what it is; None if it has not within the time (0: look and go on).
        Raises LinkError if the hello is not understood. After a result or an error the attempt is over."""
        try:
            waiting, _, _ = select.select([self._socket], [], [], timeout_seconds)
            if not waiting:
                return None
            packet = self._socket.recv(_MAXIMUM_PACKET)
            if packet[:1] != b"H":
                if not packet:
                    raise LinkError("it went away before its hello", "ended")
                raise LinkError("the first packet is not a hello")
            hello = msgspec.json.decode(packet[1:], type=Hello)
            if hello.version != VERSION:
                raise LinkError(f"the far process speaks version {hello.version} of the block link, this one {VERSION}")
        except (OSError, msgspec.MsgspecError, RecursionError) as error:
            self.close()
            raise LinkError(
                f"no board answers at {self._name} ({error})", "absent", f"{self._name}: {error}"
            ) from error
        except LinkError:
            self.close()
            raise
        return BlockLink(self._socket, len(hello.channels)), hello

    def close(self) -> None:
        self._socket.close()


def connect_link(path: Path, timeout_seconds: float = 0.5) -> tuple[BlockLink, Hello]:
    """The gateway's end: connect and read the hello. Raises LinkError if nobody listens or the hello makes no sense."""
    attempt = LinkAttempt(path)
    link = attempt.hello(timeout_seconds)
    if link is None:
        attempt.close()
        raise LinkError(f"no board answers at {path.name} (timed out)", "absent", f"{path.name}: timed out")
    return link


class LinkListener:
    """The far process's end: listens at a path; `accept()` greets whoever comes and gives the one that is a gateway.

    Strangers are kept until they say something, leave or are too many. `fileno()` is readable when there is news.
    """

    def __init__(self, path: Path, hello: Hello) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.unlink(path)
        self._hello = hello
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        os.chmod(path, 0o600)
        self._socket.listen(16)
        self._path = path
        self._strangers: dict[int, socket.socket] = {}
        self._watcher = select.epoll()
        self._watcher.register(self._socket.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        return self._watcher.fileno()

    def accept(self) -> BlockLink | None:
        """A gateway that has connected and said hello; None if there is none (now)."""
        for descriptor, _ in self._watcher.poll(0):
            if descriptor == self._socket.fileno():
                self._greet()
        for descriptor, _ in self._watcher.poll(0):
            stranger = self._strangers.get(descriptor)
            if stranger is None:
                continue
            wrong = self._what_is_wrong_with(stranger)
            if wrong is None:
                return BlockLink(self._forget(stranger), len(self._hello.channels))
            self._close(stranger, wrong)
        return None

    def _greet(self) -> None:
        """Take all who have connected, and say hello to them."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # nobody more, or no descriptor left: the others wait in the kernel
                return
            connection.setblocking(False)
            try:
                connection.send(b"H" + msgspec.json.encode(self._hello))
            except OSError:
                connection.close()
                continue
            self._strangers[connection.fileno()] = connection
            self._watcher.register(connection.fileno(), select.EPOLLIN)
            if len(self._strangers) > _STRANGERS_MOST:
                self._close(next(iter(self._strangers.values())), "too many connections that say no hello")

    @staticmethod
    def _what_is_wrong_with(stranger: socket.socket) -> str | None:
        """None if the first thing that it says is a gateway's hello; empty if it says nothing and leaves."""
        try:
            packet = stranger.recv(_MAXIMUM_PACKET)
            if packet[:1] != b"H":
                return "its first packet is not a hello" if packet else ""
            version = msgspec.json.decode(packet[1:], type=GatewayHello).version
        except (OSError, msgspec.MsgspecError, RecursionError) as error:
            return str(error)
        return None if version == VERSION else f"it speaks version {version} of the block link, this end {VERSION}"

    def _close(self, stranger: socket.socket, why: str) -> None:
        if why:
            _log.warning("%s: a connection that was no gateway was closed: %s", self._path.name, why)
        self._forget(stranger).close()

    def _forget(self, stranger: socket.socket) -> socket.socket:
        self._watcher.unregister(stranger.fileno())
        return self._strangers.pop(stranger.fileno())

    def close(self) -> None:
        for stranger in list(self._strangers.values()):
            self._forget(stranger).close()
        self._watcher.close()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
