"""A character display: HD44780 behind a PCF8574 on an I²C bus, four data lines. It shows rows of text, not which text.

The usual carrier: P0 RS, P1 R/W, P2 E, P3 back light, P4 to P7 the data lines D4 to D7. Only ASCII: the character
generator (ROM code A00) has no Chinese. Sources: Hitachi HD44780U (timing of table 6, initialising by instruction of
figure 24), NXP PCF8574. Tried on the simulated chips of the tests, not on a display.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from drivers.seat_display import DisplayError
from firmware.core.faults import fault

ADDRESS = 0x27
"""PCF8574 with its three address pins open; 0x3F for the PCF8574A."""

_REGISTER_SELECT, _ENABLE, _BACK_LIGHT = 0x01, 0x04, 0x08
_CLEAR, _ENTRY_FORWARD, _DISPLAY_OFF, _DISPLAY_ON = 0x01, 0x06, 0x08, 0x0C
_FOUR_LINES_TWO_ROWS, _SET_ADDRESS = 0x28, 0x80
_WAKE = 0x3
_POWER_UP_SECONDS = 0.045
_WAKE_SECONDS = (0.0045, 0.00015, 0.00015)
_CLEAR_SECONDS = 0.002
UNKNOWN = "?"
_REPLACED = str.maketrans("\\~", "/-")
"""The display has a yen sign and an arrow in these places."""


class I2cBus(Protocol):
    """What is used of `periphery.I2C`."""

    def transfer(self, address: int, messages: list[Any]) -> None:
        """Raises periphery.I2CError, an OSError."""
        ...

    def close(self) -> None: ...


def _message(data: Sequence[int]) -> Any:
    from periphery import I2C

    return I2C.Message(list(data))


class CharacterLcd:
    """One display. Every call blocks: setting up 60 ms, a row of 20 characters 8 ms at 100 kHz."""

    def __init__(
        self,
        bus: I2cBus,
        *,
        columns: int = 16,
        rows: int = 2,
        address: int = ADDRESS,
        place: str = "display",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`place`: how a person calls it, for errors. Nothing is sent before the first `show`."""
        if not (1 <= columns <= 20 and rows in (1, 2, 4) and columns * rows <= 80):
            raise ValueError(f"an HD44780 has no {rows} rows of {columns} characters")
        self.columns = columns
        self.rows = rows
        self._bus = bus
        self._address = address
        self._place = place
        self._wait = wait
        self._light = _BACK_LIGHT
        self._shown: list[str] | None = None

    def show(self, lines: Sequence[str]) -> None:
        """Show these rows; only rows that changed are sent. What is too long is cut. Raises DisplayError."""
        wanted = [_shown(line, self.columns) for line in [*lines, *[""] * self.rows][: self.rows]]
        try:
            if self._shown is None:
                self._set_up()
                self._shown = [" " * self.columns] * self.rows
            for row, text in enumerate(wanted):
                if text != self._shown[row]:
                    self._send(_SET_ADDRESS | self._begin_of(row))
                    self._send(*text.encode("ascii"), register_select=True)
                    self._shown[row] = text
        except OSError as error:
            self._shown = None
            raise self._silent(error) from error

    def renew(self) -> None:
        """The display may have lost power since: the next `show` sets it up anew."""
        self._shown = None

    def light(self, on: bool) -> None:
        """Back light on or off. Raises DisplayError."""
        self._light = _BACK_LIGHT if on else 0
        try:
            self._write([self._light])
        except OSError as error:
            self._shown = None
            raise self._silent(error) from error

    def close(self) -> None:
        self._bus.close()

    def _silent(self, error: OSError) -> DisplayError:
        return DisplayError(fault("display_silent", address=f"{self._address:#04x}", error=error), self._place)

    def _begin_of(self, row: int) -> int:
        # Rows three and four of a display are the ends of rows one and two of the chip.
        return (row % 2) * 0x40 + (row // 2) * self.columns

    def _set_up(self) -> None:
        """From any state, also in the middle of a byte, to four data lines and an empty display."""
        self._wait(_POWER_UP_SECONDS)
        for seconds in _WAKE_SECONDS:
            self._nibbles(_WAKE)
            self._wait(seconds)
        self._nibbles(_FOUR_LINES_TWO_ROWS >> 4)
        self._send(_FOUR_LINES_TWO_ROWS)
        self._send(_DISPLAY_OFF)
        self._send(_CLEAR)
        self._wait(_CLEAR_SECONDS)
        self._send(_ENTRY_FORWARD)
        self._send(_DISPLAY_ON)

    def _send(self, *data: int, register_select: bool = False) -> None:
        self._nibbles(*(nibble for byte in data for nibble in (byte >> 4, byte & 15)), register_select=register_select)

    def _nibbles(self, *nibbles: int, register_select: bool = False) -> None:
        """Each nibble is taken when E falls. On the bus a byte lasts 90 µs: longer than any command but clearing."""
        base = self._light | (_REGISTER_SELECT if register_select else 0)
        self._write([base | nibble << 4 | enable for nibble in nibbles for enable in (_ENABLE, 0)])

    def _write(self, data: Sequence[int]) -> None:
        self._bus.transfer(self._address, [_message(data)])


def _shown(text: str, columns: int) -> str:
    kept = "".join(letter if " " <= letter <= "~" else UNKNOWN for letter in text).translate(_REPLACED)
    return kept[:columns].ljust(columns)


def open_lcd(path: str, *, columns: int = 16, rows: int = 2, address: int = ADDRESS) -> CharacterLcd:
    """The display on the I²C bus `path`, e.g. `/dev/i2c-1`. Raises DisplayError if there is no such bus."""
    from periphery import I2C, I2CError

    try:
        bus = I2C(path)
    except I2CError as error:
        raise DisplayError(fault("display_no_bus", error=error), path) from error
    return CharacterLcd(bus, columns=columns, rows=rows, address=address, place=f"display at {path}")
