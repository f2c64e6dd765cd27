"""What lies behind a technical message, and what a person can do about it: data for the command line and the logs.

The first entry that matches wins: put the special before the general.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class ClearError(Exception):
    """An error that a person can do something about: said in one line and a remedy, without a traceback."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


@dataclass(frozen=True)
class Hint:
    """`message` is a regular expression that is looked for in the technical message."""

    message: str
    cause: str
    remedy: str


HINTS = (
    Hint(
        r"No module named '_?pjsua2'|libpj\w*\.so",
        "the SIP stack is not built for this Python",
        "scripts/build_pjsua2 --install (about a minute); until then everything but SIP runs",
    ),
    Hint(
        r"No module named '?(firmware|drivers|boards|webui)",
        "this Python does not know the checkout",
        "start it with scripts/linebox or scripts/run",
    ),
    Hint(r"No module named|cannot import name", "a Python package is missing or too old", "run scripts/setup again"),
    Hint(
        r"GLIBC_|undefined symbol|wrong ELF class|cannot open shared object",
        "a compiled part was made for another system",
        "remove .venv and run scripts/setup; for the SIP stack: scripts/build_pjsua2 --install",
    ),
    Hint(
        r"Address already in use",
        "another program listens at this port",
        "choose another with --web-port or --sip-port (0: any free one); `linebox doctor` names the program",
    ),
    Hint(
        r"AF_UNIX path too long",
        "the path of the run folder is longer than a socket name may be",
        "set LINEBOX_RUN to a short path, for example /run/linebox",
    ),
    Hint(
        r"nobody listens at cti\.sock",
        "the callserver does not run on this data folder",
        "start the box with `linebox up`, or name its data folder with --data",
    ),
    Hint(
        r"too many wait to be taken at (\w+)\.sock",
        "the process that listens hangs, or too many want to connect",
        "`linebox doctor` shows its state; its log is in the data folder under logs/",
    ),
    Hint(
        r"nobody listens at (\w+)\.sock|Connection refused",
        "the process that should listen does not run (yet)",
        "`linebox doctor` shows which processes run; their logs are in the data folder under logs/",
    ),
    Hint(
        r"No space left on device|Disk quota exceeded|database or disk is full",
        "the disk is full",
        "make room (old recordings first); calls go on, but nothing more is recorded until then",
    ),
    Hint(
        r"Read-only file system",
        "the disk is mounted read-only, which the kernel does when it finds it damaged",
        "look at `dmesg`, check the file system, then start again",
    ),
    Hint(
        r"Input/output error",
        "the disk or card does not answer as it should",
        "save the data folder elsewhere now, then replace the disk or card",
    ),
    Hint(
        r"database disk image is malformed|file is not a database",
        "a database file is damaged",
        "keep the damaged file, put back the newest backup, and report it: this must not happen",
    ),
    Hint(
        r"database is locked",
        "another program holds the database",
        "stop programs that have calls.db or office.db open; only one process writes each of them",
    ),
    Hint(
        r"Too many open files",
        "the limit of open files is too low",
        "raise it: `ulimit -n 4096` before `linebox up`, or LimitNOFILE= in the systemd unit",
    ),
    Hint(
        r"Cannot allocate memory|MemoryError|Killed process",
        "the memory is used up",
        "a box needs 512 MB free; `linebox doctor` shows what there is",
    ),
    Hint(
        r"sched_setscheduler|real-time|CAP_SYS_NICE",
        "this user may not use real-time priority",
        "grant it with LimitRTPRIO=50 in the systemd unit or `ulimit -r 50`; without it a loaded machine may click",
    ),
    Hint(
        r"Permission denied|Operation not permitted|EACCES|EPERM",
        "the user that runs Linebox may not do this",
        "give the data folder to that user (`chown -R`), and do not mix runs as root with runs as another user",
    ),
    Hint(
        r"Cannot assign requested address",
        "the machine does not have this network address",
        "use 127.0.0.1 or an address that `ip address` shows",
    ),
    Hint(
        r"unable to open database file|No such file or directory",
        "a file or folder is not there",
        "look whether --data names the right folder and whether its disk is mounted",
    ),
    Hint(
        r"problems? in the configuration",
        "the configuration files are wrong",
        "`linebox config check` lists every problem with its place; until then the last good one is in force",
    ),
)


def hint(message: str) -> Hint | None:
    """What is known about a technical message; None if nothing is."""
    for candidate in HINTS:
        if re.search(candidate.message, message, re.IGNORECASE):
            return candidate
    return None


def with_hint(message: str) -> str:
    """The message, and in further lines its cause and remedy if they are known."""
    found = hint(message)
    return f"{message}\n  cause: {found.cause}\n  remedy: {found.remedy}" if found else message
