"""Clocks and time stamps. Not for media time: that is counted in samples (8000 a second) by the gateway.

Three kinds of time stand side by side in everything that is kept: the sample count of the board, monotonic time
(never steps, one for all processes until the machine restarts) and UTC (may step, may be wrong until NTP answered).
"""

from __future__ import annotations

import time
from datetime import timedelta, timezone
from pathlib import Path
from typing import Protocol

import msgspec

MICROSECONDS = 1_000_000
"""Microseconds in a second: all stored times are whole microseconds."""


CHINA = timezone(timedelta(hours=8))
"""All of China keeps one time without summer time: what is meant by a time of day does not depend on the machine."""


class Stamp(msgspec.Struct, frozen=True, order=True):
    """One moment: monotonic and UTC microseconds, and whether UTC was trusted (synchronised) then."""

    mono_us: int
    utc_us: int
    trusted: bool = False

    def later(self, microseconds: int) -> Stamp:
        """The moment `microseconds` after this one, on a clock that does not step."""
        return Stamp(self.mono_us + microseconds, self.utc_us + microseconds, self.trusted)


class Clock(Protocol):
    """What tells the time to a process shell. Policy code never holds one: it is handed a `Stamp`."""

    def now(self) -> Stamp:
        """The present moment."""
        ...


class SystemClock:
    """The machine's clocks. UTC is taken as trusted when the file that systemd-timesyncd and chrony keep exists."""

    def __init__(self, synchronised_marker: Path = Path("/run/systemd/timesync/synchronized")) -> None:
        self._marker = synchronised_marker
        self._trusted = synchronised_marker.exists()
        self._looked_us = 0

    def now(self) -> Stamp:
        mono_us = time.monotonic_ns() // 1000
        if mono_us - self._looked_us > 10 * MICROSECONDS:
            self._trusted = self._marker.exists()
            self._looked_us = mono_us
        return Stamp(mono_us, time.time_ns() // 1000, self._trusted)


class VirtualClock:
    """A clock that moves only when told to: the same day twice gives the same records."""

    def __init__(self, utc_us: int, mono_us: int = 0) -> None:
        self._offset_us = utc_us - mono_us
        self._mono_us = mono_us

    def now(self) -> Stamp:
        return Stamp(self._mono_us, self._mono_us + self._offset_us, True)

    def advance_to(self, mono_us: int) -> None:
        """Move on to `mono_us`. Raises ValueError for a moment that has passed."""
        if mono_us < self._mono_us:
            raise ValueError(f"virtual time cannot go back from {self._mono_us} to {mono_us} microseconds")
        self._mono_us = mono_us


def machine_boot_id() -> str:
    """The kernel's identity of this start of the machine: monotonic times of different starts do not compare."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
