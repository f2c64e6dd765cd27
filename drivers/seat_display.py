"""What every display at a seat can do, whatever it hangs on; and its error. The displays: `lcd_*.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from firmware.core.faults import FaultError


class DisplayError(FaultError):
    """The display does not answer. `where` names its device. The next `show` sets it up anew."""


class SeatDisplay(Protocol):
    """One display. Every call may block for a moment and raises DisplayError."""

    def show(self, lines: Sequence[str]) -> None:
        """Show these rows; only rows that changed are sent."""
        ...

    def renew(self) -> None:
        """The display may have lost power since: the next `show` sends everything."""
        ...

    def close(self) -> None: ...
