"""Tests in real time on machines that stand still now and then (by up to 0.6 s): what was judged while this one did
says nothing, so it is played again. What fails on a machine that ran on, or three times, fails. No tests here.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Self

from firmware.simulator.report import ClockEntry, read_report

Given = ParamSpec("Given")

STALL_SECONDS = 0.03
"""More than this late is a stall: jitter buffers have moved by then."""
SCENES = 3
TOLD_SECONDS = 3.0
"""After this long the report of a running simulator has what was lost."""


def losses(clock: list[ClockEntry]) -> list[ClockEntry]:
    """Where stalls of this machine have cost sound on the way between simulator and gateway."""
    return [entry for entry in clock if entry.event in ("lost", "not_taken", "gap")]


def lost_blocks(report: Path) -> list[ClockEntry]:
    """Those that the simulator has counted (`linebox up --report`)."""
    return losses(read_report(report)[1])


def more_was_lost(report: Path, before: int) -> bool:
    """Whether by now the simulator has counted more losses than `before`. It tells them once a second."""
    end = time.monotonic() + TOLD_SECONDS
    while len(lost_blocks(report)) <= before:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class StallWatch:
    """Looks at the clock every few milliseconds while its context lasts."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        """By how much it came too late at most."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.005):
            now = time.monotonic()
            self.longest_seconds = max(self.longest_seconds, now - last - 0.005)
            last = now


def played_again_after_a_stall(test: Callable[Given, None]) -> Callable[Given, None]:
    """The test, which must be able to run several times with the same fixtures."""

    @functools.wraps(test)
    def scenes(*arguments: Given.args, **named: Given.kwargs) -> None:
        for scene in range(1, SCENES + 1):
            with StallWatch() as watch:
                try:
                    return test(*arguments, **named)
                except AssertionError as error:
                    if scene == SCENES or watch.longest_seconds < STALL_SECONDS:
                        raise
                    print(f"this machine stood still for {watch.longest_seconds:.3f} s, played again: {error}")

    return scenes
