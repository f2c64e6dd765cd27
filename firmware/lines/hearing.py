"""Who hears whom and what is played to whom, in legs. The switch speaks of channels, the callserver of legs.

A leg takes part from `open` to `close`; commands for other legs do nothing. Not here: when a leg begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firmware.lines.messages import Hear, Play
from firmware.media.plane import MediaPlane


class Hearing:
    """The audio side of all legs."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane
        self._channels: dict[str, int] = {}
        self._legs: dict[int, str] = {}
        self._sources: dict[str, tuple[str, ...]] = {}
        self._plays: dict[str, str] = {}
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
        self._sources.pop(leg, None)
        self._plays.pop(leg, None)
        self._ended_plays.pop(leg, None)
        self._plane.silence(channel)
        for listener, sources in self._sources.items():
            if leg in sources:
                self._sources[listener] = tuple(source for source in sources if source != leg)

    def join(self, hearing: Sequence[Hear]) -> None:
        """Set whom legs hear, all in one tick. A leg that is no more is silence."""
        channels: dict[int, list[int]] = {}
        for wish in hearing:
            if wish.leg not in self._channels:
                continue
            sources = tuple(source for source in wish.sources if source in self._channels)
            self._sources[wish.leg] = sources
            self._plays.pop(wish.leg, None)
            self._ended_plays.pop(wish.leg, None)
            channels[self._channels[wish.leg]] = [self._channels[source] for source in sources]
        if channels:
            self._plane.join(channels)

    def play(self, command: Play) -> None:
        """Play to a leg instead of whom it hears. The play that runs, or ran out last, is not begun again."""
        leg = command.leg
        if leg not in self._channels or command.play in (self._plays.get(leg), self._ended_plays.get(leg)):
            return
        self._plays[leg] = command.play
        self._ended_plays.pop(leg, None)
        self._plane.play(self._channels[leg], command.sounds, command.loop)

    def stop(self, leg: str) -> None:
        """Stop what is played to a leg."""
        if leg in self._channels:
            self._plays.pop(leg, None)
            self._ended_plays.pop(leg, None)
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

    def heard_by(self, leg: str) -> tuple[str, ...]:
        """The legs that `leg` is joined to, played over or not."""
        return self._sources.get(leg, ())

    def playing_to(self, leg: str) -> str:
        """Name of the play that runs for the leg, or an empty string."""
        return self._plays.get(leg, "")
