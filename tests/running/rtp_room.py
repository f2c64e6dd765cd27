"""The audio of many outside callers: RTP far ends that speak a pattern and keep what they hear. No SIP, no tests here.

Written against RFC 3550 and RFC 4733 and not against the box, so that it can judge. A far end speaks to whoever speaks
to it first (as phones behind address translation do); the ports go into the session descriptions that sipp sends.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

LOCAL = "127.0.0.1"
SILENCE = 0xD5
PACKET = 160
"""Samples in a packet: 20 ms."""
ALAW_TYPE = 8
EVENT_TYPE = 101
DIGITS = "0123456789*#ABCD"
DIGIT_PACKETS = 5
SO_TIMESTAMPNS = 35
"""asm-generic/socket.h: the kernel says when it took a packet (struct timespec); who reads it may be late."""

Codes = NDArray[np.uint8]


@dataclass
class Packet:
    arrived: float
    """Seconds of the real-time clock, by the kernel."""
    source: int
    """SSRC: each call has another."""
    sequence: int
    timestamp: int
    payload_type: int
    payload: bytes


@dataclass
class RtpPhone:
    """One far end. Fill in before its call comes."""

    port: int
    speaks: Codes
    """A-law, repeated for ever."""
    digits: Sequence[tuple[float, str]] = ()
    """(seconds after the first packet that it heard, digit): pressed as RFC 4733 events."""
    drops: Callable[[int], bool] = lambda number: False
    """Which of its packets, counted from 0, get lost on the way."""
    speed: float = 1.0
    """How fast its clock runs."""
    packets: list[Packet] = field(default_factory=list)
    _socket: socket.socket | None = None
    _peer: tuple[str, int] | None = None
    _began: float = 0.0
    _sent: int = 0

    def sources(self) -> list[int]:
        """SSRCs in the order in which they were heard first."""
        return list(dict.fromkeys(packet.source for packet in self.packets))

    def heard(self, source: int | None = None) -> Codes:
        """A-law of one source (default: the last), by its time stamps: what was lost is silence."""
        sources = self.sources()
        if not sources:
            return np.zeros(0, np.uint8)
        wanted = sources[-1] if source is None else source
        audio = [one for one in self.packets if one.source == wanted and one.payload_type == ALAW_TYPE]
        if not audio:
            return np.zeros(0, np.uint8)
        begin = audio[0].timestamp
        places = [((one.timestamp - begin) & 0xFFFFFFFF, one.payload) for one in audio]
        places = [(place, payload) for place, payload in places if place < 1 << 31]  # not from before the first
        line = np.full(max(place + len(payload) for place, payload in places), SILENCE, np.uint8)
        for place, payload in places:
            line[place : place + len(payload)] = np.frombuffer(payload, np.uint8)
        return line

    def heard_after(self, moment: float) -> Codes:
        """A-law of the packets that came after a moment of the real-time clock, one after the other."""
        late = [one.payload for one in list(self.packets) if one.payload_type == ALAW_TYPE and one.arrived > moment]
        return np.frombuffer(b"".join(late), np.uint8)

    def lost(self) -> int:
        """Packets missing in the numbers of the last source."""
        sources = self.sources()
        numbers = [one.sequence for one in self.packets if sources and one.source == sources[-1]]
        return ((numbers[-1] - numbers[0]) & 0xFFFF) + 1 - len(set(numbers)) if numbers else 0

    def most_at_once(self, within_seconds: float = 0.010) -> int:
        """The greatest number of packets that arrived within a time: how far the sender bursts."""
        moments = [one.arrived for one in self.packets]
        return max((sum(0 <= later - first < within_seconds for later in moments) for first in moments), default=0)

    # ---- for the room

    def _receive(self) -> None:
        assert self._socket is not None
        now = time.monotonic()
        while True:
            try:
                data, extra, _, peer = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            seconds, nanoseconds = struct.unpack("@ll", extra[0][2])
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            _, payload_type, sequence, timestamp, source = struct.unpack_from("!BBHII", data)
            if not self.packets or self.packets[-1].source != source:  # a new call: speak from the beginning
                self._peer, self._began, self._sent = peer, now, 0
            self.packets.append(
                Packet(seconds + nanoseconds / 1e9, source, sequence, timestamp, payload_type & 0x7F, data[12:])
            )

    def _speak(self, now: float) -> None:
        if self._peer is None or self._socket is None:
            return
        while self._began + self._sent * 0.02 / self.speed <= now:
            number = self._sent
            self._sent += 1
            if self.drops(number):
                continue
            for payload_type, marker, timestamp, payload in self._packets_at(number):
                head = struct.pack(
                    "!BBHII", 0x80, payload_type | marker << 7, number & 0xFFFF, timestamp, self.port << 16 | 1
                )
                try:
                    self._socket.sendto(head + payload, self._peer)
                except OSError:
                    pass  # nobody listens there any more

    def _packets_at(self, number: int) -> list[tuple[int, int, int, bytes]]:
        """(payload type, marker, time stamp, payload) for a moment, in packets since the beginning."""
        for seconds, digit in self.digits:
            first = round(seconds * 50)
            past = number - first
            if 0 <= past < DIGIT_PACKETS + 2:
                is_end = past >= DIGIT_PACKETS - 1
                duration = min(past + 1, DIGIT_PACKETS) * PACKET
                event = struct.pack("!BBH", DIGITS.index(digit), is_end << 7 | 10, duration)
                return [(EVENT_TYPE, int(past == 0), first * PACKET, event)]
        begin = number * PACKET
        payload = np.take(self.speaks, np.arange(begin, begin + PACKET), mode="wrap").tobytes()
        return [(ALAW_TYPE, int(number == 0), begin, payload)]


class RtpRoom:
    """Far ends with a thread that serves them all. Use it as a context manager."""

    def __init__(self, phones: Sequence[RtpPhone]) -> None:
        """Raises OSError if a port is taken."""
        self.phones = phones
        self.worst_late_ms = 0.0
        """How late this machine let a turn of the thread come."""
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="RTP room")
        try:
            for phone in phones:
                phone._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                phone._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                phone._socket.bind((LOCAL, phone.port))
                phone._socket.setblocking(False)
                self._selector.register(phone._socket, selectors.EVENT_READ, phone)
        except BaseException:
            self._close_sockets()
            raise

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for phone in self.phones:
            if phone._socket is not None:
                phone._socket.close()
        self._selector.close()

    def _run(self) -> None:
        now = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(0.005):
                key.data._receive()
            last, now = now, time.monotonic()
            self.worst_late_ms = max(self.worst_late_ms, (now - last) * 1000 - 5)
            for phone in self.phones:
                phone._speak(now)
