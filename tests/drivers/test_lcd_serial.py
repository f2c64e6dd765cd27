"""A Chinese display on a serial line, played by a pseudo terminal that keeps a screen of its own."""

from __future__ import annotations

import termios
from collections.abc import Iterator

import pytest

from drivers.lcd_serial import SerialDisplay
from drivers.seat_display import DisplayError
from tests.drivers.simulated_serial_display import SerialScreen


@pytest.fixture
def screen() -> Iterator[SerialScreen]:
    screen = SerialScreen(20, 2)
    yield screen
    screen.close()


def test_chinese_text_is_where_a_person_reads_it(screen: SerialScreen) -> None:
    display = SerialDisplay(screen.path)
    display.show(["来话 13800138000", "王芳 西安 第4次 以及更多的文字"])

    assert screen.read() == ["来话 13800138000    ", "王芳 西安 第4次 以及"]
    assert termios.tcgetattr(screen.master)[4] == termios.B9600
    display.show(["示闲", "王芳 西安 第4次 以及更多的文字"])
    assert screen.read()[0] == "示闲                "
    assert screen.received.count("王".encode("gb2312")) == 1, "a row that did not change is not sent again"
    display.close()


def test_a_character_that_would_be_cut_in_two_is_left_out(screen: SerialScreen) -> None:
    display = SerialDisplay(screen.path, columns=5, rows=1)
    display.show(["排队人数"])

    assert screen.read()[0][:5] == "排队   "[:5]
    display.close()


def test_a_display_that_is_not_there_says_what_to_do() -> None:
    display = SerialDisplay("/dev/ttyNONE0")
    for _ in range(2):
        with pytest.raises(DisplayError, match=r"(?s)/dev/ttyNONE0.*plugged in"):
            display.show(["示闲"])
    display.close()


def test_a_display_that_takes_nothing_any_more_is_given_up_and_set_up_anew(screen: SerialScreen) -> None:
    display = SerialDisplay(screen.path, columns=20)
    with pytest.raises(DisplayError, match="display at"):
        for number in range(2000):  # nobody reads: the line fills up
            display.show([str(number), str(number)])
    screen.read()
    display.show(["示闲"])

    assert screen.read()[0].startswith("示闲")
    display.close()


def test_a_display_that_lost_its_power_unseen_is_whole_again_after_it_was_renewed(screen: SerialScreen) -> None:
    display = SerialDisplay(screen.path)
    display.show(["示闲", "排队3"])
    screen.read()
    screen.power_off()
    display.show(["示闲", "排队3"])
    assert screen.read() == [" " * 20] * 2
    display.renew()
    display.show(["示闲", "排队3"])

    assert [row.rstrip() for row in screen.read()] == ["示闲", "排队3"]
    display.close()
