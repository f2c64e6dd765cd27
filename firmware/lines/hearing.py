"""Who hears whom and what is played to whom, in legs. The switch speaks of channels, the callserver of legs.

A leg takes part from `open` to `close`; commands for other legs do nothing. Each leg has one place: joined to some
legs, in a conference, or supervising another; from the places of all follows whom each hears, anew after each command.
Not here: when a leg begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from firmware.core.line_schemas import LineLevels
from firmware.lines.line_commands import Conference, Hear, Join, Leave, Play, SetLevel, Supervise
from firmware.media.mixing import HIGHEST_DB, LOWEST_DB
from firmware.media.plane import MediaPlane

SwitchCommand = Join | Conference | Supervise | Leave | SetLevel

_Parts = Mapping[str, Sequence[str]]
_UNCHANGED = SetLevel("")
_AS_IT_IS = LineLevels()


class Hearing:
    """The audio side of all legs."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane
        self._channels: dict[str, int] = {}
        self._legs: dict[int, str] = {}
        self._joined: dict[str, tuple[str, ...]] = {}
        self._conferences: dict[str, str] = {}
        """Which conference a leg is in."""
        self._supervised: dict[str, Supervise] = {}
        """Whom a leg supervises."""
        self._levels: dict[str, SetLevel] = {}
        self._line_levels: Mapping[int, LineLevels] = {}
        """By channel."""
        self._heard: dict[str, dict[str, float]] = {}
        """Whom each leg hears, and at what level, as the switch was told last; `_whispered` likewise."""
        self._whispered: dict[str, dict[str, float]] = {}
        self._were_all_joined = True
        """After the last command nobody was in a conference or supervised."""
        self._plays: dict[str, str] = {}
        self._interruptible: set[str] = set()
        """Legs whose last play stops at a digit."""
        self._ended_plays: dict[str, str] = {}
        """Plays that came to their end and that nothing has followed: said again, they are not played again."""

    def open(self, leg: str, channel: int) -> None:
        """A leg begins on a channel; it hears nothing."""
        self._channels[leg] = channel
        self._legs[channel] = leg

    def close(self, leg: str) -> None:
        """The leg hears nothing any more and those who heard it hear silence in its place. Harmless if said twice."""
        channel = self._channels.pop(leg, None)
        if channel is None:
            return
        del self._legs[channel]
        self._interruptible.discard(leg)
        for one in (self._levels, self._heard, self._whispered, self._plays, self._ended_plays):
            one.pop(leg, None)
        self._plane.silence(channel)
        self._tell_switch((), self._leave(leg))

    def set_line_levels(self, levels: Mapping[int, LineLevels]) -> None:
        """Levels of lines, by channel, all others 0 dB: for legs and plays that there are and for all to come."""
        if levels != self._line_levels:
            self._line_levels = dict(levels)
            self._plane.set_play_levels({channel: level.send_db for channel, level in levels.items()})
            self._tell_switch((), self._channels)

    # ---- who hears whom ----------------------------------------------------------------------------------------------

    def handle(self, command: SwitchCommand) -> None:
        """Do it, all in one tick. A leg that is no more is silence."""
        match command:
            case Join():
                self.join(command.hearing)
            case Conference():
                self._confer(command)
            case Supervise(leg=leg, target=target):
                if leg != target and leg in self._channels and target in self._channels:
                    self._take_out(leg)
                    self._supervised[leg] = command
                    self._tell_switch((leg,))
            case Leave(leg=leg):
                self._tell_switch((), [leg, *self._leave(leg)])
            case SetLevel(leg=leg):
                if leg in self._channels:
                    self._levels[leg] = command
                    self._tell_switch((), self._channels)

    def join(self, hearing: Sequence[Hear]) -> None:
        """Set whom legs hear."""
        wishes = [wish for wish in hearing if wish.leg in self._channels]
        for wish in wishes:
            self._take_out(wish.leg)
            self._joined[wish.leg] = tuple(source for source in wish.sources if source in self._channels)
        self._tell_switch(wish.leg for wish in wishes)

    def _confer(self, command: Conference) -> None:
        named = [leg for leg in command.legs if leg in self._channels]
        for leg in [leg for leg, conference in self._conferences.items() if conference == command.conference]:
            del self._conferences[leg]
        for leg in named:
            self._take_out(leg)
            self._conferences[leg] = command.conference
        self._tell_switch(named)

    def _take_out(self, leg: str) -> None:
        """The leg has no place; those who are joined to it stay so."""
        self._joined.pop(leg, None)
        self._conferences.pop(leg, None)
        self._supervised.pop(leg, None)

    def _leave(self, leg: str) -> list[str]:
        """The leg has no place and nobody is joined to it; who was."""
        self._take_out(leg)
        listeners = [listener for listener, sources in self._joined.items() if leg in sources]
        for listener in listeners:
            self._joined[listener] = tuple(source for source in self._joined[listener] if source != leg)
        for supervisor in [one for one, command in self._supervised.items() if command.target == leg]:
            del self._supervised[supervisor]
        return listeners

    def _tell_switch(self, named: Iterable[str], also: Iterable[str] = ()) -> None:
        """Bring the switch to what follows from the places; legs that the command named hear their plays no more.

        Where all legs are only joined, nothing follows but for the legs named, and `also`. Else all are looked at.
        """
        stopped = set(named)
        are_all_joined = not (self._conferences or self._supervised)
        looked_at: Iterable[str] = stopped.union(also) if are_all_joined and self._were_all_joined else self._channels
        self._were_all_joined = are_all_joined
        for leg in stopped:
            self._plays.pop(leg, None)
            self._ended_plays.pop(leg, None)
        members: dict[str, list[str]] = {}
        for leg, conference in self._conferences.items():
            members.setdefault(conference, []).append(leg)
        barging: dict[str, list[str]] = {}
        whispering: dict[str, list[str]] = {}
        for supervisor, command in self._supervised.items():
            voices = {"barge": barging, "whisper": whispering}.get(command.how)
            if voices is not None:
                voices.setdefault(command.target, []).append(supervisor)
        now: dict[bool, dict[int, Mapping[int, float]]] = {True: {}, False: {}}
        for leg in looked_at:
            channel = self._channels.get(leg)
            if channel is None:
                continue
            whisperers = whispering.get(leg, [])
            # Of two who supervise each other, one hears the other once: as the whisper that no recording gets.
            aloud = [voice for voice in self._voices_to(leg, members, barging) if voice not in whisperers]
            heard = self._at_levels(leg, aloud)
            if leg in stopped or heard != self._heard.get(leg, {}):
                self._heard[leg] = heard
                now[leg not in stopped][channel] = self._in_channels(heard)
            whispered = self._at_levels(leg, whisperers)
            if whispered != self._whispered.get(leg, {}):
                self._whispered[leg] = whispered
                self._plane.whisper(channel, self._in_channels(whispered))
        for under_plays, hearing in now.items():
            self._plane.join(hearing, under_plays)

    def _voices_to(self, leg: str, members: _Parts, barging: _Parts) -> list[str]:
        supervised = self._supervised.get(leg)
        centre = leg if supervised is None else supervised.target
        voices = self._conversation_of(centre, members)
        bargers = [barger for voice in (centre, *voices) for barger in barging.get(voice, ())]
        if supervised is None:
            return voices + bargers
        return [centre, *voices, *(barger for barger in bargers if barger != leg)]

    def _conversation_of(self, leg: str, members: _Parts) -> list[str]:
        """Whom the leg hears by its own place. Who supervises is heard by nobody but as `Supervise` says."""
        conference = self._conferences.get(leg)
        if conference is not None:
            return [voice for voice in members[conference] if voice != leg]
        return [voice for voice in self._joined.get(leg, ()) if voice not in self._supervised]

    def _at_levels(self, leg: str, voices: Iterable[str]) -> dict[str, float]:
        if not self._levels and not self._line_levels:
            return dict.fromkeys(voices, 0.0)
        hears = self._levels.get(leg, _UNCHANGED).hears_db + self._line_of(leg).send_db
        levels = {
            voice: hears + self._levels.get(voice, _UNCHANGED).speaks_db + self._line_of(voice).receive_db
            for voice in voices
        }
        return {voice: min(HIGHEST_DB, max(LOWEST_DB, level)) for voice, level in levels.items()}

    def _line_of(self, leg: str) -> LineLevels:
        return self._line_levels.get(self._channels[leg], _AS_IT_IS)

    def _in_channels(self, heard: Mapping[str, float]) -> dict[int, float]:
        return {self._channels[voice]: level for voice, level in heard.items()}

    def heard_by(self, leg: str) -> tuple[str, ...]:
        """The legs that `leg` hears, whispers last, played over or not."""
        return (*self._heard.get(leg, ()), *self._whispered.get(leg, ()))

    # ---- plays -------------------------------------------------------------------------------------------------------

    def play(self, command: Play) -> tuple[str, ...]:
        """Play to a leg instead of whom it hears; gives the sounds that cannot be played. The play that runs, or ran
        out last, is not begun again."""
        leg = command.leg
        if leg not in self._channels or command.play in (self._plays.get(leg), self._ended_plays.get(leg)):
            return ()
        self._plays[leg] = command.play
        self._ended_plays.pop(leg, None)
        (self._interruptible.add if command.interruptible else self._interruptible.discard)(leg)
        made = {name: np.frombuffer(samples, dtype=np.uint8) for name, samples in command.spoken.items()}
        return self._plane.play(self._channels[leg], command.sounds, command.loop, made)

    def stop(self, leg: str) -> None:
        """Stop what is played to a leg."""
        if leg in self._channels:
            self._plays.pop(leg, None)
            self._ended_plays.pop(leg, None)
            self._plane.stop_play(self._channels[leg])

    def interrupt(self, leg: str) -> None:
        """A digit came from the leg: a play that may be interrupted stops, and is not begun again by its name."""
        if leg in self._interruptible and leg in self._plays:
            self._ended_plays[leg] = self._plays.pop(leg)
            self._plane.stop_play(self._channels[leg])

    def ended(self, channels: Iterable[int]) -> list[tuple[str, str]]:
        """The switch says that plays on these channels ran out: which legs and plays these were."""
        found: list[tuple[str, str]] = []
        for channel in channels:
            leg = self._legs.get(channel)
            if leg is not None and leg in self._plays:
                self._ended_plays[leg] = self._plays.pop(leg)
                found.append((leg, self._ended_plays[leg]))
        return found

    def playing_to(self, leg: str) -> str:
        """Name of the play that runs for the leg, or an empty string."""
        return self._plays.get(leg, "")
