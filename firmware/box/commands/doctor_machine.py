"""`linebox doctor` on the machine: Python, packages, SIP stack, memory, real-time priority, clock."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.core.clock import CHINA
from firmware.core.hints import hint
from firmware.core.paths import BoxPaths

CHECKOUT = Path(__file__).resolve().parents[3]
IMPORT_NAMES = {
    "SQLAlchemy": "sqlalchemy",
    "argon2-cffi": "argon2",
    "pyserial": "serial",
    "python-periphery": "periphery",
}
"""Distribution name → module name, where they differ."""


def python_version(paths: BoxPaths) -> Iterator[Finding]:
    version = platform.python_version()
    if (3, 11) <= sys.version_info < (3, 14):
        yield Finding("python", OK, f"Python {version}")
    else:
        remedy = "install 3.11, 3.12 or 3.13, name it in LINEBOX_PYTHON, remove .venv, run scripts/setup"
        yield Finding("python", BAD, f"Python {version}", remedy)


def requirements() -> list[str]:
    """What Linebox needs, as `name>=version`: from the checkout, else from the installed distribution."""
    project = CHECKOUT / "pyproject.toml"
    if project.exists():
        wanted: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
        return wanted
    return [one for one in importlib.metadata.requires("linebox") or [] if "extra" not in one]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def packages(paths: BoxPaths) -> Iterator[Finding]:
    remedy = "run scripts/setup again"
    good = 0
    for requirement in requirements():
        name, _, least = requirement.partition(">=")
        try:
            version = importlib.metadata.version(name)
            importlib.import_module(IMPORT_NAMES.get(name, name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("packages", BAD, f"{name} is not installed", remedy)
        except Exception as error:  # a compiled part for another system may fail in any way
            found = hint(str(error))
            yield Finding("packages", BAD, f"{name} cannot be imported: {error}", found.remedy if found else remedy)
        else:
            if least and _numbers(version) < _numbers(least):
                yield Finding("packages", BAD, f"{name} {version} is too old, {least} is needed", remedy)
            else:
                good += 1
    yield Finding("packages", OK, f"{good} of {len(requirements())} required packages are installed and load")


def sip_stack(paths: BoxPaths) -> Iterator[Finding]:
    command = [sys.executable, "-c", "import pjsua2; print(pjsua2.Endpoint().libVersion().full)"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        yield Finding("sip", WARN, f"the SIP stack could not be tried: {error}", "run `linebox doctor` again")
        return
    if asked.returncode == 0:
        yield Finding("sip", OK, f"SIP stack pjsua2 {asked.stdout.strip().splitlines()[-1]}")
        return
    words = asked.stderr.strip().splitlines()
    remedy = "scripts/build_pjsua2 --install (about a minute); until then everything but SIP runs"
    missing = bool(words) and "No module named 'pjsua2'" in words[-1]
    text = "the SIP stack is not built" if missing else f"the SIP stack does not load: {words[-1] if words else '?'}"
    yield Finding("sip", WARN, text, remedy)


def processor_and_memory(paths: BoxPaths) -> Iterator[Finding]:
    import psutil

    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        yield Finding("processor", WARN, "1 processor core", "use 2: audio may stutter while other work is done")
    else:
        yield Finding("processor", OK, f"{cores} processor cores, load {os.getloadavg()[0]:.1f}")
    free = psutil.virtual_memory().available >> 20
    level = OK if free >= 512 else WARN if free >= 300 else BAD
    remedy = "" if level == OK else "a whole box needs 300 MB: end other programs or add memory"
    yield Finding("memory", level, f"{free} MB of memory available", remedy)


def open_files(paths: BoxPaths) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 1024:
        remedy = "`ulimit -n 4096` before `linebox up`, or LimitNOFILE=4096 in the systemd unit"
        yield Finding("files", WARN, f"only {soft} files may be open at once", remedy)
    else:
        yield Finding("files", OK, f"{soft} files may be open at once")


def real_time(paths: BoxPaths) -> Iterator[Finding]:
    """Tried in a process of its own: the scheduler is asked, not the documentation."""
    code = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    asked = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, timeout=20, check=False)
    if asked.returncode == 0:
        yield Finding("real-time", OK, "real-time priority is permitted")
    else:
        remedy = "LimitRTPRIO=50 in the systemd unit, or `ulimit -r 50`; without it a loaded machine may click"
        yield Finding("real-time", WARN, "this user may not use real-time priority", remedy)


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2); only `modes` is set and the return value used, the rest is room."""

    _fields_ = (("modes", ctypes.c_uint), ("room", ctypes.c_char * 512))


def _kernel_says_synchronised() -> bool | None:
    """What the kernel knows of its clock; None if it does not tell."""
    time_error = 5  # TIME_ERROR, linux/timex.h: not synchronised
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.byref(_Timex()))
    return None if state < 0 else state != time_error


def clock(paths: BoxPaths) -> Iterator[Finding]:
    now = time.time()
    # No box can be used before its own program was written.
    written = max(file.stat().st_mtime for file in (CHECKOUT / "firmware").rglob("*.py"))
    shown = datetime.fromtimestamp(now, CHINA).strftime("%Y-%m-%d %H:%M:%S")
    if now < written - 86400:
        remedy = "set the clock (`timedatectl set-time`), look at the battery of the clock"
        yield Finding("clock", BAD, f"the clock says {shown}, which is before this program was written", remedy)
        return
    synchronised = _kernel_says_synchronised() or Path("/run/systemd/timesync/synchronized").exists()
    if synchronised:
        yield Finding("clock", OK, f"the clock says {shown} and is synchronised")
    else:
        remedy = "`timedatectl set-ntp true`, or name the office's time server; records are marked as of untrusted time"
        yield Finding("clock", WARN, f"the clock says {shown} and is not synchronised", remedy)


def machine_checks() -> tuple[Check, ...]:
    return (python_version, packages, sip_stack, processor_and_memory, open_files, real_time, clock)
