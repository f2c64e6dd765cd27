"""The guest is built and booted once for all tests of a session; each test then reads its part of the report."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.vm.guest import CHECKOUT, GuestError, make_guest
from tests.vm.job import JobResult, run_job

HOST_SECONDS = 900
"""A whole run takes five minutes on a machine that does nothing else."""

SCRIPT = """\
modprobe dahdi auto_assign_spans=1  # Debian's own default, 0, makes every span invisible
modprobe dahdi_dynamic
modprobe dahdi_dynamic_loc
modprobe dahdi_echocan_mg2
[ ! -d compiled ] || cp -r compiled /results/
export XDG_CACHE_HOME=/results/compiled PYTHONPYCACHEPREFIX=/results/compiled/bytecode
export PYTHONPATH=/job/packages OPENBLAS_NUM_THREADS=1
code=0
python3 -m pytest -p no:cacheprovider -q -rs --durations=8 --junitxml=/results/report.xml {files} || code=$?
dmesg >/results/kernel.log
exit $code
"""


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
def report(request: pytest.FixtureRequest) -> Report:
    """Run the files of the tests that were chosen, in one boot."""
    files = [
        f"tests/vm/inside/{item.callspec.params['file']}.py"
        for item in request.session.items
        if hasattr(item, "callspec") and "file" in item.callspec.params
    ]
    logs = CHECKOUT / "test-results"
    logs.mkdir(exist_ok=True)
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("one virtual machine at a time: run without -n")
    try:
        result = run_job(make_guest(), SCRIPT.format(files=" ".join(files)), HOST_SECONDS, Path(logs / "vm-serial.log"))
    except GuestError as error:
        pytest.fail(str(error))
    for name, content in result.files.items():
        (logs / f"vm-{Path(name).name}").write_bytes(content)
    return Report(result)
