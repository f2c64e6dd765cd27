"""A tone that ended, a cadence, and a tone that was learnt of a line: what they are, without samples.

What hears them is `call_progress.py`. Processes that only speak of tones read this file and load no numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CYCLES = 3
"""Bursts in a row that make a known cadence heard."""


@dataclass(frozen=True, slots=True)
class ToneBurst:
    """A tone that has ended. Times are samples."""

    channel: int
    start: int
    duration: int
    pause: int
    """Without tone before it, since the tone before ended or the channel was reset."""
    hz: float
    level_dbm0: float


@dataclass(frozen=True, slots=True)
class Cadence:
    """A tone that repeats: so long on, so long off, again and again."""

    hz: float
    on_ms: float
    off_ms: float
    tolerance: float = 0.12
    """Share of a time by which it may differ, but 20 ms are always allowed."""
    hz_tolerance: float = 25.0

    def fits(self, burst: ToneBurst, *, first: bool) -> bool:
        """The burst is one of this cadence; the pause before the first of them may be any."""
        return (
            abs(burst.hz - self.hz) <= self.hz_tolerance
            and self._near(burst.duration / 8, self.on_ms)
            and (first or self._near(burst.pause / 8, self.off_ms))
        )

    def like(self, tone: LearnedTone) -> bool:
        """What was learnt is this cadence."""
        return (
            abs(tone.hz - self.hz) <= self.hz_tolerance
            and self._near(tone.on_ms, self.on_ms)
            and self._near(tone.off_ms, self.off_ms)
        )

    def _near(self, measured: float, wanted: float) -> bool:
        return abs(measured - wanted) <= max(20.0, self.tolerance * wanted)


@dataclass(frozen=True, slots=True)
class BurstSequence:
    """A tone whose bursts differ, again and again (vacant-number tone): each with the pause *before* it as `off_ms`."""

    bursts: tuple[Cadence, ...]
    least: int = CYCLES

    @property
    def enough(self) -> int:
        """Bursts in a row that make it heard, wherever in it they begin: one and a half turns."""
        return max(self.least, len(self.bursts) * 3 // 2)

    def fits(self, run: Sequence[ToneBurst]) -> bool:
        """The last of these bursts, which followed each other, are enough of it."""
        last = run[-self.enough :]
        return len(last) == self.enough and any(
            all(
                self.bursts[(begin + place) % len(self.bursts)].fits(burst, first=place == 0)
                for place, burst in enumerate(last)
            )
            for begin in range(len(self.bursts))
        )


@dataclass(frozen=True, slots=True)
class LearnedTone:
    """What was measured of a line's repeating tone: medians, and the extremes of the bursts that they come from."""

    hz: float
    on_ms: float
    off_ms: float
    level_dbm0: float
    cycles: int
    on_range_ms: tuple[float, float]
    off_range_ms: tuple[float, float]

    def cadence(self) -> Cadence:
        """As it is recognised from now on."""
        return Cadence(self.hz, self.on_ms, self.off_ms)
