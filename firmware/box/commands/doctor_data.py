"""`linebox doctor` on the data folder: permissions, room, configuration, ports and the processes of a box that runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil

from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.box.demonstration import is_unconfigured
from firmware.box.supervision import ports
from firmware.box.supervision.up_options import SIP_PORT, WEB_PORT
from firmware.core.clock import CHINA
from firmware.core.configuration import ConfigurationError, load_configuration, load_configuration_or_last_good
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import read_process_table

SOCKET_PATH_BYTES = 107
"""sun_path of unix(7), less the closing zero."""
RECORDING_BYTES_AN_HOUR = 2 * 8000 * 3600
"""Two channels of A-law."""


def supervisor_runs(paths: BoxPaths) -> bool:
    """True while a supervisor holds the lock of the data folder."""
    try:
        descriptor = os.open(paths.supervisor_lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _first_there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _folder(check: str, folder: Path) -> Iterator[Finding]:
    own = f"`chown -R {os.getuid()} {folder}`, or run Linebox as the user who owns it"
    if not folder.exists():
        above = _first_there(folder)
        if os.access(above, os.W_OK | os.X_OK):
            yield Finding(check, OK, f"{folder} does not exist yet and can be made")
        else:
            remedy = "name another folder with --data, or have it made for this user"
            yield Finding(check, BAD, f"{folder} cannot be made: no right to write in {above}", remedy)
        return
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        yield Finding(check, BAD, f"{folder} is not a folder", "move it away, or name another with --data")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(check, BAD, f"this user may not write in {folder}", own)
    elif status.st_mode & 0o077:
        remedy = f"chmod 700 {folder}: recordings and secrets are for Linebox alone"
        yield Finding(check, WARN, f"{folder} is open to other users of this machine", remedy)
    else:
        yield Finding(check, OK, f"{folder} is writable and closed to others")
    foreign = [one.name for one in folder.iterdir() if one.lstat().st_uid != status.st_uid] if folder.is_dir() else []
    if foreign:
        text = f"in {folder} some things belong to another user: {', '.join(sorted(foreign)[:5])}"
        yield Finding(check, WARN, text, own)


def folders(paths: BoxPaths) -> Iterator[Finding]:
    yield from _folder("data folder", paths.data)
    yield from _folder("run folder", paths.run)
    longest = len(os.fsencode(paths.simulator_socket))
    if longest > SOCKET_PATH_BYTES:
        text = f"the run folder's path is {longest - SOCKET_PATH_BYTES} bytes too long for sockets"
        yield Finding("run folder", BAD, text, "set LINEBOX_RUN to a short path, for example /run/linebox")
    for secret in paths.secrets.glob("*") if paths.secrets.is_dir() else ():
        if secret.stat().st_mode & 0o077:
            yield Finding(
                "secrets", BAD, f"{secret} can be read by other users", f"chmod 600 {secret}; renew it if in doubt"
            )


def room(paths: BoxPaths) -> Iterator[Finding]:
    above = _first_there(paths.data)
    free = shutil.disk_usage(above).free
    hours = free // RECORDING_BYTES_AN_HOUR
    text = f"{free >> 20} MB free for the data folder (about {hours} hours of recordings)"
    level = OK if free > 2 << 30 else WARN if free > 200 << 20 else BAD
    yield Finding(
        "disk", level, text, "" if level == OK else "make room, or name a folder on a larger disk with --data"
    )
    partitions = sorted(psutil.disk_partitions(all=True), key=lambda one: len(one.mountpoint))
    kinds = [one.fstype for one in partitions if above.is_relative_to(one.mountpoint)]
    if kinds and kinds[-1] in {"tmpfs", "ramfs"}:
        remedy = "name a folder on a disk with --data"
        yield Finding("disk", WARN, "the data folder is in memory: all is lost when the machine restarts", remedy)
    memory = shutil.disk_usage(_first_there(paths.run)).free
    if memory < 32 << 20:
        remedy = "enlarge it (`mount -o remount,size=128M /dev/shm`; Docker: --shm-size), or set LINEBOX_RUN"
        yield Finding("shared memory", BAD, f"only {memory >> 20} MB free for the run folder", remedy)
    else:
        yield Finding("shared memory", OK, f"{memory >> 20} MB free for the run folder")


def configuration(paths: BoxPaths) -> Iterator[Finding]:
    if is_unconfigured(paths):
        yield Finding("configuration", OK, "none yet: the first `linebox up` sets up the demonstration county")
        return
    try:
        loaded = load_configuration(paths)
    except ConfigurationError as error:
        for problem in error.problems:
            where = f"{problem.file}, {problem.place}" if problem.place else problem.file
            expected = f"; expected {problem.expected}" if problem.expected else ""
            remedy = f'did you mean "{problem.nearest}"?' if problem.nearest else problem.remedy
            yield Finding("configuration", BAD, f"{where}: {problem.what}{expected}", remedy)
        try:
            load_configuration_or_last_good(paths)
            yield Finding("configuration", OK, "the last good configuration stays in force meanwhile")
        except ConfigurationError:
            remedy = "correct the files, or put back a backup of the folder config"
            yield Finding("configuration", BAD, "there is no last good configuration: the box cannot start", remedy)
        return
    yield Finding("configuration", OK, f"valid: {loaded.box.name}")
    if not loaded.logins:
        yield Finding("configuration", WARN, "nobody may sign in", "`linebox login add NAME --role administrator`")


def network_ports(paths: BoxPaths) -> Iterator[Finding]:
    if supervisor_runs(paths):
        for name, entry in read_process_table(paths).items():
            if entry.port and entry.pid:
                yield Finding("ports", OK, f"{name} has port {entry.port}")
        return
    for name, option, port, udp in (("pages", "--web-port", WEB_PORT, False), ("SIP", "--sip-port", SIP_PORT, True)):
        if ports.is_free(port, udp=udp):
            yield Finding("ports", OK, f"port {port} for {name} is free")
        else:
            by = ports.holder(port, udp=udp) or "another program"
            remedy = f"nothing need be done: the next free one is taken; {option} chooses another"
            yield Finding("ports", WARN, f"port {port} for {name} is in use by {by}", remedy)


def processes(paths: BoxPaths) -> Iterator[Finding]:
    if not supervisor_runs(paths):
        yield Finding("box", OK, "no box runs on this data folder")
        return
    for name, entry in read_process_table(paths).items():
        log = paths.logs / f"{name}.log"
        if entry.state == "waiting":
            yield Finding("box", WARN, f"{name} waits for a part that is not installed", "see the line about it above")
        elif not entry.pid or not psutil.pid_exists(entry.pid):
            yield Finding(
                "box", BAD, f"{name} does not run ({entry.state}, {entry.restarts} restarts)", f"its log is {log}"
            )
        elif entry.restarts:
            remedy = f"its log is {log}"
            yield Finding("box", WARN, f"{name} runs (process {entry.pid}) after {entry.restarts} restarts", remedy)
        else:
            yield Finding("box", OK, f"{name} runs (process {entry.pid})")


def status(data: Path | None) -> list[str]:
    """The processes of the box as lines. Raises ClearError if no box runs on the data folder."""
    paths = box_paths(data)
    if not supervisor_runs(paths):
        raise ClearError(f"no box runs on {paths.data}", "start it with `linebox up`, or name its folder with --data")
    lines = []
    for name, entry in read_process_table(paths).items():
        started = datetime.fromtimestamp(entry.started_utc_us / 1_000_000, CHINA).strftime("%Y-%m-%d %H:%M:%S")
        line = f"{name:11} {entry.state:11}"
        if entry.state == "waiting":
            line += " for a part that is not installed: linebox doctor"
        if entry.pid:
            line += f" process {entry.pid:<8} since {started}"
        if entry.port:
            line += f"  port {entry.port}"
        if entry.restarts:
            line += f"  {entry.restarts} restarts"
        if entry.hangs:
            line += f", {entry.hangs} of them because it hung"
        lines.append(line.rstrip())
    return lines


def data_checks() -> tuple[Check, ...]:
    return (folders, room, configuration, network_ports, processes)
