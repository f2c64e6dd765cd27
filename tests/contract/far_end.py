"""The scripted far end of a block-link board: what the simulator or the SIP worker would be, said line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from boards.base import Block, ChannelPlace
from boards.signals import Signal
from drivers.block_link import VERSION, BlockLink, BlockPacket, Hello, LinkChannel, LinkListener

_decode = msgspec.json.Decoder(Signal).decode


def hello_of(channels: Sequence[ChannelPlace], has_clock: bool, version: int = VERSION) -> Hello:
    """The greeting of a far end with these channels."""
    places = tuple(LinkChannel(place.kind.value, place.label) for place in channels)
    return Hello(version, "scripted", has_clock, places)


class FarEnd:
    """Listens like the far process of a board; sends numbered blocks and signals, keeps what comes."""

    def __init__(self, path: Path, hello: Hello) -> None:
        self.channels = len(hello.channels)
        self.listener = LinkListener(path, hello)
        self.link: BlockLink | None = None
        self.number = 0
        self.blocks: list[BlockPacket] = []
        self.signals: list[Signal] = []

    def accept(self, seconds: float = 60.0, is_given_up: Callable[[], bool] = lambda: False) -> None:
        """Take the gateway's connection, which may still be on its way."""
        end = time.monotonic() + seconds
        while self.link is None and not is_given_up():
            self.link = self.listener.accept()
            assert self.link or time.monotonic() < end, "the gateway did not connect"
            if self.link is None:
                time.sleep(0.001)
        self.number = 0

    def block(self, samples: Block | int = 0xD5, number: int | None = None) -> None:
        """Send one block; `number` to leave a gap before it."""
        assert self.link is not None
        if number is not None:
            self.number = number
        if isinstance(samples, int):
            samples = np.full((self.channels, 80), samples, np.uint8)
        self.link.send_block(self.number, samples)
        self.number += 1

    def signal(self, *signals: Signal) -> None:
        assert self.link is not None
        for signal in signals:
            self.link.send_signal(msgspec.json.encode(signal))

    def raw(self, body: bytes) -> None:
        """Send a signal packet with any content."""
        assert self.link is not None
        self.link.send_signal(body)

    def look(self) -> None:
        """Read what has come."""
        assert self.link is not None
        for packet in self.link.receive(1000):
            if isinstance(packet, BlockPacket):
                self.blocks.append(packet)
            else:
                self.signals.append(_decode(packet))

    def hang_up(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link = None

    def close(self) -> None:
        self.hang_up()
        self.listener.close()
