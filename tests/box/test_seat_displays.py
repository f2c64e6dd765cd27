"""What a person at a seat reads through one call's life: on the Chinese display beside the phone and on the phone.

Real processes: gateway, callserver, display process. The display is a pseudo terminal that keeps a screen; the phone's
audio is heard as the phone hears it: FSK between the first and the second ring, and while it lies on its hook.
"""

from __future__ import annotations

import io
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from boards.base import Block
from boards.signals import Connect, HookChange, Release, Ring, Setup, Signal
from firmware.box.commands.cti_request import ask
from firmware.box.demonstration import demonstration_documents
from firmware.calls.messages import (
    AnyRequestBody,
    BoxState,
    GetBoxState,
    ReloadConfiguration,
    SetNotReady,
    SetReady,
    SignIn,
)
from firmware.core.configuration import save_subjects
from firmware.core.faults import Fault
from firmware.media import codec
from firmware.tones.caller_id import read_message
from firmware.tones.fsk import FskDetector
from tests.box.running_gateway import FIRST_PHONE, ROOT, RunningGateway, silence
from tests.drivers.simulated_serial_display import SerialScreen

PHONE = FIRST_PHONE
CITIZEN = "09118888888"


class Line(threading.Thread):
    """The far end of the board: moves a block every 10 ms, keeps what the phone hears, and signals. A stalled machine
    makes it late, not lossy: it is the clock, and sends no block before the one before it was answered."""

    def __init__(self, gateway: RunningGateway) -> None:
        super().__init__(name="line")
        self._gateway = gateway
        self.heard: list[Block] = []
        """Blocks that the phone heard."""
        self._to_signal: list[Signal] = []
        self._lock = threading.Lock()
        self._ending = False

    def signal(self, one: Signal) -> None:
        with self._lock:
            self._to_signal.append(one)

    def said(self, kind: type[Signal], channel: int) -> int:
        return sum(isinstance(one, kind) and one.channel == channel for one in list(self._gateway.e1.signals))

    def run(self) -> None:
        due, answered = time.monotonic(), True
        far = self._gateway.e1
        assert far.link is not None
        while not self._ending:
            if answered:
                due = max(due + 0.01, time.monotonic())
                time.sleep(max(0.0, due - time.monotonic()))
                with self._lock:
                    signals, self._to_signal = self._to_signal, []
                far.signal(*signals)
                far.block(silence())
            select.select([far.link.fileno()], [], [], 0.005)
            far.look()
            answered = bool(far.blocks)
            self.heard += [packet.samples[PHONE].copy() for packet in far.blocks]
            far.blocks.clear()

    def end(self) -> None:
        self._ending = True
        self.join()

    def told(self) -> list[tuple[str, str]]:
        """(number, text) of each message that the phone was sent, in order."""
        detector = FskDetector(1)
        found = []
        for block in list(self.heard):
            for message in detector.process(codec.decode(block)[None], np.zeros(1, dtype=np.intp)):
                assert message.intact
                caller = read_message(message.kind, message.content)
                found.append((caller.number, caller.name))
        return found


class Office:
    """Callserver and display process on the data folder of a running gateway."""

    def __init__(self, gateway: RunningGateway, screen: SerialScreen, folder: Path) -> None:
        self.paths = gateway.paths
        self.screen = screen
        self.documents = documents = demonstration_documents("a password for tests")
        documents["seats"] = [
            {
                "seat": "1",
                "extension": "FXS-1",
                "phone_display": True,
                "display": {"kind": "serial", "device": screen.path, "columns": screen.columns, "rows": screen.rows},
            },
            # Nothing is there: it must be told, and harm nobody.
            {"seat": "2", "extension": "FXS-2", "display": {"kind": "hd44780", "device": "/dev/i2c-none"}},
        ]
        for service in documents["services"]:
            service["greeting"] = ["tone:zip"]
        for queue in documents["queues"]:
            queue["wrap_up_seconds"] = 3
        save_subjects(self.paths, documents)
        self._environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run), "PYTHONPATH": str(ROOT)}
        self._log = (folder / "processes.log").open("wb+")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start("callserver")
        self.start("displays")

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", f"firmware.box.{name}.process", "--data", str(self.paths.data)]
        self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=self._environment, stderr=self._log)

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(60)

    def close(self) -> None:
        for name in list(self.processes):
            self.stop(name)
        self._log.close()

    def ask(self, body: AnyRequestBody) -> None:
        assert ask(self.paths, body, "test").error == ""

    def state(self) -> BoxState:
        state = ask(self.paths, GetBoxState(), "test").state
        assert state is not None
        return state

    def until(self, true: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                self._log.seek(0)
                raise AssertionError(f"{what}; the screen shows {self.screen.read()}\n{self._log.read().decode()}")
            time.sleep(0.02)

    def reads(self, *rows: str) -> None:
        """Wait until the person at seat 1 reads this, every row as wide as the display."""
        wanted = list(rows)
        assert [len(row.encode("gb2312")) for row in wanted] == [self.screen.columns] * self.screen.rows
        self.until(lambda: self.screen.read() == wanted, f"the display shows {wanted}")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path)
    yield running
    running.close()


@pytest.fixture
def line(gateway: RunningGateway) -> Iterator[Line]:
    gateway.greeted()
    moving = Line(gateway)
    moving.start()
    yield moving
    moving.end()


@pytest.fixture
def screen() -> Iterator[SerialScreen]:
    made = SerialScreen(20, 2)
    yield made
    made.close()


@pytest.fixture
def office(gateway: RunningGateway, line: Line, screen: SerialScreen, tmp_path: Path) -> Iterator[Office]:
    made = Office(gateway, screen, tmp_path)
    yield made
    made.close()


def call(office: Office, line: Line) -> None:
    """A citizen calls and is offered to seat 1."""
    rings = line.said(Ring, PHONE)
    line.signal(Setup(0, "12345", CITIZEN, "王芳"))
    office.until(lambda: line.said(Ring, PHONE) > rings, "the phone rings")


def test_a_person_reads_what_the_seat_is_about(office: Office, line: Line) -> None:
    office.reads("未签入              ", "排队0               ")
    office.ask(SignIn("801", "1"))
    office.ask(SetReady("801"))
    office.reads("示闲 排队0 工号801  ", " " * 20)
    office.until(lambda: line.told()[-1:] == [("0", "示闲 排队0 工号801")], "the phone shows the same")

    call(office, line)
    office.reads("来话 09118888888    ", "王芳 延安 首次      ")
    office.until(lambda: line.told()[-1] == (CITIZEN, "王芳 延安 首次"), "the phone shows who calls")
    line.signal(HookChange(PHONE, True))
    office.reads("通话 09118888888    ", "王芳 延安 首次      ")

    line.signal(Release(0))
    office.reads("事后处理 排队0      ", "工号801             ")
    line.signal(HookChange(PHONE, False))
    office.reads("示闲 排队0 工号801  ", " " * 20)
    assert line.said(Connect, 0) == 1

    call(office, line)
    office.reads("来话 09118888888    ", "王芳 延安 第2次     ")
    told = line.told()
    office.until(lambda: line.told()[-1] == (CITIZEN, "王芳 延安 第2次"), "the phone counts, too")
    assert len(told) <= 5, "an idle text is not sent again and again"
    assert line.said(Release, 0) == 1
    _minimodem_agrees(line)


def _minimodem_agrees(line: Line) -> None:
    """An independent receiver reads the caller from what the phone heard."""
    if shutil.which("minimodem") is None:
        return
    file = io.BytesIO()
    soundfile.write(file, codec.decode(np.concatenate(line.heard)).astype(np.int16), 8000, format="WAV")
    command = ["minimodem", "--rx", "-q", "callerid", "-f", "/dev/stdin"]
    run = subprocess.run(command, input=file.getvalue(), capture_output=True, check=True)
    said = run.stdout.decode("gb18030", "replace").split()
    assert CITIZEN in said and "第2次" in said, said


def test_displays_that_fail_are_told_and_the_others_go_on(office: Office, line: Line) -> None:
    office.reads("未签入              ", "排队0               ")

    def problems() -> dict[str, Fault]:
        return {seat.seat: seat.display_fault for seat in office.state().seats if seat.display_fault}

    office.until(lambda: "2" in problems(), "the missing display is told")
    second = problems()["2"]
    assert (second.code, second.place) == ("display_no_bus", "/dev/i2c-none")
    assert "1" not in problems()

    office.stop("callserver", signal.SIGKILL)
    office.reads("暂无连接            ", " " * 20)
    office.start("callserver")
    office.reads("未签入              ", "排队0               ")
    office.until(lambda: "2" in problems(), "the new callserver is told again")
    office.ask(SignIn("801", "1"))
    office.ask(SetNotReady("801", "meal"))
    office.reads("示忙 排队0 工号801  ", " " * 20)

    del office.documents["seats"][1]["display"]
    office.documents["seats"][0]["display"]["rows"] = 1
    save_subjects(office.paths, office.documents)
    office.ask(ReloadConfiguration())
    office.until(lambda: not problems(), "a display that is configured no more fails no more")
    office.reads("示忙 排队0 工号801  ", " " * 20)

    office.stop("displays")
    office.reads("暂无连接            ", " " * 20)
