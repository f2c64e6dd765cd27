"""A process of the box that waits for nothing at all leaves at once when it is told to end, and not when its wait is
over. Whether all have stored what they had is in tests/running/test_ordered_stop.py.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from firmware.box.archive import process as archive_process
from firmware.box.archive.process import Archive
from firmware.box.callserver.process import CallServerProcess
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.messages import accept, listen
from firmware.core.paths import BoxPaths
from firmware.records.database import open_database

AN_HOUR = 3600.0
PATIENCE = 20.0


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used in tests"))
    return paths


def assert_ends(one: threading.Thread) -> None:
    one.join(PATIENCE)
    assert not one.is_alive()


def test_a_callserver_that_waits(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    callserver = CallServerProcess(paths)
    waits = threading.Event()

    def for_an_hour() -> float:
        waits.set()
        return AN_HOUR

    monkeypatch.setattr(callserver, "_patience", for_an_hour)
    loop = threading.Thread(target=callserver.run, daemon=True)
    loop.start()
    assert waits.wait(PATIENCE)

    callserver.stop()

    assert_ends(loop)


def test_what_the_gateway_said_before_the_callserver_was_told_to_end_is_heard(
    paths: BoxPaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    callserver = CallServerProcess(paths)
    with listen(paths.gateway_socket) as listener:

        def between_two_turns() -> None:
            """The gateway ends, and the signal comes before the next look at its connection."""
            gateway = accept(listener, bytes)
            assert gateway is not None
            gateway.close()
            callserver.stop()

        monkeypatch.setattr(callserver, "_watch_reserve", between_two_turns)
        callserver.run()

    assert "the gateway has gone" in caplog.text


def test_an_archive_that_rests_and_comes_before_others_then(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(paths.calls_database).dispose()
    steps: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, parameters: steps.append((pid, policy)))
    monkeypatch.setattr(os, "setpriority", lambda which, who, priority: steps.append((which, priority)))
    archive = Archive(paths)
    rests = threading.Event()
    monkeypatch.setattr(archive_process, "_now_us", lambda: rests.set() or 0)
    loop = threading.Thread(target=archive.run, args=(AN_HOUR,), daemon=True)
    loop.start()
    assert rests.wait(PATIENCE)

    archive.end()

    assert_ends(loop)
    assert steps == [(0, os.SCHED_OTHER), (os.PRIO_PROCESS, 0)]
