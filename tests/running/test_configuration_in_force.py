"""Five kinds of broken configuration at once, on a running box: all errors are told, and the last good one stays in
force, also for processes that start anew meanwhile. Files that are right again come into force without a restart.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.core.messages import PeerGone
from tests.running.running_box import LINEBOX, RunningBox, until
from tests.running.strangers import Service

pytestmark = pytest.mark.running

NEW_TITLE = "综合（新）"


def edit(path: Path, change: Any) -> None:
    """A person edits a file: what is written is what `change` gives for the documents, or bytes as they are."""
    text = path.read_text()
    if isinstance(change, tuple):
        old, new = change
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return
    tables = json.loads(text)
    change(tables[path.stem])
    path.write_text(json.dumps(tables, ensure_ascii=False, indent=2))


def break_everything(folder: Path) -> None:
    """Syntax, an unknown key, a wrong type, a reference into nothing, and things that may stand only once."""

    def services(documents: dict[str, Any]) -> None:
        documents["1"]["queue"] = "genral"
        documents["2"]["default"] = True

    def queues(documents: dict[str, Any]) -> None:
        documents["1"]["offer_second"] = documents["1"].pop("offer_seconds")
        documents["1"]["title"] = "never in force"
        documents["2"]["wrap_up_seconds"] = "ten"

    def seats(documents: dict[str, Any]) -> None:
        documents["2"]["extension"] = documents["1"]["extension"]

    edit(folder / "services.json", services)
    edit(folder / "queues.json", queues)
    edit(folder / "seats.json", seats)
    edit(folder / "menus.json", ("}", "},"))


TOLD = (
    # (file and place, what, expected or nearest right name, remedy)
    ("menus.json, line ", "this is not JSON", "", "remedy: "),
    (
        'services.json, document 1 (12345), field queue: there is no queue "genral"',
        "one of ",
        'did you mean "general"?',
        "correct the name",
    ),
    ("services.json, document 2 (12346): is a second default service", "exactly one", "", 'set "default": false'),
    (
        'queues.json, document 1 (general): unknown key "offer_second"',
        "",
        'did you mean "offer_seconds"?',
        "correct the name",
    ),
    (
        'queues.json, document 2 (consult), field wrap_up_seconds: the value is "ten"',
        "expected seconds, 0 to a day",
        "",
        "",
    ),
    (
        'seats.json, document 2 (2), field extension: the extension "FXS-1" is used twice',
        "first in document 1 (1)",
        "",
        "give each its own",
    ),
)


def linebox(box: RunningBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*LINEBOX, *arguments, "--data", str(box.paths.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def not_told(text: str) -> list[str]:
    return [one for words in TOLD for one in words if one not in text]


def all_are_told(text: str) -> None:
    for one in not_told(text):
        raise AssertionError(f"{one!r} is not in:\n{text}")
    assert "Traceback" not in text
    assert text.count(".json, ") == len(TOLD), text


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.box.stop()


def queue_titles(box: RunningBox) -> dict[str, str]:
    """As the callserver has them, and the same as the pages give."""
    titles = {queue.queue: queue.title for queue in box.state().queues}
    shown = {queue["queue"]: queue["title"] for queue in box.json("/api/v1/state")["queues"]}
    return titles if titles == shown else {}


def test_broken_files_are_refused_as_a_whole_and_the_last_good_ones_stay_in_force(service: Service) -> None:
    box, folder = service.box, service.box.paths.configuration
    good = {path.name: path.read_text() for path in folder.glob("*.json")}
    before = queue_titles(box)
    assert before["general"] == "综合"

    # All wrong at once: refused with every error, and nothing changes.
    break_everything(folder)
    refused = linebox(box, "reload")
    assert refused.returncode == 1
    assert "configuration_wrong" in refused.stderr and "the one before stays in force" in refused.stderr
    all_are_told(refused.stderr)
    checked = linebox(box, "config", "check")
    assert checked.returncode == 1
    all_are_told(checked.stdout)
    service.goes_on()
    assert queue_titles(box) == before

    # Processes that die now come back with the last good configuration, and say so.
    service.mark_logs()
    for name in ("callserver", "web"):
        box.kill(name)
        until(lambda: talks(service), "the call that was up talks on")
    box.kill("gateway")
    until(lambda: ready(box), "the box takes calls again")
    for name in ("callserver", "gateway"):
        service.says(name, "the configuration files are wrong, the last good configuration is in force")
        until(lambda name=name: not not_told(service.said(name)), f"{name} tells them all")
        all_are_told(service.said(name))
    service.says("web", "the last good one is used")
    assert until(lambda: queue_titles(box), "pages and callserver agree") == before
    service.takes_calls()

    # Only some are corrected: still refused, with what is left.
    for name in ("menus.json", "services.json", "seats.json"):
        (folder / name).write_text(good[name])
    refused = linebox(box, "reload")
    assert refused.returncode == 1
    assert "2 problems in the configuration" in refused.stderr and "menus.json" not in refused.stderr

    # Right again, with another title: in force at once, everywhere, with no process restarted.
    (folder / "queues.json").write_text(
        good["queues.json"].replace('"综合"', json.dumps(NEW_TITLE, ensure_ascii=False))
    )
    pids = {name: entry.pid for name, entry in box.processes().items()}
    taken = linebox(box, "reload")
    assert (taken.returncode, taken.stdout) == (0, "The configuration is in force.\n"), taken.stderr
    assert box.state().queues[0].title == NEW_TITLE
    until(lambda: queue_titles(box).get("general") == NEW_TITLE, "the pages have the new title too")
    assert {name: entry.pid for name, entry in box.processes().items()} == pids
    service.takes_calls()

    # It is the last good one now.
    break_everything(folder)
    box.kill("callserver")
    until(lambda: ready(box), "the box takes calls again")
    assert box.state().queues[0].title == NEW_TITLE


def ready(box: RunningBox) -> bool:
    try:
        state = box.state()
    except PeerGone:
        return False
    return state.gateway_connected and state.recorder_connected and box.is_healthy()


def talks(service: Service) -> bool:
    """The call that was up, with the gateway that holds it."""
    try:
        return service.box.state().gateway_connected and service.long_call_talks()
    except PeerGone:
        return False
