"""Tells a process that hangs from one that works: the receiving end of systemd's protocol (sd_notify(3)).

What is sent: `firmware/box/sign_of_life.py`. What is done with a hung one is decided here (`Watch`) and carried out by
supervisor.py. Hearing reads no clock: times are seconds during which the supervisor was awake (`AwakeTime`).
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path

ABORT_SECONDS = 1.0
"""How long a hung process has to write where it stood. One that was stopped, or waits for a disk, does not."""
KILL_SECONDS = 5.0
"""Who has not ended so long after SIGKILL is held by the kernel."""
LONGEST_TURN_SECONDS = 1.0
"""A turn of the supervisor's loop that took longer counts as so long: it stood still itself (SIGSTOP, a closed lid, a
paused virtual machine), and so maybe did the others."""
DATAGRAMS_A_TURN = 1000
"""More wait for the next turn: nobody keeps the supervisor from its other work."""
_LONGEST = 4096
_LONGEST_STATUS = 200
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: process, user, group
_PLACE = re.compile(r"^Current thread [^\n]*\n  (File [^\n]*)", re.MULTILINE)


class AwakeTime:
    """Seconds that the supervisor has been awake. Turns of its loop come more often than LONGEST_TURN_SECONDS."""

    def __init__(self, now: float) -> None:
        self._last = now
        self.seconds = 0.0

    def turn(self, now: float) -> float:
        """A turn of the loop, at `now` (monotonic seconds)."""
        self.seconds += min(max(now - self._last, 0.0), LONGEST_TURN_SECONDS)
        self._last = now
        return self.seconds


class Step(Enum):
    """What is to be done with a process that hangs."""

    ABORT = auto()
    KILL = auto()
    GIVE_UP = auto()
    """Even SIGKILL did not end it: there is nothing more to do but to say so."""


class Watch:
    """One start of one process. It is watched from its first sign on: a start may take as long as it takes."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._heard: float | None = None
        self._steps: Iterator[tuple[Step, float]] = iter(
            ((Step.ABORT, ABORT_SECONDS), (Step.KILL, KILL_SECONDS), (Step.GIVE_UP, float("inf")))
        )
        self._next_step: float | None = None
        self.status = ""
        """What it said last of itself."""

    @property
    def is_hung(self) -> bool:
        """True once it has been taken for hung; a sign that comes later does not save it."""
        return self._next_step is not None

    def hear(self, datagram: bytes, now: float) -> None:
        """What the process sent. What is not understood is passed over."""
        for line in datagram.decode("utf-8", errors="replace").splitlines():
            if line in ("READY=1", "WATCHDOG=1", "STOPPING=1"):
                self._heard = now
            elif line.startswith("STATUS="):
                text = "".join(one if one.isprintable() else " " for one in line.removeprefix("STATUS="))
                self.status = text[:_LONGEST_STATUS]

    def silent_seconds(self, now: float) -> float:
        """Since its last sign; 0 before the first."""
        return now - self._heard if self._heard is not None else 0.0

    def due(self, now: float) -> Step | None:
        """What is to be done now, each step once."""
        if self._next_step is None and self.silent_seconds(now) <= self._limit:
            return None
        if self._next_step is not None and now < self._next_step:
            return None
        step, seconds = next(self._steps)
        self._next_step = now + seconds
        return step


class NotifySocket:
    """Where the processes send their signs. The kernel says which process a datagram is of."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.bind(str(path))
            path.chmod(0o600)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """(process, datagram) of what has come, in order. Datagrams that are too long or of nobody are left out."""
        # No more room than for the credentials: descriptors that somebody sends along are closed by the kernel.
        room = socket.CMSG_LEN(_CREDENTIALS.size)
        for _ in range(DATAGRAMS_A_TURN):
            try:
                datagram, attached, flags, _ = self._socket.recvmsg(_LONGEST, room)
            except OSError:
                return
            for level, kind, data in attached:
                is_credentials = (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
                if is_credentials and len(data) == _CREDENTIALS.size and not flags & socket.MSG_TRUNC:
                    yield _CREDENTIALS.unpack(data)[0], datagram

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()


def where_it_hung(words: bytes) -> str:
    """The innermost place of the thread that got SIGABRT, which is the main one, out of what faulthandler wrote.

    Empty if it wrote nothing.
    """
    found = _PLACE.findall(words.decode("utf-8", errors="replace"))
    return str(found[-1]) if found else ""
