"""Messages between the processes of the box: length-prefixed JSON of msgspec structs on Unix stream sockets.

A frame is 4 bytes of big-endian length and that many bytes of JSON. Structs are tagged unions, so a reader knows the
type from the message; unknown fields are ignored, so that two versions can talk during an update. Not for audio.

`Peer` is one connection without threads: the process shell watches `fileno()`, calls `receive()` when readable and
`flush()` when writable. A peer that sends garbage, half a message or too much is closed with a reason and harms nobody.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

_LENGTH = struct.Struct(">I")
MAXIMUM_MESSAGE = 4 << 20
"""Bytes in the longest message; a snapshot of a full box is about 200 kB."""
MAXIMUM_BACKLOG = 8 << 20
"""Bytes that may wait for a peer that does not read; then it is closed (it resumes from its last number)."""

_QUEUE_FULL_SECONDS = 0.001
"""After this long it is looked again whether a listener whose queue was full takes one more."""

encode_json = msgspec.json.Encoder().encode


class PeerGone(Exception):
    """The connection ended. `reason` is for the log: `closed`, or what was wrong with what the peer sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def frame(message: Any) -> bytes:
    """One message as it goes over the wire."""
    return frame_body(encode_json(message))


def frame_body(body: bytes) -> bytes:
    """A message that is JSON already (from the database) as it goes over the wire."""
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a byte stream into messages. Raises PeerGone for a length that cannot be, or a body that does not decode."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """All messages that `data` completes. Those before a bad one are lost with the connection."""
        self._buffer += data
        messages: list[Any] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAXIMUM_MESSAGE:
                raise PeerGone(f"a message of {length} bytes was announced, {MAXIMUM_MESSAGE} is the most")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            try:
                messages.append(self._decode(body))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise PeerGone(f"a message was not understood: {error}") from error
        return messages


class Peer:
    """One connected peer on a non-blocking stream socket."""

    def __init__(self, connection: socket.socket, decode: Callable[[bytes], Any]) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._reader = FrameReader(decode)
        self._waiting = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """True while bytes wait for the socket to become writable."""
        return bool(self._waiting)

    def send(self, message: Any) -> None:
        """Send a message now or as soon as the peer reads. Raises PeerGone if it does not read for too long."""
        self.send_frames(frame(message))

    def send_frames(self, frames: bytes) -> None:
        """Send messages that are framed already (one frame for many subscribers)."""
        self._waiting += frames
        if len(self._waiting) > MAXIMUM_BACKLOG:
            raise PeerGone("it does not read what it is sent")
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes. Raises PeerGone when the connection is broken."""
        while self._waiting:
            try:
                sent = self._socket.send(self._waiting)
            except BlockingIOError:
                return
            except OSError as error:
                raise PeerGone(f"closed ({error.strerror})") from error
            del self._waiting[:sent]

    def receive(self) -> list[Any]:
        """Messages that have come in, maybe none. Raises PeerGone at the end of the connection or at nonsense."""
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError as error:
            raise PeerGone(f"closed ({error.strerror})") from error
        if not data:
            raise PeerGone("closed")
        return self._reader.feed(data)

    def close(self) -> None:
        self._socket.close()


def listen(path: Path) -> socket.socket:
    """A non-blocking listening Unix stream socket, readable by its owner only; a dead socket file is replaced."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    listener.bind(str(path))
    os.chmod(path, 0o600)
    listener.listen(64)
    return listener


def accept(listener: socket.socket, decode: Callable[[bytes], Any]) -> Peer | None:
    """The peer that waits at a listening socket; None if it has left, or if this process has no descriptor for it."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return None
    return Peer(connection, decode)


def connect(path: Path, decode: Callable[[bytes], Any], timeout_seconds: float = 1.0) -> Peer:
    """Connect to a listening process. Raises PeerGone if it is not there, or has so many waiting to be taken for the
    whole time that no more can."""
    end = time.monotonic() + timeout_seconds
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        while True:
            try:
                connection.connect(str(path))
                return Peer(connection, decode)
            except BlockingIOError:  # its queue is full; no time limit of a Unix socket waits for that (connect(2))
                if time.monotonic() >= end:
                    raise PeerGone(f"too many wait to be taken at {path.name}") from None
                time.sleep(_QUEUE_FULL_SECONDS)
    except OSError as error:
        connection.close()
        raise PeerGone(f"nobody listens at {path.name} ({error.strerror or error})") from error
    except PeerGone:
        connection.close()
        raise
