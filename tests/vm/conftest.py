"""The guest is built once and booted twice for all tests of a session; each test then reads its part of a report."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.vm.guest import CHECKOUT, Guest, GuestError, make_guest
from tests.vm.job import LOAD_DRIVER, READ_AHEAD, JobResult, run_job

HOST_SECONDS = 900
"""A run on a machine that does nothing else takes less than six minutes."""
COUNTY_HOUR_SECONDS = 6 * 3600
SECOND_GUEST = ("guest_county", "guest_whole_box")
"""These run in a second guest beside the first, so that both take about as long: QEMU uses one core of the host, and a
guest's time is its own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "the county's hour in its own time instead of in half a minute (with -k guest_county): some two hours"
    parser.addoption("--county-hour", action="store_true", help=told)


class Report:
    """What pytest reported inside the guest."""

    def __init__(self, result: JobResult) -> None:
        self.result = result
        self.cases: dict[str, list[ElementTree.Element]] = {}
        if "report.xml" in result.files:
            for case in ElementTree.fromstring(result.files["report.xml"]).iter("testcase"):
                # "tests.vm.inside.FILE.CLASS"; of a file that could not be imported only the name is told
                names = f"{case.get('classname')}.{case.get('name')}".split(".")
                file = next(name for name in names if name.startswith("guest_"))
                self.cases.setdefault(file, []).append(case)


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest) -> dict[str, Report]:
    """Run the files of the tests that were chosen, in one boot of each guest, both at a time. By file."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("two virtual machines at a time are enough: run without -n")
    chosen = [
        item.callspec.params["file"]
        for item in request.session.items
        if hasattr(item, "callspec") and "file" in item.callspec.params
    ]
    parts = {
        "vm": [file for file in chosen if file not in SECOND_GUEST],
        "vm-second": [file for file in chosen if file in SECOND_GUEST],
    }
    is_hour = bool(request.config.getoption("--county-hour", default=False))
    try:
        guest = make_guest()
        with ThreadPoolExecutor() as pool:
            results = {name: pool.submit(_run, guest, name, files, is_hour) for name, files in parts.items() if files}
        return {file: results[name].result() for name, files in parts.items() for file in files}
    except GuestError as error:
        pytest.fail(str(error))


def _run(guest: Guest, name: str, files: list[str], is_hour: bool) -> Report:
    logs = CHECKOUT / "test-results"
    logs.mkdir(exist_ok=True)
    paths = " ".join(f"tests/vm/inside/{file}.py" for file in files)
    script = f"""\
{READ_AHEAD}
{LOAD_DRIVER}
{"export LINEBOX_COUNTY_HOUR=1" if is_hour else ""}
code=0
python3 -m pytest -p no:cacheprovider -q -rs --durations=8 --junitxml=/results/report.xml {paths} || code=$?
dmesg >/results/kernel.log
exit $code
"""
    result = run_job(guest, script, COUNTY_HOUR_SECONDS if is_hour else HOST_SECONDS, logs / f"{name}-serial.log")
    for path, content in result.files.items():
        (logs / f"{name}-{Path(path).name}").write_bytes(content)
    return Report(result)
