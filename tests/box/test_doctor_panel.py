"""`linebox doctor` on the panel: a line that is not there, is taken or may not be used is told with its field."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from firmware.box.commands import doctor_panel
from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_finding import BAD, OK, WARN, Finding
from firmware.box.commands.doctor_panel import panel
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths

USERS = {
    "/dev/gpiochip0:1": "",
    "/dev/gpiochip0:2": "linebox",
    "/dev/gpiochip0:3": "spi0 CS0",
    "/dev/gpiochip0:4": errno.EACCES,
    "/dev/gpiochip0:99": errno.EINVAL,
}
"""Line → who has it, or the kernel's error."""


def line_user(line: str) -> str:
    user = USERS.get(line, errno.ENOENT)
    if isinstance(user, int):
        raise OSError(user, os.strerror(user))
    return user


def findings(folder: Path, section: dict[str, Any]) -> list[Finding]:
    paths = BoxPaths(folder / "data", folder / "run")
    paths.make()
    documents = demonstration_documents("not used here")
    documents["box"][0]["panel"] = section
    save_subjects(paths, documents)
    return examine(paths, [panel])


def test_nothing_is_said_where_there_is_no_panel(tmp_path: Path) -> None:
    assert findings(tmp_path, {}) == []


def test_each_line_that_cannot_be_used_is_named_with_its_field_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_panel, "line_user", line_user)
    section = {"service": "/dev/gpiochip0:1", "alarm": "/dev/gpiochip0:2", "call": "/dev/gpiochip0:3"}
    taken, good = findings(tmp_path, section)
    assert (taken.level, taken.text) == (BAD, "/dev/gpiochip0:3 for call of the front panel is used by spi0 CS0")
    assert (good.level, good.text) == (OK, "2 GPIO lines of the front panel are there")

    section = {"call": "/dev/gpiochip7:1", "acknowledge": "/dev/gpiochip0:4", "shut_down": "/dev/gpiochip0:99"}
    absent, closed, beyond = findings(tmp_path, section)
    assert (absent.level, absent.text) == (WARN, "there is no /dev/gpiochip7:1 for call of the front panel")
    assert (closed.level, "group" in closed.remedy) == (BAD, True)
    assert (beyond.level, "no such line" in beyond.text) == (WARN, True)
    assert all(one.remedy for one in (taken, absent, closed, beyond))


def test_a_chip_that_is_not_there_is_found_on_this_machine(tmp_path: Path) -> None:
    (absent,) = findings(tmp_path, {"service": "/dev/gpiochip99:1"})

    assert absent.level == WARN
