"""One display in its thread: shown at once, tried again after a failure, and nobody waits for it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drivers.lcd_hd44780 import CharacterLcd
from drivers.seat_display import DisplayError, SeatDisplay
from firmware.box.displays import screen as screens
from firmware.box.displays.screen import Screen, open_display
from firmware.core.faults import Fault
from firmware.core.schemas import Display
from tests.drivers.simulated_lcd import SimulatedLcd

ENTRY = Display(kind="hd44780", device="/dev/i2c-1", columns=16, rows=2)


def until(true: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.002)


class Seat:
    """A screen on a simulated chip, and what it said of itself."""

    def __init__(self) -> None:
        self.chip = SimulatedLcd()
        self.said: list[Fault | None] = []
        self.screen = Screen("1", ENTRY, self._changed, self._open)

    def _changed(self) -> None:
        self.said.append(self.screen.fault)

    def _open(self, entry: Display) -> SeatDisplay:
        return CharacterLcd(self.chip, columns=entry.columns, rows=entry.rows, wait=self.chip.wait)

    def reads(self, *rows: str) -> bool:
        return [row.rstrip() for row in self.chip.text(16, 2)] == list(rows)


@pytest.fixture
def seat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    monkeypatch.setattr(screens, "RETRY_SECONDS", 0.02)
    made = Seat()
    yield made
    made.screen.stop()


def test_what_is_given_last_is_shown(seat: Seat) -> None:
    for number in range(50):
        seat.screen.show([f"Queue {number}", "No.801"])
    until(lambda: seat.reads("Queue 49", "No.801"), "the newest rows are shown")

    assert seat.said == []


def test_a_display_that_is_missing_is_told_with_its_remedy_and_works_when_it_is_plugged_in(seat: Seat) -> None:
    seat.chip.plugged = False
    seat.screen.show(["Ready", ""])
    until(lambda: seat.said, "the failure is told")
    fault = seat.screen.fault
    assert fault is not None and "no answer at I²C address 0x27" in fault.what
    assert "plugged in" in fault.remedy and fault.place == ENTRY.device
    seat.screen.show(["Ringing", ""])
    seat.chip.replug()
    until(lambda: seat.reads("Ringing", ""), "it is shown when the display is there")
    until(lambda: seat.screen.fault is None, "it is told that it works")

    assert len(seat.said) == 2


def test_a_display_that_lost_its_power_unseen_is_renewed(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "RENEW_SECONDS", 0.02)
    seat.screen.show(["Ready", "Queue 3"])
    until(lambda: seat.reads("Ready", "Queue 3"), "it is shown")
    seat.chip.replug()
    until(lambda: seat.reads("Ready", "Queue 3"), "it is shown again")

    assert seat.said == []


def test_a_defect_in_a_driver_makes_one_display_dark_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "RETRY_SECONDS", 0.02)

    def broken(entry: Display) -> SeatDisplay:
        raise RuntimeError("nobody thought of this")

    said: list[None] = []
    screen = Screen("1", ENTRY, lambda: said.append(None), broken)
    until(lambda: said, "it is told")
    assert screen.fault is not None and "nobody thought of this" in screen.fault.what
    screen.stop()


def test_the_last_rows_are_shown_before_it_ends(seat: Seat) -> None:
    seat.screen.show(["No connection", ""])
    seat.screen.stop()

    assert seat.reads("No connection", "")


def test_a_bus_or_a_line_that_is_not_there_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DisplayError, match="no I²C bus"):
        open_display(Display(kind="hd44780", device="/dev/i2c-none"))
    with pytest.raises(DisplayError, match="ttyNONE"):
        open_display(Display(kind="serial", device="/dev/ttyNONE")).show(["x"])


def test_the_display_process_is_small_it_loads_no_numpy_and_no_database() -> None:
    heavy = "import sys, firmware.box.displays.process; print({'numpy', 'sqlalchemy', 'gevent'} & sys.modules.keys())"
    asked = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)

    assert asked.stdout.strip() == "set()"
