"""The elastic buffer between a board that is not the clock and the tick: what a far clock gains or loses is slipped.

A clock of its own may run 50 millionths faster or slower than the tick's (ITU-T G.703, 2048 kbit/s), so its board gives
0, 1 or 2 blocks a tick. How early each block comes says, finer than a sample, how far the clocks have drifted apart.
When the earliness has changed by some samples, one is dropped or repeated, not at once but by interpolation
(media/interpolation.py), as quickly as the clocks drift apart: at 50 millionths a sample is slipped over 2.3 s, nearly
without a pause, and the line runs as if both clocks were one. Where nothing drifts every code passes as it is. Only in
the first 2.5 s of a board, when nobody talks on it yet, samples are left out or repeated at once.

Measured by tests/lines/test_elastic.py and test_elastic_modems.py. A tone of 1020 Hz, -10 dBm0, in the worst 20 ms: all
that is not the tone is 33 dB below it (32 dB at 200 millionths), in A-law alone 38 dB, with a sample left out at once
12 dB (so do exchanges, G.822), with a block left out 6 dB. The largest step between samples grows by 3 %, with a sample
left out at once it nearly doubles. libspandsp's fax modems keep every bit: V.17 at 14 400 bit/s up to 50 millionths,
V.29 at 9600 up to 200; a single sample left out at once, or slipped in 0.3 s, ends a V.17 page.

Delay: a sample waits one tick, as blocks come whole, and 2 to 4 ms, for the interpolation and so that not every sample
is a slip; and for as long as the board's blocks come late against their own average. A board that answers each block
with one has no clock to drift: there nothing waits, a tick without a block is bridged (media/concealment.py: what the
far process sends is late rather than lost), and what a late block left behind is given back in slips.

A tick that slips costs 50 µs of processor time for 30 channels, one that does not 4 µs.

No clock is read here: moments are told, in microseconds.
"""

from __future__ import annotations

import numpy as np

from boards.base import ALAW_SILENCE, BLOCK, Block
from firmware.lines.earliness import Earliness
from firmware.media.concealment import HISTORY, Concealment
from firmware.media.interpolation import AHEAD, BEHIND, PARTS, read_block

DEPTH = 4
"""Blocks that may wait (40 ms); more than that is delay that a talker would notice."""
CAPACITY = 64
"""Blocks that there is room for: after a stall of the gateway itself all that waited comes at once and is played."""
BAND = 8
"""Samples around the wanted earliness in which nothing is done."""
SLOWEST, QUICKEST = PARTS // 256, PARTS // 32
"""Parts of a sample that a tick may slip: 0.005 % and 0.04 %. As quick as the drift, so that modems meet a clock that
is a little off and not one that jumps."""
GIVING_BACK = PARTS // 128
"""The same for a board without a clock."""
FAST, FAST_FROM = PARTS // 4, BLOCK // 2
"""Parts that a tick slips when a trouble has left so many samples too many, or none to spare."""
TICKS_A_SECOND = 100
SETTLING_TICKS = 5 * TICKS_A_SECOND // 2
"""Since the first block, two watches of earliness at least. Nobody talks yet on a board that was opened just now; one
that was the clock until now has had its jump just then."""
STALL_US = 25_000
"""A tick that is this late says nothing about the board's clock."""
SAMPLES_PER_US = 0.008

_WANTED = AHEAD + BAND
_KEPT = max(BEHIND + 1, HISTORY)
_SPARE = AHEAD + 1


class ElasticBuffer:
    """Blocks in when they come, one out a tick."""

    def __init__(self, has_clock: bool) -> None:
        """`has_clock`: the board delivers blocks at its own 10 ms (boards/base.py)."""
        self._has_clock = has_clock
        self._low: float = AHEAD if has_clock else -np.inf
        self._high = AHEAD + 2 * BAND if has_clock else BLOCK
        """Below or above these a slip begins."""
        self._line: Block = np.zeros((0, 0), np.uint8)
        self._at = self._end = 0
        """Where in `_line` the next tick begins to read, and where the next block will go."""
        self._started = False
        self._settling = 0
        """Ticks until the start is over."""
        self._taken_us: int | None = None
        self._phase = 0
        """How long after a tick the last block came, in samples."""
        self._earliness = Earliness()
        self._dropping = False
        self._concealment = Concealment()
        self._slip = 0
        """+1 while a sample is dropped, -1 while one is repeated."""
        self._pace = SLOWEST
        """Parts that the slip goes in a tick."""
        self._slipped_parts = 0
        """How far it has come."""
        self.underruns = 0
        """Ticks for which there was no block, since the first block."""
        self.overruns = 0
        """Blocks thrown away because too many waited."""
        self.dropped = 0
        """Samples left out."""
        self.repeated = 0
        """Samples added."""

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
            self._earliness.see(early if self._has_clock else len(self))
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
        if self._settling:
            self._settle()
        elif not self._slip:
            self._choose_slip()
        if len(self) < BLOCK + max(0, self._slip):
            self.underruns += 1
            if self._has_clock:
                self._earliness.forget()
                return None
            if self._concealment.is_over:
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
        self._earliness = Earliness()
        self._slip = 0
        self._dropping = False

    def _start(self) -> bool:
        """Begin as soon as enough waits, at the earliness that is wanted."""
        wanted = BLOCK + (self._phase + _WANTED if self._has_clock else 0)
        if len(self) < wanted:
            return False
        self._at = self._end - wanted
        self._started = True
        self._settling = SETTLING_TICKS if self._has_clock else 0
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
        self._earliness.shift(-samples)

    # ---- slips -------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Delay that is missing is taken at once, what is not needed is given back in the last tick."""
        self._settling -= 1
        least = self._earliness.least
        if least is not None and (least < self._low or (least >= self._high and not self._settling)):
            samples = max(_KEPT - self._at, min(least - _WANTED, len(self) - BLOCK))
            self._move_on(samples)
            self.dropped += max(0, samples)
            self.repeated += max(0, -samples)

    def _choose_slip(self) -> None:
        least = self._earliness.least
        if least is None:
            return
        goes_on = self._dropping and not self._has_clock
        self._dropping = self._earliness.is_known and (least > _WANTED if goes_on else least >= self._high)
        if self._dropping and len(self) >= BLOCK + _SPARE:
            self._slip = 1
        elif least < self._low:
            self._slip = -1
        else:
            return
        is_urgent = least >= _WANTED + FAST_FROM or least < 0
        drift_parts = round(1.1 * self._slip * self._earliness.drift * PARTS / TICKS_A_SECOND)
        unhurried = max(SLOWEST, min(QUICKEST, drift_parts)) if self._has_clock else GIVING_BACK
        self._pace = FAST if is_urgent else unhurried
        self._slipped_parts = 0

    def _take_slipping(self) -> Block:
        # Where the next block is not there yet, the last sample stands for what the interpolation looks ahead to.
        self._line[:, self._end : self._end + _SPARE] = self._line[:, self._end - 1 : self._end]
        parts = min(self._pace, PARTS - self._slipped_parts)
        begin = self._at * PARTS + self._slip * self._slipped_parts
        block = read_block(self._line, begin, self._slip * parts)
        self._at += BLOCK
        self._slipped_parts += parts
        if self._slipped_parts == PARTS:
            self.dropped += self._slip > 0
            self.repeated += self._slip < 0
            self._move_on(self._slip)
            self._slip = 0
        return block
