"""From the shut-down button to the supervisor: announced first, then asked; what comes to nothing is a fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.box.displays import orderly_stop
from firmware.box.displays.orderly_stop import ANNOUNCE_SECONDS, PATIENCE_SECONDS, OrderlyStop
from firmware.calls.messages import AnnounceStop
from firmware.contacts.announced_stop import PATIENCE_US
from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, write_process_table


class Button:
    """A stop in virtual time. The supervisor, so says the table, is the process that started this one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, supervisor: int) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        write_process_table(self.paths, {"supervisor": ProcessEntry(state="running", pid=supervisor)})
        self.announced: list[AnnounceStop] = []
        self.signals: list[tuple[int, int]] = []
        monkeypatch.setattr(orderly_stop.os, "kill", lambda pid, number: self.signals.append((pid, number)))
        self.stop = OrderlyStop(self.paths, self._announce)

    def _announce(self, body: AnnounceStop) -> int:
        self.announced.append(body)
        return len(self.announced)


@pytest.fixture
def button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Button:
    return Button(tmp_path, monkeypatch, os.getppid())


TOLD = [(os.getppid(), signal.SIGTERM)]


def test_the_supervisor_is_asked_as_soon_as_the_announcement_is_in_the_records(button: Button) -> None:
    button.stop.begin(100.0)
    button.stop.advance(100.5)
    button.stop.answered(99)
    button.stop.advance(100.6)
    assert button.signals == []
    button.stop.answered(1)
    button.stop.advance(100.7)
    button.stop.advance(100.8)

    assert button.signals == TOLD
    assert button.announced == [AnnounceStop()]


def test_a_callserver_that_is_away_holds_up_no_stop(button: Button) -> None:
    button.stop.begin(100.0)
    button.stop.advance(100.0 + ANNOUNCE_SECONDS)

    assert button.signals == TOLD


def test_nobody_but_the_supervisor_that_started_this_process_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    button = Button(tmp_path, monkeypatch, os.getpid())
    button.stop.begin(100.0)
    button.stop.advance(102.0)

    assert button.signals == []
    assert button.stop.fault is not None and button.stop.fault.code == "stop_failed"
    assert button.announced == [AnnounceStop(), AnnounceStop(stopping=False)]


def test_a_box_that_goes_on_is_a_fault_until_the_button_is_held_again(button: Button) -> None:
    button.stop.begin(100.0)
    button.stop.answered(1)
    button.stop.advance(100.1)
    button.stop.advance(100.0 + PATIENCE_SECONDS)
    assert button.stop.fault is None
    button.stop.advance(100.2 + PATIENCE_SECONDS)
    assert button.stop.fault is not None and "goes on after 10 s" in button.stop.fault.what
    assert button.announced[-1] == AnnounceStop(stopping=False)
    button.stop.begin(200.0)

    assert button.stop.fault is None


def test_the_callserver_takes_the_announcement_back_by_itself_only_after_whoever_made_it_would_have() -> None:
    assert PATIENCE_US > (ANNOUNCE_SECONDS + PATIENCE_SECONDS + 1) * 1_000_000


# ---- a real supervisor -----------------------------------------------------------------------------------------------

BOX = """
import sys
from pathlib import Path
from firmware.box.supervision.child import Plan
from firmware.box.supervision.supervisor import Supervisor
from firmware.core.paths import BoxPaths
folder = Path(sys.argv[1])
paths = BoxPaths(folder / "data", folder / "run")
paths.make()
plans = [Plan("panel", (sys.executable, "-c", sys.argv[2], sys.argv[1])),
         Plan("records", (sys.executable, "-S", "-c", "import time; time.sleep(600)"), stop_stage=1)]
Supervisor(paths, plans, say=lambda text: print(text, flush=True)).run()
print("STOPPED", flush=True)
"""
PANEL = """
import signal, sys, time
from pathlib import Path
from firmware.box.displays.orderly_stop import stop_box
from firmware.box.displays.supervised import end_in_order_with_supervisor, our_table
from firmware.core.paths import BoxPaths
folder = Path(sys.argv[1])
paths = BoxPaths(folder / "data", folder / "run")
def dark(number, frame):
    (folder / "dark").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, dark)
while not our_table(paths):
    time.sleep(0.01)
end_in_order_with_supervisor()
(folder / "lit").touch()
"""


def start(folder: Path, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BOX, str(folder), PANEL + then],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(file: Path) -> None:
    end = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < end, file
        time.sleep(0.01)


def test_a_real_supervisor_ends_the_box_in_order(tmp_path: Path) -> None:
    box = start(tmp_path, "assert stop_box(paths) is None; time.sleep(600)")
    output, _ = box.communicate(timeout=60)

    assert (box.returncode, output) == (0, "STOPPED\n")
    assert (tmp_path / "dark").exists()


def test_a_supervisor_that_is_killed_leaves_no_lamp_lit(tmp_path: Path) -> None:
    box = start(tmp_path, "time.sleep(600)")
    wait_for(tmp_path / "lit")
    box.kill()
    box.communicate(timeout=60)

    wait_for(tmp_path / "dark")
