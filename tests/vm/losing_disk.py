"""A disk behind QEMU that loses what was not flushed when the power goes: an NBD server of its own. No test here.

It keeps writes apart until the guest flushes them. At a cut each block of 4096 bytes that was not flushed keeps, by
chance, what it had on the platter or any version that was written since, as a real disk with a write cache does. From
then on every write fails until the power comes back; reads see what survived.

Exports: `disk`, and `control`, 4096 bytes: writing `cut 17` there makes the power fail at the 17th write or flush from
then on or a little later, in its stead; `on` brings it back. Protocol: NetworkBlockDevice doc/proto.md, fixed newstyle,
simple replies.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from pathlib import Path

BLOCK = 4096
"""What disks and SD cards write at once or not at all."""
_SMALLEST = 512
_MAGIC, _OPTION_MAGIC, _OPTION_REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
_REQUEST_MAGIC, _REPLY_MAGIC = 0x25609513, 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_HAS_FLAGS, _SEND_FLUSH = 1, 4  # without FUA: QEMU flushes instead
_OPTION_ABORT, _OPTION_GO = 2, 7
_ACK, _INFO, _UNSUPPORTED = 1, 3, (1 << 31) | 1
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_EIO, _EINVAL = 5, 22


class LosingDisk:
    """The disk's contents and its write cache. Called by one connection at a time, under `lock`."""

    def __init__(self, image: bytes, seed: int) -> None:
        self.lock = threading.Lock()
        self.platter = bytearray(image)
        """What is safe."""
        self._now = bytearray(image)
        """What is read while there is power."""
        self._cache: list[tuple[int, bytes]] = []
        """(offset, data) of what was written since the last flush, in order."""
        self._chance = random.Random(seed)
        self._powered = True
        self._until_cut = 0
        """Writes and flushes until the power fails; 0: it does not."""
        self._waits_for_flush = False
        self.dropped: list[int] = []
        """Of each cut: how many blocks do not hold what was written to them last."""
        self.kept: list[int] = []
        """Of each cut: how many blocks that were not flushed survived all the same."""

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._now[offset : offset + length])

    def write(self, offset: int, data: bytes) -> bool:
        """False: there is no power."""
        if not self._has_power():
            return False
        self._now[offset : offset + len(data)] = data
        self._cache.append((offset, data))
        return True

    def flush(self) -> bool:
        """False: there is no power."""
        if not self._has_power(flushing=True):
            return False
        for offset, data in self._cache:
            self.platter[offset : offset + len(data)] = data
        self._cache.clear()
        return True

    def cut_at(self, request: int) -> None:
        """Let the power fail instead of that write or flush, counted from 1; more often than not when next something
        would be flushed, for then most is at stake."""
        self._until_cut = request
        self._waits_for_flush = self._chance.random() < 0.7

    def _has_power(self, flushing: bool = False) -> bool:
        """Asked at each write and flush."""
        if self._until_cut:
            self._until_cut -= 1
            if not self._until_cut:
                if self._waits_for_flush and not (flushing and self._cache):
                    self._until_cut = 1
                else:
                    self._cut()
        return self._powered

    def _cut(self) -> None:
        versions: dict[int, list[bytes]] = {}
        after = bytearray(self.platter)
        for offset, data in self._cache:
            after[offset : offset + len(data)] = data
            for place in range(offset // BLOCK * BLOCK, offset + len(data), BLOCK):
                versions.setdefault(place, []).append(bytes(after[place : place + BLOCK]))
        keeps = self._chance.choice((0.0, 0.3, 0.5, 0.5, 0.7, 0.95))
        kept = 0
        for place, written in versions.items():
            if self._chance.random() < keeps:
                survivor = self._chance.choice(written)
                kept += survivor is written[-1]
                self.platter[place : place + BLOCK] = survivor
        self._cache.clear()
        self._now[:] = self.platter
        self._powered = False
        self.dropped.append(len(versions) - kept)
        self.kept.append(kept)

    def power_on(self) -> None:
        self._powered = True


class DiskServer:
    """Serves a LosingDisk at a Unix socket until `close`."""

    def __init__(self, path: Path, disk: LosingDisk) -> None:
        self._disk = disk
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="disk server")]
        self._threads[0].start()

    def close(self) -> None:
        for one in (self._listener, *self._connections):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._connections):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="disk connection")
            self._connections.append(connection)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            export = self._greet(connection)
            while export and self._answer(connection, export):
                pass
        except (ConnectionError, OSError):
            pass  # QEMU has ended

    def _greet(self, connection: socket.socket) -> str:
        """Handshake; gives the export that was asked for, empty if none."""
        connection.sendall(struct.pack(">QQH", _MAGIC, _OPTION_MAGIC, _FIXED_NEWSTYLE | _NO_ZEROES))
        _receive(connection, 4)
        while True:
            _, option, length = struct.unpack(">QII", _receive(connection, 16))
            data = _receive(connection, length)

            def reply(kind: int, content: bytes = b"", option: int = option) -> None:
                connection.sendall(struct.pack(">QIII", _OPTION_REPLY, option, kind, len(content)) + content)

            if option == _OPTION_GO:
                (size,) = struct.unpack(">I", data[:4])
                name = data[4 : 4 + size].decode()
                bytes_in_it = 4096 if name == "control" else len(self._disk.platter)
                reply(_INFO, struct.pack(">HQH", 0, bytes_in_it, _HAS_FLAGS | _SEND_FLUSH))
                reply(_INFO, struct.pack(">HIII", 3, _SMALLEST, BLOCK, 1 << 25))
                reply(_ACK)
                return name
            reply(_ACK if option == _OPTION_ABORT else _UNSUPPORTED)
            if option == _OPTION_ABORT:
                return ""

    def _answer(self, connection: socket.socket, export: str) -> bool:
        magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", _receive(connection, 28))
        assert magic == _REQUEST_MAGIC
        data, error = b"", 0
        if kind == _WRITE:
            data = _receive(connection, length)
        if kind == _DISCONNECT:
            return False
        with self._disk.lock:
            if export == "control":
                error, data = self._control(kind, data, length)
            elif kind == _READ:
                data = self._disk.read(offset, length)
            elif kind == _WRITE:
                error, data = 0 if self._disk.write(offset, data) else _EIO, b""
            elif kind == _FLUSH:
                error = 0 if self._disk.flush() else _EIO
            else:
                error = _EINVAL
        connection.sendall(struct.pack(">IIQ", _REPLY_MAGIC, error, handle) + (b"" if error else data))
        return True

    def _control(self, kind: int, data: bytes, length: int) -> tuple[int, bytes]:
        if kind == _READ:
            return 0, bytes(length)
        if kind == _WRITE and data.startswith(b"cut "):
            self._disk.cut_at(int(data[4:].rstrip(b"\0")))
        elif kind == _WRITE and data.startswith(b"on"):
            self._disk.power_on()
        return 0, b""


def _receive(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return bytes(data)
