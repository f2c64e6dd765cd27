"""A Chinese display on a serial line, played by a pseudo terminal that keeps a screen of its own."""

from __future__ import annotations

import os
import pty
import select
import termios
import tty
from collections.abc import Iterator

import pytest

from drivers.lcd_serial import DisplayError, SerialDisplay


class Screen:
    """The far end: takes bytes, keeps columns. A byte that is no command and no text fails the test."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.columns, self.rows = columns, rows
        self.cells = [bytearray(b" " * columns) for _ in range(rows)]
        self.chinese = False
        self.received = b""

    def read(self) -> list[str]:
        """Everything that has come; the rows as a person reads them."""
        data = b""
        while select.select([self.master], [], [], 0.05)[0]:
            data += os.read(self.master, 4096)
        self.received += data
        column = row = 0
        while data:
            if data.startswith(b"\x1b@"):
                self.cells = [bytearray(b" " * self.columns) for _ in range(self.rows)]
                data = data[2:]
            elif data.startswith(b"\x1c&"):
                self.chinese, data = True, data[2:]
            elif data.startswith(b"\x1f$"):
                column, row, data = data[2] - 1, data[3] - 1, data[4:]
            else:
                assert data[0] >= 0x20, data
                assert data[0] < 0x80 or self.chinese
                self.cells[row][column] = data[0]
                column, data = column + 1, data[1:]
        return [cells.decode("gb2312") for cells in self.cells]

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen(20, 2)
    yield screen
    screen.close()


def test_chinese_text_is_where_a_person_reads_it(screen: Screen) -> None:
    display = SerialDisplay(screen.path)
    display.show(["来话 13800138000", "王芳 西安 第4次 以及更多的文字"])

    assert screen.read() == ["来话 13800138000    ", "王芳 西安 第4次 以及"]
    assert termios.tcgetattr(screen.master)[4] == termios.B9600
    display.show(["示闲", "王芳 西安 第4次 以及更多的文字"])
    assert screen.read()[0] == "示闲                "
    assert screen.received.count("王".encode("gb2312")) == 1, "a row that did not change is not sent again"
    display.close()


def test_a_character_that_would_be_cut_in_two_is_left_out(screen: Screen) -> None:
    display = SerialDisplay(screen.path, columns=5, rows=1)
    display.show(["排队人数"])

    assert screen.read()[0][:5] == "排队   "[:5]
    display.close()


def test_a_display_that_is_not_there_says_what_to_do() -> None:
    display = SerialDisplay("/dev/ttyNONE0")
    for _ in range(2):
        with pytest.raises(DisplayError, match=r"/dev/ttyNONE0.*plugged in"):
            display.show(["示闲"])
    display.close()


def test_a_display_that_takes_nothing_any_more_is_given_up_and_set_up_anew(screen: Screen) -> None:
    display = SerialDisplay(screen.path, columns=20)
    with pytest.raises(DisplayError, match="display at"):
        for number in range(2000):  # nobody reads: the line fills up
            display.show([str(number), str(number)])
    screen.read()
    display.show(["示闲"])

    assert screen.read()[0].startswith("示闲")
    display.close()
