"""Which processes of the box run: written by the supervisor, read by processes, doctor and tests. Commands nobody.

`processes.json` in the run folder: one object, process name → `ProcessEntry`, `supervisor` among them.
"""

from __future__ import annotations

import logging
import os

import msgspec

from firmware.core.paths import BoxPaths


class ProcessEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One process. Times are microseconds of UTC."""

    pid: int = 0
    """0: does not run now."""
    state: str
    """`starting`, `running`, `restarting` (ended, waits for its turn), `waiting` (for a part to install), `stopped`.
    The supervisor is `starting` until the box is ready or has had time enough for it, and `stopping` while it ends all
    in order."""
    started_utc_us: int = 0
    restarts: int = 0
    hangs: int = 0
    """How often it gave no sign of life any more, so that it was ended."""
    last_exit: int | None = None
    """How it ended last: exit code, or minus the signal number."""
    port: int = 0
    """Port outside the box, if it has one."""


def write_process_table(paths: BoxPaths, table: dict[str, ProcessEntry]) -> None:
    """Replace the table. The run folder lives in memory: atomic for readers, no need to be durable. Raises OSError."""
    new = paths.process_table.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=2))
    os.rename(new, paths.process_table)


def read_process_table(paths: BoxPaths) -> dict[str, ProcessEntry]:
    """The table as last written, maybe by a supervisor that is dead; empty if there is none or it cannot be read."""
    try:
        return msgspec.json.decode(paths.process_table.read_bytes(), type=dict[str, ProcessEntry])
    except (OSError, msgspec.MsgspecError):
        return {}


def absence_level(paths: BoxPaths) -> int:
    """At which level of the log a process says that another one is not there or has gone: a warning, unless the
    supervisor that started it is starting the box or stops it in order."""
    supervisor = read_process_table(paths).get("supervisor")
    expected = (
        supervisor is not None and supervisor.state in ("starting", "stopping") and supervisor.pid == os.getppid()
    )
    return logging.INFO if expected else logging.WARNING
