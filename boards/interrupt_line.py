"""The interrupt line of a card of line chips: while it is quiet, phones at rest need not be asked. No chip and no port.

The chips pull one line low together (open drain). It is read once in each turn; that saves some 0.2 ms of SPI for each
resting phone, in a turn of 10 ms. It is not trusted blindly: each port is asked now and then all the same, and a line
that has not told what was found there is given up, and all ports are asked in each turn, as without it.
"""

from __future__ import annotations

import logging

from drivers.gpio_lines import GpioLine, OpenLine
from drivers.spi_line_chip import ChipError

UNTOLD_MOST = 2
"""Interrupts in a row that only asking has found. One may come between reading the line and asking the chip."""

_log = logging.getLogger(__name__)


class InterruptLine:
    """Raises ChipError if the line cannot be opened; when it fails later it is given up."""

    def __init__(self, name: str, open_line: OpenLine) -> None:
        """`name`: `/dev/gpiochip0:18`."""
        self._name = name
        self._line: GpioLine | None = GpioLine(name, "in", "", open_line=open_line)
        self._untold = 0
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

    def found(self) -> None:
        """One or more chips that were asked in this turn had an interrupt."""
        self._untold = self._untold + 1 if self._is_quiet else 0
        if self._untold >= UNTOLD_MOST:
            self._give_up(f"interrupt line {self._name} did not tell what happened on a line. See its wire and pull-up")

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _give_up(self, why: str) -> None:
        if self._line is not None:
            _log.warning("%s; all ports are asked in each turn until the board is opened again", why)
        self.close()
