"""GPIO lines by name: direction, polarity, errors that say what to do; buttons without bounces, lamps that blink."""

from __future__ import annotations

import pytest

from drivers.gpio_lines import Button, GpioLine, Lamp
from drivers.spi_line_chip import ChipError


class FakeLine:
    def __init__(self, level: bool) -> None:
        self.level = level
        self.broken = False
        self.closed = False
        self.writes = 0

    def read(self) -> bool:
        if self.broken:
            raise OSError(19, "No such device")
        return self.level

    def write(self, value: bool) -> None:
        self.read()
        self.level = value
        self.writes += 1

    def close(self) -> None:
        self.closed = True


class Chip:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self.line = FakeLine(True)

    def open(self, chip: str, number: int, direction: str) -> FakeLine:
        self.asked.append((chip, number, direction))
        self.line.level = direction != "low"
        return self.line


def test_an_output_starts_inactive_and_follows() -> None:
    chip = Chip()
    reset = GpioLine("/dev/gpiochip0:17", "out", "board x", open_line=chip.open)

    assert chip.asked == [("/dev/gpiochip0", 17, "high")]
    assert not reset.active()
    reset.set(True)
    assert chip.line.level is False
    reset.close()
    assert chip.line.closed
    with pytest.raises(ChipError, match="the line is closed"):
        reset.set(False)


def test_an_active_high_output_starts_low() -> None:
    chip = Chip()
    GpioLine("/dev/gpiochip1:2", "out", "board x", active_low=False, open_line=chip.open)

    assert chip.asked == [("/dev/gpiochip1", 2, "low")]


def test_a_line_that_is_not_there_or_goes_says_where_and_what_to_do() -> None:
    def missing(chip: str, number: int, direction: str) -> FakeLine:
        raise OSError(2, "No such file or directory")

    with pytest.raises(ChipError, match=r"board x GPIO /dev/gpiochip9:1.*gpioinfo"):
        GpioLine("/dev/gpiochip9:1", "in", "board x", open_line=missing)
    with pytest.raises(ChipError, match="names no line"):
        GpioLine("17", "in", "board x", open_line=missing)
    chip = Chip()
    line = GpioLine("/dev/gpiochip0:1", "in", "board x", open_line=chip.open)
    chip.line.broken = True
    with pytest.raises(ChipError, match="the line failed"):
        line.active()


def test_a_real_line_of_a_chip_that_is_not_there_is_the_same_error() -> None:
    with pytest.raises(ChipError, match="GPIO /dev/gpiochip99:1"):
        GpioLine("/dev/gpiochip99:1", "in", "board x")


def test_a_button_is_pressed_once_however_it_bounces() -> None:
    button = Button()
    course = [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1]

    assert [at for at, level in enumerate(course) if button.look(bool(level))] == [7, 18]


def test_a_lamp_writes_only_changes() -> None:
    chip = Chip()
    lamp = Lamp(GpioLine("/dev/gpiochip0:5", "out", "board x", active_low=False, open_line=chip.open))
    lamp.on, lamp.blink_ms = True, 1000
    levels = []
    for now_ms in range(0, 3000, 10):
        lamp.show(now_ms)
        levels.append(chip.line.level)

    assert levels.count(True) == 150
    assert chip.line.writes == 6
