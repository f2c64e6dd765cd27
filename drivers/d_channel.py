"""The D channel of a span as the PRI worker has it: whole LAPD frames without check sequence. Not HDLC, not Q.921.

Two kinds: `dahdi:NUMBER`, an HDLC channel of the DAHDI driver; `unix:PATH`, a far end that is a process and listens
there (SOCK_SEQPACKET, a packet a frame): a simulated exchange, a test.
"""

from __future__ import annotations

import socket
from typing import Protocol

from drivers.dahdi import DahdiError, DataChannel, EventWaits

LONGEST_FRAME = 1024
EVENTS_AT_ONCE = 100
"""More than a card keeps: one that has more is looked at again later."""


class DChannelError(Exception):
    """The D channel is not there or went away; says which and what a person can do."""


class DChannel(Protocol):
    """Open from the start. Nothing blocks; everything may raise DChannelError, after which it is to be closed."""

    lost: int
    """Frames that could not be sent or came broken. Layer 2 repeats them."""

    def fileno(self) -> int:
        """Readable when `receive` has something."""
        ...

    def receive(self) -> bytes | None:
        """The next frame; None: none waits."""
        ...

    def send(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


def open_d_channel(place: str) -> DChannel:
    """The D channel at `dahdi:NUMBER` or `unix:PATH`. Raises DChannelError, also for a place that makes no sense."""
    kind, _, where = place.partition(":")
    if kind == "unix" and where:
        return SocketDChannel(where)
    if kind == "dahdi" and where.isdecimal():
        return DahdiDChannel(int(where))
    raise DChannelError(f"there is no D channel {place}. Name it dahdi:16 (a channel number) or unix:/a/socket")


class SocketDChannel:
    """Frames as packets of a Unix socket that a process listens at."""

    def __init__(self, path: str) -> None:
        self.lost = 0
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise DChannelError(f"nobody listens at {path} ({error.strerror}). Start the far end") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        try:
            frame = self._socket.recv(LONGEST_FRAME)
        except BlockingIOError:
            return None
        except OSError as error:
            raise DChannelError(f"the far end at {self._path} broke off ({error.strerror}). Start it again") from error
        if not frame:
            raise DChannelError(f"the far end at {self._path} has gone. Start it again")
        return frame

    def send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame)
        except BlockingIOError:
            self.lost += 1
        except OSError as error:
            raise DChannelError(f"the far end at {self._path} broke off ({error.strerror}). Start it again") from error

    def close(self) -> None:
        self._socket.close()


class DahdiDChannel:
    """An HDLC channel of the DAHDI driver."""

    def __init__(self, number: int) -> None:
        self.lost = 0
        try:
            self._channel = DataChannel(number, f"D channel, DAHDI channel {number}")
        except DahdiError as error:
            raise DChannelError(str(error)) from error

    def fileno(self) -> int:
        return self._channel.fileno()

    def receive(self) -> bytes | None:
        try:
            for _ in range(EVENTS_AT_ONCE):
                try:
                    return self._channel.receive()
                except EventWaits:
                    # An aborted or broken frame, or an alarm: layer 2 finds out what it has lost.
                    self._channel.event()
                    self.lost += 1
            return None
        except DahdiError as error:
            raise DChannelError(str(error)) from error

    def send(self, frame: bytes) -> None:
        try:
            for _ in range(EVENTS_AT_ONCE):
                try:
                    if not self._channel.send(frame):
                        self.lost += 1
                    return
                except EventWaits:
                    self._channel.event()
        except DahdiError as error:
            raise DChannelError(str(error)) from error

    def close(self) -> None:
        self._channel.close()
