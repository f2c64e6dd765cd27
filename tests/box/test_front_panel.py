"""The front panel on simulated GPIO lines, in virtual time: what a person sees and presses, and lines that fail."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from firmware.box.displays import front_panel
from firmware.box.displays.front_panel import LOOK_SECONDS, PanelLines, RunningPanel
from firmware.calls.panel import BoxSeen
from firmware.calls.troubles import Trouble
from firmware.core.schemas import Panel
from tests.box.scripted_callserver import until
from tests.drivers.simulated_gpio import SimulatedGpio

CHIP = "/dev/gpiochip0"
SERVICE, ALARM, CALL, ACKNOWLEDGE, SHUT_DOWN = (f"{CHIP}:{number}" for number in range(5))
PANEL = Panel(service=SERVICE, alarm=ALARM, call=CALL, acknowledge=ACKNOWLEDGE, shut_down=SHUT_DOWN)
LOOK_MS = round(LOOK_SECONDS * 1000)
WELL = BoxSeen(frozenset())
DISK_LOW = BoxSeen(frozenset({Trouble("disk_low")}))
NO_TRUNK = BoxSeen(frozenset({Trouble("no_trunk")}), calls_up=True)


class Front:
    """The panel, its lines, a finger and an eye."""

    def __init__(self, gpio: SimulatedGpio, entry: Panel = PANEL) -> None:
        self.gpio = gpio
        self.lines = PanelLines(entry, gpio.open)
        self.now_ms = 0
        self.seen = WELL

    def watch(self, seconds: float, line: str = SERVICE) -> int:
        """Let time pass; how often the lamp was lit anew meanwhile."""
        flashes, before = 0, self.gpio.level.get(line, False)
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now_ms += LOOK_MS
            self.lines.see(self.seen, self.now_ms)
            self.lines.look(self.now_ms)
            level = self.gpio.level.get(line, False)
            flashes += level and not before
            before = level
        return flashes

    def press(self, line: str, seconds: float) -> None:
        self.gpio.level[line] = False
        self.watch(seconds)
        self.gpio.level[line] = True
        self.watch(0.1)

    def lit(self) -> set[str]:
        return {line for line in (SERVICE, ALARM, CALL) if self.gpio.level.get(line)}

    def told(self) -> list[tuple[str, str]]:
        return [(fault.code, fault.place) for fault in self.lines.faults]


@pytest.fixture
def front() -> Front:
    return Front(SimulatedGpio())


def test_lamps_are_high_when_lit_dark_at_first_and_buttons_pulled_up(front: Front) -> None:
    front.watch(0.1)

    assert dict(front.gpio.asked) == {
        **dict.fromkeys((SERVICE, ALARM, CALL), "low"),
        **dict.fromkeys((ACKNOWLEDGE, SHUT_DOWN), "button"),
    }
    assert front.lit() == {SERVICE}
    assert front.told() == []


def test_slow_is_once_in_two_seconds_and_quick_more_than_twice_a_second(front: Front) -> None:
    front.seen = NO_TRUNK
    front.watch(1)

    assert front.watch(10, SERVICE) == 5
    assert front.watch(10, ALARM) == 25
    assert CALL in front.lit()


def test_a_steady_lamp_is_written_once(front: Front) -> None:
    front.watch(20)

    assert front.gpio.writes == 3


def test_a_short_press_acknowledges_a_bounce_does_not_and_a_long_one_tests_the_lamps(front: Front) -> None:
    front.seen = DISK_LOW
    front.press(ACKNOWLEDGE, 0.04)
    assert front.lit() == {SERVICE, ALARM}
    front.gpio.level[ACKNOWLEDGE] = False
    front.watch(3.1)
    assert front.lit() == {SERVICE, ALARM, CALL}
    front.gpio.level[ACKNOWLEDGE] = True
    front.watch(0.1)
    assert front.lit() == {SERVICE, ALARM}

    front.press(ACKNOWLEDGE, 0.1)
    assert front.lit() == {SERVICE}


def test_the_shut_down_button_must_be_held_for_five_seconds(front: Front) -> None:
    front.press(SHUT_DOWN, 4.9)
    assert not front.lines.stop_wanted
    front.gpio.level[SHUT_DOWN] = False
    assert front.watch(4) == 10
    front.watch(1.1)

    assert front.lines.stop_wanted
    assert front.lit() == {SERVICE, ALARM, CALL}


def test_what_is_not_configured_is_not_touched() -> None:
    front = Front(SimulatedGpio(), Panel(alarm=ALARM))
    front.seen = DISK_LOW
    front.watch(1)

    assert front.gpio.asked == [(ALARM, "low")]
    assert front.lit() == {ALARM}


@pytest.mark.parametrize(("error", "code"), [(errno.ENOENT, "gpio_absent"), (errno.EBUSY, "gpio_taken")])
def test_a_line_that_cannot_be_had_is_told_and_tried_again_and_the_others_work(
    front: Front, error: int, code: str
) -> None:
    front.gpio.failing[SERVICE] = front.gpio.failing[ACKNOWLEDGE] = error
    front.seen = DISK_LOW
    front.watch(1)
    assert front.told() == [(code, f"service {SERVICE}"), (code, f"acknowledge {ACKNOWLEDGE}")]
    assert all(fault.remedy for fault in front.lines.faults)
    assert front.lit() == {ALARM}
    tries = len(front.gpio.asked)
    front.watch(10)
    assert len(front.gpio.asked) - tries == 2 * 5, "every two seconds"

    front.gpio.failing.clear()
    front.watch(2)
    assert front.told() == []
    assert front.lit() == {SERVICE, ALARM}
    front.press(ACKNOWLEDGE, 0.1)
    assert front.lit() == {SERVICE}


def test_a_line_that_goes_while_the_box_runs_is_told_and_comes_back_by_itself(front: Front) -> None:
    front.watch(1)
    front.gpio.failing[SERVICE] = front.gpio.failing[SHUT_DOWN] = errno.ENODEV
    front.watch(2.5)
    front.seen = NO_TRUNK  # a lamp that is steady is not written
    front.watch(2.5)
    assert ("gpio_absent", f"service {SERVICE}") in front.told()
    assert ("gpio_absent", f"shut_down {SHUT_DOWN}") in front.told()
    front.gpio.failing.clear()
    front.seen = WELL
    front.watch(2.5)

    assert front.told() == []
    assert front.lit() == {SERVICE}
    front.press(SHUT_DOWN, 5.1)
    assert front.lines.stop_wanted


def test_a_shorted_button_stops_no_box_and_is_told_until_it_is_open(front: Front) -> None:
    front.gpio.level[SHUT_DOWN] = False
    front.watch(30)
    assert not front.lines.stop_wanted
    assert front.told() == [("button_stuck", f"shut_down {SHUT_DOWN}")]

    front.gpio.level[SHUT_DOWN] = True
    front.watch(0.1)
    assert front.told() == []


def test_at_the_end_all_lamps_are_dark_and_all_lines_free_whatever_fails(front: Front) -> None:
    front.seen = NO_TRUNK
    front.press(SHUT_DOWN, 5.1)
    front.gpio.failing[ALARM] = errno.ENODEV
    front.lines.close()

    assert front.lit() - {ALARM} == set()
    assert front.gpio.held == set()


# ---- the thread ------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpio() -> Iterator[SimulatedGpio]:
    yield SimulatedGpio()


def test_in_its_thread_it_is_told_how_the_box_is_and_ends_dark(gpio: SimulatedGpio) -> None:
    said: list[int] = []
    running = RunningPanel(PANEL, lambda: said.append(len(running.faults)), gpio.open)
    running.see(DISK_LOW)
    until(lambda: gpio.level.get(ALARM), "the alarm is lit")
    gpio.failing[ACKNOWLEDGE] = errno.ENODEV
    until(lambda: said == [1], "a failure is said")
    running.stop()

    assert not any(gpio.level[line] for line in (SERVICE, ALARM, CALL))
    assert gpio.held == set()
    assert not running.take_stop()


def test_a_defect_of_ours_is_told_and_ends_no_process(gpio: SimulatedGpio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_panel, "RETRY_MS", 20)

    def broken(chip: str, number: int, direction: str) -> object:
        raise RuntimeError("nobody thought of this")

    said: list[None] = []
    running = RunningPanel(Panel(service=SERVICE), lambda: said.append(None), broken)  # type: ignore[arg-type]
    until(lambda: said, "it is told")
    (fault,) = running.faults
    running.stop()

    assert "nobody thought of this" in fault.what
