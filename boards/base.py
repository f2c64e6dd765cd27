"""The Board contract: what every telephony board gives to the gateway. Not for chips and buses: those are drivers.

A board is a row of channels with a clock of its own or none. The gateway waits on `fileno()`, takes whole blocks of
10 ms for all channels and the line signals, and gives back a block for each tick. `tests/contract/` holds every board
to this page. Required: everything in `Board`; a board that cannot do an optional thing raises `NotSupported`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from boards.signals import ChannelKind, FromBoard, LoopWay, ToBoard
from firmware.core.faults import Fault, FaultError, fault

BLOCK = 80
"""Samples in a block: 10 ms at 8000 a second."""

ALAW_SILENCE = 0xD5
"""The A-law code (G.711, even bits inverted as on the line) nearest to zero."""

Block = NDArray[np.uint8]
"""A-law samples of one tick, shape [channels, 80]."""


class BoardError(FaultError):
    """A board cannot start or go on. `place`: where on the board (channel label, span, device); empty: all of it."""

    def __init__(self, fault: Fault, board: str, place: str = "") -> None:
        super().__init__(fault.at(place), f"board {board} ({place})" if place else f"board {board}")


class NotSupported(BoardError):
    """The board has no such function (an optional part of the contract)."""


def cannot_do(place: ChannelPlace, signal: ToBoard) -> Fault:
    """What to say of a signal that the channel's kind does not have."""
    return fault("not_supported", kind=place.kind, signal=type(signal).__name__)


@dataclass(frozen=True)
class ChannelPlace:
    """What a channel is and where a person finds it."""

    kind: ChannelKind
    label: str
    """As printed on the box and in messages, e.g. `E1-1/17`, `FXS-3`, `FXO-2`, `SIP-1`."""
    time_slot: int = 0
    """Of an E1, where every bit passes as it is; 0: not such a channel."""


@dataclass
class BoardCounters:
    """What went wrong since the board was opened, in blocks and events. All only grow."""

    blocks_received: int = 0
    blocks_sent: int = 0
    lost_inward: int = 0
    """Blocks that the far end sent and the board could not hand over."""
    lost_outward: int = 0
    """Blocks that the gateway gave and the board dropped because it was too far ahead."""
    slips: int = 0
    """Times that samples were dropped or put in because two clocks differ."""
    crc_errors: int = 0
    """Errors that the line's own check (CRC4 of an E1) found."""
    extra: dict[str, int] = field(default_factory=dict)
    """What only this kind of board counts, by name; nothing that has a place of its own above."""


class Board(Protocol):
    """One telephony board. All calls return at once; none blocks. Every method may raise BoardError, after which the
    gateway closes the board, shows the reason and tries to open it again every second."""

    name: str
    """The name given in the configuration, e.g. `e1`."""
    channels: Sequence[ChannelPlace]
    has_clock: bool
    """True if the board delivers blocks at its own 10 ms; False if it answers each block that it is sent with one."""
    counters: BoardCounters

    def open(self) -> None:
        """Find the hardware and start it. Raises BoardError if it is not there; then it has freed what it took itself,
        but for what the next try goes on with (a greeting that is awaited)."""
        ...

    def close(self) -> None:
        """Stop and free everything. May be called twice and after an error."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable when `receive()` has something. Only valid while open."""
        ...

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        """Blocks ([channels, 80] A-law, oldest first; none, one, or several) and signals since the last call."""
        ...

    def send_block(self, block: Block) -> None:
        """Give one block [channels, 80] A-law to the line."""
        ...

    def send_signal(self, signal: ToBoard) -> None:
        """Do something on a channel's line. Raises BoardError for a signal that the channel's kind cannot do."""
        ...


@runtime_checkable
class LoopBoard(Protocol):
    """Optional: an E1 that can be looped, or that alters samples by an echo canceller. A board without it can be tested
    in a loop that somebody else has closed, and looped for the exchange slot by slot by the gateway."""

    def begin_loop(self, way: LoopWay) -> None:
        """From now on every octet passes as it is, and the board closes the loop that `way` asks of it (none for FAR).
        Raises NotSupported if it has no such loop, BoardError as ever."""
        ...

    def end_loop(self) -> None:
        """As before, with counters of now. `close` does so too, and `open` begins without a loop, even if a process
        died with one closed."""
        ...
