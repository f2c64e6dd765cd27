"""The interrupt line of a card of line chips: while it is quiet, phones at rest need not be asked. No chip and no port.

The chips pull one line low together (open drain). It is read once in each turn; that saves some 0.2 ms of SPI for each
resting phone, in a turn of 10 ms. It is not trusted blindly: each port is asked now and then all the same, and a line
that has not told what was found there is given up, and all ports are asked in each turn, as without it. Only what a
phone at rest has done judges the line: of chips that are asked in each turn many an interrupt comes between the look at
the line and theirs, the more the more of them there are.
"""

from __future__ import annotations

import logging
from collections import Counter

from drivers.gpio_lines import GpioLine, OpenLine
from drivers.spi_line_chip import ChipError

UNTOLD_MOST = 2
"""Interrupts in a row, of one chip or of any, that only asking has found. One may come just before it is asked."""
ANY = -1

_log = logging.getLogger(__name__)


class InterruptLine:
    """Raises ChipError if the line cannot be opened; when it fails later it is given up."""

    def __init__(self, name: str, open_line: OpenLine) -> None:
        """`name`: `/dev/gpiochip0:18`."""
        self._name = name
        self._line: GpioLine | None = GpioLine(name, "in", "", open_line=open_line)
        self._untold: Counter[int] = Counter()
        """Channel, or ANY → interrupts in a row that were not told."""
        self._is_quiet = False

    @property
    def works(self) -> bool:
        return self._line is not None

    def is_quiet(self) -> bool:
        """True if no chip wants to be asked in this turn; False too if the line does not work."""
        self._is_quiet = False
        try:
            self._is_quiet = self._line is not None and not self._line.active()
        except ChipError as error:
            self._give_up(str(error))
        return self._is_quiet

    def found(self, channel: int, rested: bool) -> None:
        """The chip of a channel, asked in this turn, had an interrupt. `rested`: it need not be asked in each turn."""
        for whose in (channel, ANY):
            self._untold[whose] = self._untold[whose] + rested if self._is_quiet else 0
        if max(self._untold.values()) >= UNTOLD_MOST:
            self._give_up(f"interrupt line {self._name} did not tell what happened on a line. See its wire and pull-up")

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _give_up(self, why: str) -> None:
        if self._line is not None:
            _log.warning("%s; all ports are asked in each turn until the board is opened again", why)
        self.close()
