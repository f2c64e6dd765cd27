"""The leak check of conftest.py can fail: each kind of thing left behind is found, a clean test is not blamed."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

CASES: dict[str, tuple[str, str | None]] = {
    "clean": ("pass", None),
    "thread": (
        "threading.Thread(target=time.sleep, args=(9,), name='left-thread', daemon=True).start()",
        "threads: left-thread",
    ),
    "child": ("KEPT.append(subprocess.Popen(['sleep', '9.25']))", "children: "),
    "orphan": ("subprocess.run(['sh', '-c', 'sleep 9.5 &'])", "still running:"),
    "port": ("KEPT.append(socket.create_server(('127.0.0.1', 0)))", "descriptors: "),
    "file": ("KEPT.append(open(tmp_path / 'left.wav', 'wb'))", "left.wav"),
    "allowed": ("KEPT.append(socket.create_server(('127.0.0.1', 0)))", None),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest with our conftest.py says of each case, run once for all."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "conftest.py").write_text(CONFTEST.read_text().replace("GRACE_S = 10.0", "GRACE_S = 0.1"))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = leaves: as in the project\n")
    for case, (body, _) in CASES.items():
        mark = "@pytest.mark.leaves('descriptors')" if case == "allowed" else ""
        (folder / f"test_{case}.py").write_text(
            f"import socket, subprocess, threading, time, pytest\nKEPT = []\n{mark}\ndef test(tmp_path):\n    {body}\n"
        )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=t", "--junitxml=report.xml"]
    run = subprocess.run([*command, "."], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stdout
    assert "7 passed" in run.stdout  # each test itself is right; only what comes after it is blamed
    said = dict.fromkeys(CASES, "")
    for test in xml.parse(folder / "report.xml").iter("testcase"):
        said[test.attrib["classname"].removeprefix("test_")] += "".join(
            error.text or "" for error in test.iter("error")
        )
    return said


@pytest.mark.parametrize("case", CASES)
def test_what_a_test_leaves_behind_is_found(case: str, complaints: dict[str, str]) -> None:
    expected = CASES[case][1]

    if expected is None:
        assert complaints[case] == ""
    else:
        assert expected in complaints[case]
