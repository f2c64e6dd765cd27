"""Processes of the box hang while calls talk: the calls go on, the processes are started again, nothing is forgotten.

They are stopped by SIGSTOP, which no process can do anything about; what an endless loop leaves in the log is tried in
tests/box/test_hung_processes.py. The limits are shorter than those of a box, so that the test is quick.
"""

from __future__ import annotations

import json
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
from firmware.simulator.report import read_report
from tests.running import running_box
from tests.running.running_box import RunningBox, until

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


def scenario(folder: Path) -> Path:
    """Citizens and agents who talk in patterns until the agent hangs up."""
    steps = [
        {"do": "wait", "until": "agent"},
        {"do": "talk", "pattern": True},
        {"do": "wait", "until": "cleared", "at_most_seconds": 200.0},
    ]
    citizens = [
        {
            "at_seconds": 1.0 + one * 0.05,
            "name": f"citizen-{one}",
            "calling": f"1380000{one:04d}",
            "audio": True,
            "steps": steps,
        }
        for one in range(TALKERS)
    ]
    phones = [
        {
            "extension": f"FXS-{one}",
            "behaviour": "manned",
            "agent": str(800 + one),
            "seat": str(one),
            "says": "pattern",
            "answer_seconds": 0.2,
            "ready_again_seconds": 300.0,
        }
        for one in range(1, TALKERS + 1)
    ]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": phones}))
    return path


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


def lost_samples(folder: Path) -> tuple[list[str], list[str]]:
    """What citizens and agents missed of each other, and what the simulator's clock lost in stalls of this machine."""
    people, clock = read_report(folder / "report")
    wrong = []
    for one in range(TALKERS):
        citizen, speaker = people[f"citizen-{one}"], 1001 + one
        agent = next(who for who in people.values() if who.party.role == "phone" and who.heard_pattern(speaker).runs)
        for who, whom in ((citizen, agent.party.speaker), (agent, speaker)):
            heard = who.heard_pattern(whom)
            if not heard.exactly_once or heard.last - heard.first < 4 * 8000:
                wrong.append(f"{who.party.name}: {heard}")
    return wrong, [str(entry) for entry in clock if entry.event in ("lost", "not_taken", "gap")]


def test_calls_do_not_notice_that_callserver_recorder_and_web_hang_and_none_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_box, "LINEBOX", (sys.executable, "-c", SHORT_LIMITS))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
    for attempt in range(3):
        folder = tmp_path / f"attempt-{attempt}"
        folder.mkdir()
        box = RunningBox(
            folder,
            *("--scenario", str(scenario(folder)), "--report", str(folder / "report")),
            greeting=[],
            wrap_up_seconds=300.0,
        )
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
        wrong, lost = lost_samples(folder)
        if not wrong:
            return
        assert lost, "\n".join(wrong)
        print(f"stall of this machine, played again: {wrong}, {lost}")
    pytest.fail("the machine stalled in three attempts")
