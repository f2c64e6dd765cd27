"""A simulated PCF8574 with an HD44780 behind it, down to nibbles and busy times. In the place of `periphery.I2C`."""

from __future__ import annotations

from typing import Any

BYTE_SECONDS = 9 / 100_000
"""On a bus of 100 kHz."""


class SimulatedLcd:
    """Its time passes by bytes on the bus and by `wait`. A command while it is busy is lost, as on the real chip."""

    def __init__(self, address: int = 0x27) -> None:
        self.address = address
        self.plugged = True
        self.bytes_seen = 0
        self.lost = 0
        """Nibbles that came while the chip was busy."""
        self.light = False
        self._seconds = 0.0
        self._power_up()

    def _power_up(self) -> None:
        self.memory = bytearray(b"\xff" * 0x80)
        self.shown = False
        self._wide = True
        """Eight data lines, of which the lower four are not connected."""
        self._high: int | None = None
        self._place = 0
        self._forward = False
        self._pins = 0
        self._wakes = 0
        self._busy_until = self._seconds + 0.040

    def replug(self) -> None:
        """Power was off and is on again."""
        self.plugged = True
        self._power_up()

    def wait(self, seconds: float) -> None:
        self._seconds += seconds

    def transfer(self, address: int, messages: list[Any]) -> None:
        if not self.plugged or address != self.address:
            raise OSError(121, "Remote I/O error")
        for message in messages:
            for byte in message.data:
                self._seconds += BYTE_SECONDS
                self.bytes_seen += 1
                self._pins, before = byte, self._pins
                self.light = bool(byte & 0x08)
                if before & 0x04 and not byte & 0x04:
                    self._take(before >> 4, data=bool(before & 0x01), reading=bool(before & 0x02))

    def close(self) -> None: ...

    def _take(self, nibble: int, *, data: bool, reading: bool) -> None:
        if reading:
            return
        if self._seconds < self._busy_until:
            self.lost += 1
            return
        if self._wide:
            self._execute(nibble << 4, data)
        elif self._high is None:
            self._high = nibble
        else:
            byte, self._high = self._high << 4 | nibble, None
            self._execute(byte, data)

    def _execute(self, byte: int, data: bool) -> None:
        self._busy_until = self._seconds + 37e-6
        if data:
            self.memory[self._place] = byte
            self._place = (self._place + (1 if self._forward else -1)) % 0x80
        elif byte & 0x80:
            self._place = byte & 0x7F
        elif byte & 0x20:
            self._wakes += 1
            self._wide = bool(byte & 0x10)
            # The first of the waking commands takes the chip 4.1 ms, the second 0.1 ms.
            self._busy_until = self._seconds + {1: 0.0041, 2: 0.0001}.get(self._wakes, 37e-6)
        elif byte & 0x08:
            self.shown = bool(byte & 0x04)
        elif byte & 0x04:
            self._forward = bool(byte & 0x02)
        elif byte == 0x01:
            self.memory = bytearray(b" " * 0x80)
            self._place = 0
            self._busy_until = self._seconds + 1.52e-3

    def text(self, columns: int, rows: int) -> list[str]:
        """What a person reads: rows three and four continue the chip's rows one and two."""
        if not self.shown:
            return [""] * rows
        begins = [(row % 2) * 0x40 + (row // 2) * columns for row in range(rows)]
        return [self.memory[begin : begin + columns].decode("latin-1") for begin in begins]
