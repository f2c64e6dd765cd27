"""The block link: a bus to a process that plays a board (simulator, SIP worker). Not for real hardware.

A Unix SOCK_SEQPACKET connection carries one packet per 10 ms block in each direction and one packet per line signal.
The far process listens; the board in the gateway connects. Packet: one byte of kind, then

* `H` hello, once from the far process: JSON {version, name, has_clock, channels:[{kind,label}…]}
* `B` block: 8 bytes little-endian block number of the sender, then channels × 80 bytes of A-law
* `S` signal: JSON, as given by the user of the link (this file does not read it)

Measured here: one block of 54 channels each way costs about 30 µs of processor time in both processes together.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import struct
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

VERSION = 1
BLOCK_SAMPLES = 80
_MAXIMUM_PACKET = 65536
_HEADER = struct.Struct("<cQ")


class LinkError(Exception):
    """The far process is not there, went away, or sent something that is not of this protocol. `what` says which."""


class LinkChannel(msgspec.Struct, frozen=True):
    kind: str
    label: str


class Hello(msgspec.Struct, frozen=True):
    """What the far process is: protocol version, a name, whether it has a clock, and its channels in order."""

    version: int
    name: str
    has_clock: bool
    channels: tuple[LinkChannel, ...]


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
            raise LinkError(f"the other end of the block link has gone ({error.strerror})") from error
        return True

    def send_signal(self, body: bytes) -> None:
        """Send one signal. A far end that lets signals pile up is broken: that raises LinkError."""
        try:
            self._socket.send(b"S" + body)
        except OSError as error:
            raise LinkError(f"a signal could not be sent over the block link ({error.strerror})") from error

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
                raise LinkError(f"the block link broke ({error.strerror})") from error
            if not packet:
                if packets:
                    break  # hand over what came before the end; the next call reports the end
                raise LinkError("the other end of the block link has gone")
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
        except OSError as error:
            self._socket.close()
            raise LinkError(f"no board answers at {path.name} ({error.strerror or error})") from error

    def hello(self, timeout_seconds: float) -> tuple[BlockLink, Hello] | None:
        """The link once the far process has said what it is; None if it has not within the time (0: look and go on).
        Raises LinkError if the hello is not understood. After a result or an error the attempt is over."""
        try:
            waiting, _, _ = select.select([self._socket], [], [], timeout_seconds)
            if not waiting:
                return None
            packet = self._socket.recv(_MAXIMUM_PACKET)
            if packet[:1] != b"H":
                raise LinkError("the first packet is not a hello" if packet else "it went away before its hello")
            hello = msgspec.json.decode(packet[1:], type=Hello)
            if hello.version != VERSION:
                raise LinkError(f"the far process speaks version {hello.version} of the block link, this one {VERSION}")
        except (OSError, msgspec.MsgspecError) as error:
            self.close()
            raise LinkError(f"no board answers at {self._name} ({error})") from error
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
        raise LinkError(f"no board answers at {path.name} (timed out)")
    return link


class LinkListener:
    """The far process's end: listens at a path; `accept()` greets the gateway. One gateway at a time."""

    def __init__(self, path: Path, hello: Hello) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.unlink(path)
        self._hello = hello
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        os.chmod(path, 0o600)
        self._socket.listen(1)
        self._path = path

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> BlockLink | None:
        """The gateway that just connected, or None if nobody is waiting or it left before the hello."""
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return None
        try:
            connection.send(b"H" + msgspec.json.encode(self._hello))
        except OSError:
            connection.close()
            return None
        return BlockLink(connection, len(self._hello.channels))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
