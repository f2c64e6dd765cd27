"""A Chinese text display on a serial line: GB 2312 and the commands of customer displays. Not which text it shows.

Commands (Epson ESC/POS customer displays, which Chinese makes with a GB 2312 font follow): `ESC @` initialise, `FS &`
Chinese characters on, `US $ column row` move, `US X n` brightness. Tried on a simulated display at a pseudo terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.seat_display import DisplayError
from firmware.core import gb2312
from firmware.core.faults import fault

INITIALISE = b"\x1b@"
CHINESE_ON = b"\x1c&"
MOVE = b"\x1f$"
"""Then column and row, both from 1."""
BAUD_RATE = 9600
WRITE_SECONDS = 0.5
"""A display that holds the line for so long is taken for dead."""


class SerialDisplay:
    """One display. `show` blocks for as long as the line takes: about 1 ms a column at 9600 baud."""

    def __init__(self, path: str, *, columns: int = 20, rows: int = 2, baud_rate: int = BAUD_RATE) -> None:
        """`path`: the serial device, e.g. `/dev/ttyUSB0`; it is opened by the first `show`."""
        self.columns = columns
        self.rows = rows
        self._path = path
        self._baud_rate = baud_rate
        self._port: Any = None
        self._shown: list[str] = []

    def show(self, lines: Sequence[str]) -> None:
        """Show these rows; only rows that changed are sent, a Chinese character takes two columns and is never cut in
        two. Raises DisplayError."""
        import serial

        wanted = [gb2312.field(line, self.columns) for line in [*lines, *[""] * self.rows][: self.rows]]
        try:
            if self._port is None:
                self._port = serial.Serial(self._path, self._baud_rate, write_timeout=WRITE_SECONDS)
                self._port.write(INITIALISE)
                self.renew()
            if not any(self._shown):
                self._port.write(CHINESE_ON)
            for row, text in enumerate(wanted):
                if text != self._shown[row]:
                    self._port.write(MOVE + bytes((1, row + 1)) + gb2312.encode(text))
                    self._shown[row] = text
        except (serial.SerialException, OSError) as error:
            self.close()
            raise DisplayError(fault("display_serial", error=error), f"display at {self._path}") from error

    def renew(self) -> None:
        """The display may have lost power since: the next `show` sends every row. Nothing flickers."""
        self._shown = [""] * self.rows

    def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
