"""What ties the display process to the supervisor that started it: whose table of processes counts, and that lamps go
dark when it dies. Started by hand the process is tied to nobody.
"""

from __future__ import annotations

import ctypes
import os
import signal

from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, read_process_table

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def our_table(paths: BoxPaths) -> dict[str, ProcessEntry]:
    """The table of processes, if it is that of the supervisor that started this process; else empty."""
    table = read_process_table(paths)
    supervisor = table.get("supervisor")
    return table if supervisor is not None and supervisor.pid == os.getppid() else {}


def end_in_order_with_supervisor() -> None:
    """The supervisor has arranged that the kernel kills this process when it dies. A killed process turns no lamp off,
    and many chips keep the level of a line that nobody holds: so SIGTERM. To be called by the main thread."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
