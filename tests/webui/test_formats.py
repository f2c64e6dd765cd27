"""How times, durations and numbers are written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from webui import formats

FORMATS_JS = Path(__file__).resolve().parents[2] / "webui" / "static" / "formats.js"
SECOND = 1_000_000
DURATIONS = {0: "00:00", 205: "03:25", 3599: "59:59", 3805: "1:03:25", 360000: "100:00:00"}
MASKED = {
    "13800130000": "138****0000",
    "057187654321": "0571****4321",
    "62345678": "62****78",
    "12345": "****5",
    "110": "****",
    "": "",
}


@pytest.mark.parametrize(("seconds", "written"), DURATIONS.items())
def test_durations(seconds: int, written: str) -> None:
    assert formats.duration(seconds * SECOND + 999_999) == written
    assert formats.duration(None) == "—"


@pytest.mark.parametrize(("number", "written"), MASKED.items())
def test_masked_numbers(number: str, written: str) -> None:
    assert formats.masked(number) == written


def test_times_are_those_of_china_whatever_the_machine_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    assert formats.date_and_time(1_795_309_500 * SECOND) == "2026-11-22 09:05"
    assert formats.date_and_time(1_795_309_500 * SECOND, seconds=True) == "2026-11-22 09:05:00"
    assert formats.time_of_day(1_795_309_500 * SECOND) == "09:05:00"
    assert formats.date_and_time(formats.day_begins(1_795_309_500 * SECOND)) == "2026-11-22 00:00"
    assert formats.day_from_text("2026-11-22") == formats.day_begins(1_795_309_500 * SECOND)
    assert formats.day_from_text("22.11.2026") is None


def test_the_browser_writes_the_same(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the browser tests see these formats too")
    module = tmp_path / "formats.mjs"
    module.write_text(FORMATS_JS.read_text())
    asked = json.dumps([list(DURATIONS), list(MASKED)])
    program = f"""
        import * as formats from {json.dumps(str(module))};
        const [durations, numbers] = {asked};
        console.log(JSON.stringify([
          durations.map((one) => formats.duration(one * 1000 + 999)), numbers.map(formats.masked),
          formats.dayAndTime("2026-11-22T01:05:00Z"), formats.time("2026-11-22T01:05:07Z"),
        ]));"""
    said = subprocess.run(
        [node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True
    ).stdout

    expected = [list(DURATIONS.values()), list(MASKED.values()), "2026-11-22 09:05", "09:05:07"]
    assert json.loads(said) == expected
