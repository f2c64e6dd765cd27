"""Who should hear whom, by the words of the line commands alone: what test_switching.py holds the gateway against.

Written without a look at the switch. Lines are numbers; no audio, no tests here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Expected = dict[int, float]
"""Voices that are heard, and at what level in dB above their own."""
Mode = Literal["monitor", "whisper", "barge"]


@dataclass
class Office:
    """`music_voice` is the number of the voice that music speaks with."""

    music_voice: int

    legs: set[int] = field(default_factory=set)
    joined: dict[int, set[int]] = field(default_factory=dict)
    rooms: dict[str, set[int]] = field(default_factory=dict)
    watched: dict[int, tuple[int, Mode]] = field(default_factory=dict)
    music: set[int] = field(default_factory=set)
    speaks: dict[int, float] = field(default_factory=dict)
    hears: dict[int, float] = field(default_factory=dict)
    receives: dict[int, float] = field(default_factory=dict)
    """Levels of lines, whatever leg is on them; `sends` likewise."""
    sends: dict[int, float] = field(default_factory=dict)

    def begin(self, line: int) -> None:
        self.legs.add(line)

    def end(self, line: int) -> None:
        self.leave(line)
        for one in (self.music, self.legs):
            one.discard(line)
        for levels in (self.speaks, self.hears):
            levels.pop(line, None)

    def stand_up(self, line: int) -> None:
        """It gives up what it was told to hear; those who were told to hear it still do."""
        self.joined[line] = set()
        self.watched.pop(line, None)
        for room in self.rooms.values():
            room.discard(line)

    def leave(self, line: int) -> None:
        self.stand_up(line)
        for sources in self.joined.values():
            sources.discard(line)
        self.watched = {one: (target, how) for one, (target, how) in self.watched.items() if target != line}

    def join(self, wishes: list[tuple[int, set[int]]]) -> None:
        for line, sources in wishes:
            if line in self.legs:
                self.stand_up(line)
                self.music.discard(line)
                self.joined[line] = sources & self.legs

    def confer(self, room: str, lines: set[int]) -> None:
        self.rooms[room] = set()
        for line in lines & self.legs:
            self.stand_up(line)
            self.music.discard(line)
            self.rooms[room].add(line)

    def supervise(self, line: int, target: int, how: Mode) -> None:
        if line != target and {line, target} <= self.legs:
            self.stand_up(line)
            self.music.discard(line)
            self.watched[line] = (target, how)

    def talkers(self, line: int) -> set[int]:
        """Whom a party of a conversation hears of the conversation itself."""
        if line in self.watched:
            return set()
        for room in self.rooms.values():
            if line in room:
                return room - {line}
        return self.joined.get(line, set()) - set(self.watched)

    def voices(self, line: int) -> set[int]:
        """All whose voice reaches the line, whispers apart."""
        bargers = {one: target for one, (target, how) in self.watched.items() if how == "barge"}

        def with_bargers(party: int) -> set[int]:
            heard = self.talkers(party)
            return heard | {one for one, target in bargers.items() if target == party or target in heard}

        if line in self.watched:
            target, _ = self.watched[line]
            return (with_bargers(target) | {target}) - {line}
        return with_bargers(line)

    def whisperers(self, line: int) -> set[int]:
        return {one for one, (target, how) in self.watched.items() if how == "whisper" and target == line}

    def expected(self, line: int, whispers: bool) -> Expected:
        if line not in self.legs:
            return {}
        heard = set() if line in self.music else self.voices(line) - self.whisperers(line)
        if whispers:
            heard |= self.whisperers(line)
        sent = self.sends.get(line, 0.0)
        hears = self.hears.get(line, 0.0) + sent
        levels = {one: hears + self.speaks.get(one, 0.0) + self.receives.get(one, 0.0) for one in heard}
        return {**levels, **({self.music_voice: sent} if line in self.music else {})}
