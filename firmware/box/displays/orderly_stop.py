"""The way from the shut-down button to the supervisor: the stop is announced to the callserver, which has it in its
records and tells everybody; then the supervisor is asked. If it does not stop the box, that is a fault.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from firmware.box.displays.supervised import our_table
from firmware.calls.messages import AnnounceStop
from firmware.calls.panel import PATIENCE_MS
from firmware.core.faults import Fault, fault
from firmware.core.paths import BoxPaths

ANNOUNCE_SECONDS = 1.0
"""So long is waited until the callserver has it in its records; then the box is stopped anyway."""
PATIENCE_SECONDS = PATIENCE_MS / 1000


class OrderlyStop:
    """One after the other; moments are monotonic seconds."""

    def __init__(self, paths: BoxPaths, announce: Callable[[AnnounceStop], int]) -> None:
        """`announce` gives the number of the request."""
        self._paths = paths
        self._announce = announce
        self._request = 0
        self._order_at: float | None = None
        """When the supervisor is asked at the latest."""
        self._gone_by: float | None = None
        """It was asked: when the box must be gone."""
        self.fault: Fault | None = None
        """Why the last one came to nothing."""

    def begin(self, now: float) -> None:
        """The button was held long enough."""
        self.fault, self._gone_by = None, None
        self._order_at = now + ANNOUNCE_SECONDS
        self._request = self._announce(AnnounceStop())

    def answered(self, request: int) -> None:
        """The callserver has answered a request: perhaps the announcement."""
        if request == self._request:
            self._request = 0

    def advance(self, now: float) -> None:
        """Time has passed. To be called at every turn."""
        if self._order_at is not None and (now >= self._order_at or not self._request):
            self._order_at, self._gone_by = None, now + PATIENCE_SECONDS
            if problem := stop_box(self._paths):
                self._give_up(problem)
        elif self._gone_by is not None and now >= self._gone_by:
            self._give_up(fault("stop_failed", error=f"it goes on after {PATIENCE_SECONDS:g} s"))

    def _give_up(self, problem: Fault) -> None:
        self.fault, self._gone_by = problem, None
        self._announce(AnnounceStop(stopping=False))


def stop_box(paths: BoxPaths) -> Fault | None:
    """Ask the supervisor to end the box in order, as Ctrl-C does. Told is why it cannot be asked."""
    supervisor = our_table(paths).get("supervisor")
    if supervisor is None:
        return fault("stop_failed", error="no supervisor has started the display process")
    try:
        os.kill(supervisor.pid, signal.SIGTERM)
    except OSError as error:
        return fault("stop_failed", error=error)
    return None
