"""One board as the gateway's core sees it: its fixed range of channel numbers, its state, its alarms. No descriptors.

Channel numbers follow the order of the configuration and the channels that each kind of board always has, so that a
board that is not there when the gateway starts does not move the channels of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from boards.base import BoardCounters, ChannelPlace
from firmware.lines.messages import BoardState


@dataclass
class BoardRow:
    """A board's place in the array of all channels: rows `first` to `first + len(places) - 1`."""

    name: str
    places: Sequence[ChannelPlace]
    first: int
    state: BoardState
    alarms: dict[str, frozenset[int]] = field(default_factory=dict)
    """Alarms that are raised and the gateway channels that each covers."""

    @property
    def rows(self) -> slice:
        return slice(self.first, self.first + len(self.places))

    def holds(self, index: int) -> bool:
        """True if the board has a channel of this index of its own."""
        return 0 <= index < len(self.places)

    def working(self) -> BoardState:
        """State of the board that has just started."""
        self.alarms.clear()
        return BoardState(board=self.name, working=True, channels=len(self.places))

    def failed(self, problem: str, remedy: str) -> BoardState:
        """State of the board that does not work. What it lost while it did stays to be seen."""
        self.alarms.clear()
        return BoardState(
            board=self.name,
            working=False,
            problem=problem,
            remedy=remedy,
            channels=len(self.places),
            lost_inward=self.state.lost_inward,
            lost_outward=self.state.lost_outward,
            counters=self.state.counters,
        )

    def counted(self, counters: BoardCounters) -> BoardState:
        """State with new counters and the alarms of now."""
        named = {"slips": counters.slips, "crc_errors": counters.crc_errors, **counters.extra}
        return BoardState(
            board=self.name,
            working=self.state.working,
            problem=self.state.problem,
            remedy=self.state.remedy,
            channels=len(self.places),
            lost_inward=counters.lost_inward,
            lost_outward=counters.lost_outward,
            alarms=tuple(sorted(self.alarms)),
            counters={name: count for name, count in named.items() if count},
        )

    def set_alarm(self, alarm: str, raised: bool, indexes: Sequence[int]) -> set[int]:
        """Note an alarm of the board's channels `indexes` (empty: all). The gateway channels it concerns now or did."""
        before = self.alarms.pop(alarm, frozenset())
        if not raised:
            return set(before)
        chosen = [index for index in indexes if self.holds(index)] if indexes else range(len(self.places))
        self.alarms[alarm] = frozenset(self.first + index for index in chosen)
        return set(before | self.alarms[alarm])

    def is_alarmed(self, channel: int) -> bool:
        return any(channel in channels for channels in self.alarms.values())


def board_rows(boards: Sequence[tuple[str, Sequence[ChannelPlace]]]) -> list[BoardRow]:
    """Give each board, in order, the next free range of channel numbers. A channel whose label an earlier board has is
    called `BOARD-LABEL`: seats and settings find lines by their labels. Raises ValueError for a name used twice."""
    rows: list[BoardRow] = []
    first = 0
    taken: set[str] = set()
    for name, places in boards:
        if any(row.name == name for row in rows):
            raise ValueError(f"two boards are called {name}")
        places = [
            ChannelPlace(place.kind, f"{name}-{place.label}") if place.label in taken else place for place in places
        ]
        taken |= {place.label for place in places}
        state = BoardState(board=name, working=False, problem="not started yet", channels=len(places))
        rows.append(BoardRow(name, places, first, state))
        first += len(places)
    return rows
