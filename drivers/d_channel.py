"""The D channel of a span as the PRI worker has it: whole LAPD frames without check sequence. Not HDLC, not Q.921.

Three kinds: `span:NUMBER`, time slot 16 of a span of the DAHDI driver, whatever channel number that has now;
`dahdi:NUMBER`, an HDLC channel by its own number; `unix:PATH`, a far end that is a process and listens there
(SOCK_SEQPACKET, a packet a frame): a simulated exchange, a test.
"""

from __future__ import annotations

import socket
from typing import Protocol

from drivers.dahdi import DahdiError, DataChannel, EventWaits
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import Event

LONGEST_FRAME = 1024
TIME_SLOT = 16
"""Where an E1 with ISDN has its D channel (ITU-T I.431)."""
BROKEN_FRAME = (Event.ABORT, Event.OVERRUN, Event.BADFCS)
"""Each stands for one frame that came and cannot be had; any other event (alarms) for none."""
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
    """The D channel at `span:NUMBER`, `dahdi:NUMBER` or `unix:PATH`. Raises DChannelError, also for a place that makes
    no sense."""
    kind, _, where = place.partition(":")
    if kind == "unix" and where:
        return SocketDChannel(where)
    if kind == "dahdi" and where.isdecimal():
        return DahdiDChannel(int(where))
    if kind == "span" and where.isdecimal():
        return DahdiDChannel(_number_in_span(int(where)))
    raise DChannelError(f"there is no D channel {place}. Name it span:1, dahdi:16 (a channel number) or unix:/a/socket")


def _number_in_span(span: int) -> int:
    """The driver's number of a span's D channel. Cards before it may have any number of channels, and one that is
    pulled and put back may get others, so that it is asked for at each opening. Raises DChannelError."""
    try:
        with Control() as control:
            number = next((c.number for c in control.channels_of(span) if c.position == TIME_SLOT), None)
    except DahdiError as error:
        raise DChannelError(str(error)) from error
    if number is None:
        raise DChannelError(f"span {span} has no time slot {TIME_SLOT}, it is no E1. linebox boards lists the spans")
    return number


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
                    self._take_event()
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
                    self._take_event()
            self.lost += 1
        except DahdiError as error:
            raise DChannelError(str(error)) from error

    def _take_event(self) -> None:
        """Fetch the event that stands before frames. Layer 2 finds out what it has lost. Raises DahdiError."""
        self.lost += self._channel.event() in BROKEN_FRAME

    def close(self) -> None:
        self._channel.close()
