"""A Chinese display at a pseudo terminal, which keeps a screen of its own: what a person reads there. No tests here."""

from __future__ import annotations

import os
import pty
import select
import tty

COMMANDS = {0x1B: 2, 0x1C: 2, 0x1F: 4}
"""First byte of a command, and how many bytes it has."""


class SerialScreen:
    """The far end: takes bytes, keeps columns. A byte that is no command and no text fails the test."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.columns, self.rows = columns, rows
        self.cells = [bytearray(b" " * columns) for _ in range(rows)]
        self.chinese = False
        self.received = b""
        self._half = b""
        self._column = self._row = 0

    def read(self) -> list[str]:
        """Everything that has come; the rows as a person reads them. What has come half waits for its other half."""
        data = self._half
        while select.select([self.master], [], [], 0.05)[0]:
            more = os.read(self.master, 4096)
            self.received += more
            data += more
        while data and not (data[0] in COMMANDS and len(data) < COMMANDS[data[0]]):
            if data.startswith(b"\x1b@"):
                self.cells = [bytearray(b" " * self.columns) for _ in range(self.rows)]
                data = data[2:]
            elif data.startswith(b"\x1c&"):
                self.chinese, data = True, data[2:]
            elif data.startswith(b"\x1f$"):
                self._column, self._row, data = data[2] - 1, data[3] - 1, data[4:]
            else:
                assert data[0] >= 0x20, data
                assert data[0] < 0x80 or self.chinese
                self.cells[self._row][self._column] = data[0]
                self._column, data = self._column + 1, data[1:]
        self._half = data
        return [cells.decode("gb2312", "replace") for cells in self.cells]

    def power_off(self) -> None:
        """And on again: empty, and without Chinese until it is told."""
        self.cells = [bytearray(b" " * self.columns) for _ in range(self.rows)]
        self.chinese = False

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)
