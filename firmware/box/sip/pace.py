"""How many blocks may go out now: RTP must not burst after a stall, however many blocks have piled up. Sans-I/O.

Time that passed earns blocks, at most three can be saved up; what has not been earned is dropped, the oldest first.
"""

from __future__ import annotations

AHEAD = 3
"""Blocks that may go out at once."""
BLOCK_US = 9_950
"""Blocks are earned 0.5 % faster than they last: the gateway's clock is the exchange's and not this machine's."""


class Pace:
    """One gateway's blocks."""

    def __init__(self) -> None:
        self._earned_us = AHEAD * BLOCK_US
        self._last_us: int | None = None
        self.dropped = 0

    def allow(self, waiting: int, now_us: int) -> int:
        """How many of the blocks that wait may go out, the newest; the others are counted as dropped."""
        if self._last_us is not None:
            self._earned_us = min(AHEAD * BLOCK_US, self._earned_us + now_us - self._last_us)
        self._last_us = now_us
        allowed = min(waiting, self._earned_us // BLOCK_US)
        self._earned_us -= allowed * BLOCK_US
        self.dropped += waiting - allowed
        return allowed
