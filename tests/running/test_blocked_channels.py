"""Channels that are taken out of service by hand, on the running box: by command, by REST, through its restarts."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.core.configuration import load_configuration
from firmware.core.messages import PeerGone
from firmware.records import tables
from tests.running.running_box import LINEBOX, RunningBox, until

pytestmark = pytest.mark.running

OPEN = "E1-1/5"
CALLS = 600
"""More than the test needs on any machine: they go on for five minutes."""


def scenario() -> dict[str, Any]:
    """A short call every half second, on the channel after that of the call before."""
    steps = [
        {"do": "wait", "until": "answered", "at_most_seconds": 5.0},
        {"do": "hang_up"},
    ]
    return {
        "citizens": [
            {"at_seconds": 0.5 + one / 2, "calling": f"138001{one:05}", "audio": False, "steps": steps}
            for one in range(CALLS)
        ]
    }


@pytest.fixture
def box(tmp_path: Path) -> Iterator[RunningBox]:
    plan = tmp_path / "scenario.json"
    plan.write_text(json.dumps(scenario()))
    box = RunningBox(tmp_path, "--scenario", str(plan))
    box.start()
    yield box
    box.stop()


def linebox(box: RunningBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*LINEBOX, *arguments, "--data", str(box.paths.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def change(box: RunningBox, label: str, to: str, body: dict[str, str]) -> Any:
    """Block or unblock by REST, once the pages know call control (which a restart of it takes from them)."""
    until(box.is_healthy, "the pages know call control")
    return box.post(f"/api/v1/lines/{urllib.parse.quote(label, safe='')}/{to}", body)


def states(box: RunningBox) -> dict[str, str]:
    """Of the simulated board's channels; none while the callserver starts, or knows no gateway yet."""
    try:
        return {one.label: one.state for one in box.state().channels if one.board == "sim"}
    except PeerGone:
        return {}


def test_blocked_channels_stay_blocked_and_are_passed_over_when_gateway_and_callserver_start_anew(
    box: RunningBox,
) -> None:
    told = linebox(box, "channels", "block", "E1-1/1-E1-1/3", "E1-1/6-E1-1/31", "FXS-1", "--reason", "换线")
    assert told.returncode == 0, told.stderr
    assert change(box, "E1-1/4", "block", {"reason": "换线"})["channel"]["block"]["reason"] == "换线"
    blocked = {label for label in states(box) if label != OPEN and label.startswith("E1")} | {"FXS-1"}

    def all_blocked() -> bool:
        return {label for label, state in states(box).items() if state == "blocked"} == blocked

    until(all_blocked, "all but one are blocked")
    box.kill("gateway")
    box.kill("callserver")
    until(all_blocked, "they are blocked again")

    seen = len(box.rows(tables.legs))
    later = until(lambda: box.rows(tables.legs)[seen:], "a citizen calls")
    assert {leg["channel_label"] for leg in later} == {OPEN}
    assert {one.channel for one in load_configuration(box.paths).blocked_channels} == blocked

    assert change(box, "E1-1/4", "unblock", {})["channel"]["block"] is None
    until(lambda: states(box).get("E1-1/4", "blocked") != "blocked", "it is given back")
    wrong = linebox(box, "channels", "unblock", "E1-1/16", "FXS1")
    assert wrong.returncode == 1
    assert "E1-1/16: slot 16 of an E1 carries the signalling" in wrong.stderr and '"FXS-1"?' in wrong.stderr
    assert "E1-1/31  trunk           blocked  换线 (linebox channels, " in linebox(box, "channels").stdout
