"""One board as the gateway's core sees it: its fixed range of channel numbers, its state, its alarms. No descriptors.

Channel numbers follow the order of the configuration and the channels that each kind of board always has, so that a
board that is not there when the gateway starts does not move the channels of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from boards.base import BoardCounters, ChannelPlace
from firmware.core.faults import Fault, fault
from firmware.lines.messages import BoardState


@dataclass
class BoardRow:
    """A board's place in the array of all channels: rows `first` to `first + len(places) - 1`."""

    name: str
    places: Sequence[ChannelPlace]
    first: int
    state: BoardState
    alarms: dict[Fault, frozenset[int]] = field(default_factory=dict)
    """Alarms that are raised and the indexes of the channels that each covers."""
    _told: object = None
    """What the last state came to that was news, whatever the words of its faults."""

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

    def failed(self, fault: Fault) -> BoardState:
        """State of the board that does not work. What it lost while it did stays to be seen."""
        self.alarms.clear()
        return BoardState(
            board=self.name,
            working=False,
            faults=(fault,),
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
            faults=self.faults() if self.state.working else self.state.faults,
            channels=len(self.places),
            lost_inward=counters.lost_inward,
            lost_outward=counters.lost_outward,
            counters={name: count for name, count in named.items() if count},
        )

    def take(self, state: BoardState) -> bool:
        """The board is so from now on. True if that is news: more than other words for the same faults."""
        self.state = state
        alarms = {(alarm.code, index) for alarm, covered in self.alarms.items() for index in covered}
        faults = alarms if state.working else {one.identity for one in state.faults}
        told = msgspec.structs.replace(state, faults=()), faults
        is_news, self._told = told != self._told, told
        return is_news

    def set_alarm(self, alarm: Fault, raised: bool, indexes: Sequence[int]) -> set[int]:
        """Note that an alarm covers the board's channels `indexes` (empty: all), or does no more; what it is for other
        channels stays. The gateway channels it concerns now or did."""
        before = self.alarms.pop(alarm, frozenset())
        chosen = frozenset(index for index in indexes if self.holds(index)) if indexes else self._everything
        now = before | chosen if raised else before - chosen
        if now:
            self.alarms[alarm] = now
        return {self.first + index for index in before | now}

    def is_alarmed(self, channel: int) -> bool:
        return any(channel - self.first in covered for covered in self.alarms.values())

    def faults(self) -> tuple[Fault, ...]:
        """The alarms in the order of their codes and channels, each with its place."""
        placed = sorted(self.alarms.items(), key=lambda one: (one[0].code, min(one[1]), one[0].arguments))
        return tuple(alarm.at(self._labels(covered)) for alarm, covered in placed)

    @property
    def _everything(self) -> frozenset[int]:
        return frozenset(range(len(self.places)))

    def _labels(self, indexes: frozenset[int]) -> str:
        if indexes == self._everything:
            return ""
        return ", ".join(self.places[index].label for index in sorted(indexes))


def board_rows(boards: Sequence[tuple[str, Sequence[ChannelPlace]]]) -> list[BoardRow]:
    """Give each board, in order, the next free range of channel numbers. A channel whose label an earlier board has is
    called `BOARD-LABEL`: seats and settings find lines by their labels. Raises ValueError for a name used twice."""
    rows: list[BoardRow] = []
    first = 0
    taken: set[str] = set()
    for name, places in boards:
        if any(row.name == name for row in rows):
            raise ValueError(f"two boards are called {name}")
        places = [replace(place, label=f"{name}-{place.label}") if place.label in taken else place for place in places]
        taken |= {place.label for place in places}
        state = BoardState(board=name, working=False, faults=(fault("not_started"),), channels=len(places))
        rows.append(BoardRow(name, places, first, state))
        first += len(places)
    return rows
