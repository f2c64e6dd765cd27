"""A board that only the tests have: an E1 of 31 permanent lines. Every slot carries speech and none signalling; each
line is a call from the moment that the board is opened.

It is found as any board is, by its file; `boards.json` names it `spanN`, after its span.
"""

from __future__ import annotations

from collections.abc import Sequence

from boards.base import Board, ChannelPlace
from boards.dahdi_card import DahdiCard
from boards.signals import ChannelKind, Setup, ToBoard
from drivers.dahdi import ChannelState
from drivers.dahdi_control import ChannelSetting
from drivers.dahdi_numbers import Signalling
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths

SLOTS = 31


class StandingLines(DahdiCard):
    """Implements `boards.base.Board`."""

    def __init__(self, name: str, span: int) -> None:
        places = [ChannelPlace(ChannelKind.TRUNK, f"line-{span}/{slot}") for slot in range(1, SLOTS + 1)]
        super().__init__(name, span, places)

    def _settings(self, states: Sequence[ChannelState]) -> tuple[list[ChannelSetting], list[ChannelState]]:
        return [ChannelSetting(state.number, Signalling.CLEAR) for state in states], list(states)

    def _opened(self) -> None:
        for index, line in enumerate(self._lines):
            line.set_audio(True)
            self._tell(Setup(index, "12345"))

    def _signal(self, signal: ToBoard) -> None:
        """Nobody is at the other end who would want to know."""


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    return StandingLines(entry.board, int(entry.board.removeprefix("span")))
