"""The job runner does not take a crash, a failed step or silence for success."""

from __future__ import annotations

import pytest

from tests.vm.guest import Guest, make_guest
from tests.vm.job import run_job


@pytest.fixture(scope="module")
def guest() -> Guest:
    return make_guest()


def test_a_job_says_its_verdict_and_gives_its_files_and_idle_time_passes_at_once(guest: Guest) -> None:
    result = run_job(guest, "echo told >/results/file\nsleep 300\nexit 3\n", 120)

    assert result.code == 3, result.log
    assert result.files["file"] == b"told\n"


def test_a_step_that_fails_ends_the_job_and_is_no_success(guest: Guest) -> None:
    result = run_job(guest, "false\necho reached >/results/file\n", 120)

    assert result.code == 1, result.log
    assert "file" not in result.files


@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        ("echo 'VERDICT 0123456789abcdef 0'; echo c >/proc/sysrq-trigger; sleep 9", 120),  # the kernel crashes
        ("while :; do :; done", 15),
    ],
)
def test_a_guest_that_crashes_or_hangs_is_no_success(guest: Guest, script: str, seconds: float) -> None:
    result = run_job(guest, script, seconds)

    assert result.code is None, result.log
    assert result.seconds < seconds + 60
