"""The report of a running simulator: one file of lines and one of A-law a person, so that tests can check every sample.

`NAME.jsonl` holds entries of `journal.py` in the order in which they were written; `NAME.alaw` what the person heard,
to which the `heard` entries give the block numbers of the sender. `clock.jsonl` tells what was wrong with the
simulator's own clock: a test that misses samples looks there before it blames the box.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from firmware.core.clock import Stamp
from firmware.media.codec import BLOCK, Alaw
from firmware.simulator.journal import Entry, HeardStretch, Journal, JournalEvent, Party, SentStretch
from firmware.simulator.pattern import PatternReport, verify_pattern

CLOCK_FILE = "clock.jsonl"


class ClockEntry(msgspec.Struct, tag="clock", tag_field="kind", frozen=True, kw_only=True, omit_defaults=True):
    """Something about the simulator's own running. `block` is the world block at which it was noticed.

    `event`: `started`; `stall` (no turn of the loop for `microseconds`); `lost` (`blocks` from `block` on were never
    sent: the stall was longer than a card's buffer); `not_taken` (the gateway did not read `block`); `gateway_arrived`,
    `gateway_lost`; `gap` (the gateway's blocks from number `number` on, `blocks` of them, did not come).
    """

    block: int
    at: Stamp
    event: str
    blocks: int = 0
    microseconds: int = 0
    number: int = 0
    detail: str = ""


_encode_lines = msgspec.json.Encoder().encode_lines
_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_clock = msgspec.json.Decoder(ClockEntry).decode


class ReportWriter:
    """Appends to the files of a folder from a thread of its own, so that a slow disk never holds up the clock.

    Raises OSError if the folder cannot be made. Later errors are kept in `problem`, and what they hit is lost.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.problem = ""
        self._folder = folder
        self._bases: dict[str, int] = {}
        self._work: queue.SimpleQueue[tuple[str, list[Entry] | list[ClockEntry], bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="report", daemon=True)
        self._thread.start()

    def take(self, journal: Journal, sample: int) -> None:
        """Write what is new in a journal; `sample` is the world's present sample."""
        entries, heard = journal.take(sample)
        if entries:
            self._work.put((journal.party.name, entries, heard))

    def clock(self, entries: list[ClockEntry]) -> None:
        """Write what happened to the simulator's clock."""
        if entries:
            self._work.put(("clock", entries, b""))

    def close(self) -> None:
        """Write the rest and end."""
        self._work.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        while (work := self._work.get()) is not None:
            name, entries, heard = work
            try:
                self._write(name, entries, heard)
            except OSError as error:
                self.problem = f"{name}: {error.strerror}"

    def _write(self, name: str, entries: list[Entry] | list[ClockEntry], heard: bytes) -> None:
        sound = self._folder / f"{name}.alaw"
        if name not in self._bases:
            # A simulator that was started again goes on behind what its predecessor left.
            self._bases[name] = sound.stat().st_size if sound.exists() else 0
        base = self._bases[name]
        shifted = [
            msgspec.structs.replace(entry, offset=entry.offset + base) if isinstance(entry, HeardStretch) else entry
            for entry in entries
        ]
        if heard:
            with sound.open("ab") as file:
                file.write(heard)
        with (self._folder / f"{name}.jsonl").open("ab") as file:
            file.write(_encode_lines(shifted))


@dataclass
class PartyReport:
    """All that one person did, said and heard."""

    party: Party
    events: list[JournalEvent] = field(default_factory=list)
    heard: list[HeardStretch] = field(default_factory=list)
    sent: list[SentStretch] = field(default_factory=list)
    sound: Alaw = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    """A-law samples heard, all stretches one after the other."""

    def event(self, name: str) -> JournalEvent | None:
        """The first event of a name."""
        return next((event for event in self.events if event.event == name), None)

    def heard_pattern(self, speaker: int, first: int | None = None, last: int | None = None) -> PatternReport:
        """What came through of a speaker's samples `first` to `last` (exclusive)."""
        return verify_pattern(self.sound, speaker, first, last)

    def missing_blocks(self) -> int:
        """Blocks of the gateway that did not arrive between two that did, while this person listened on. Where the
        numbers go back, another gateway has begun to count, and nothing is missing."""
        jumps = (after.first_block - before.first_block - before.blocks for before, after in pairwise(self.heard))
        return sum(jump for jump in jumps if jump > 0)


def read_report(folder: Path) -> tuple[dict[str, PartyReport], list[ClockEntry]]:
    """Name → person, and the clock's entries. A last line or block that is being written is left out."""
    people: dict[str, PartyReport] = {}
    for path in sorted(folder.glob("*.jsonl")):
        if path.name != CLOCK_FILE:
            entries = [_decode_entry(line) for line in _whole_lines(path)]
            party = next((entry for entry in entries if isinstance(entry, Party)), None)
            if party is not None:
                people[path.stem] = _assembled(party, entries, path.with_suffix(".alaw"))
    clock = folder / CLOCK_FILE
    return people, [_decode_clock(line) for line in _whole_lines(clock)] if clock.exists() else []


def _whole_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _assembled(party: Party, entries: list[Entry], sound: Path) -> PartyReport:
    person = PartyReport(party)
    for entry in entries:
        match entry:
            case Party():
                person.party = entry
            case JournalEvent():
                person.events.append(entry)
            case HeardStretch() if person.heard and _continues(person.heard[-1], entry):
                before = person.heard.pop()
                person.heard.append(msgspec.structs.replace(before, blocks=before.blocks + entry.blocks))
            case HeardStretch():
                person.heard.append(entry)
            case SentStretch() if person.sent and person.sent[-1].first == entry.first:
                person.sent[-1] = entry
            case SentStretch():
                person.sent.append(entry)
    if sound.exists():
        samples = np.fromfile(sound, dtype=np.uint8)
        told = max((stretch.offset + stretch.blocks * BLOCK for stretch in person.heard), default=0)
        person.sound = samples[:told]
    return person


def _continues(before: HeardStretch, after: HeardStretch) -> bool:
    return (
        before.first_block + before.blocks == after.first_block
        and before.offset + before.blocks * BLOCK == after.offset
    )
