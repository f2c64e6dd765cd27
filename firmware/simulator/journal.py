"""What one simulated person did, said and heard, in board sample numbers, until somebody takes it. Writes no files."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from firmware.core.clock import Stamp

BLOCK = 80
MOST_HEARD_BLOCKS = 60_000
"""Blocks of sound that wait to be taken (ten minutes, 4.8 MB); later ones are counted and dropped."""
MOST_EVENTS = 2_000


class JournalEvent(msgspec.Struct, tag="event", tag_field="kind", frozen=True, kw_only=True, omit_defaults=True):
    block: int
    """World block in which it happened; its first sample is 80 times this."""
    at: Stamp
    event: str
    detail: str = ""


class HeardStretch(msgspec.Struct, tag="heard", tag_field="kind", frozen=True, kw_only=True):
    """Consecutive blocks that were heard: numbers of their sender (the gateway), position in the heard sound."""

    first_block: int
    blocks: int
    offset: int
    """Samples heard before it."""


class SentStretch(msgspec.Struct, tag="sent", tag_field="kind", frozen=True, kw_only=True):
    """What was said: world sample numbers from `first` to `last` (exclusive; so far, if it still goes on)."""

    what: str
    """`pattern`, `tone`, or the digit."""
    first: int
    last: int
    speaker: int = 0
    hz: int = 0
    goes_on: bool = False


class Party(msgspec.Struct, tag="party", tag_field="kind", frozen=True, kw_only=True):
    """Who this is."""

    name: str
    role: str
    """`citizen` or `phone`."""
    speaker: int
    calling: str = ""
    called: str = ""
    channel: str = ""
    """Label of the channel: of a phone its port, of a citizen the trunk channel of the call."""


Entry = JournalEvent | HeardStretch | SentStretch | Party


class Journal:
    """Grows while the world runs; `take()` empties it. Without `remember`, only the last events are kept."""

    def __init__(self, party: Party, remember: bool) -> None:
        self.party = party
        self.remember = remember
        self.heard_dropped = 0
        """Blocks that nobody took in time."""
        self._announced = False
        self._events: deque[JournalEvent] = deque(maxlen=MOST_EVENTS)
        self._heard = bytearray()
        self._stretches: list[list[int]] = []
        self._offset = 0
        self._said: list[SentStretch] = []
        self._saying: SentStretch | None = None

    def note(self, block: int, at: Stamp, event: str, detail: str = "") -> None:
        self._events.append(JournalEvent(block=block, at=at, event=event, detail=detail))

    @property
    def events(self) -> Sequence[JournalEvent]:
        """Events since the last `take()`."""
        return self._events

    def on_channel(self, label: str) -> None:
        """The citizen's call got a channel."""
        self.party = msgspec.structs.replace(self.party, channel=label)
        self._announced = False

    def hear(self, number: int, samples: bytes) -> None:
        """80 A-law samples that came as the sender's block `number`."""
        if len(self._heard) >= MOST_HEARD_BLOCKS * BLOCK:
            self.heard_dropped += 1
            return
        if self._stretches and self._stretches[-1][0] + self._stretches[-1][1] == number:
            self._stretches[-1][1] += 1
        else:
            self._stretches.append([number, 1, self._offset + len(self._heard)])
        self._heard += samples

    def say(self, what: str, sample: int, *, speaker: int = 0, hz: int = 0) -> None:
        """Something is said from world sample `sample` on."""
        self.fall_silent(sample)
        if self.remember:
            self._saying = SentStretch(what=what, first=sample, last=sample, speaker=speaker, hz=hz, goes_on=True)

    def fall_silent(self, sample: int) -> None:
        """Nothing is said any more; `sample` is the first that is silent."""
        if self._saying is not None:
            self._said.append(msgspec.structs.replace(self._saying, last=sample, goes_on=False))
            self._saying = None

    def take(self, sample: int) -> tuple[list[Entry], bytes]:
        """All since the last take, as entries and the A-law that was heard; `sample` is the world's present sample."""
        entries: list[Entry] = [] if self._announced else [self.party]
        self._announced = True
        entries += self._events
        entries += [HeardStretch(first_block=n, blocks=count, offset=offset) for n, count, offset in self._stretches]
        entries += self._said
        if self._saying is not None:
            entries.append(msgspec.structs.replace(self._saying, last=sample))
        heard = bytes(self._heard)
        self._offset += len(heard)
        self._events.clear()
        self._heard.clear()
        self._stretches.clear()
        self._said.clear()
        return entries, heard
