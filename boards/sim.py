"""The shipped simulator as a board: an E1 of 30 trunk channels, extension ports, analogue trunks. It is the clock.

The citizens and phones live in another process (firmware/simulator); this file only says what the board looks like.
"""

from __future__ import annotations

from collections import deque

from boards.base import ALAW_SILENCE, Block, Board, ChannelPlace, NotSupported
from boards.linked import LinkedBoard
from boards.signals import ChannelKind, FromBoard, LoopWay
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths

SIGNALLING_SLOT = 16
"""Time slot of an E1 that carries signalling and no call (ITU-T G.704)."""

TRUNKS = 30
EXTENSIONS = 8
"""Extension ports of the board if its configuration does not say otherwise."""

LOOP_BLOCKS = 50
"""Blocks that fit into the card's loop."""


def channels(extensions: int = EXTENSIONS, exchange_lines: int = 0) -> tuple[ChannelPlace, ...]:
    """The channels of a board with so many extension ports and analogue trunks: first the E1, then the ports, then the
    trunks."""
    return (
        *(ChannelPlace(ChannelKind.TRUNK, f"E1-1/{slot}", slot) for slot in range(1, 32) if slot != SIGNALLING_SLOT),
        *(ChannelPlace(ChannelKind.EXTENSION, f"FXS-{port}") for port in range(1, extensions + 1)),
        *(ChannelPlace(ChannelKind.EXCHANGE_LINE, f"FXO-{line}") for line in range(1, exchange_lines + 1)),
    )


CHANNELS = channels()


class SimulatedBoard(LinkedBoard):
    """Implements `boards.base.Board` and `LoopBoard`: a simulated card loops its E1 like a real one. A loop at the far
    end is the far process's business: it loops the channels that the box has blocked."""

    _looped: deque[Block] | None = None
    """What was sent on the E1 and has not come back yet; None: no loop."""

    def begin_loop(self, way: LoopWay) -> None:
        """Raises NotSupported for a loop outward, which the gateway makes as well."""
        if way is LoopWay.TOWARD_EXCHANGE:
            raise NotSupported(fault("no_loop"), self.name)
        self._looped = deque(maxlen=LOOP_BLOCKS) if way is LoopWay.LOCAL else None

    def end_loop(self) -> None:
        self._looped = None

    def close(self) -> None:
        self._looped = None
        super().close()

    def send_block(self, block: Block) -> None:
        super().send_block(block)
        if self._looped is not None:
            self._looped.append(block[:TRUNKS].copy())

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        blocks, signals = super().receive()
        if self._looped is not None:
            blocks = [block.copy() for block in blocks]
            for block in blocks:
                block[:TRUNKS] = self._looped.popleft() if self._looped else ALAW_SILENCE
        return blocks, signals


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry of kind `sim`; not started yet."""
    places = channels(entry.extensions, entry.exchange_lines)
    return SimulatedBoard(entry.board, paths.simulator_socket, places, has_clock=True, absent="simulator_absent")
