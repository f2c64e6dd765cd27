"""`linebox doctor`: every trap is found, named, and has its remedy."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.box.cli import main
from firmware.box.commands import doctor as doctor_module
from firmware.box.commands import doctor_data, doctor_machine
from firmware.box.commands.doctor import examine, report
from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.box.demonstration import write_demonstration
from firmware.box.supervision import ports
from firmware.core.configuration import keep_last_good
from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, write_process_table


@pytest.fixture
def county(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    write_demonstration(paths)
    return paths


def worst(paths: BoxPaths, check: Check) -> Finding:
    """The worst finding of a check; one that is not well has a remedy."""
    findings = examine(paths, [check])
    assert all(finding.remedy or finding.level == OK for finding in findings), findings
    return max(findings, key=lambda finding: (OK, WARN, BAD).index(finding.level))


def test_a_good_folder_has_nothing_bad(county: BoxPaths) -> None:
    findings = examine(county, doctor_data.data_checks())
    assert not [finding for finding in findings if finding.level == BAD]
    assert {"data folder", "run folder", "disk", "configuration", "ports", "box"} <= {one.check for one in findings}


def test_this_python_and_its_packages_are_well() -> None:
    paths = BoxPaths(Path("/tmp"), Path("/tmp"))
    assert worst(paths, doctor_machine.python_version).level == OK
    assert worst(paths, doctor_machine.packages).level == OK
    assert len(doctor_machine.requirements()) >= 10


@pytest.mark.parametrize(
    ("requirement", "said"),
    [("no-such-package>=1", "is not installed"), ("numpy>=999.1", "is too old, 999.1 is needed")],
)
def test_a_missing_or_old_package(monkeypatch: pytest.MonkeyPatch, requirement: str, said: str) -> None:
    monkeypatch.setattr(doctor_machine, "requirements", lambda: ["numpy>=1", requirement])
    found = worst(BoxPaths(Path("/tmp"), Path("/tmp")), doctor_machine.packages)
    assert found.level == BAD and said in found.text and "scripts/setup" in found.remedy


def test_an_unsupported_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine.sys, "version_info", (3, 10, 0))
    assert worst(BoxPaths(Path("/tmp"), Path("/tmp")), doctor_machine.python_version).level == BAD


def test_a_clock_before_this_program_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine.time, "time", lambda: 86400.0)
    found = worst(BoxPaths(Path("/tmp"), Path("/tmp")), doctor_machine.clock)
    assert found.level == BAD and "the clock says 1970-01-02 08:00:00," in found.text  # China's time, as everywhere


@pytest.mark.parametrize(("kernel", "level"), [(True, OK), (False, WARN), (None, WARN)])
def test_a_clock_that_is_not_synchronised(monkeypatch: pytest.MonkeyPatch, kernel: bool | None, level: str) -> None:
    monkeypatch.setattr(doctor_machine, "_kernel_says_synchronised", lambda: kernel)
    assert worst(BoxPaths(Path("/tmp"), Path("/tmp")), doctor_machine.clock).level == level


@pytest.mark.parametrize("free, level", [(100 << 30, OK), (1 << 30, WARN), (10 << 20, BAD)])
def test_room_on_the_disk(county: BoxPaths, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 0, free))
    monkeypatch.setattr(doctor_data.psutil, "disk_partitions", lambda all: [])
    assert worst(county, doctor_data.room).level == level


def test_a_data_folder_in_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worst(BoxPaths(Path("/dev/shm"), Path("/dev/shm")), doctor_data.room)
    assert "lost when the machine restarts" in found.text


def test_folders_that_are_open_to_others(county: BoxPaths) -> None:
    county.data.chmod(0o755)
    found = worst(county, doctor_data.folders)
    assert found.level == WARN and found.remedy.startswith(f"chmod 700 {county.data}")


def test_a_secret_that_others_can_read(county: BoxPaths) -> None:
    (county.secrets / "token.key").touch(0o644)
    (county.secrets / "token.key").chmod(0o644)
    found = worst(county, doctor_data.folders)
    assert found.level == BAD and "chmod 600" in found.remedy


def test_a_folder_that_cannot_be_written(county: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != county.data)
    found = worst(county, doctor_data.folders)
    assert found.level == BAD and "may not write" in found.text and "chown" in found.remedy


def test_a_run_folder_whose_path_is_too_long(tmp_path: Path) -> None:
    found = worst(BoxPaths(tmp_path, tmp_path / ("x" * 120)), doctor_data.folders)
    assert found.level == BAD and "LINEBOX_RUN" in found.remedy


def test_wrong_configuration_files_are_listed_and_what_is_in_force_is_said(county: BoxPaths) -> None:
    path = county.configuration / "queues.json"
    good = path.read_text()
    path.write_text(good.replace('"title"', '"titel"'))
    texts = [finding.text for finding in examine(county, [doctor_data.configuration])]
    assert sum('unknown key "titel"' in text for text in texts) == 3
    assert "there is no last good configuration: the box cannot start" in texts
    path.write_text(good)
    keep_last_good(county)
    path.write_text("{")
    texts = [finding.text for finding in examine(county, [doctor_data.configuration])]
    assert "the last good configuration stays in force meanwhile" in texts


def test_an_empty_folder_will_be_set_up(tmp_path: Path) -> None:
    assert worst(BoxPaths(tmp_path / "new", tmp_path / "run"), doctor_data.configuration).level == OK


def test_a_port_that_another_program_has(county: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor_data, "WEB_PORT", port)
        monkeypatch.setattr(ports, "is_free", lambda wanted, udp=False: wanted != port)
        found = worst(county, doctor_data.network_ports)
    assert found.level == WARN and f"(process {os.getpid()})" in found.text


@pytest.mark.parametrize(
    ("entry", "level", "said"),
    [
        (ProcessEntry(state="running", pid=os.getpid()), OK, "web runs"),
        (ProcessEntry(state="running", pid=os.getpid(), restarts=3), WARN, "after 3 restarts"),
        (ProcessEntry(state="restarting", restarts=9), BAD, "web does not run"),
        (ProcessEntry(state="waiting"), WARN, "waits for a part"),
    ],
)
def test_the_processes_of_a_running_box(county: BoxPaths, entry: ProcessEntry, level: str, said: str) -> None:
    write_process_table(county, {"web": entry})
    assert worst(county, doctor_data.processes).text == "no box runs on this data folder"
    with open(county.supervisor_lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = worst(county, doctor_data.processes)
    assert found.level == level and said in found.text


def test_a_check_that_fails_itself_is_a_finding_and_the_others_go_on(county: BoxPaths) -> None:
    def fails(paths: BoxPaths) -> Iterator[Finding]:
        raise OSError(28, "No space left on device")
        yield

    findings = examine(county, [fails, doctor_data.processes])
    assert findings[0].level == BAD and "make room" in findings[0].remedy and findings[1].check == "box"


def test_the_report_reads_well() -> None:
    text = report(
        [Finding("disk", OK, "much"), Finding("clock", WARN, "late", "set it"), Finding("sip", BAD, "no", "build")]
    )
    assert text.splitlines()[0] == "ok    disk          much"
    assert text.splitlines()[2].strip() == "remedy: set it" and text.splitlines()[-1] == "1 bad, 1 to look at"


def test_the_command_tells_programs_too_and_fails_if_anything_is_bad(
    county: BoxPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEBOX_RUN", str(county.run))
    monkeypatch.setattr(doctor_module, "machine_checks", lambda: (doctor_machine.python_version,))
    assert main(["doctor", "--data", str(county.data), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bad"] is False and told["findings"][0]["check"] == "python"
    (county.configuration / "seats.json").write_text("{")
    assert main(["doctor", "--data", str(county.data)]) == 1
    assert "bad   configuration seats.json, line 1" in capsys.readouterr().out
