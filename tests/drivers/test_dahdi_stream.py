"""What a stream of channels makes of a stall. The channels are made up; on the real driver it runs in tests/vm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import numpy as np
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
        self.come_next: list[int] = []
        """Events that come one by one, each just after the one before has been fetched."""
        self.written = 0

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

    def _look_for_events(self) -> None:
        if not self.events and self.come_next:
            self.events.append(self.come_next.pop(0))
        if self.events:
            raise EventWaits

    def write(self, samples: memoryview | bytes) -> bool:
        self._look_for_events()
        self.written += 1
        return True

    def read_into(self, samples: memoryview) -> bool:
        self._look_for_events()
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


@pytest.mark.parametrize("index", [0, 1])
def test_events_that_come_while_others_are_fetched_end_nothing_and_are_all_told(line: Line, index: int) -> None:
    """A hook that bounces just when the driver is asked: once in many months, and then the whole gateway ended."""
    line.give(1)
    line.channels[index].come_next = [Event.RINGOFFHOOK, Event.ALARM, Event.ONHOOK]
    assert line.read() == 1

    line.channels[index].come_next = [Event.NOALARM, Event.RINGOFFHOOK, Event.WINKFLASH]
    block = np.zeros((2, BLOCK), np.uint8)
    assert line.stream.send(block)

    told = [Event.RINGOFFHOOK, Event.ALARM, Event.ONHOOK, Event.NOALARM, Event.RINGOFFHOOK, Event.WINKFLASH]
    assert line.stream.events() == [(index, event) for event in told]
    assert line.channels[0].written == line.channels[1].written, "the channels stay in step"


def test_a_channel_that_has_events_without_end_does_not_stop_the_others(line: Line) -> None:
    line.channels[0].come_next = [Event.BITSCHANGED] * 10_000
    line.give(1)

    assert line.read() == 0
    assert line.stream.send(np.zeros((2, BLOCK), np.uint8))

    line.channels[0].come_next = []
    assert line.read() == 1
