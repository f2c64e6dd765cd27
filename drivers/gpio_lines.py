"""Reset, interrupt, lamps and buttons on GPIO lines of the processor, through python-periphery. No meaning of them.

A line is named `/dev/gpiochip0:17` (the kernel's chip and line) in configuration. Reset, interrupt and buttons are low
when active, lamps high; say so with `active_low`. The library is imported when a line is opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Any, Protocol

from drivers.spi_line_chip import ChipError
from firmware.core.faults import fault

STEADY_LOOKS = 3
"""A button counts as pressed or released after so many looks in a row that agree (at 10 ms: 30 ms)."""
USER = "linebox"
"""As which the kernel, and `gpioinfo`, list our use of a line."""

_LINE_INFO = struct.Struct("=32s32s2IQ160s16x")  # struct gpio_v2_line_info of linux/gpio.h: name, consumer, offset …
_GET_LINE_INFO = 0xC100B405
_LINE_IS_USED = 1


class Line(Protocol):
    """What is used of python-periphery's `GPIO`. Its methods raise `GPIOError`, an OSError."""

    def read(self) -> bool: ...
    def write(self, value: bool) -> None: ...
    def close(self) -> None: ...


OpenLine = Callable[[str, int, str], Line]
"""Chip device, line number, direction (`in`; `button`: the same, pulled up by the chip where it can; `low`, `high`) →
the line."""


def periphery_line(chip: str, number: int, direction: str) -> Line:
    """A real line. Raises ImportError, OSError."""
    from periphery import GPIO

    if direction == "button":
        line: Any = GPIO(chip, number, "in", bias="pull_up", label=USER)
    else:
        line = GPIO(chip, number, direction, label=USER)
    opened: Line = line
    return opened


def line_user(name: str) -> str:
    """Who has the line `/dev/gpiochip0:17` now, as the kernel names it; empty: nobody. Does not disturb it.

    Raises OSError: no such chip or line, or not permitted."""
    chip, _, number = name.rpartition(":")
    descriptor = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = bytearray(_LINE_INFO.pack(b"", b"", int(number), 0, 0, b""))
        fcntl.ioctl(descriptor, _GET_LINE_INFO, info)
    finally:
        os.close(descriptor)
    _, consumer, _, _, flags, _ = _LINE_INFO.unpack(info)
    user: str = consumer.rstrip(b"\0").decode(errors="replace")
    return user or "?" if flags & _LINE_IS_USED else ""


class GpioLine:
    """One line, active or not."""

    def __init__(
        self, name: str, direction: str, where: str, active_low: bool = True, open_line: OpenLine = periphery_line
    ) -> None:
        """`name`: `/dev/gpiochip0:17`; `direction`: `in`, `button` or `out` (starts inactive). Raises ChipError."""
        self._where = f"{where} GPIO {name}".lstrip()
        self._active_low = active_low
        chip, colon, number = name.rpartition(":")
        if not colon or not number.isdigit():
            raise ChipError(fault("gpio_name"), self._where)
        if direction == "out":
            direction = "high" if active_low else "low"
        try:
            self._line: Line | None = open_line(chip, int(number), direction)
        except ImportError as error:
            raise ChipError(fault("periphery_missing", error=error), self._where) from error
        except OSError as error:
            # periphery keeps the number of the kernel's error in `errno`
            found = fault("gpio_taken" if error.errno == errno.EBUSY else "gpio_absent", error=error)
            raise ChipError(found, self._where) from error

    def active(self) -> bool:
        """Raises ChipError."""
        try:
            return self._opened().read() != self._active_low
        except OSError as error:
            raise self._failed(error) from error

    def set(self, active: bool) -> None:
        """Drive the line. Raises ChipError."""
        try:
            self._opened().write(active != self._active_low)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        if self._line is not None:
            try:
                self._line.close()
            except OSError:
                pass  # the chip is gone, and the line with it
            self._line = None

    def _opened(self) -> Line:
        if self._line is None:
            raise ChipError(fault("gpio_closed"), self._where)
        return self._line

    def _failed(self, error: OSError) -> ChipError:
        return ChipError(fault("gpio_failed", error=error), self._where)


class Button:
    """A push button without bounces: give it what the line says every 10 ms or so."""

    def __init__(self) -> None:
        self.pressed: bool | None = None
        """None: not known yet."""
        self._last: bool | None = None
        self._agree = 0

    def look(self, active: bool) -> bool:
        """True at the look with which `pressed` is another."""
        self._agree = self._agree + 1 if active == self._last else 1
        self._last = active
        if active == self.pressed or self._agree < STEADY_LOOKS:
            return False
        self.pressed = active
        return True


class Lamp:
    """An LED that is on, off or blinks. Give it the time every 10 ms or so; it writes only changes."""

    def __init__(self, line: GpioLine) -> None:
        self._line = line
        self._lit: bool | None = None
        self.on = False
        self.blink_ms = 0
        """Period of blinking; 0: steady."""

    def show(self, now_ms: int) -> None:
        """Raises ChipError."""
        lit = self.on and (not self.blink_ms or now_ms % self.blink_ms < self.blink_ms // 2)
        if lit != self._lit:
            self._line.set(lit)
            self._lit = lit
