"""A board whose far end is a process: the simulator's E1 and phones, the SIP worker. Not for hardware.

Over the block link (drivers/block_link.py) come one block a tick and the line signals. This file checks what comes,
numbers what goes and counts what was lost; what a signal means is the line machines' business.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from boards.base import Block, BoardCounters, BoardError, ChannelPlace, NotSupported, cannot_do
from boards.signals import FROM_KIND, TO_KIND, Alarm, FromBoard, ToBoard
from drivers.block_link import BlockLink, BlockPacket, Hello, LinkAttempt, LinkError
from firmware.core.faults import Fault, fault

HELLO_SECONDS = 0.02
"""How long opening waits for the far process to greet; one that takes longer is asked again at the next opening."""
PACKETS_AT_ONCE = 64

_decode_signal: Callable[[bytes], FromBoard] = msgspec.json.Decoder(FromBoard).decode
_encode = msgspec.json.Encoder().encode


class LinkedBoard:
    """One block-link board. Implements `boards.base.Board`.

    `receive()` gives blocks and the signals that came *after* them and before the next block, so that a caller that
    asks until it gets nothing sees everything in the order of time, also after a stall.
    """

    def __init__(self, name: str, path: Path, channels: Sequence[ChannelPlace], has_clock: bool, absent: str) -> None:
        """`path`: the far process's socket. `absent`: the code of the fault if nobody answers there."""
        self.name = name
        self.channels: Sequence[ChannelPlace] = tuple(channels)
        self.has_clock = has_clock
        self.counters = BoardCounters()
        self._path = path
        self._absent = absent
        self._attempt: LinkAttempt | None = None
        self._link: BlockLink | None = None
        self._waiting: deque[BlockPacket | bytes] = deque()
        self._expected: int | None = None

    def open(self) -> None:
        """Connect to the far process. Raises BoardError if it is not there, has not greeted yet or is another."""
        if self._link is not None:
            return
        try:
            if self._attempt is None:
                self._attempt = LinkAttempt(self._path)
                greeted = self._attempt.hello(HELLO_SECONDS)
            else:
                greeted = self._attempt.hello(0.0)
        except LinkError as error:
            self._attempt = None
            raise BoardError(self._fault(error), self.name) from error
        if greeted is None:
            # Kept: the far process accepts in its own time, and the next opening finds its greeting.
            raise BoardError(fault("process_silent"), self.name)
        self._attempt = None
        link, hello = greeted
        mismatch = self._mismatch(hello)
        if mismatch:
            link.close()
            raise BoardError(fault("process_other", detail=mismatch), self.name)
        self._link = link
        self._waiting.clear()
        self._expected = None
        self.counters = BoardCounters()

    def _mismatch(self, hello: Hello) -> str:
        if hello.has_clock != self.has_clock:
            return "the far process has a clock" if hello.has_clock else "the far process has no clock"
        if len(hello.channels) != len(self.channels):
            return f"the far process has {len(hello.channels)} channels, {len(self.channels)} were expected"
        for theirs, ours in zip(hello.channels, self.channels, strict=True):
            if (theirs.kind, theirs.label) != (ours.kind.value, ours.label):
                return f"the far process has {theirs.kind} {theirs.label} where {ours.kind} {ours.label} was expected"
        return ""

    def close(self) -> None:
        for end in (self._link, self._attempt):
            if end is not None:
                end.close()
        self._link = self._attempt = None
        self._waiting.clear()

    def fileno(self) -> int:
        return self._opened().fileno()

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        """Blocks, oldest first, and the signals that followed them. Two empty lists: nothing more waits."""
        link = self._opened()
        if not self._waiting:
            try:
                self._waiting.extend(link.receive(PACKETS_AT_ONCE))
            except LinkError as error:
                self._broken(self._fault(error), error)
        blocks: list[Block] = []
        signals: list[FromBoard] = []
        while self._waiting:
            packet = self._waiting[0]
            if isinstance(packet, BlockPacket):
                if signals:
                    break
                self._count(packet.number)
                blocks.append(packet.samples)
            else:
                signals.append(self._read_signal(packet))
            self._waiting.popleft()
        return blocks, signals

    def _count(self, number: int) -> None:
        if self._expected is not None and number > self._expected:
            self.counters.lost_inward += number - self._expected
        self._expected = number + 1
        self.counters.blocks_received += 1

    def _read_signal(self, body: bytes) -> FromBoard:
        try:
            signal = _decode_signal(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._broken(_nonsense(f"a signal: {error}"), error)
        indexes = signal.channels if isinstance(signal, Alarm) else (signal.channel,)
        for index in indexes:
            if not 0 <= index < len(self.channels):
                self._broken(_nonsense(f"a signal for channel {index}, which there is not"), None)
        if not isinstance(signal, Alarm):
            place = self.channels[signal.channel]
            if not isinstance(signal, FROM_KIND[place.kind]):
                self._broken(_nonsense(f"{type(signal).__name__} for {place.label}, which is no such line"), None)
        return signal

    def send_block(self, block: Block) -> None:
        """Send one block. Its number counts all blocks that the gateway made for this board, also those that were
        dropped (`counters.lost_outward`), so that the far end sees the gap."""
        try:
            sent = self._opened().send_block(self.counters.blocks_sent + self.counters.lost_outward, block)
        except LinkError as error:
            self._broken(self._fault(error), error)
        if sent:
            self.counters.blocks_sent += 1
        else:
            self.counters.lost_outward += 1

    def send_signal(self, signal: ToBoard) -> None:
        """Send a signal. Raises NotSupported for one that the kind of channel cannot do."""
        link = self._opened()
        if not 0 <= signal.channel < len(self.channels):
            raise BoardError(fault("no_such_channel", channel=signal.channel), self.name)
        place = self.channels[signal.channel]
        if not isinstance(signal, TO_KIND[place.kind]):
            raise NotSupported(cannot_do(place, signal), self.name, place.label)
        try:
            link.send_signal(_encode(signal))
        except LinkError as error:
            self._broken(self._fault(error), error)

    def _opened(self) -> BlockLink:
        if self._link is None:
            raise BoardError(fault("not_open"), self.name)
        return self._link

    def _fault(self, error: LinkError) -> Fault:
        match error.why:
            case "absent":
                return fault(self._absent, error=error.error)
            case "ended":
                return fault("process_ended", detail=error.error)
        return _nonsense(error.error)

    def _broken(self, fault: Fault, error: Exception | None) -> NoReturn:
        with contextlib.suppress(OSError):
            self.close()
        raise BoardError(fault, self.name) from error


def _nonsense(detail: str) -> Fault:
    return fault("process_nonsense", detail=detail)
