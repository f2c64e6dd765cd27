"""Writes the story down: rows, segments and numbered events, as effects. Decides nothing.

Numbers are given here without gaps, from where the database stood when the process started; since one process alone
writes, and writes in this order, a number that was never committed is given again after a crash.
"""

from __future__ import annotations

from typing import Any

import msgspec

from firmware.calls.messages import CallEvent, EventName
from firmware.calls.model import Leg
from firmware.contacts.effects import Effects, RowInsert, RowUpdate, Value
from firmware.core.clock import Stamp
from firmware.records.chain import LinkKind


def moment(name: str, at: Stamp) -> dict[str, Value]:
    """The three columns of one moment."""
    return {f"{name}_mono_us": at.mono_us, f"{name}_utc_us": at.utc_us, f"{name}_trusted": at.trusted}


class Ledger:
    """Collects the effects of what is being handled."""

    def __init__(self, last_numbers: dict[str, int], machine_boot: str) -> None:
        self._last = dict(last_numbers)
        self.machine_boot = machine_boot
        self.effects = Effects()

    def collect(self) -> Effects:
        """Hand over what has gathered, and begin anew."""
        effects, self.effects = self.effects, Effects()
        return effects

    def last(self, table: str) -> int:
        """The number given last in a table; 0 if none."""
        return self._last.get(table, 0)

    def insert(self, table: str, **values: Value) -> int:
        """A new row; gives its number."""
        number = self._last.get(table, 0) + 1
        self._last[table] = number
        self.effects.rows.append(RowInsert(table, {"number": number, **values}))
        return number

    def update(self, table: str, number: int, **values: Value) -> None:
        self.effects.rows.append(RowUpdate(table, number, values))

    def link(
        self, kind: LinkKind, recording: int, at: Stamp, audio_sha256: str, by: str = "", reason: str = ""
    ) -> None:
        """Append to the chain of recordings; the journal hashes it when it commits."""
        self.insert(
            "recording_chain",
            kind=str(kind),
            recording=recording,
            audio_sha256=audio_sha256,
            by=by,
            reason=reason,
            **moment("at", at),
        )

    def save(self, kind: str, key: str, body: msgspec.Struct) -> None:
        self.effects.live[kind, key] = msgspec.json.encode(body)

    def forget(self, kind: str, key: str) -> None:
        self.effects.live[kind, key] = None

    def emit(self, name: EventName, at: Stamp, **fields: Any) -> None:
        """A numbered event: a row now, told to clients after the commit."""
        number = self._last.get("events", 0) + 1
        event = CallEvent(number=number, name=name, at=at, **fields)
        self.insert("events", name=str(name), body=msgspec.json.encode(event).decode(), **moment("at", at))
        self.effects.events.append(event)

    def audit(self, at: Stamp, login: str, action: str, subject: str, outcome: str) -> None:
        self.insert("audit", login=login, action=action, subject=subject, outcome=outcome, **moment("at", at))

    def begin_segment(self, leg: Leg, kind: str, at: Stamp, queue: str = "") -> None:
        """End the leg's open segment, if any, and open another. `queue` is where the new one belongs."""
        self.end_segment(leg, at, kind)
        leg.segment, leg.segment_since, leg.segment_queue = kind, at, queue

    def end_segment(self, leg: Leg, at: Stamp, outcome: str) -> None:
        """Append the leg's open segment as a row: one finished stretch of its life. `outcome` says what came next."""
        if not leg.segment or leg.segment_since is None:
            return
        self.insert(
            "segments",
            contact=leg.contact,
            call=leg.call,
            leg=leg.number,
            kind=leg.segment,
            machine_boot=self.machine_boot,
            queue=leg.segment_queue,
            agent=leg.agent,
            seat=leg.seat,
            outcome=outcome,
            not_recorded=leg.not_recorded if leg.segment != "ringing" else "",
            **moment("started", leg.segment_since),
            **moment("ended", at),
        )
        leg.segment, leg.segment_since, leg.segment_queue = "", None, ""
