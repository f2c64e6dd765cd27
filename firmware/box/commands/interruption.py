"""Ctrl-C, SIGTERM and a closed terminal as something that a command waits for beside its sockets, because it has to
tidy up in the box before it goes. Not for the processes of the box: these are ended by `box/real_time.py`."""

from __future__ import annotations

import signal
import socket
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Within `with` these signals make it readable (`fileno`) instead of ending the command; one that is ignored
    (nohup) stays so. A second Ctrl-C is as ever: KeyboardInterrupt. For the main thread alone."""

    def __init__(self) -> None:
        self.signal = 0
        """The one that came first; 0: none. The exit code of a command that it ends is 128 more."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self._heard, self._telling = socket.socketpair()
        self._heard.setblocking(False)
        self._telling.setblocking(False)
        # Told by the handler in C: it wakes a `select` that was about to begin, too.
        self._old_wakeup = signal.set_wakeup_fd(self._telling.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._came)
        return self

    def _came(self, number: int, _: FrameType | None) -> None:
        if self.signal == 0:
            self.signal = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def fileno(self) -> int:
        return self._heard.fileno()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        self._heard.close()
        self._telling.close()
