"""How early a board's blocks come before they are needed, watched over a minute: what is left to lose, and the drift.

For the elastic buffer (elastic.py), which says what it saw and what it did about it. In samples; no clock is read here.
"""

from __future__ import annotations

from collections import deque

WATCHED_BLOCKS = 100
"""Blocks in a watch: 1 s."""
WATCHES = 10
"""The second least of so many watches counts: what is late once in 10 s, as after a stall of the gateway, is not worth
a delay."""
DRIFT_WATCHES, LEAST_DRIFT_WATCHES = 60, 5
"""Watches over which drift is told, at most and at least."""


class Earliness:
    """One board's."""

    def __init__(self) -> None:
        self._seen: list[int] = []
        self._leasts: deque[int] = deque(maxlen=WATCHES)
        self._middles: deque[int] = deque(maxlen=DRIFT_WATCHES)
        """Median of each watch, as it would have been if the buffer had done nothing since the start."""
        self._shifted = 0
        self.drift = 0.0
        """Samples a second by which the blocks come earlier and earlier, or later if negative; 0 if not known yet."""

    def see(self, early: int) -> None:
        """A block came so many samples before it was needed."""
        self._seen.append(early)
        if len(self._seen) == WATCHED_BLOCKS:
            self._leasts.append(min(self._seen))
            self._middles.append(sorted(self._seen)[WATCHED_BLOCKS // 2] - self._shifted)
            self._seen.clear()
            self.drift = self._slope()

    def shift(self, samples: int) -> None:
        """The buffer did something by which blocks come so many samples earlier from now on (later if negative): what
        was seen before counts as if it had been so."""
        self._shifted += samples
        self._seen = [early + samples for early in self._seen]
        for place in range(len(self._leasts)):
            self._leasts[place] += samples

    def forget(self) -> None:
        """A block did not come in time, late or lost: nothing but the drift is now as it was seen before."""
        self._seen.clear()
        self._leasts.clear()
        self._middles.clear()

    @property
    def is_known(self) -> bool:
        """Enough was seen to say what is not needed."""
        return len(self._leasts) == WATCHES

    @property
    def least(self) -> int | None:
        """The least that must be expected; None if too little was seen."""
        leasts = [*self._leasts, min(self._seen)] if self._seen else [*self._leasts]
        if len(self._leasts) < 2:
            return min(leasts, default=None)
        return sorted(leasts)[1]

    def _slope(self) -> float:
        """Of the medians, by least squares."""
        count = len(self._middles)
        if count < LEAST_DRIFT_WATCHES:
            return self.drift
        centre = (count - 1) / 2
        spread = count * (count * count - 1) / 12
        return sum((place - centre) * middle for place, middle in enumerate(self._middles)) / spread
