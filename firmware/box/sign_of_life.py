"""Signs of life of a process, by systemd's protocol (sd_notify(3), sd_watchdog_enabled(3)): to systemd on the box, to
`linebox up` elsewhere, to nobody if nobody asks. Who judges them: `supervision/watchdog.py`.

Not the package `sdnotify` (0.3.2 of 2017, the newest): its socket blocks while the receiver's queue is full (ten
datagrams), so that a supervisor that stands still would stop the tick; it does not read WATCHDOG_USEC and
WATCHDOG_PID; and it has no wheel, which our locks want.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import socket
from collections.abc import MutableMapping

SIGNS_A_LIMIT = 8
"""Signs that are given in the time after which a process without one counts as hung."""
_NEVER_US = 1 << 62
_STANDARD_ERROR = 2


class SignOfLife:
    """Who is told. Never blocks, and never raises: a sign that cannot be given is missed by who waits for it."""

    def __init__(self, address: str = "", limit_us: int = 0) -> None:
        """`address` as in NOTIFY_SOCKET: a path, or `@name` (abstract); empty: nobody is told. `limit_us` as in
        WATCHDOG_USEC; 0: nobody waits for signs."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._period_us = limit_us // SIGNS_A_LIMIT
        self._told_hang = False
        self.next_us = _NEVER_US
        """Monotonic moment of the next sign: a loop that sleeps wakes up for it."""
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            if limit_us > 0:
                self.next_us = 0

    def ready(self, status: str = "") -> None:
        """The start is over. From now on signs are waited for."""
        self._send("READY=1\n" + _status(status))

    def alive(self, now_us: int, hangs: str = "") -> None:
        """To be called at every turn of the main loop, by the loop itself; a sign is sent only when one is due.
        `hangs`: what of this process does not go on. Then that is told in place of the sign."""
        if now_us >= self.next_us:
            good = "WATCHDOG=1\n" + _status("goes on" if self._told_hang else "")
            sent = self._send(_status(hangs) if hangs else good)
            self._told_hang = bool(hangs)
            # The receiver's queue may be full of others' signs: not a whole period is waited for the next try.
            self.next_us = now_us + (self._period_us if sent else self._period_us // SIGNS_A_LIMIT)

    def status(self, text: str) -> None:
        """What the process does, in one sentence for a person."""
        self._send(_status(text))

    def stopping(self) -> None:
        """The last that is said: the process ends in order."""
        self._send("STOPPING=1\n")
        self.next_us = _NEVER_US
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        if self._socket is None:
            return False
        try:
            # To the address each time: systemd may have begun anew with another socket of the same name.
            self._socket.sendto(message.encode(errors="replace"), self._address)
        except OSError:
            return False
        return True


NOBODY = SignOfLife()
"""For tests that run a loop in their own process."""


def sign_of_life(environment: MutableMapping[str, str] = os.environ) -> SignOfLife:
    """Who wants signs of this process. Taken out of the environment: programs that it starts shall not speak for it."""
    address = environment.pop("NOTIFY_SOCKET", "")
    limit = environment.pop("WATCHDOG_USEC", "")
    meant = environment.pop("WATCHDOG_PID", "")
    is_meant = limit.isascii() and limit.isdigit() and meant in ("", str(os.getpid()))
    return SignOfLife(address, int(limit) if is_meant else 0)


def begin_signs_of_life() -> SignOfLife:
    """Called once by the main function of a process. From then on SIGABRT, by which a hung process is ended, leaves on
    standard error where each thread stood, and no image of its memory: citizens' numbers and voices are in that."""
    faulthandler.enable(_STANDARD_ERROR, all_threads=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return sign_of_life()


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}\n" if text else ""
