"""What the log says of lost audio blocks of SIP lines: when it begins, with cause and remedy, and a summary. Sans-I/O.

An episode begins with a lost block and is over after a minute without one. `Pace` and the worker do the counting.
"""

from __future__ import annotations

import logging

from firmware.core.clock import MICROSECONDS

QUIET_US = 60 * MICROSECONDS
"""An episode is over when nothing was lost for this long."""
SUMMARY_US = 600 * MICROSECONDS
"""While it goes on it is summed up this often."""
BLOCK_MS = 10

_CAUSE = (
    "this machine did not let the SIP worker run in time: other programs take its processors, or it is a virtual "
    "machine that was held up"
)
_REMEDY = "`linebox doctor`, lines processor and real-time; end what else runs on this machine"


class LossEpisodes:
    """Told the counts of lost blocks, gives what is to be logged: (level, text), or None."""

    def __init__(self) -> None:
        self._before = (0, 0)
        """Counts before the episode began, or at its end."""
        self._seen = (0, 0)
        self._told = (0, 0)
        """Counts that the log has last told."""
        self._began_us: int | None = None
        self._last_us = 0
        self._summary_us = 0

    def seen(self, dropped: int, by_gateway: int, now_us: int) -> tuple[int, str] | None:
        """Counts since the worker began: `dropped` after stalls, and lost on the way from the gateway."""
        lost_more, self._seen = (dropped, by_gateway) != self._seen, (dropped, by_gateway)
        if lost_more:
            self._last_us = now_us
        if self._began_us is None:
            if not lost_more:
                return None
            self._began_us, self._summary_us, self._told = now_us, now_us + SUMMARY_US, self._seen
            text = f"the audio of the SIP lines has gaps: {self._lost()}\n  cause: {_CAUSE}\n  remedy: {_REMEDY}"
            return logging.WARNING, text
        if now_us - self._last_us >= QUIET_US:
            return self.end()
        if now_us >= self._summary_us:
            self._summary_us, self._told = now_us + SUMMARY_US, self._seen
            minutes = (now_us - self._began_us) // (60 * MICROSECONDS)
            return logging.WARNING, f"the audio of the SIP lines still has gaps: {self._lost()} in {minutes} minutes"
        return None

    def end(self) -> tuple[int, str] | None:
        """The summary of the episode that goes on, if one does and more was lost than is told already."""
        if self._began_us is None:
            return None
        seconds, more = (self._last_us - self._began_us) / MICROSECONDS, self._seen != self._told
        text = f"the audio of the SIP lines has no more gaps: {self._lost()} within {seconds:.0f} s"
        self._began_us, self._before = None, self._seen
        return (logging.INFO, text) if more else None

    def _lost(self) -> str:
        dropped, by_gateway = (now - before for now, before in zip(self._seen, self._before, strict=True))
        both = f"{dropped} dropped after stalls, {by_gateway} lost on the way from the gateway"
        return f"{(dropped + by_gateway) * BLOCK_MS} ms lost (blocks of {BLOCK_MS} ms: {both})"
