"""The line side against the real DAHDI driver, in the guest: one test here for each file of `inside/`.

What is tested stands in those files; their names do not begin with `test_`, so that nobody collects them outside the
guest. A file passes if the guest ran it to its end, all its tests passed, and there were some.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm.conftest import Report

INSIDE = Path(__file__).resolve().parent / "inside"
FILES = sorted(path.stem for path in INSIDE.glob("guest_*.py"))


@pytest.mark.parametrize("file", FILES)
def test_inside_the_guest(reports: dict[str, Report], file: str) -> None:
    report = reports[file]
    result = report.result
    assert result.code in (0, 1), f"the job ended with {result.code}:\n{result.log[-4000:]}"
    cases = report.cases.get(file, [])
    bad = [
        f"{case.get('name')}:\n{problem.text}"
        for case in cases
        for problem in case
        if problem.tag in ("failure", "error")
    ]
    passed = [case for case in cases if not list(case.iter("failure")) and not list(case.iter("skipped"))]

    assert not bad, "\n\n".join(bad)
    assert passed, f"no test of {file} ran in the guest:\n{result.log[-4000:]}"
