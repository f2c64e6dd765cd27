"""A gateway's end of the SIP worker's block link, in the hands of a test; blocks move in real time. No tests here."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from boards.signals import Cause, Connect, Digit, FromBoard, Release, Setup, ToBoard
from drivers.block_link import BlockLink, BlockPacket, Hello, LinkError, connect_link

SILENCE = 0xD5
PAUSE_SECONDS = 0.03
"""Less is no pause: the worker may send so many blocks at once."""
_decode = msgspec.json.Decoder(FromBoard).decode

Codes = NDArray[np.uint8]


class ScriptedGateway:
    """Sends a block each 10 ms and takes what comes. Use it as a context manager.

    `answers`: what to do with each signal, called in the gateway's thread; gives signals to send back.
    """

    def __init__(self, socket_path: Path, answers: Callable[[FromBoard], list[ToBoard]] | None = None) -> None:
        """Raises LinkError if the worker is not there."""
        self.link: BlockLink
        self.hello: Hello
        self.link, self.hello = connect_link(socket_path)
        self.answers = answers or answer_all
        self.signals: list[FromBoard] = []
        """All that came."""
        self.plays: dict[int, Codes] = {}
        """A-law that is repeated on a channel from its Connect on."""
        self.error: Exception | None = None
        self.blocks_sent = 0
        self.blocks_received = 0
        self.missing = 0
        """Blocks that the worker left out."""
        self.worst_late_ms = 0.0
        """How late this machine let a tick come: what is heard is only judged if it is small."""
        self.paused_blocks = 0.0
        """How long in all no block came although one was due, in blocks: either end stood still."""
        self.stall = threading.Event()
        """While set, time stands still here; then all blocks that were due go out at once."""
        self._came = 0.0
        """Monotonic seconds of the newest block."""
        self._heard: dict[int, list[tuple[float, Codes]]] = {}
        self._places: dict[int, int] = {}
        self._releasing: set[int] = set()
        self._to_send: list[ToBoard] = []
        self._lock = threading.RLock()
        """Who sees a signal sees it answered."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scripted gateway")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()
        self.link.close()

    # ---- for tests

    def send(self, signal: ToBoard) -> None:
        with self._lock:
            self._to_send.append(signal)

    def of(self, kind: type) -> list[FromBoard]:
        """All signals of a kind that came and were answered."""
        with self._lock:
            return [signal for signal in self.signals if isinstance(signal, kind)]

    def digits(self, channel: int) -> str:
        return "".join(one.digit for one in self.of(Digit) if isinstance(one, Digit) and one.channel == channel)

    def heard(self, channel: int, after: float = 0.0, before: float = math.inf) -> Codes:
        """A-law that came on a channel since its Connect was sent; between two moments of the real-time clock."""
        came = list(self._heard.get(channel, []))
        return np.concatenate([*(one for at, one in came if after <= at <= before), np.zeros(0, np.uint8)])

    def busy(self) -> set[int]:
        """Channels that were seized and not released by the worker."""
        found: set[int] = set()
        with self._lock:
            for signal in self.signals:
                if isinstance(signal, Setup):
                    found.add(signal.channel)
                elif isinstance(signal, Release):
                    found.discard(signal.channel)
        return found

    # ---- the thread

    def _run(self) -> None:
        start = time.monotonic()
        block = np.full((len(self.hello.channels), 80), SILENCE, np.uint8)
        try:
            while not self._stopping:
                late = time.monotonic() - start - self.blocks_sent * 0.01
                if late < 0 or self.stall.is_set():
                    time.sleep(min(0.01, max(0.001, -late)))
                    continue
                self.worst_late_ms = max(self.worst_late_ms, late * 1000)
                self._tick(block)
        except LinkError as error:
            self.error = error

    def _tick(self, block: Codes) -> None:
        with self._lock:
            signals, self._to_send = self._to_send, []
        for signal in signals:
            self._send(signal)
        block[:] = SILENCE
        for channel, place in self._places.items():
            codes = self.plays.get(channel)
            if codes is not None:
                block[channel] = np.take(codes, np.arange(place, place + 80), mode="wrap")
                self._places[channel] = place + 80
        self.link.send_block(self.blocks_sent, block)
        self.blocks_sent += 1
        for packet in self.link.receive():
            if isinstance(packet, BlockPacket):
                self._take(packet)
                continue
            with self._lock:
                self._answer(_decode(packet))

    def _take(self, packet: BlockPacket) -> None:
        self.missing = packet.number - self.blocks_received
        self.blocks_received += 1
        last, self._came = self._came, time.monotonic()
        if last and self._came - last > PAUSE_SECONDS:
            self.paused_blocks += (self._came - last) / 0.01
        now = time.time()
        for channel in self._places:
            self._heard[channel].append((now, packet.samples[channel].copy()))

    def _answer(self, came: FromBoard) -> None:
        self.signals.append(came)
        if isinstance(came, Release) and came.channel in self._releasing:
            self._releasing.discard(came.channel)  # it confirms ours
            return
        for answer in self.answers(came):
            self._send(answer)
            if isinstance(came, Release):
                self._releasing.discard(came.channel)

    def _send(self, signal: ToBoard) -> None:
        if isinstance(signal, Connect):
            self._places[signal.channel] = 0
            self._heard[signal.channel] = []
        elif isinstance(signal, Release):
            self._places.pop(signal.channel, None)
            self._releasing.add(signal.channel)
        self.link.send_signal(msgspec.json.encode(signal))


def answer_all(signal: FromBoard) -> list[ToBoard]:
    """Answers each call at once, and confirms each end."""
    match signal:
        case Setup():
            return [Connect(signal.channel)]
        case Release():
            return [Release(signal.channel)]
    return []


def refuse_with(cause: Cause) -> Callable[[FromBoard], list[ToBoard]]:
    """Answers each call with a Release."""

    def refuse(signal: FromBoard) -> list[ToBoard]:
        return [Release(signal.channel, cause)] if isinstance(signal, Setup) else []

    return refuse
