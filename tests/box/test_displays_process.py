"""The display process before a scripted callserver: what a character display shows, also when nobody answers.

The whole way through real processes is `test_seat_displays.py`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.lcd_hd44780 import CharacterLcd
from firmware.box.demonstration import demonstration_documents
from firmware.box.displays import process as displays
from firmware.box.displays import screen as screens
from firmware.box.displays.process import DisplayProcess
from firmware.calls.messages import (
    AgentState,
    AgentView,
    BoxState,
    ContactView,
    QueueView,
    ReportDisplay,
)
from firmware.core.clock import VirtualClock
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, write_process_table
from tests.box.scripted_callserver import ScriptedCallserver, until
from tests.drivers.simulated_lcd import SimulatedLcd

NOW = VirtualClock(utc_us=0, mono_us=0).now()


def state(agent: AgentState, **fields: Any) -> BoxState:
    """One agent at seat 1, two who wait, and a call from Yan'an if the agent has one."""
    call = ContactView(
        contact=7,
        state="offered",
        calling="09118888888",
        called="",
        service="",
        arrived=NOW,
        since=NOW,
        calling_name="王芳",
        region="延安",
        times=2,
    )
    has_call = agent in (AgentState.OFFERED, AgentState.TALKING)
    entry = AgentView(agent="801", name="王", state=agent, seat="1", contact=7 if has_call else 0, queues=("general",))
    box = {"number": 1, "at": NOW, "box_id": "b", "gateway_connected": True, "recorder_connected": True}
    queue = QueueView(queue="general", title="", waiting=2)
    return BoxState(**{**box, **fields}, agents=(entry,), queues=(queue,), contacts=(call,) if has_call else ())


class Seat:
    """A display process with one display, from its start to its end."""

    def __init__(self, paths: BoxPaths, callserver: ScriptedCallserver, chip: SimulatedLcd) -> None:
        self.paths = paths
        self.callserver = callserver
        self.chip = chip
        self._process = DisplayProcess(paths)
        self._running = threading.Thread(target=self._process.run, name="display process")
        self._running.start()

    def end(self) -> None:
        if self._running.is_alive():
            self._process.end()
            self._running.join()

    def reads(self, *rows: str) -> None:
        until(lambda: [row.rstrip() for row in self.chip.text(20, 2)] == list(rows), f"the display shows {rows}")


@pytest.fixture
def seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    documents = demonstration_documents("not used here")
    documents["seats"][0]["display"] = {"kind": "hd44780", "device": "/dev/i2c-1", "address": 63}
    save_subjects(paths, documents)
    chip = SimulatedLcd(63)

    def open_lcd(device: str, *, columns: int, rows: int, address: int) -> CharacterLcd:
        assert device == "/dev/i2c-1"
        return CharacterLcd(chip, columns=columns, rows=rows, address=address, wait=chip.wait)

    monkeypatch.setattr(screens, "open_lcd", open_lcd)
    monkeypatch.setattr(displays, "RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr(displays, "STATE_PAUSE_SECONDS", 0.02)
    callserver = ScriptedCallserver(paths, state(AgentState.READY))
    callserver.start()
    made = Seat(paths, callserver, chip)
    yield made
    made.end()
    callserver.end()


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of a callserver that hangs. In all others it must not seem to while this machine stands still."""
    for name in ("SIGN_OF_LIFE_SECONDS", "OFFLINE_SECONDS"):
        monkeypatch.setattr(displays, name, 0.1)


def test_a_display_without_chinese_reads_english_and_leaves_names_out(seat: Seat) -> None:
    seat.reads("Ready Queue 2 No.801", "")
    seat.callserver.show(state(AgentState.OFFERED))
    seat.reads("Ringing 09118888888", "Call 2")


@pytest.mark.usefixtures("little_patience")
def test_nobody_reads_what_was_so_while_the_callserver_hangs(seat: Seat) -> None:
    seat.reads("Ready Queue 2 No.801", "")
    seat.callserver.hangs = True
    seat.reads("No connection", "")
    seat.callserver.hangs = False
    seat.reads("Ready Queue 2 No.801", "")


def test_nobody_reads_what_was_so_while_the_gateway_is_away(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    seat.callserver.show(state(AgentState.READY, gateway_connected=False))
    seat.reads("No connection", "")
    # That it is back is no event: it is asked for sooner than a sign of life.
    monkeypatch.setattr(displays, "AWAY_SECONDS", 0.1)
    monkeypatch.setattr(displays, "SIGN_OF_LIFE_SECONDS", 3600.0)
    seat.callserver.show(state(AgentState.WRAP_UP))
    seat.reads("Wrap-up Queue 2", "No.801")


@pytest.mark.parametrize(("supervisor", "shown"), [("stopping", "Box stopped"), ("running", "No connection")])
def test_at_the_end_a_display_says_whether_the_whole_box_was_stopped(seat: Seat, supervisor: str, shown: str) -> None:
    seat.reads("Ready Queue 2 No.801", "")
    write_process_table(seat.paths, {"supervisor": ProcessEntry(state=supervisor, pid=os.getppid())})
    seat.end()

    seat.reads(shown, "")


@pytest.mark.usefixtures("little_patience")
def test_each_connection_is_told_how_the_displays_are(seat: Seat) -> None:
    seat.reads("Ready Queue 2 No.801", "")

    def reports() -> list[ReportDisplay]:
        return [body for body in seat.callserver.asked if isinstance(body, ReportDisplay)]

    until(lambda: reports()[-1:] == [ReportDisplay("1")], "a display that works is told")
    seat.chip.plugged = False
    seat.callserver.show(state(AgentState.NOT_READY))
    until(lambda: reports()[-1].fault, "a failure is told")
    told = reports()[-1].fault
    assert told is not None and "no answer at I²C address 0x3f" in told.what
    seat.callserver.asked.clear()
    seat.callserver.hangs = True
    until(reports, "another connection is told")

    assert reports()[0].fault is not None
