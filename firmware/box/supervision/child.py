"""One process under the supervisor: how it is started, tied to the supervisor's life, and when it is started again."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware.box.supervision.log_file import LogFile

BACK_OFF_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Waits before the first, second … restart of a process that keeps dying."""
STEADY_SECONDS = 5.0
"""Who lived this long died of something new: the next restart is at once."""

LAST_WORDS_BYTES = 1 << 14

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_PIPE_BYTES = 1 << 20
"""Log text that a process can leave while the supervisor is held up, without being held up itself."""


@dataclass(frozen=True)
class Plan:
    """A process that shall run."""

    name: str
    command: tuple[str, ...]
    requires: str = ""
    """Python module without which it cannot run; it is started when the module can be imported."""
    stop_stage: int = 0
    """At the end stage 0 is stopped first; the next when those are gone (who keeps the records stays to the last)."""
    port: int = 0
    watchdog_seconds: float = 0.0
    """A process that gave signs of life and then gives none for so long is ended and started again; 0: never."""


class RestartPolicy:
    """How long to wait before a process that ended is started again."""

    def __init__(self) -> None:
        self._quick_deaths = 0

    @property
    def quick_deaths(self) -> int:
        """Deaths one after the other, each soon after a start."""
        return self._quick_deaths

    def wait_after(self, lived_seconds: float) -> float:
        """Seconds to wait after an end, given how long it had lived."""
        if lived_seconds >= STEADY_SECONDS:
            self._quick_deaths = 0
        wait = BACK_OFF_SECONDS[min(self._quick_deaths, len(BACK_OFF_SECONDS) - 1)]
        self._quick_deaths += 1
        return wait


def _die_with(supervisor: int) -> None:
    """Runs in the new process: the kernel kills it when the supervisor dies, however that dies."""
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != supervisor:
        os._exit(70)


class Child:
    """A running process and the pipe on which it speaks (standard output and error together)."""

    def __init__(self, plan: Plan, environment: Mapping[str, str], log: LogFile) -> None:
        """Start it. Raises OSError."""
        self.plan = plan
        self._log = log
        self.last_words = b""
        """The end of what it said: long enough for where all threads stood and the modules that faulthandler lists."""
        supervisor = os.getpid()
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            os.set_blocking(reading, False)
            self._process = subprocess.Popen(
                plan.command,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=dict(environment),
                # Ctrl-C at the terminal is for the supervisor alone, which stops the others in order.
                process_group=0,
                # The supervisor has one thread, so that nothing can be held by another at the fork.
                preexec_fn=lambda: _die_with(supervisor),  # noqa: PLW1509
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._reading = reading

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._reading

    def read(self) -> bool:
        """Take what it said into its log. False when it will say no more."""
        while True:
            try:
                data = os.read(self._reading, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._log.append(data)
            self.last_words = (self.last_words + data)[-LAST_WORDS_BYTES:]

    def exit_code(self) -> int | None:
        """None while it runs; else its exit code or minus the signal that ended it."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self) -> None:
        """After its end: take the rest of what it said."""
        with contextlib.suppress(OSError):
            self.read()
        os.close(self._reading)


def ended_how(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    return f"ended with code {code}"


def last_line(words: bytes) -> str:
    """The last line that says something: of a traceback, its message."""
    lines: Sequence[str] = words.decode("utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
