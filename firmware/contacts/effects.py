"""What the callserver's core wants done after it has handled something. Doing it is the process shell's business.

Line orders and look-ups go out at once. Everything else waits until `rows` and `live` are committed: then the recorder
is told, and events and replies go out. What was promised to somebody is therefore always on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.calls.messages import CallEvent, Reply, Request
from firmware.core.line_schemas import BlockedChannel
from firmware.lines.line_commands import AnyLineCommand
from firmware.records.messages import ToRecorder
from firmware.tones.cadence import LearnedTone

Value = str | int | float | bool | None


@dataclass(frozen=True)
class RowInsert:
    """A new row; box and region are added by the journal."""

    table: str
    values: dict[str, Value]


@dataclass(frozen=True)
class RowUpdate:
    """New values for the row with this number."""

    table: str
    number: int
    values: dict[str, Value]


@dataclass(frozen=True)
class CallerLookup:
    """A question to the records: how many contacts before this one came from the number? `CallServer.caller_known` is
    told the answer. A call does not wait for it."""

    contact: int
    calling: str


@dataclass(frozen=True)
class ToneToStore:
    """The busy tone of an analogue trunk (by its label) belongs into the configuration; `CallServer.tone_stored` is
    told how that went."""

    line: str
    tone: LearnedTone


@dataclass(frozen=True)
class BlockingToStore:
    """Channels (by label) are to be blocked or given back in the configuration files; `CallServer.blocking_stored` is
    told how that went, and answers the client."""

    client: int
    request: Request
    blocked: tuple[BlockedChannel, ...]
    given_back: tuple[str, ...]

    def applied_to(self, before: tuple[BlockedChannel, ...]) -> tuple[BlockedChannel, ...]:
        """All blocked channels as they are then."""
        new = {one.channel: one for one in self.blocked}
        kept = [new.pop(one.channel, one) for one in before if one.channel not in self.given_back]
        return (*kept, *new.values())


@dataclass
class Effects:
    """Collected while one input, or several in a batch, are handled."""

    orders: list[AnyLineCommand] = field(default_factory=list)
    rows: list[RowInsert | RowUpdate] = field(default_factory=list)
    live: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    """What is going on now: (kind, key) → JSON, or None when it is over. The last one counts."""
    events: list[CallEvent] = field(default_factory=list)
    replies: list[tuple[int, Reply]] = field(default_factory=list)
    """(client, reply)."""
    subscriptions: list[tuple[int, int]] = field(default_factory=list)
    """(client, after number): send stored events after that number, then all."""
    recorder: list[ToRecorder] = field(default_factory=list)
    lookups: list[CallerLookup] = field(default_factory=list)
    tones: list[ToneToStore] = field(default_factory=list)
    blocking: list[BlockingToStore] = field(default_factory=list)

    def take(self, other: Effects) -> None:
        """Append what another one wants, in order."""
        self.orders += other.orders
        self.rows += other.rows
        self.live.update(other.live)
        self.events += other.events
        self.replies += other.replies
        self.subscriptions += other.subscriptions
        self.recorder += other.recorder
        self.lookups += other.lookups
        self.tones += other.tones
        self.blocking += other.blocking

    @property
    def must_be_stored(self) -> bool:
        """True if a commit has to come before anything is told."""
        return bool(self.rows or self.live or self.events)
