"""Folder order is import order: fails on an import that points the wrong way. DESIGN.md's chain, made a check.

Samples flow right, commands flow left, through the layer below; so an import may only point to the left of
its own package, or stay within it. Policy code reads no clock and does no I/O, so it may not import what does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ORDER: tuple[tuple[str, ...], ...] = (
    ("firmware.core",),
    ("drivers",),
    ("boards",),
    ("firmware.media",),
    ("firmware.tones",),
    ("firmware.lines",),
    ("firmware.calls",),
    ("firmware.acd", "firmware.ivr"),
    ("firmware.records",),
    ("firmware.contacts",),
    ("firmware.simulator",),
    ("webui",),
    ("firmware.box",),
)
"""From left to right. Packages of one step may not import each other."""

RANK = {package: step for step, packages in enumerate(ORDER) for package in packages}
PRODUCT_FOLDERS = ("firmware", "drivers", "boards", "webui")

POLICY_PACKAGES = ("tones", "lines", "calls", "acd", "ivr", "contacts")
CLOCKS_AND_IO = frozenset(
    "time os io socket select selectors asyncio threading _thread multiprocessing concurrent subprocess signal "
    "sqlite3 sqlalchemy tinydb gevent bottle fcntl mmap shutil tempfile urllib http sched psutil soundfile".split()
)
FORBIDDEN: dict[str, frozenset[str]] = {
    **{f"firmware.{package}": CLOCKS_AND_IO for package in POLICY_PACKAGES},
    # The gateway reads nothing of these: one heavy import there costs its memory and its tick.
    "boards": frozenset({"sqlalchemy", "bottle", "gevent", "tinydb"}),
    "drivers": frozenset({"sqlalchemy", "bottle", "gevent", "tinydb"}),
    "firmware.media": frozenset({"sqlalchemy", "bottle", "gevent", "tinydb", "asyncio"}),
    "firmware.core": frozenset({"sqlalchemy", "bottle", "gevent"}),
}
FORBIDDEN_CALLS = frozenset({"now", "utcnow", "today"})
"""Of `datetime` and `date`: a clock read by another name. Only forbidden where `time` is."""


def package_of(module: str) -> str | None:
    """The package of ORDER that a module belongs to; None for a foreign one. Raises KeyError if not in ORDER."""
    parts = module.split(".")
    if parts[0] not in PRODUCT_FOLDERS:
        return None
    if parts[0] != "firmware":
        return parts[0]
    if len(parts) == 1:
        return "firmware.core"
    name = ".".join(parts[:2])
    if name not in RANK:
        raise KeyError(name)
    return name


def imports_of(path: Path, tree: ast.AST, root: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of each import, relative ones resolved; `from firmware import calls` names firmware.calls."""
    own = path.relative_to(root).with_suffix("").parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(own[: len(own) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            if module == "firmware":
                yield from ((node.lineno, f"firmware.{alias.name}") for alias in node.names)
            elif module:
                yield node.lineno, module
        elif isinstance(node, ast.Call) and _name(node.func) in {"import_module", "__import__"} and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node.lineno, argument.value


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def faults_of_file(path: Path, root: Path) -> Iterator[str]:
    where = path.relative_to(root).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"), where)
    try:
        own = package_of(".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"))
    except KeyError as unknown:
        yield f"{where}: {unknown.args[0]} has no place in ORDER of tests/test_layers.py"
        return
    assert own is not None
    forbidden = FORBIDDEN.get(own, frozenset())
    for line, module in imports_of(path, tree, root):
        if module.split(".")[0] in forbidden:
            yield f"{where}:{line}: {own} may not import {module}: it is handed the time and returns effects"
        if module.split(".")[0] in {"tests", "scripts"}:
            yield f"{where}:{line}: the product may not import {module}"
        try:
            target = package_of(module)
        except KeyError as unknown:
            yield f"{where}:{line}: {unknown.args[0]} has no place in ORDER of tests/test_layers.py"
            continue
        if target is not None and target != own and RANK[target] >= RANK[own]:
            yield f"{where}:{line}: {own} imports {module}, which stands to its right"
    if forbidden is CLOCKS_AND_IO:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = _name(node.func)
            if called == "open" and isinstance(node.func, ast.Name):
                yield f"{where}:{node.lineno}: {own} may not open files"
            if (
                called in FORBIDDEN_CALLS
                and isinstance(node.func, ast.Attribute)
                and _name(node.func.value) in {"datetime", "date"}
            ):
                yield f"{where}:{node.lineno}: {own} may not read the clock ({called}); it is handed the time"


def faults(root: Path) -> list[str]:
    files = sorted(path for folder in PRODUCT_FOLDERS for path in (root / folder).rglob("*.py"))
    return [fault for path in files for fault in faults_of_file(path, root)]


def test_every_import_points_to_the_left() -> None:
    assert list((ROOT / "firmware").rglob("*.py")), "nothing to check: is this the root of the project?"

    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("firmware/lines/machine.py", "from firmware.calls.messages import X", "stands to its right"),
        ("firmware/lines/machine.py", "from firmware import calls", "stands to its right"),
        ("firmware/lines/machine.py", "from ..calls import messages", "stands to its right"),
        ("firmware/lines/machine.py", "def f():\n    import firmware.box.cli", "stands to its right"),
        (
            "firmware/lines/machine.py",
            "import_module('firmware.calls')",
            "stands to its right",
        ),
        ("firmware/acd/rule.py", "import firmware.ivr.flow", "stands to its right"),
        ("firmware/core/clock.py", "import boards.base", "stands to its right"),
        ("firmware/__init__.py", "from firmware.calls import messages", "stands to its right"),
        ("drivers/lcd.py", "import boards.base", "stands to its right"),
        ("webui/pages.py", "from firmware.box import processes", "stands to its right"),
        ("firmware/acd/rule.py", "import time", "may not import time"),
        ("firmware/contacts/policy.py", "from os import path", "may not import os"),
        ("firmware/calls/machine.py", "import datetime\ndatetime.datetime.now()", "may not read the clock"),
        ("firmware/calls/machine.py", "from datetime import date\ndate.today()", "may not read the clock"),
        ("firmware/tones/plan.py", "open('x')", "may not open files"),
        ("firmware/calls/machine.py", "import tests.bench", "the product may not import"),
        ("firmware/helpers/x.py", "", "has no place in ORDER"),
        ("boards/sim.py", "import firmware.helpers.x", "has no place in ORDER"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)

    found = faults(tmp_path)

    assert len(found) == 1, found
    assert complaint in found[0]
    assert found[0].startswith(file)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "firmware/lines/machine.py",
            "from firmware.core.clock import Stamp\nimport boards.signals\nfrom . import x",
        ),
        ("firmware/box/gateway/process.py", "import os, time\nfrom webui import application\nopen('x')"),
        ("firmware/core/clock.py", "import time"),
        ("firmware/calls/machine.py", "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)"),
    ],
)
def test_a_right_import_is_left_alone(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert faults(tmp_path) == []
