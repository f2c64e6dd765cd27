"""The signalling process of an ISDN span, said signal by signal by the test: what firmware/box/pri would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from boards.base import ChannelPlace
from boards.signals import FromBoard, Signal
from drivers.block_link import VERSION, BlockLink, Hello, LinkChannel, LinkError, LinkListener

_decode = msgspec.json.Decoder(Signal).decode


class ScriptedWorker:
    """Listens on the span's socket; one gateway at a time. `signals`: what the gateway has sent."""

    def __init__(self, places: Sequence[ChannelPlace], path: Path) -> None:
        channels = tuple(LinkChannel(place.kind.value, place.label) for place in places)
        self.listener = LinkListener(path, Hello(VERSION, "worker", False, channels))
        self.link: BlockLink | None = None
        self.signals: list[Signal] = []

    def accept(self) -> bool:
        """Take the gateway's connection if there is one; True while there is."""
        self.link = self.link or self.listener.accept()
        return self.link is not None

    def look(self) -> None:
        """Take a connection, or read what has come on it; a gateway that has closed the board is let go."""
        if not self.accept():
            return
        assert self.link is not None
        try:
            self.signals += [_decode(packet) for packet in self.link.receive() if isinstance(packet, bytes)]
        except LinkError:
            self.hang_up()

    def say(self, *signals: FromBoard) -> None:
        for signal in signals:
            self.raw(msgspec.json.encode(signal))

    def raw(self, body: bytes) -> None:
        """Say anything."""
        assert self.link is not None
        self.link.send_signal(body)

    def hang_up(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link = None

    def close(self) -> None:
        self.hang_up()
        self.listener.close()
