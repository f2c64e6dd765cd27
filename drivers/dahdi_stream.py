"""Bearer channels of one DAHDI card in step: whole blocks of 10 ms of all of them, and their events. No signalling.

One descriptor to wait on: readable when a block is complete or an event waits. The channels of a card have one clock,
so what the line has taken from us is known from what it has given us; the driver does not tell how full its buffers
are. Outward `cushion` blocks are kept in front of the line: fewer and a late tick tears a hole, more is only delay.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.dahdi import Channel, EventWaits
from drivers.dahdi_numbers import FLUSH_READ, FLUSH_WRITE, LARGEST_BUFFERS, Event

BLOCK = 80
ALAW_SILENCE = 0xD5
BLOCK_NS = 10_000_000
CHUNK_NS = 1_000_000
"""The driver moves samples in chunks of eight."""
RESTARTS_MOST = 5
CUSHION = 2
"""Blocks (20 ms) that wait in front of the line when all goes well; measured to hold with both sides in one process."""
OUTWARD_MOST = 6
"""Blocks that may wait in front of the line: the cushion and what a stall has left."""
WATCHED_BLOCKS = 500
"""A cushion that was never needed in this many blocks (5 s) gives a block of delay back."""
BLOCKS_AT_ONCE = 64
TRIES = 8
"""Of one read or write: an event may come just when those before it have been fetched."""

Samples = NDArray[np.uint8]
_EVENTS = select.EPOLLPRI | select.EPOLLERR | select.EPOLLHUP


def rows_of(block: bytes | bytearray) -> list[memoryview]:
    """The samples of each channel of a block. Of bytes: views of an array's rows cost three times as much."""
    view = memoryview(block)
    return [view[begin : begin + BLOCK] for begin in range(0, len(block), BLOCK)]


class ChannelStream:
    """Channels that are read and written together. Owns and closes them. Raises DahdiError if the span has gone."""

    def __init__(self, channels: Sequence[Channel], cushion: int = CUSHION, silence: int = ALAW_SILENCE) -> None:
        """`silence`: its code on these lines. The driver holds 32 blocks inward, a stall of 0.32 s."""
        self._channels = list(channels)
        self._cushion = cushion
        self._events: list[tuple[int, int]] = []
        self._watcher = select.epoll()
        self.lost_inward = 0
        """Blocks that came while all buffers were full."""
        self.lost_outward = 0
        """Blocks that were not taken because too many waited already."""
        self.slips = 0
        """Blocks of silence put in after a hole, and blocks dropped to give delay back."""
        self.underruns = 0
        """Times that the line had nothing of ours to send."""
        for index, channel in enumerate(self._channels):
            channel.set_buffers(LARGEST_BUFFERS, BLOCK)
            # The last one starts last, so its buffer is full when all the others' are.
            is_last = index == len(self._channels) - 1
            self._watcher.register(channel.fileno(), _EVENTS | (select.EPOLLIN if is_last else 0))
        self._by_descriptor = {channel.fileno(): index for index, channel in enumerate(self._channels)}
        self._channels[-1].set_buffer_events(True)
        self._waited_for = {len(self._channels) - 1}
        self._overrun = False
        self._paused: set[int] = set()
        self._silence = bytes([silence]) * BLOCK
        self._dry = False
        """The line has had nothing of ours, perhaps on some channels only: they are to begin together again."""
        self._missed: set[int] = set()
        """Channels that have not taken a block."""
        self._restart()
        self._ahead = 0
        self._least_ahead = OUTWARD_MOST
        self._watched = 0
        self._sending = False

    def fileno(self) -> int:
        """Readable when `receive` or `events` has something."""
        return self._watcher.fileno()

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self._watcher.close()

    def _restart(self) -> None:
        """Let all channels begin a new buffer at the same moment (within the driver's chunk of 1 ms)."""
        for _ in range(RESTARTS_MOST):
            if self._at_once(lambda index: self._channels[index].flush(FLUSH_READ)):
                break
        self._empty_ns, self._since_empty = time.monotonic_ns(), 0
        self._new_block()

    def _at_once(self, begin: Callable[[int], object]) -> bool:
        """Let all channels begin something; False if something held us up, so that those later in the row are late."""
        began_ns = time.monotonic_ns()
        for index in range(len(self._channels)):
            begin(index)
        return time.monotonic_ns() - began_ns < CHUNK_NS

    def _new_block(self) -> None:
        self._block = bytearray(len(self._channels) * BLOCK)
        self._rows = rows_of(self._block)
        self._missing = list(range(len(self._channels)))

    # ---- inward ------------------------------------------------------------------------------------------------------

    def receive(self) -> list[Samples]:
        """Complete blocks, A-law [channels, 80], oldest first."""
        self._watch()
        blocks: list[Samples] = []
        while len(blocks) < BLOCKS_AT_ONCE and self._fill():
            blocks.append(np.frombuffer(self._block, np.uint8).reshape(-1, BLOCK))
            self._since_empty += 1
            self._line_took(1)
            self._new_block()
        if self._overrun and not blocks:
            self._overrun = False
            self.lost_inward += max(1, (time.monotonic_ns() - self._empty_ns) // BLOCK_NS - self._since_empty)
            self._restart()  # channels may have lost unequal amounts: begin together again
        elif not blocks:
            self._empty_ns, self._since_empty = time.monotonic_ns(), 0
        return blocks

    def events(self) -> list[tuple[int, int]]:
        """(index of the channel, event) that have come, without those of the buffers."""
        self._watch()
        events, self._events = self._events, []
        return events

    def _fill(self) -> bool:
        """Read what is missing of the block; True if it is whole."""
        missing, last = self._missing, len(self._channels) - 1
        if len(missing) > last:  # a new block: the last one's is full when all are, so it saves asking the others
            if not self._read(last):
                return False
            missing = missing[:last]
        self._missing = [index for index in missing if not self._read(index)]
        # Channels out of step, which a flush in the middle of a chunk can cause, are waited for one by one.
        self._wait_for(set(self._missing) or {last})
        return not self._missing

    def _wait_for(self, indexes: set[int]) -> None:
        """Be readable when one of these channels has samples."""
        for index in self._waited_for ^ indexes:
            mask = _EVENTS | (select.EPOLLIN if index in indexes else 0)
            self._watcher.modify(self._channels[index].fileno(), mask)
        self._waited_for = indexes

    def _read(self, index: int) -> bool:
        for _ in range(TRIES):
            try:
                return self._channels[index].read_into(self._rows[index])
            except EventWaits:
                self._fetch_events(index)
        return False  # it is asked again in the next turn

    def _watch(self) -> None:
        """Fetch the events of the channels that have some."""
        for descriptor, mask in self._watcher.poll(0):
            if mask & _EVENTS:
                self._fetch_events(self._by_descriptor[descriptor])

    def _fetch_events(self, index: int) -> None:
        while event := self._channels[index].event():
            if event == Event.READ_OVERRUN:
                self._overrun = True
            elif event == Event.WRITE_UNDERRUN:
                if self._sending and index not in self._paused:
                    self.underruns += 1
                    self._dry = True
            else:
                self._events.append((index, event))

    # ---- dialling --------------------------------------------------------------------------------------------------

    def pause(self, index: int) -> None:
        """Give this channel no samples until `resume`: the driver stops dialling when somebody writes."""
        self._paused.add(index)

    def resume(self, index: int) -> None:
        """Go on with a paused channel, in step with the others."""
        if index in self._paused:
            self._paused.discard(index)
            for _ in range(self._ahead):
                self._write_to(index, self._silence)

    # ---- outward -----------------------------------------------------------------------------------------------------

    def _line_took(self, blocks: int) -> None:
        self._ahead = max(0, self._ahead - blocks)

    def send(self, block: Samples) -> bool:
        """Give a block [channels, 80] A-law to the line; False (and counted) if too many wait already."""
        if self._missed:
            self._try_missed()
        if self._dry or self._ahead <= 0:
            self._begin()
        if self._ahead >= OUTWARD_MOST:
            self.lost_outward += 1
            return False
        self._least_ahead = min(self._least_ahead, self._ahead)
        self._watched += 1
        if self._watched >= WATCHED_BLOCKS:
            spare, self._least_ahead, self._watched = self._least_ahead - self._cushion, OUTWARD_MOST, 0
            if spare > 0:
                self.slips += 1
                return True
        self._write(rows_of(block.tobytes()))
        self._ahead += 1
        return True

    def _begin(self) -> None:
        """Put the cushion in front of the line, on all channels at once and with nothing left before it: what only some
        still had would be their delay against the others for good."""
        for _ in range(RESTARTS_MOST):
            for channel in self._channels:
                channel.flush(FLUSH_WRITE)
            if self._at_once(self._write_silence):
                break
        self._dry = False  # a hole that has been told only now was before this
        if self._sending:
            self.slips += self._cushion
        self._sending = True
        for _ in range(self._cushion - 1):
            self._write([self._silence] * len(self._channels))
        self._ahead = self._cushion
        self._least_ahead, self._watched = OUTWARD_MOST, 0

    def _write_silence(self, index: int) -> None:
        if index not in self._paused:
            self._write_to(index, self._silence)

    def _try_missed(self) -> None:
        """Once a channel that was before the others takes samples again, all begin together."""
        missed, self._missed = self._missed - self._paused, set()
        for index in missed:
            self._write_to(index, self._silence)
        if len(self._missed) < len(missed):
            self._dry = True

    def _write(self, rows: Sequence[memoryview | bytes]) -> None:
        for index, row in enumerate(rows):
            if index not in self._paused:
                self._write_to(index, row)

    def _write_to(self, index: int, row: memoryview | bytes) -> None:
        for _ in range(TRIES):
            try:
                if self._channels[index].write(row):
                    return
                break
            except EventWaits:
                self._fetch_events(index)
        self._missed.add(index)
