"""What a stream of channels makes of a stall. The channels are made up; on the real driver it runs in tests/vm."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest

from drivers import dahdi_stream
from drivers.dahdi import Channel, EventWaits
from drivers.dahdi_numbers import FLUSH_READ, FLUSH_WRITE, Event
from drivers.dahdi_stream import BLOCK, BLOCK_NS, CHUNK_NS, CUSHION, WATCHED_BLOCKS, ChannelStream

DEPTH = 32
CHUNK = 8
NOTHING = 0
"""What the line sends when it has nothing of ours; blocks of a test have numbers from 1 on, silence is 0xD5."""


class MadeUpChannel:
    """As many whole blocks as the line has given, at most what the driver has buffers for."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0)
        self.waiting = 0
        self.events: list[int] = []
        self.come_next: list[int] = []
        """Events that come one by one, each just after the one before has been fetched."""
        self.written = 0
        self.buffered = bytearray()
        """Given to the driver and not yet taken by the line."""
        self.sent = bytearray()
        self.before_write: Callable[[], None] | None = None
        self._tells_underruns = False
        self._is_dry = True

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def set_buffers(self, count: int, size: int) -> None:
        assert (count, size) == (DEPTH, BLOCK)

    def set_buffer_events(self, on: bool) -> None:
        self._tells_underruns = on

    def flush(self, what: int) -> None:
        if what & FLUSH_READ:
            self.waiting = 0
        if what & FLUSH_WRITE:
            self.buffered.clear()

    def take_chunk(self) -> None:
        """What the line sends in a millisecond."""
        if not self.buffered and not self._is_dry and self._tells_underruns:
            self.events.append(Event.WRITE_UNDERRUN)
        self._is_dry = not self.buffered
        self.sent += self.buffered[:CHUNK] or bytes([NOTHING]) * CHUNK
        del self.buffered[:CHUNK]

    def event(self) -> int:
        return self.events.pop(0) if self.events else Event.NONE

    def _look_for_events(self) -> None:
        if not self.events and self.come_next:
            self.events.append(self.come_next.pop(0))
        if self.events:
            raise EventWaits

    def write(self, samples: memoryview | bytes) -> bool:
        if self.before_write is not None:
            self.before_write()
        self._look_for_events()
        self.written += 1
        self.buffered += samples
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
    """Three channels, and how late it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        self.said = 0
        self._chunks = 0
        monkeypatch.setattr(dahdi_stream.time, "monotonic_ns", lambda: self.now_ns)
        self.channels = [MadeUpChannel(), MadeUpChannel(), MadeUpChannel()]
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

    def pass_by(self, chunks: int) -> None:
        """Time passes on the lines while we do nothing."""
        for _ in range(chunks):
            self.now_ns += CHUNK_NS
            self._chunks += 1
            for channel in self.channels:
                channel.take_chunk()
                channel.waiting += self._chunks % 10 == 0

    def hold_up(self, index: int, chunks: int, block: int = 0) -> None:
        """A write to this channel, of the next block or one after it, comes so much later than that before it."""
        channel = self.channels[index]
        last = channel.written + block

        def happens() -> None:
            if channel.written == last:
                channel.before_write = None
                self.pass_by(chunks)

        channel.before_write = happens

    def say(self) -> None:
        """Send a block, whose number it says on all channels."""
        self.said = self.said % 200 + 1
        self.stream.send(np.full((len(self.channels), BLOCK), self.said, np.uint8))

    def run(self, blocks: int) -> None:
        """A block is sent for each that has come."""
        for _ in range(blocks):
            self.pass_by(10)
            while came := self.read():
                for _ in range(came):
                    self.say()

    def are_in_step(self, blocks: int) -> bool:
        """All channels have sent the same at the same moments lately."""
        return len({bytes(channel.sent[-blocks * BLOCK :]) for channel in self.channels}) == 1

    @property
    def delay(self) -> int:
        """Samples from what is said now to what is sent now."""
        return len(self.channels[0].buffered)


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
    block = np.zeros((3, BLOCK), np.uint8)
    assert line.stream.send(block)

    told = [Event.RINGOFFHOOK, Event.ALARM, Event.ONHOOK, Event.NOALARM, Event.RINGOFFHOOK, Event.WINKFLASH]
    assert line.stream.events() == [(index, event) for event in told]
    assert line.channels[0].written == line.channels[1].written, "the channels stay in step"


def test_a_channel_that_has_events_without_end_does_not_stop_the_others(line: Line) -> None:
    line.channels[0].come_next = [Event.BITSCHANGED] * 10_000
    line.give(1)

    assert line.read() == 0
    assert line.stream.send(np.zeros((3, BLOCK), np.uint8))

    line.channels[0].come_next = []
    assert line.read() == 1


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("block", [0, 1, 2])
@pytest.mark.parametrize("chunks", [4, 10, 12, 100])
def test_channels_between_whose_first_samples_we_were_held_up_are_in_step(
    line: Line, index: int, block: int, chunks: int
) -> None:
    """From 10 ms on those before it were exactly a block early for good, and nothing was counted."""
    line.hold_up(index, chunks, block)
    line.say()
    line.run(10)

    assert line.are_in_step(5)


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("chunks", [4, 20, 23, 30, 38, 100])
def test_a_stall_in_the_middle_of_a_block_brings_no_channel_out_of_step_and_is_counted(
    line: Line, index: int, chunks: int
) -> None:
    line.say()
    line.run(10)
    assert (line.stream.slips, line.stream.underruns) == (0, 0)

    line.hold_up(index, chunks)
    line.run(10)

    assert line.are_in_step(5)
    held = chunks <= CUSHION * 10
    assert (line.stream.slips, line.stream.underruns) == ((0, 0) if held else (CUSHION, 1))


def test_a_stall_in_the_middle_of_a_block_leaves_no_delay_behind(line: Line) -> None:
    line.say()
    line.run(10)
    before = line.delay

    line.hold_up(1, 38)
    line.run(10)
    assert line.delay > before

    line.run(3 * WATCHED_BLOCKS)
    assert line.delay == before
    assert line.are_in_step(5)


def test_a_hole_that_is_told_late_is_made_up_for_once(line: Line) -> None:
    line.say()
    line.run(10)

    line.pass_by(30)
    assert line.read() == 3
    line.pass_by(5)
    line.say()
    line.run(10)

    assert (line.stream.slips, line.stream.underruns) == (CUSHION, 1)
    assert line.are_in_step(5)


def test_a_channel_that_did_not_take_a_block_comes_back_into_step(line: Line) -> None:
    line.say()
    line.run(10)
    # Given events without end on one channel, for which it takes no samples
    line.pass_by(10)
    assert line.read() == 1
    line.channels[1].come_next = [Event.BITSCHANGED] * 10_000
    line.say()
    line.say()
    # then the others go on without it
    assert line.channels[0].written == line.channels[1].written + 2
    assert line.stream.slips == 0
    # When they are over
    line.channels[1].come_next = []
    line.run(10)
    # Then all are in step, by a slip
    assert line.are_in_step(5)
    assert line.stream.slips == CUSHION


def test_the_silence_of_a_channel_that_dials_is_no_hole(line: Line) -> None:
    line.say()
    line.run(10)

    line.stream.pause(2)
    line.run(10)
    line.stream.resume(2)
    line.run(10)

    assert line.are_in_step(5)
    assert (line.stream.slips, line.stream.underruns) == (0, 0)
