"""Start and ordered stop are no breakdown: the box starts, calls talk and wait, it is stopped, and no log warns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.running.running_box import RunningBox, until
from tests.running.stalls import played_again_after_a_stall

pytestmark = pytest.mark.running

_WARNING = re.compile(r"^<1(28|29|30|31|32)>")
"""RFC 5424: local0, severity 0 to 4."""
TALKERS, WAITERS = 2, 1


def scenario(folder: Path) -> Path:
    talk = [
        {"do": "wait", "until": "answered"},
        {"do": "wait", "until": "agent"},
        {"do": "talk", "pattern": True},
        {"do": "wait", "until": "cleared", "at_most_seconds": 200.0},
    ]
    citizens = [
        {
            "at_seconds": 2.0 + one * 0.1,
            "name": f"citizen-{one}",
            "calling": f"1380000{one:04d}",
            "steps": talk,
            "audio": True,
        }
        for one in range(TALKERS + WAITERS)
    ]
    phones = [
        {"extension": f"FXS-{one}", "behaviour": "manned", "agent": str(800 + one), "seat": str(one), "says": "pattern"}
        for one in range(1, TALKERS + 1)
    ]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": phones}))
    return path


def log_lines(box: RunningBox) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in box.paths.logs.glob("*.log")}


@played_again_after_a_stall
def test_a_start_and_an_ordered_stop_in_the_middle_of_calls_write_no_warning(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("box")
    box = RunningBox(folder, "--scenario", str(scenario(folder)))
    box.start()
    try:
        until(lambda: box.contact_states() == {"talking": TALKERS, "queued": WAITERS}, "two talk, one waits")
    finally:
        box.stop()

    # A stall of this machine is news.
    said = {name: [line for line in lines if "lines has gaps" not in line] for name, lines in log_lines(box).items()}
    assert any("gateway has gone" in line for line in said["callserver.log"]), "it is still told"
    assert [(name, line) for name, lines in said.items() for line in lines if _WARNING.match(line)] == []
    assert [line.partition(" ")[2] for line in said["supervisor.log"]][1:] == ["Linebox stopped."]
