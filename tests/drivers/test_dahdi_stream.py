"""What a stream of channels makes of a stall. The channels are made up; on the real driver it runs in tests/vm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import pytest

from drivers import dahdi_stream
from drivers.dahdi import Channel, EventWaits
from drivers.dahdi_numbers import Event
from drivers.dahdi_stream import BLOCK, BLOCK_NS, ChannelStream

DEPTH = 32


class MadeUpChannel:
    """As many whole blocks as the line has given, at most what the driver has buffers for."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0)
        self.waiting = 0
        self.events: list[int] = []

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def set_buffers(self, count: int, size: int) -> None:
        assert (count, size) == (DEPTH, BLOCK)

    def set_buffer_events(self, on: bool) -> None:
        assert on

    def flush(self, what: int) -> None:
        self.waiting = 0

    def event(self) -> int:
        return self.events.pop(0) if self.events else Event.NONE

    def read_into(self, samples: memoryview) -> bool:
        if self.events:
            raise EventWaits
        self.waiting -= 1
        if self.waiting < 0:
            self.waiting = 0
            return False
        samples[:] = bytes(BLOCK)
        return True


class Line:
    """Two channels, and how late it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        monkeypatch.setattr(dahdi_stream.time, "monotonic_ns", lambda: self.now_ns)
        self.channels = [MadeUpChannel(), MadeUpChannel()]
        self.stream = ChannelStream([cast(Channel, channel) for channel in self.channels])

    def give(self, blocks: int, block_ns: int = BLOCK_NS) -> None:
        """Time passes while nobody reads."""
        self.now_ns += blocks * block_ns
        for channel in self.channels:
            channel.waiting += blocks
        if self.channels[-1].waiting > DEPTH:
            for channel in self.channels:
                channel.waiting = DEPTH
            self.channels[-1].events.append(Event.READ_OVERRUN)

    def read(self) -> int:
        """Blocks that were had until there are none any more."""
        self.stream.events()
        came = 0
        while blocks := self.stream.receive():
            came += len(blocks)
        return came


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    line = Line(monkeypatch)
    yield line
    line.stream.close()


def test_a_stall_that_the_buffers_hold_loses_nothing(line: Line) -> None:
    line.give(DEPTH)
    assert (line.read(), line.stream.lost_inward) == (DEPTH, 0)


@pytest.mark.parametrize("drift_ns", [-500, 0, 500])
def test_a_longer_one_loses_what_the_buffers_do_not_hold_however_far_the_clocks_have_drifted(
    line: Line, drift_ns: int
) -> None:
    # Given a line whose clock is 50 millionths off, which has run for a minute
    for _ in range(6000):
        line.give(1, BLOCK_NS + drift_ns)
        assert line.read() == 1
    # When nobody reads for 0.6 s
    line.give(60)
    # Then what the driver held is had and the rest is counted
    assert line.read() == DEPTH
    assert line.stream.lost_inward == 60 - DEPTH
    # and the next loss is counted by itself
    line.give(40)
    line.read()
    assert line.stream.lost_inward == 60 - DEPTH + 40 - DEPTH
