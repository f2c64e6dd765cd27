"""Processes of the box hang while calls talk: the calls go on, the processes are started again, nothing is forgotten.

They are stopped by SIGSTOP, which no process can do anything about; what an endless loop leaves in the log is tried in
tests/box/test_hung_processes.py. The limits are shorter than those of a box, so that the test is quick.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.box.supervision.watchdog import NotifySocket
from firmware.calls.messages import BoxState, ReleaseCall
from firmware.core.messages import PeerGone
from firmware.records import tables
from tests.running import running_box
from tests.running.running_box import RunningBox, until
from tests.running.talkers import TALKS, UNTIL_CLEARED, agents, arguments, citizen, report_of, wrong_conversations

pytestmark = pytest.mark.running

SHORT_LIMITS = """
import sys
from firmware.box import cli
from firmware.box.supervision import up
up.WATCHDOG_SECONDS = up.DISK_WATCHDOG_SECONDS = 3.0
sys.exit(cli.main())
"""
TALKERS = 3
HANG = ("callserver", "recorder", "web")


def scenario(folder: Path) -> tuple[str, ...]:
    """Citizens and agents who talk in patterns until the agent hangs up."""
    citizens = [citizen(one, 1.0 + one * 0.05, [*TALKS, UNTIL_CLEARED]) for one in range(TALKERS)]
    return arguments(folder, citizens, agents(TALKERS, answer_seconds=0.2))


def state(box: RunningBox) -> BoxState | None:
    """None while the callserver is away, or does not have the gateway or the recorder yet."""
    try:
        found = box.state()
    except PeerGone:
        return None
    return found if found.gateway_connected and found.recorder_connected else None


def closed(box: RunningBox) -> list[dict[str, Any]]:
    return [row for row in box.rows(tables.recordings) if row["state"] == "closed"]


def play(box: RunningBox) -> None:
    """Callserver, recorder and web hang during the calls; when they are back the agents hang up."""
    until(lambda: box.contacts_in("talking") == TALKERS, "all talk")
    before, pids = box.state(), {name: entry.pid for name, entry in box.processes().items()}
    for name in HANG:
        os.kill(pids[name], signal.SIGSTOP)
    until(lambda: all(box.pid(name) not in (0, pids[name]) for name in HANG), "those that hang are started again")
    after = until(lambda: state(box), "the callserver has gateway and recorder")

    known = [(one.contact, one.state, one.agent, one.since) for one in after.contacts]
    assert known == [(one.contact, one.state, one.agent, one.since) for one in before.contacts]
    for name, entry in box.processes().items():
        if name in HANG:
            assert (entry.hangs, entry.restarts, entry.last_exit) == (1, 1, -signal.SIGKILL), name
        else:
            assert (entry.hangs, entry.restarts, entry.pid) == (0, 0, pids[name]), name
    told = (box.paths.logs / "supervisor.log").read_text()
    for name in HANG:
        assert re.search(rf"{name} hangs: no sign of life for \d+\.\d s", told)
        assert f"{name} has not ended within 1 s: SIGKILL" in told and f"{name} killed by SIGKILL" in told

    for one in range(1, TALKERS + 1):
        assert box.ask(ReleaseCall(str(800 + one))).error == ""
    until(lambda: len(closed(box)) == TALKERS, "the recordings are closed")
    until(box.is_healthy, "the pages are back")


def test_calls_do_not_notice_that_callserver_recorder_and_web_hang_and_none_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_box, "LINEBOX", (sys.executable, "-c", SHORT_LIMITS))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
    box = RunningBox(tmp_path, *scenario(tmp_path), greeting=[], wrap_up_seconds=300.0)
    systemd = NotifySocket(tmp_path / "systemd")
    try:
        box.start()
        supervisor = box.pid("supervisor")
        play(box)
    finally:
        box.stop()
        said = list(systemd.receive())
        systemd.close()
    assert {pid for pid, _ in said} == {supervisor}
    assert said[0][1] == b"STATUS=starting\n" and said[-1][1] == b"STOPPING=1\n"
    assert any(datagram.startswith(b"READY=1\nSTATUS=Linebox ready: http://") for _, datagram in said)

    rows = box.rows(tables.contacts)
    assert [row["result"] for row in rows] == ["answered"] * TALKERS
    assert [(row["missing"], row["contact"]) for row in closed(box)] == [(0, row["number"]) for row in rows]
    people, stalls = report_of(tmp_path)
    assert wrong_conversations(people, stalls, TALKERS, lambda one: 4.0) == []
