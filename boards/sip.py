"""The SIP worker as a board: 30 lines, G.711 A-law. It has no clock: it answers each block with one.

The SIP stack lives in another process; this file only says what the board looks like.
"""

from __future__ import annotations

from boards.base import Board, ChannelPlace
from boards.linked import LinkedBoard
from boards.signals import ChannelKind
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths

CHANNELS = tuple(ChannelPlace(ChannelKind.TRUNK, f"SIP-{line}") for line in range(1, 31))


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry of kind `sip`; not started yet."""
    return LinkedBoard(entry.board, paths.sip_socket, CHANNELS, has_clock=False, absent="sip_absent")
