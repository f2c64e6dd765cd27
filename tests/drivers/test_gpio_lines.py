"""GPIO lines by name: direction, polarity, errors that say what to do; buttons without bounces, lamps that blink."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from drivers.gpio_lines import Button, GpioLine, Lamp, line_user
from drivers.spi_line_chip import ChipError
from tests.drivers.simulated_gpio import SimulatedGpio

LINE = "/dev/gpiochip0:17"


@pytest.fixture
def gpio() -> SimulatedGpio:
    return SimulatedGpio()


def test_an_output_starts_inactive_and_follows(gpio: SimulatedGpio) -> None:
    reset = GpioLine(LINE, "out", "board x", open_line=gpio.open)

    assert gpio.asked == [(LINE, "high")]
    assert not reset.active()
    reset.set(True)
    assert gpio.level[LINE] is False
    reset.close()
    assert gpio.held == set()
    with pytest.raises(ChipError, match="the line is closed"):
        reset.set(False)


def test_an_active_high_output_starts_low(gpio: SimulatedGpio) -> None:
    GpioLine(LINE, "out", "board x", active_low=False, open_line=gpio.open)

    assert gpio.asked == [(LINE, "low")]


def test_a_button_that_nobody_presses_is_not_active(gpio: SimulatedGpio) -> None:
    button = GpioLine(LINE, "button", "panel", open_line=gpio.open)

    assert not button.active()
    gpio.level[LINE] = False  # closed to ground
    assert button.active()


def test_a_line_that_is_not_there_is_taken_or_goes_says_where_and_what_to_do(gpio: SimulatedGpio) -> None:
    gpio.failing["/dev/gpiochip9:1"] = errno.ENOENT
    with pytest.raises(ChipError, match=r"board x GPIO /dev/gpiochip9:1.*must be there"):
        GpioLine("/dev/gpiochip9:1", "in", "board x", open_line=gpio.open)
    with pytest.raises(ChipError, match="names no line"):
        GpioLine("17", "in", "board x", open_line=gpio.open)
    line = GpioLine(LINE, "in", "board x", open_line=gpio.open)
    with pytest.raises(ChipError, match=r"taken by something else.*gpioinfo"):
        GpioLine(LINE, "in", "panel", open_line=gpio.open)
    gpio.failing[LINE] = errno.ENODEV
    with pytest.raises(ChipError, match="the line failed"):
        line.active()
    line.close()  # harms nobody


def test_a_real_line_of_a_chip_that_is_not_there_is_the_same_error() -> None:
    for direction in ("in", "button", "out"):
        with pytest.raises(ChipError, match="GPIO /dev/gpiochip99:1"):
            GpioLine("/dev/gpiochip99:1", direction, "board x")
    with pytest.raises(FileNotFoundError):
        line_user("/dev/gpiochip99:1")


def test_a_file_that_is_no_chip_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "chip").touch()

    with pytest.raises(OSError, match="Inappropriate ioctl"):
        line_user(f"{tmp_path}/chip:1")


def test_a_button_moves_once_however_it_bounces() -> None:
    button = Button()
    course = [0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1]

    moved = [(at, button.pressed) for at, level in enumerate(course) if button.look(bool(level))]
    assert moved == [(2, False), (10, True), (17, False), (21, True)]


def test_a_button_is_neither_pressed_nor_released_before_it_was_steady() -> None:
    button = Button()

    assert [button.look(level) for level in (True, False, True, True)] == [False] * 4
    assert button.pressed is None
    assert button.look(True) and button.pressed


def test_a_lamp_writes_only_changes(gpio: SimulatedGpio) -> None:
    lamp = Lamp(GpioLine(LINE, "out", "board x", active_low=False, open_line=gpio.open))
    lamp.on, lamp.blink_ms = True, 1000
    levels = []
    for now_ms in range(0, 3000, 10):
        lamp.show(now_ms)
        levels.append(gpio.level[LINE])

    assert levels.count(True) == 150
    assert gpio.writes == 6
