"""The elastic buffer between a board that is not the clock and the tick: what a far clock gains or loses is slipped.

A clock of its own may run 50 millionths faster or slower than the tick's (ITU-T G.703, 2048 kbit/s), so its board gives
0, 1 or 2 blocks a tick. How early each block comes says, finer than a sample, how far the clocks have drifted apart.
When the earliness has changed by some samples, one is dropped or repeated, not at once but over 320 ms: the line runs
0.04 % faster or slower for that long, by interpolation (media/interpolation.py). Between slips every code passes as it
is: at 50 millionths that is 87 % of the time.

Measured at 1020 Hz, -10 dBm0, in the worst 20 ms (tests/lines/test_elastic.py): all that is not the tone is 31 dB below
it while a sample is slipped, 38 dB otherwise (A-law's own), 12 dB with a sample left out at once (as exchanges do,
G.822), 6 dB with a block left out. The largest step between samples grows by 3 %, with a sample left out at once it
nearly doubles. All digits and FSK caller IDs get through at 50 and 200 millionths.

Delay: a sample waits one tick, as blocks come whole, and 2 to 4 ms, for the interpolation and so that not every sample
is a slip; and for as long as the board's blocks come late against their own average. A board that answers each block
with one has no clock to drift: there nothing waits, a tick without a block is bridged (media/concealment.py: what the
far process sends is late rather than lost), and what a late block left behind is given back in slips.

No clock is read here: moments are told, in microseconds.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block
from firmware.media.concealment import HISTORY, Concealment
from firmware.media.interpolation import AHEAD, BEHIND, PARTS, read_block

DEPTH = 4
"""Blocks that may wait (40 ms); more than that is delay that a talker would notice."""
CAPACITY = 64
"""Blocks that there is room for: after a stall of the gateway itself all that waited comes at once and is played."""
WATCHED_BLOCKS, WATCHES = 100, 10
"""Of each so many blocks (1 s) the least early one counts, and of so many of these the second least: what is late once
in 10 s, as after a stall of the gateway, is not worth a delay."""
BAND = 8
"""Samples around the wanted earliness in which nothing is done."""
SLOW, FAST = 32, 4
"""Ticks that a slip takes; fast while there are many to do."""
FAST_FROM = BLOCK // 2
"""Samples too many or too few from which on slips are fast."""
STALL_US = 25_000
"""A tick that is this late says nothing about the board's clock."""
SAMPLES_PER_US = 0.008

_WANTED = AHEAD + BAND
_KEPT = max(BEHIND + 1, HISTORY)
_SPARE = AHEAD + 1
_NEVER = 1 << 30


class ElasticBuffer:
    """Blocks in when they come, one out a tick."""

    def __init__(self, has_clock: bool) -> None:
        """`has_clock`: the board delivers blocks at its own 10 ms (boards/base.py)."""
        self._has_clock = has_clock
        self._low, self._high = (AHEAD, AHEAD + 2 * BAND) if has_clock else (-_NEVER, BLOCK)
        """Below or above these a slip begins."""
        self._line: Block = np.zeros((0, 0), np.uint8)
        self._at = self._end = 0
        """Where in `_line` the next tick begins to read, and where the next block will go."""
        self._started = False
        self._taken_us: int | None = None
        self._phase = 0
        """How long after a tick the last block came, in samples."""
        self._least = _NEVER
        self._watched = 0
        self._leasts: deque[int] = deque(maxlen=WATCHES)
        self._dropping = False
        self._concealment = Concealment()
        self._slip = 0
        """+1 while a sample is dropped, -1 while one is repeated."""
        self._slip_parts = self._slipped_parts = 0
        """How far a slip goes in a tick, and how far it has come."""
        self.underruns = 0
        """Ticks for which there was no block, since the first block."""
        self.overruns = 0
        """Blocks thrown away because too many waited."""
        self.dropped = 0
        """Samples left out by slips."""
        self.repeated = 0
        """Samples added by slips."""

    def __len__(self) -> int:
        """Samples that wait."""
        return self._end - self._at

    @property
    def slips(self) -> int:
        """Samples left out or added."""
        return self.dropped + self.repeated

    def put(self, block: Block, now_us: int) -> None:
        """A block [channels, 80] came. If too many wait, the oldest goes."""
        since_tick_us = 0 if self._taken_us is None else max(0, now_us - self._taken_us)
        self._phase = round(since_tick_us * SAMPLES_PER_US)
        early = len(self) - self._phase
        if self._started and since_tick_us <= STALL_US:
            self._watch(early if self._has_clock else len(self))
        self._make_room(block.shape[0])
        self._line[:, self._end : self._end + BLOCK] = block
        self._end += BLOCK
        if early + BLOCK > DEPTH * BLOCK or len(self) > CAPACITY * BLOCK:
            self._move_on(BLOCK)
            self.overruns += 1

    def take(self, now_us: int) -> Block | None:
        """The block for this tick, or None if there is none. What a board without a clock owes is bridged for 60 ms."""
        self._taken_us = now_us
        if not self._started and not self._start():
            return None
        if not self._slip:
            self._choose_slip()
        if len(self) < BLOCK + max(0, self._slip):
            self.underruns += 1
            self._shift_least(BLOCK)
            if self._has_clock or self._concealment.is_over:
                return None
            return self._concealment.bridge(self._line[:, self._at - HISTORY : self._at])
        block = self._take_slipping() if self._slip else self._take_as_it_is()
        return self._concealment.rejoin(block) if self._concealment.is_bridging else block

    def _take_as_it_is(self) -> Block:
        block = self._line[:, self._at : self._at + BLOCK].copy()
        self._at += BLOCK
        return block

    def restart(self) -> None:
        """The board is the clock now: nothing waits here, and nothing is known if it is not the clock again."""
        self._at = self._end
        self._started = False
        self._least = _NEVER
        self._leasts.clear()
        self._watched = self._slip = 0
        self._dropping = False

    def _start(self) -> bool:
        """Begin as soon as enough waits, at the earliness that is wanted."""
        wanted = BLOCK + (self._phase + _WANTED if self._has_clock else 0)
        if len(self) < wanted:
            return False
        self._at = self._end - wanted
        self._started = True
        return True

    def _make_room(self, channels: int) -> None:
        if self._line.shape[0] != channels:
            self._line = np.full((channels, _KEPT + (CAPACITY + 1) * BLOCK + _SPARE), ALAW_SILENCE, np.uint8)
            self._at = self._end = _KEPT
        elif self._end + BLOCK + _SPARE > self._line.shape[1]:
            kept = self._line[:, self._at - _KEPT : self._end].copy()
            self._line[:, : kept.shape[1]] = kept
            self._at, self._end = _KEPT, kept.shape[1]

    def _move_on(self, samples: int) -> None:
        self._at += samples
        self._shift_least(-samples)

    # ---- slips -------------------------------------------------------------------------------------------------------

    def _watch(self, early: int) -> None:
        self._least = min(self._least, early)
        self._watched += 1
        if self._watched >= WATCHED_BLOCKS:
            self._leasts.append(self._least)
            self._least, self._watched = _NEVER, 0

    def _shift_least(self, samples: int) -> None:
        """From now on blocks come earlier, or later if negative: what was seen before counts as if it had been so."""
        self._least += samples
        for place in range(len(self._leasts)):
            self._leasts[place] += samples

    def _choose_slip(self) -> None:
        seen = sorted((self._least, *self._leasts))
        least = seen[min(1, len(self._leasts))]
        if least > _NEVER // 2:
            return  # not enough was seen yet
        self._dropping = least > _WANTED if self._dropping else least >= self._high
        if self._dropping and len(self) >= BLOCK + _SPARE:
            self._slip = 1
        elif least < self._low:
            self._slip = -1
        ticks = FAST if abs(least - _WANTED) >= FAST_FROM else SLOW
        self._slip_parts, self._slipped_parts = self._slip * PARTS // ticks, 0

    def _take_slipping(self) -> Block:
        # Where the next block is not there yet, the last sample stands for what the interpolation looks ahead to.
        self._line[:, self._end : self._end + _SPARE] = self._line[:, self._end - 1 : self._end]
        block = read_block(self._line, self._at * PARTS + self._slipped_parts, self._slip_parts)
        self._at += BLOCK
        self._slipped_parts += self._slip_parts
        if abs(self._slipped_parts) == PARTS:
            self.dropped += self._slip > 0
            self.repeated += self._slip < 0
            self._move_on(self._slip)
            self._slip = 0
        return block
