"""The archive beside a running callserver: retention, legal hold, compressed copies, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.box import cli
from firmware.box.commands.cti_request import is_running
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.records.database import open_for_reading
from firmware.records.queries import recording_of_call
from firmware.records.retention import DAY_US
from tests.records.closed_recordings import BOX, REGION, DataFolder
from tests.running import running_box


def until(true: Callable[[], Any], what: str) -> None:
    """The archive works only when the machine has nothing else to do."""
    running_box.until(true, what, 120.0)


class ArchiveBox:
    """Five recordings, 500, 400, 300, 200 and 1 days old; callserver and archive as processes."""

    def __init__(self, folder: Path) -> None:
        self.data = DataFolder(folder)
        self.paths: BoxPaths = self.data.paths
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        now_us = time.time_ns() // 1000
        for days in (500, 400, 300, 200, 1):
            self.data.record(at_utc_us=now_us - days * DAY_US)
        self.data.close()

    def configure(self, **recordings: Any) -> None:
        documents = demonstration_documents("not used in tests")
        documents["box"][0] |= {"box_id": BOX, "region": REGION, "recordings": {"reserve_mb": 1, **recordings}}
        save_subjects(self.paths, documents)

    def start(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"firmware.box.{module}.process", "--data", str(self.paths.data), *arguments]
        environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run)}
        with (self.paths.logs / f"{module}.log").open("ab") as log:
            self._processes[module] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def end(self, module: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self._processes.pop(module)
        process.send_signal(how)
        process.wait(20)

    def close(self) -> None:
        for module in list(self._processes):
            self.end(module, signal.SIGKILL)

    def links(self) -> list[tuple[str, int, str, str]]:
        rows = self.data.rows("recording_chain")
        return [(row["kind"], row["recording"], row["by"], row["reason"]) for row in rows][5:]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.paths.recordings.iterdir())

    def command(self, *arguments: str) -> int:
        return cli.main([*arguments, "--data", str(self.paths.data)])


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveBox]:
    box = ArchiveBox(tmp_path)
    monkeypatch.setenv("LINEBOX_RUN", str(box.paths.run))
    yield box
    box.close()


def run(box: ArchiveBox, **recordings: Any) -> None:
    box.configure(**recordings)
    box.start("callserver")
    until(lambda: is_running(box.paths), "the callserver listens")


def test_retention_deletes_the_oldest_by_rule_but_not_what_is_on_hold(
    box: ArchiveBox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(box, keep_days=250, compress=False)
    assert box.command("recordings", "hold", "2", "--reason", "court 17/2026") == 0
    box.start("archive", "--every", "0.1")

    until(lambda: box.files() == ["2.au", "4.au", "5.au"], "what is due is gone")

    assert box.links() == [
        ("held", 2, "linebox recordings", "court 17/2026"),
        ("deleted", 1, "archive", "age"),
        ("deleted", 3, "archive", "age"),
    ]
    code, report = box.data.verify(capsys)
    assert (code, report["recordings"], report["deleted"]) == (0, 3, 2)

    assert box.command("recordings", "delete", "2", "--reason", "by mistake") == 1
    assert "on legal hold" in capsys.readouterr().err
    assert box.command("recordings", "release", "2", "--reason", "case closed") == 0
    until(lambda: box.files() == ["4.au", "5.au"], "what was released is due as well")
    assert box.links()[-1] == ("deleted", 2, "archive", "age")


def test_finished_recordings_are_compressed_and_later_kept_as_copies_alone(
    box: ArchiveBox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(box, raw_days=250)
    box.start("archive", "--every", "0.1")

    copies = [f"{number}.flac" for number in range(1, 6)]
    until(lambda: box.files() == sorted([*copies, "4.au", "5.au"]), "all are copied, the old ones are copies alone")

    code, report = box.data.verify(capsys)
    assert (code, report["recordings"], report["copies"], report["derivative_only"]) == (0, 2, 5, 3)
    engine = open_for_reading(box.paths.calls_database)
    with engine.connect() as connection:
        first, last = recording_of_call(connection, 1), recording_of_call(connection, 5)
    engine.dispose()
    assert first is not None and last is not None
    assert (first.file, first.deleted, last.file) == ("1.flac", False, "5.au")


def test_a_person_deletes_a_recording_with_its_copy(box: ArchiveBox, capsys: pytest.CaptureFixture[str]) -> None:
    run(box)
    box.start("archive", "--every", "0.1")
    until(lambda: [link[0] for link in box.links()] == ["closed"] * 5, "all are copied")

    assert box.command("recordings", "delete", "5", "--reason", "asked by the citizen") == 0

    until(lambda: not {"5.au", "5.flac"} & set(box.files()), "both files are gone")
    assert [link[0] for link in box.links()[-2:]] == ["deleted", "deleted"]
    assert box.command("recordings", "delete", "5", "--reason", "again") == 1
    assert box.command("recordings", "delete", "77", "--reason", "none") == 1
    assert box.data.verify(capsys)[0] == 0


def test_what_is_so_already_is_refused_and_leaves_no_trace(box: ArchiveBox, capsys: pytest.CaptureFixture[str]) -> None:
    run(box)

    def decide(decision: str, reason: str) -> tuple[int, str]:
        code = box.command("recordings", decision, "2", "--reason", reason)
        return code, "".join(capsys.readouterr())

    assert decide("release", "never held") == (
        1,
        "linebox: recording 2 is not on legal hold: there was nothing to release\n  remedy: check the number\n",
    )
    assert decide("hold", "court 17/2026") == (0, "recording 2 is on hold\n")
    code, said = decide("hold", "court 18/2026")
    assert code == 1 and said.startswith("linebox: recording 2 is on legal hold already\n  remedy: nothing was changed")
    assert decide("release", "case closed") == (0, "recording 2 is released\n")
    assert decide("release", "again")[0] == 1
    assert decide("delete", "asked by the citizen") == (0, "recording 2 is deleted\n")
    code, said = decide("delete", "again")
    assert code == 1 and said.startswith("linebox: recording 2 was deleted before\n")
    code, said = decide("hold", "too late")
    assert code == 1 and said.startswith("linebox: recording 2 was deleted before\n")

    assert [(kind, reason) for kind, _, _, reason in box.links()] == [
        ("held", "court 17/2026"),
        ("released", "case closed"),
        ("deleted", "asked by the citizen"),
    ]


def test_a_killed_archive_begins_again_where_it_was(box: ArchiveBox, capsys: pytest.CaptureFixture[str]) -> None:
    run(box, raw_days=250)
    for _ in range(6):
        before = box.files()
        box.start("archive", "--every", "0.02")
        until(lambda before=before: box.files() != before or len(box.files()) >= 7, "it does something")  # type: ignore[misc]
        box.end("archive", signal.SIGKILL)
    (box.paths.recordings / "9.flac.part").write_bytes(b"left over")
    box.start("archive", "--every", "0.1")

    done = sorted([*(f"{number}.flac" for number in range(1, 6)), "4.au", "5.au"])
    until(lambda: box.files() == done, "all is done and nothing is left over")

    assert box.data.verify(capsys)[0] == 0


def test_while_a_call_is_recorded_nothing_is_compressed(box: ArchiveBox) -> None:
    box.data.open()
    box.data.sql("UPDATE recordings SET state = 'open', samples = NULL WHERE number = 5")
    box.data.close()
    run(box, keep_days=450)
    box.start("archive", "--every", "0.05")
    until(lambda: "1.au" not in box.files(), "the archive has had a turn")
    assert box.command("recordings", "delete", "2", "--reason", "to see another turn") == 0
    until(lambda: "2.au" not in box.files(), "and another")

    assert box.files() == ["3.au", "4.au", "5.au"]
