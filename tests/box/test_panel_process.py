"""The front panel in the display process, before a scripted callserver: lamps follow the box, faults are told, and the
shut-down button is announced before the supervisor is asked. What the lamps mean is `tests/calls/test_panel.py`.
"""

from __future__ import annotations

import copy
import errno
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from boards.signals import ChannelKind
from drivers.gpio_lines import STEADY_LOOKS
from firmware.box.demonstration import demonstration_documents
from firmware.box.displays import front_panel, orderly_stop
from firmware.box.displays import process as displays
from firmware.box.displays.front_panel import RunningPanel
from firmware.box.displays.process import DisplayProcess
from firmware.calls import panel
from firmware.calls.messages import AnnounceStop, BoxAlarm, BoxState, EventName, ReportDisplay, ReportPanel
from firmware.core.clock import VirtualClock
from firmware.core.configuration import save_subjects
from firmware.core.faults import fault
from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, write_process_table
from firmware.lines.messages import ChannelState
from tests.box.scripted_callserver import ScriptedCallserver, until
from tests.drivers.simulated_gpio import SimulatedGpio

SERVICE, ALARM, ACKNOWLEDGE, SHUT_DOWN = (f"/dev/gpiochip0:{number}" for number in range(4))
PANEL = {"service": SERVICE, "alarm": ALARM, "acknowledge": ACKNOWLEDGE, "shut_down": SHUT_DOWN}


def state(**fields: Any) -> BoxState:
    trunk = ChannelState(0, "e1", "E1-1/1", ChannelKind.TRUNK, "idle")
    box = {"number": 1, "at": VirtualClock(utc_us=0, mono_us=0).now(), "box_id": "b", "channels": (trunk,)}
    return BoxState(**{**box, "gateway_connected": True, "recorder_connected": True, **fields})


class Box:
    """A display process with a panel on simulated lines, and no display."""

    def __init__(self, folder: Path, gpio: SimulatedGpio, documents: dict[str, Any]) -> None:
        self.gpio = gpio
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        self.documents = documents
        self.documents["box"][0]["panel"] = PANEL
        save_subjects(self.paths, self.documents)
        self.callserver = ScriptedCallserver(self.paths, state())
        self.callserver.start()
        self.process = DisplayProcess(self.paths)
        self._running = threading.Thread(target=self.process.run, name="display process")
        self._running.start()

    def press(self, button: str) -> None:
        """Once it has been seen released; until further notice."""
        until(lambda: self.gpio.reads[button] > 2 * STEADY_LOOKS, "the button is looked at")
        self.gpio.level[button] = False

    def shows(self, service: bool, alarm: bool) -> None:
        until(lambda: (self.gpio.level.get(SERVICE), self.gpio.level.get(ALARM)) == (service, alarm), "the lamps")

    def reports(self) -> list[ReportPanel]:
        return [body for body in self.callserver.asked if isinstance(body, ReportPanel)]

    def end(self) -> None:
        if self.callserver.is_alive():
            self.process.end()
            self._running.join()
            self.callserver.end()


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return demonstration_documents("not used here")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documents: dict[str, Any]) -> Iterator[Box]:
    gpio = SimulatedGpio()
    monkeypatch.setattr(displays, "RunningPanel", partial(RunningPanel, open_line=gpio.open))
    monkeypatch.setattr(front_panel, "RETRY_MS", 20)
    monkeypatch.setattr(displays, "RECONNECT_SECONDS", 0.1)
    for name in ("STATE_PAUSE_SECONDS", "PANEL_SECONDS"):
        monkeypatch.setattr(displays, name, 0.02)
    made = Box(tmp_path, gpio, copy.deepcopy(documents))
    yield made
    made.end()


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of a callserver that hangs. In all others it must not seem to while this machine stands still."""
    for name in ("SIGN_OF_LIFE_SECONDS", "OFFLINE_SECONDS"):
        monkeypatch.setattr(displays, name, 0.1)


def test_the_lamps_follow_the_box_and_are_dark_after_the_end(box: Box) -> None:
    box.shows(True, False)
    box.callserver.show(state(alarms=(BoxAlarm.DISK_LOW,)))
    box.shows(True, True)
    box.press(ACKNOWLEDGE)
    looks = box.gpio.reads[ACKNOWLEDGE]
    until(lambda: box.gpio.reads[ACKNOWLEDGE] > looks + 2 * STEADY_LOOKS, "it is seen pressed")
    box.gpio.level[ACKNOWLEDGE] = True
    box.shows(True, False)

    box.end()
    assert not box.gpio.level[SERVICE] and not box.gpio.level[ALARM]
    assert box.gpio.held == set()


def test_when_the_box_is_stopped_the_lamps_go_dark_after_all_others_have_ended(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(displays, "OTHERS_SECONDS", 10)
    box.shows(True, False)

    def table(callserver: int) -> None:
        supervisor = ProcessEntry(state="stopping", pid=os.getppid())
        others = {"displays": ProcessEntry(state="running", pid=os.getpid()), "web": ProcessEntry(state="stopped")}
        entry = ProcessEntry(state="running" if callserver else "stopped", pid=callserver)
        write_process_table(box.paths, {"supervisor": supervisor, "callserver": entry, **others})

    table(callserver=1)
    box.process.end()
    looks = box.gpio.reads[SHUT_DOWN]
    until(lambda: box.gpio.reads[SHUT_DOWN] > looks + 10, "the panel goes on")
    assert box.gpio.level[SERVICE]
    table(callserver=0)

    until(lambda: not box.gpio.held, "the panel ends")
    assert not box.gpio.level[SERVICE]


@pytest.mark.usefixtures("little_patience")
def test_service_does_not_stay_lit_while_the_callserver_hangs(box: Box) -> None:
    box.shows(True, False)
    box.callserver.hangs = True
    until(lambda: box.gpio.level[ALARM], "the alarm blinks")
    until(lambda: not box.gpio.level[SERVICE], "service blinks")
    box.callserver.hangs = False

    box.shows(True, False)


@pytest.mark.usefixtures("little_patience")
def test_each_connection_is_told_which_lines_fail_and_that_they_work_again(box: Box) -> None:
    until(lambda: box.reports()[-1:] == [ReportPanel()], "a panel that works is told")
    box.gpio.failing[ACKNOWLEDGE] = errno.EBUSY
    until(lambda: box.reports()[-1].faults, "a failure is told")
    told = box.reports()[-1].faults
    assert [(one.code, one.place) for one in told][-1][1] == f"acknowledge {ACKNOWLEDGE}"
    box.callserver.asked.clear()
    box.callserver.hangs = True
    until(box.reports, "another connection is told")
    assert box.reports()[0].faults[0].code == "gpio_taken"
    box.callserver.hangs = False
    box.gpio.failing.clear()
    until(lambda: box.reports()[-1] == ReportPanel(), "it works again")

    assert not any(isinstance(body, ReportDisplay) for body in box.callserver.asked)


def test_a_panel_that_is_configured_otherwise_is_so_at_once_and_no_line_is_taken_twice(box: Box) -> None:
    box.shows(True, False)
    box.documents["box"][0]["panel"] = {"alarm": SERVICE}
    save_subjects(box.paths, box.documents)
    box.callserver.show(state(recorder_connected=False))
    box.callserver.tell(EventName.CONFIGURATION_CHANGED)
    until(lambda: box.gpio.held == {SERVICE}, "the other lines are free")
    until(lambda: box.gpio.level[SERVICE], "the alarm is lit")
    box.documents["box"][0]["panel"] = {}
    save_subjects(box.paths, box.documents)
    box.callserver.tell(EventName.CONFIGURATION_CHANGED)
    until(lambda: box.gpio.held == set(), "all lines are free")

    assert not box.gpio.level[SERVICE]
    until(lambda: box.reports()[-1] == ReportPanel(), "no line fails")


def test_the_shut_down_button_is_announced_before_the_supervisor_is_asked(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def stop_box(paths: BoxPaths) -> None:
        asked.append(AnnounceStop() in box.callserver.asked)

    monkeypatch.setattr(panel, "SHUT_DOWN_MS", 100)
    monkeypatch.setattr(orderly_stop, "stop_box", stop_box)
    box.shows(True, False)
    box.press(SHUT_DOWN)
    until(lambda: asked, "the supervisor is asked")

    assert asked == [True]
    assert box.callserver.by[box.callserver.asked.index(AnnounceStop())] == "panel"
    box.shows(True, True)


def test_a_box_that_cannot_be_stopped_says_so(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "SHUT_DOWN_MS", 100)
    box.shows(True, False)
    box.press(SHUT_DOWN)  # no supervisor has started this process
    until(lambda: AnnounceStop(stopping=False) in box.callserver.asked, "it is taken back")
    until(lambda: any(one.faults for one in box.reports()), "it is told")

    (told,) = next(one.faults for one in box.reports() if one.faults)
    assert told == fault("stop_failed", error="no supervisor has started the display process").at(
        f"shut_down {SHUT_DOWN}"
    )
