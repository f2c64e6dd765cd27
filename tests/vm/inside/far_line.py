"""The far end of a DAHDI board inside the guest: what an exchange would be, on the other span of a pair."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from boards.base import Block, Board
from boards.signals import FromBoard
from drivers.dahdi import Channel
from drivers.dahdi_numbers import Signalling
from drivers.dahdi_stream import OUTWARD_MOST, ChannelStream
from tests.vm.inside.spans import BEARERS, DynamicSpan

Samples = NDArray[np.uint8]


class StreamEnd(Protocol):
    """One end of a line, served as its blocks come."""

    heard: list[Block]
    to_play: list[Block]

    def fileno(self) -> int: ...
    def look(self) -> int: ...


class FarLine:
    """Plays blocks to the bearers of a span (or some) and keeps what comes, in step with the span's clock."""

    def __init__(
        self,
        span: DynamicSpan,
        signalling: Signalling | None = Signalling.CLEAR,
        slots: tuple[int, ...] = BEARERS,
        cushion: int = OUTWARD_MOST - 1,
    ) -> None:
        """`signalling` None: the slots have been configured. `cushion`: as of the stream; by default so many blocks
        that none is left over to be given back after a stall, which would tear a hole into what is said."""
        if signalling is not None:
            span.configure(signalling, slots)
        self.channels: list[Channel] = [span.open(slot) for slot in slots]
        if signalling is Signalling.CLEAR:
            for channel in self.channels:
                channel.set_audio(True)
        self.stream = ChannelStream(self.channels, cushion)
        self.heard: list[Block] = []
        self.to_play: list[Block] = []
        self.events: list[tuple[int, int]] = []

    def fileno(self) -> int:
        return self.stream.fileno()

    def look(self) -> int:
        """Take what has come and play a block for each, of `to_play` or silence. How many blocks came."""
        blocks = self.stream.receive()
        self.events += self.stream.events()
        self.heard += blocks
        for _ in blocks:
            self.stream.send(self.to_play.pop(0) if self.to_play else quiet(len(self.channels)))
        return len(blocks)

    def close(self) -> None:
        self.stream.close()


class BoardEnd:
    """A board that is answered block by block, as the gateway does."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.heard: list[Block] = []
        self.signals: list[FromBoard] = []
        self.to_play: list[Block] = []

    def fileno(self) -> int:
        return self.board.fileno()

    def look(self) -> int:
        came = 0
        while True:
            blocks, signals = self.board.receive()
            self.signals += signals
            self.heard += blocks
            for _ in blocks[-3:]:  # of a burst the gateway sends the newest three
                self.board.send_block(self.to_play.pop(0) if self.to_play else quiet(len(self.board.channels)))
            came += len(blocks)
            if not blocks and not signals:
                return came


def quiet(channels: int) -> Block:
    return np.full((channels, 80), 0xD5, np.uint8)


def random_blocks(seed: int, count: int, channels: int = 30) -> list[Block]:
    """Blocks of all 256 codes at random, another row for each channel."""
    generator = np.random.default_rng(seed)
    return list(generator.integers(0, 256, (count, channels, 80), dtype=np.uint8))


def run(ends: Sequence[StreamEnd], seconds: float, until: Callable[[], object] = lambda: False) -> bool:
    """Serve the ends until something holds or so many seconds of the guest's clock are over; what held."""
    descriptors = [end.fileno() for end in ends]
    end_of_time = time.monotonic() + seconds
    while (left := end_of_time - time.monotonic()) > 0:
        select.select(descriptors, [], [], min(left, 0.05))
        for end in ends:
            end.look()
        if until():
            return True
    return False


def rows_of(blocks: Sequence[Block]) -> Samples:
    """[channels, samples] of consecutive blocks."""
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((0, 0), np.uint8)


def channels_that_heard(sent: Sequence[Block], heard: Sequence[Block]) -> int:
    """How many channels heard the whole of what was sent on them, unbroken, at whatever moment."""
    said, got = rows_of(sent), rows_of(heard)
    return sum(said[row].tobytes() in got[row].tobytes() for row in range(len(said)))
