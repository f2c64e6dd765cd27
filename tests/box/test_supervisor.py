"""The supervisor with tiny stand-ins for the processes: restart, back-off, the end in order, nobody outlives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.box.supervision.child import BACK_OFF_SECONDS, STEADY_SECONDS, RestartPolicy, ended_how, last_line
from firmware.box.supervision.log_file import LogFile
from firmware.core.paths import BoxPaths
from firmware.core.process_table import read_process_table
from tests.box.supervised_box import STAYS, Start, alive, boxes, python

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with boxes(tmp_path) as begin:
        yield begin


def test_a_process_that_is_killed_is_started_again_at_once_and_it_is_said(start: Start) -> None:
    for _ in range(5):  # the machine may stall in one
        box = start(python("gateway", STAYS), python("web", STAYS))
        first, other = box.pid("gateway"), box.pid("web")
        began = time.monotonic()
        os.kill(first, signal.SIGKILL)
        box.until(lambda box=box, first=first: read_process_table(box.paths)["gateway"].pid not in {0, first})
        if (took := time.monotonic() - began) < 2.0:
            break
        box.end()
    assert took < 2.0
    entry = read_process_table(box.paths)["gateway"]
    assert (entry.restarts, entry.last_exit, entry.state) == (1, -9, "running")
    assert read_process_table(box.paths)["web"].pid == other and alive(other), "the others are left alone"
    assert "gateway killed by SIGKILL after" in box.output() and "restarting now (restart 1)" in box.output()


def test_one_that_keeps_dying_is_started_ever_more_slowly_and_its_last_words_are_explained(start: Start) -> None:
    dies = "raise OSError(98, 'Address already in use')"
    box = start(python("web", dies), python("gateway", STAYS))
    box.until(lambda: "(restart 3)" in box.output())
    output = box.output()
    assert "restarting now (restart 1)" in output
    assert "restarting in 0.25 s (restart 2)" in output and "restarting in 0.5 s (restart 3)" in output
    assert "it said last: OSError: [Errno 98] Address already in use" in output
    assert "cause: another program listens at this port" in output and "remedy: " in output
    assert alive(box.pid("gateway"))
    assert "Traceback" in box.log("web"), "the whole story is in its log"


def test_back_off_grows_to_two_seconds_and_is_forgotten_by_a_steady_life() -> None:
    policy = RestartPolicy()
    assert [policy.wait_after(0.1) for _ in range(7)] == [*BACK_OFF_SECONDS, 2.0, 2.0]
    assert policy.wait_after(STEADY_SECONDS) == 0.0
    assert policy.wait_after(0.1) == 0.25


def test_one_that_never_comes_up_does_not_fill_the_terminal(start: Start) -> None:
    box = start(python("web", "raise SystemExit('no')"), environment={"NO_WAITING": "1"})
    box.until(lambda: read_process_table(box.paths)["web"].restarts > 20 if read_process_table(box.paths) else False)
    said = [line for line in box.output().splitlines() if "web ended with code 1" in line]
    assert len(said) == 5 and "web keeps ending" in box.output()


def test_a_program_that_does_not_exist_is_said_and_the_others_run(start: Start) -> None:
    box = start({"name": "recorder", "command": ["/does/not/exist"]}, python("gateway", STAYS))
    assert alive(box.pid("gateway"))
    box.until(lambda: "recorder could not be started" in box.output())


def test_ready_is_said_once_when_nothing_is_missing_any_more(start: Start) -> None:
    box = start(python("gateway", STAYS), needs=("a", "b"))
    box.pid("gateway")
    (box.paths.run / "a").touch()
    assert "READY" not in box.output()
    (box.paths.run / "b").touch()
    box.until(lambda: "READY" in box.output())
    os.kill(box.pid("gateway"), signal.SIGKILL)
    box.until(lambda: "(restart 1)" in box.output())
    assert box.output().count("READY") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_all_and_exits_well(start: Start, number: int) -> None:
    box = start(python("gateway", STAYS), python("web", STAYS))
    pids = [box.pid("gateway"), box.pid("web")]
    assert box.end(number) < 3.0
    assert box.process.returncode == 0 and "STOPPED" in box.output() and "Traceback" not in box.output()
    assert not any(alive(pid) for pid in pids)
    assert {entry.state for name, entry in read_process_table(box.paths).items() if name != "supervisor"} == {"stopped"}


def test_those_who_keep_the_records_are_stopped_last(start: Start, tmp_path: Path) -> None:
    notes = (
        "import os, signal, sys, time\n"
        "def end(number, frame):\n"
        "  time.sleep(float(sys.argv[2])); open(sys.argv[1], 'a').write(sys.argv[3]); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('here', flush=True); time.sleep(600)"
    )

    def noting(name: str, wait: str, stage: int) -> dict[str, Any]:
        plan = python(name, notes, stop_stage=stage)
        return {**plan, "command": [*plan["command"], str(tmp_path / "order"), wait, name[0]]}

    box = start(noting("callserver", "0", 1), noting("gateway", "0.3", 0))
    box.pid("callserver"), box.pid("gateway")
    assert box.end() < 3.0
    assert (tmp_path / "order").read_text() == "gc"


def test_the_table_tells_start_and_stop_so_that_nobody_takes_them_for_a_breakdown(start: Start, tmp_path: Path) -> None:
    tells = (
        "import json, os, signal, sys, time\n"
        "def end(number, frame):\n"
        "  print(json.load(open(sys.argv[1]))['supervisor']['state'], flush=True); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('here', flush=True); time.sleep(600)"
    )
    plan = python("gateway", tells)
    table = BoxPaths(tmp_path / "data", tmp_path / "run").process_table
    box = start({**plan, "command": [*plan["command"], str(table)]}, needs=("a",))
    box.pid("gateway")
    assert read_process_table(box.paths)["supervisor"].state == "starting"
    (box.paths.run / "a").touch()
    box.until(lambda: read_process_table(box.paths)["supervisor"].state == "running")
    box.end()
    assert box.log("gateway").split()[-1] == "stopping"


def test_one_that_does_not_listen_is_killed_within_three_seconds(start: Start) -> None:
    for _ in range(5):  # the machine may stall in one
        box = start(python("web", DEAF), python("gateway", STAYS), python("callserver", DEAF, stop_stage=1))
        pids = [box.pid("web"), box.pid("gateway"), box.pid("callserver")]
        if (seconds := box.end()) < 3.5:
            break
    assert seconds < 3.5  # three, and some for a loaded machine
    assert box.process.returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert "killed, because they did not end in time: web, callserver" in box.output()


def test_nobody_outlives_a_killed_supervisor_and_a_new_one_starts(start: Start) -> None:
    box = start(python("gateway", STAYS), python("web", DEAF))
    pids = [box.pid("gateway"), box.pid("web")]
    box.end(signal.SIGKILL)
    end = time.monotonic() + 20.0
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "a process outlived the supervisor"
        time.sleep(0.01)
    again = start(python("gateway", STAYS))
    again.until(lambda: read_process_table(again.paths)["gateway"].pid not in {0, pids[0]})


def test_ctrl_c_at_the_terminal_reaches_the_supervisor_alone(start: Start) -> None:
    box = start(python("gateway", STAYS))
    assert os.getpgid(box.pid("gateway")) != os.getpgid(box.process.pid)


def test_one_whose_module_is_not_there_waits_and_joins_when_it_can_be_imported(start: Start, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    plan = {"name": "sip", "command": [sys.executable, "-c", STAYS], "requires": "stack_of_this_test"}
    box = start(plan, python("gateway", STAYS), environment={"PYTHONPATH": f"{modules}:{os.getcwd()}"})
    assert alive(box.pid("gateway"))
    box.until(lambda: "sip waits for the module stack_of_this_test" in box.output())
    tries = tmp_path / "tries"
    half_installed = f"open({str(tries)!r}, 'a').write('x')\nimport a_part_that_is_still_missing"
    (modules / "being_written").write_text(half_installed)
    (modules / "being_written").rename(modules / "stack_of_this_test.py")
    box.until(lambda: tries.exists() and len(tries.read_text()) >= 2)
    assert read_process_table(box.paths)["sip"].state == "waiting"
    (modules / "stack_of_this_test.py").write_text("")
    assert alive(box.pid("sip"))
    assert box.output().count("SIP joins") == 1 and "restart" not in box.output()


def test_one_whose_module_is_there_starts_without_a_word(start: Start) -> None:
    box = start(python("sip", STAYS, requires="json"))
    assert alive(box.pid("sip"))
    assert "joins" not in box.output() and "waits" not in box.output()


def test_the_first_password_is_not_handed_on(start: Start) -> None:
    code = "import os, time; print(os.environ.get('LINEBOX_ADMIN_PASSWORD', 'none'), flush=True); time.sleep(600)"
    box = start(python("web", code), environment={"LINEBOX_ADMIN_PASSWORD": "hunter2"})
    box.until(lambda: box.log("web").endswith("\n"))
    assert box.log("web") == "none\n"


def test_what_processes_say_stands_in_their_logs_and_much_of_it_hinders_nobody(start: Start) -> None:
    talks = "import sys\nfor n in range(60000): sys.stderr.write('x' * 99 + '\\n')\nprint('done', flush=True)\n"
    box = start(python("web", talks + STAYS.replace("print('here', flush=True); ", "")))
    box.until(lambda: box.log("web").endswith("done\n"))
    sizes = [path.stat().st_size for path in box.paths.logs.glob("web.log*")]
    assert len(sizes) == 2 and sum(sizes) == 6_000_000 + 5


def test_a_log_file_is_bounded_and_keeps_one_older(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", maximum_bytes=100)
    for number in range(50):
        log.append(b"%09d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert (tmp_path / "a.log.1").read_bytes().endswith(b"%09d\n" % 49)
    LogFile(tmp_path / "a.log", maximum_bytes=100).close()


def test_a_full_disk_loses_log_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")
    log = LogFile(tmp_path / "a.log")
    log.append(b"12345")
    assert log.lost_bytes == 5
    log.close()


def test_exits_are_told_in_words() -> None:
    assert (
        ended_how(-9) == "killed by SIGKILL" and ended_how(1) == "ended with code 1" and ended_how(-99).endswith("99")
    )
    assert last_line("Traceback:\n  x\nValueError: 坏\n\n".encode()) == "ValueError: 坏"
