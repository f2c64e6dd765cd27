"""The shipped simulator as a board: an E1 of 30 trunk channels, extension ports, analogue trunks. It is the clock.

The citizens and phones live in another process (firmware/simulator); this file only says what the board looks like.
"""

from __future__ import annotations

from boards.base import Board, ChannelPlace
from boards.linked import LinkedBoard
from boards.signals import ChannelKind
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths

SIGNALLING_SLOT = 16
"""Time slot of an E1 that carries signalling and no call (ITU-T G.704)."""

TRUNKS = 30
EXTENSIONS = 8
"""Extension ports of the board if its configuration does not say otherwise."""


def channels(extensions: int = EXTENSIONS, exchange_lines: int = 0) -> tuple[ChannelPlace, ...]:
    """The channels of a board with so many extension ports and analogue trunks: first the E1, then the ports, then the
    trunks."""
    return (
        *(ChannelPlace(ChannelKind.TRUNK, f"E1-1/{slot}") for slot in range(1, 32) if slot != SIGNALLING_SLOT),
        *(ChannelPlace(ChannelKind.EXTENSION, f"FXS-{port}") for port in range(1, extensions + 1)),
        *(ChannelPlace(ChannelKind.EXCHANGE_LINE, f"FXO-{line}") for line in range(1, exchange_lines + 1)),
    )


CHANNELS = channels()


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry of kind `sim`; not started yet."""
    places = channels(entry.extensions, entry.exchange_lines)
    return LinkedBoard(entry.board, paths.simulator_socket, places, has_clock=True, absent="simulator_absent")
