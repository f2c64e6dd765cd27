"""Group commit: a thread that stores what gathered, while the callserver's loop goes on handling. Decides nothing.

What the core wants told (events, replies, recorder messages) is handed back only after the commit that holds it
returned. While one commit runs, the next batch gathers. A disk that does not take a batch gets it again every second;
nothing is told until it does, but line orders are not held up, so calls go on.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from firmware.box.callserver.reserve import DiskReserve
from firmware.contacts.effects import Effects
from firmware.records.journal import Journal

GATHER_US = 10_000
"""How long effects may gather before their commit begins: with the commit itself about 20 ms until they are told."""
RETRY_SECONDS = 1.0
TAKE_AGAIN_SECONDS = 10.0
STOP_SECONDS = 5.0
"""How long `stop` waits for a commit that is under way."""
HANG_SECONDS = 120.0
"""A disk that is slow or fails is no reason to end the callserver, which goes on with its calls and could not start
without the disk: the kernel gives a command 30 s, tries again, and then says that it failed. A commit that has not come
back after all that hangs for another reason."""

DEFECTS = (IntegrityError, DataError, InterfaceError, ProgrammingError)
"""What the database says of rows that no disk would ever take. To try again would be to store nothing any more."""

_log = logging.getLogger(__name__)


class Committer:
    """Owns the journal's thread. `fileno()` becomes readable when a batch is on disk; `finished()` gives it back."""

    def __init__(self, journal: Journal, reserve: DiskReserve | None = None) -> None:
        """`reserve` is given up when the disk is full."""
        self._journal = journal
        self._reserve = reserve
        self.on_reserve = reserve is not None and not reserve.take()
        """True while no room is kept for what is to be stored."""
        self._gathering = Effects()
        self._gathering_since: int | None = None
        self._written: list[Effects] = []
        self._batch: Effects | None = None
        self._stopping = False
        self._commit_began: float | None = None
        self._wake = threading.Condition()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._next_take = 0.0
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()
        self.failing = False
        """True while the disk does not take what it is given."""

    def fileno(self) -> int:
        return self._signal

    def add(self, effects: Effects, now_us: int) -> None:
        """Effects to be stored, then told. Order is kept."""
        self._gathering.take(effects)
        if self._gathering_since is None:
            self._gathering_since = now_us

    @property
    def busy(self) -> bool:
        """True while something gathers, is being stored, or waits to be told."""
        with self._wake:
            return self._gathering_since is not None or self._batch is not None or bool(self._written)

    @property
    def hangs(self) -> str:
        """In words what does not go on; empty while commits come back, be it with an error."""
        began = self._commit_began
        if began is None or (seconds := time.monotonic() - began) < HANG_SECONDS:
            return ""
        return f"the records are not on the disk: a commit has not come back for {seconds:.0f} s"

    def due(self) -> int | None:
        """Monotonic microseconds at which `start` should be called; None if there is nothing to store or it is busy."""
        with self._wake:
            if self._gathering_since is None or self._batch is not None:
                return None
            return self._gathering_since + GATHER_US

    def start(self) -> None:
        """Begin to store what gathered."""
        with self._wake:
            if self._batch is None and self._gathering_since is not None:
                self._batch, self._gathering, self._gathering_since = self._gathering, Effects(), None
                self._wake.notify()

    def finished(self) -> list[Effects]:
        """Batches that are on disk now, in order."""
        try:
            os.eventfd_read(self._signal)
        except BlockingIOError:
            pass
        with self._wake:
            written, self._written = self._written, []
            return written

    def stop(self) -> list[Effects]:
        """Store what is left, end the thread, and give back what may be told. Does not wait for a disk that fails or
        hangs: what it did not take is not told, and lost."""
        self.start()
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=STOP_SECONDS)
        if self._thread.is_alive():
            _log.error("the data disk hangs, the last records are lost")
            return self.finished()
        if self._gathering_since is not None and not self.failing and self._store(self._gathering):
            self._written.append(self._gathering)
        written = self.finished()
        os.close(self._signal)
        return written

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._batch is not None or self._stopping)
                batch = self._batch
                if batch is None:
                    return
            try:
                if not self._store(batch):
                    return
            except Exception:
                # A defect of ours. Who went on would store nothing any more; who starts anew goes on with what is
                # stored.
                _log.exception("a batch could not be stored at all, the callserver starts anew")
                os._exit(70)
            with self._wake:
                self._batch = None
                self._written.append(batch)
            os.eventfd_write(self._signal, 1)

    def _keep_reserve(self) -> None:
        """Take the reserve again when there is room."""
        if self._reserve is not None and self.on_reserve and time.monotonic() >= self._next_take:
            self._next_take = time.monotonic() + TAKE_AGAIN_SECONDS
            self.on_reserve = not self._reserve.take()

    def _store(self, batch: Effects) -> bool:
        """Try until it is on disk; False if the process is to stop before that. Raises what is no fault of the disk."""
        while True:
            try:
                if batch.must_be_stored:
                    self._commit_began = time.monotonic()
                    try:
                        self._journal.commit(batch.rows, batch.live)
                        self._keep_reserve()
                    finally:
                        self._commit_began = None
                self.failing = False
                return True
            except DEFECTS:
                raise
            except SQLAlchemyError as error:
                if "full" in str(error) and self._reserve is not None and self._reserve.give_up():
                    self.on_reserve, self._next_take = True, time.monotonic() + TAKE_AGAIN_SECONDS
                    continue
                if not self.failing:
                    _log.error(
                        "records cannot be stored, calls go on and are kept in memory: %s. "
                        "Free space on the data disk or check it; it is tried again every second",
                        error,
                    )
                self.failing = True
            with self._wake:
                if self._wake.wait_for(lambda: self._stopping, timeout=RETRY_SECONDS):
                    return False
