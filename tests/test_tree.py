"""The checkout as a whole: folders, file sizes and names, what is shipped, what is locked. Not what the code does."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"firmware", "drivers", "boards", "webui", "rootfs_overlay", "buildroot_cfg", "scripts", "tests"}
PRODUCT = ("firmware", "drivers", "boards", "webui")
TEST_ONLY_FOLDERS = {"contract", "scenarios", "web", "vm", "running", "bench"}
EMPTY_NAMES = re.compile(r"^(utils?|helpers?|managers?|misc|common)$|_(utils?|helpers?|manager)$")
LONGEST_FILE = 450
IMPORTED_AS = {
    "argon2-cffi": "argon2",
    "sqlalchemy": "sqlalchemy",
    "pyserial": "serial",
    "python-periphery": "periphery",
}
BUILT_BY_US = {"pjsua2", "_pjsua2"}
FROM_THE_SYSTEM = {"alsaaudio"}
"""Optional, without wheels: the extra `alsa`, or Debian's package."""


@cache
def project_files() -> tuple[Path, ...]:
    """Files of the project, relative: those that git has or would take."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: cannot tell the project's files from others")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py" and path.parts[0] in folders]


def test_the_top_level_holds_only_the_folders_of_the_design() -> None:
    found = {path.parts[0] for path in project_files() if len(path.parts) > 1 and not path.parts[0].startswith(".")}

    assert found - FOLDERS == set()


def test_tests_mirror_the_tree() -> None:
    folders = {path.parent.relative_to("tests") for path in python_files("tests")}

    strays = [
        str(folder)
        for folder in folders
        if folder.parts
        and folder.parts[0] not in TEST_ONLY_FOLDERS
        and not (ROOT / folder).is_dir()
        and not (ROOT / "firmware" / folder).is_dir()
    ]
    assert strays == []


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        str(path)
        for path in python_files(*PRODUCT, "tests")
        if (text := (ROOT / path).read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]

    assert silent == []


def test_no_file_is_long_or_named_after_nothing() -> None:
    long = [
        f"{path}: {lines} lines"
        for path in project_files()
        if path.suffix in {".py", ".js", ".css"}
        and (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    ]
    empty_names = [str(path) for path in project_files() if EMPTY_NAMES.search(path.stem)]

    assert long == []
    assert empty_names == []


def test_no_file_names_a_place_on_this_machine() -> None:
    place = f"{ROOT}/"
    naming = [str(path) for path in project_files() if place.encode() in (ROOT / path).read_bytes()]

    assert len(place) > 2, "the root of the file system is no place for a checkout"
    assert naming == []


def test_the_wheel_holds_every_file_of_the_product(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for path in project_files():
        if path.parts[0] in PRODUCT or path.name in {"pyproject.toml", "LICENSE"}:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, source / path)
    build = "import setuptools.build_meta as build, sys; build.build_wheel(sys.argv[1])"

    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, check=True)

    (wheel,) = tmp_path.glob("linebox-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        entry_points = archive.read(next(name for name in packed if name.endswith("entry_points.txt"))).decode()
    missing = [str(path) for path in project_files() if path.parts[0] in PRODUCT and path.as_posix() not in packed]
    assert missing == []
    assert "linebox = firmware.box.cli:main" in entry_points


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, str]:
    """name → version of a lock file."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {normalised(package): version for package, version in pins}


def required(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {normalised(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in wanted}


def test_the_locks_hold_what_the_project_asks_for_with_hashes_and_no_host() -> None:
    assert required() - set(locked("requirements.lock")) == set()
    assert required("dev") - set(locked("requirements-dev.lock")) == set()
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        unhashed = re.findall(r"^([A-Za-z0-9._-]+==\S+)(?![^\n]*\\\n    --hash=sha256:)", text, re.MULTILINE)
        assert unhashed == []


def test_the_product_imports_only_what_it_requires() -> None:
    allowed = (
        {IMPORTED_AS.get(name, name) for name in required()}
        | BUILT_BY_US
        | FROM_THE_SYSTEM
        | set(PRODUCT)
        | sys.stdlib_module_names
    )
    foreign = set()
    for path in python_files(*PRODUCT):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            foreign |= {f"{path}: {name}" for name in names if name.split(".")[0] not in allowed}

    assert foreign == set()
