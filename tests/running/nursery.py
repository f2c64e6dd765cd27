"""A process that has loaded recorder and gateway once and forks as many of them as a test wants to kill.

    python -m tests.running.nursery      reads JSON lists: [LOG, "recorder", "--data", DATA, …]; answers process numbers

To load them anew takes a second and a half each; two hundred kills would take five minutes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable

from firmware.box.gateway import process as gateway
from firmware.box.recorder import process as recorder

MAINS: dict[str, Callable[[list[str]], int]] = {"gateway": gateway.main, "recorder": recorder.main}
_PR_SET_PDEATHSIG = 1


def live(log: str, name: str, *arguments: str) -> None:
    """The new process: ends with the nursery."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        path = os.devnull if descriptor == 0 else log
        opened = os.open(path, flags | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    code = 70
    try:
        code = MAINS[name](list(arguments))
    finally:
        os._exit(code)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who dies is gone at once
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(*json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
