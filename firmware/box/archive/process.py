"""The archive process: `python -m firmware.box.archive.process --data DIR`. Keeps recordings as the configuration says.

One thread at idle priority. Every half minute it looks what retention wants deleted and asks the callserver, which
alone may decide; removes the files of what is deleted; and, while no call is recorded, makes compressed copies. It
holds nothing: whatever it leaves half done is done again at the next start. On a disk that fills, copies stop first,
then new recordings, then running ones (`Room` in `records/messages.py`), and calls never.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import sys
import time
from pathlib import Path

import psutil
from sqlalchemy.exc import SQLAlchemyError

from firmware.box.commands.cti_request import ask
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.calls.messages import DeleteRecording, KeepCopy
from firmware.core.clock import MICROSECONDS, SystemClock
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.hints import ClearError
from firmware.core.logging import start_logging
from firmware.core.messages import PeerGone
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level
from firmware.core.schemas import Recordings
from firmware.core.storage import sync_folder
from firmware.records import stored
from firmware.records.database import open_for_reading
from firmware.records.derivative import PART, DerivativeError, compress, copy_of, file_sha256
from firmware.records.messages import Room, room_of
from firmware.records.recording import RecordingError
from firmware.records.retention import COPY_KEPT, DAY_US, clock_is_strange, due
from firmware.records.stored import StoredFile

EVERY_SECONDS = 30.0
DELETIONS_AT_ONCE = 50
COPIES_AT_ONCE = 20
BY = "archive"
_SWEEP_US = 2 * DAY_US
"""Deletions that are looked at again on each turn; at the start all are."""

_log = logging.getLogger("linebox.archive")


class Archive:
    """The turns of the process."""

    def __init__(self, paths: BoxPaths, sign: SignOfLife = NOBODY) -> None:
        self._paths = paths
        self._sign = sign
        self._engine = open_for_reading(paths.calls_database)
        self._clock = SystemClock()
        self._ended = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._swept_all = False
        self._no_copy: set[int] = set()
        """Recordings of which no copy can be made; tried again after a restart."""
        self._told = ("", logging.NOTSET)

    def end(self, *_: object) -> None:
        """Signal handler."""
        if not self._ended:
            self._ended = True
            os.eventfd_write(self._wake, 1)
            _step_forward()

    def run(self, every_seconds: float) -> None:
        """Returns after `end`."""
        self._sign.ready()
        while not self._ended:
            try:
                self.turn()
                self._told = ("", logging.NOTSET)
            except (SQLAlchemyError, OSError, PeerGone, ClearError, ConfigurationError) as error:
                cause = str(getattr(error, "orig", None) or error)  # without the statement and the links of SQLAlchemy
                told = (cause, absence_level(self._paths))
                if told != self._told:  # the callserver restarts, the disk is away, …: next turn again
                    self._told = told
                    _log.log(told[1], "the archive waits: %s", cause)
            self._rest(every_seconds)
        self._sign.stopping()
        self._engine.dispose()
        os.close(self._wake)

    def _rest(self, seconds: float) -> None:
        until_us = _now_us() + round(seconds * MICROSECONDS)
        while (now_us := _now_us()) < until_us and not self._ended:
            self._sign.alive(now_us)
            select.select([self._wake], [], [], max(0, min(until_us, self._sign.next_us) - now_us) / MICROSECONDS)

    def turn(self) -> None:
        """Delete what is due, remove files, make copies while it is quiet. Raises what the parts raise."""
        if not self._paths.calls_database.exists():
            return  # a first start: the callserver has not made it yet
        settings = load_configuration_or_last_good(self._paths)[0].box.recordings
        self._delete_due(settings)
        self._remove_files()
        if settings.compress:
            self._make_copies(settings)

    # ---- deletion ---------------------------------------------------------------------------------------------------

    def _delete_due(self, settings: Recordings) -> None:
        now_us = self._clock.now().utc_us
        with self._engine.connect() as connection:
            if clock_is_strange(now_us, stored.newest_utc_us(connection)):
                return
            oldest = stored.oldest(connection, DELETIONS_AT_ONCE)
            used = stored.used_bytes(connection)
            copied: list[int] = []
            if settings.raw_days:
                before = now_us - settings.raw_days * DAY_US
                copied = list(stored.with_copy_before(connection, before, DELETIONS_AT_ONCE))
        for number, reason in due(oldest, used, self._free(), settings, now_us):
            self._delete(DeleteRecording(number, reason))
        for number in copied:
            self._delete(DeleteRecording(number, COPY_KEPT, raw_only=True))

    def _delete(self, request: DeleteRecording) -> None:
        self._sign.alive(_now_us())
        if self._ended:
            return
        reply = ask(self._paths, request, BY)
        what = "its raw file" if request.raw_only else "it"
        if reply.error:
            _log.warning("recording %d: %s is not deleted (%s)", request.recording, what, reply.error)
        else:
            _log.info("recording %d: %s is deleted (%s)", request.recording, what, request.reason)

    def _remove_files(self) -> None:
        """Of all that is deleted; again and again, for a power cut may have kept one."""
        since = self._clock.now().utc_us - _SWEEP_US if self._swept_all else 0
        with self._engine.connect() as connection:
            files = stored.deleted_since(connection, since)
        if not self._swept_all:
            for left_over in self._paths.recordings.rglob(f"*{PART}"):
                left_over.unlink()
        folders = set()
        for file in files:
            self._sign.alive(_now_us())
            path = self._paths.recordings / file
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                folders.add(path.parent)
        for folder in folders:
            sync_folder(folder)
        self._swept_all = True

    def _free(self) -> int:
        disk = os.statvfs(self._paths.recordings)
        return disk.f_bavail * disk.f_frsize

    # ---- copies -----------------------------------------------------------------------------------------------------

    def _make_copies(self, settings: Recordings) -> None:
        with self._engine.connect() as connection:
            waiting = stored.without_copy(connection, sorted(self._no_copy), COPIES_AT_ONCE)
        for recording in waiting:
            if not self._may_work(settings):
                return
            try:
                if not self._make_copy(recording, settings):
                    return
            except (DerivativeError, RecordingError, OSError) as error:
                self._no_copy.add(recording.number)
                _log.error("recording %d gets no compressed copy: %s", recording.number, error)

    def _make_copy(self, recording: StoredFile, settings: Recordings) -> bool:
        """False if it was given up because there was something more important."""
        source = self._paths.recordings / recording.file
        target = self._paths.recordings / copy_of(recording.file)
        with contextlib.closing(compress(source, target, recording.sha256)) as steps:
            for _ in steps:
                if not self._may_work(settings):
                    return False
        reply = ask(self._paths, KeepCopy(recording.number, target.stat().st_size, file_sha256(target)), BY)
        if reply.error:
            _log.warning("the copy of recording %d is not taken (%s)", recording.number, reply.error)
            target.unlink()
            self._no_copy.add(recording.number)
        return True

    def _may_work(self, settings: Recordings) -> bool:
        """Copies are made while no call is recorded and there is room. Asked every ten seconds of audio."""
        self._sign.alive(_now_us())
        if self._ended or room_of(self._free(), settings.reserve_mb << 20) is not Room.ENOUGH:
            return False
        with self._engine.connect() as connection:
            return not stored.recording_goes_on(connection)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _step_back() -> None:
    """Give way to everything else, on the processor and on the disk."""
    with contextlib.suppress(OSError, psutil.Error):
        os.nice(19)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def _step_forward() -> None:
    """Who is to end must get the processor for it, however busy the machine is."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="linebox-archive", description="Deletes and compresses recordings.")
    parser.add_argument("--data", type=Path, help="data folder of the box (default: LINEBOX_DATA)")
    parser.add_argument("--every", type=float, default=EVERY_SECONDS, metavar="SECONDS", help="pause between turns")
    options = parser.parse_args(arguments)
    start_logging("archive")
    sign = begin_signs_of_life()
    paths = box_paths(options.data)
    paths.make()
    archive = Archive(paths, sign)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, archive.end)
    _step_back()
    archive.run(options.every)
    return 0


if __name__ == "__main__":
    sys.exit(main())
