"""What processes that audio passes through ask of the system: to come first, and no pauses. Not what they do."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable

_log = logging.getLogger(__name__)


def begin_real_time(stop: Callable[[], None], priority: int) -> None:
    """Stop on SIGTERM and SIGINT; SCHED_FIFO at `priority` if permitted; all that is loaded is out of the garbage
    collector's way (a collection of it takes 10 ms)."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        _log.info("no real-time priority (%s): audio may stall while the machine is busy", error.strerror)
    gc.collect()
    gc.freeze()
