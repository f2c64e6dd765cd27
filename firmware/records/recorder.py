"""Brings the audio of the ring into recordings. Knows no socket and no clock; its process is `box/recorder.py`.

What is wanted is told by `handle`, done by `advance`: each call takes all that the ring holds. A file's length says how
far its recording has come, so that a recorder that was killed goes on without a gap for as long as the ring reaches
back. What goes wrong with one recording (disk full, no permission) is told once, tried again every two seconds, and
stops neither the others nor a call. What was lost is silence and counted.

A running recording is written in whole, aligned blocks and made durable right after each, for the sake of SD cards: at
a power cut at most the last `LOSS_SECONDS` of it are lost. When only the recorder dies, the ring still holds them.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from boards.base import ALAW_SILENCE
from firmware.core.faults import Fault, fault
from firmware.core.schemas import Recordings
from firmware.media.ring import RingError, RingReader
from firmware.records.messages import (
    UNKNOWN_END,
    CloseRecording,
    FromRecorder,
    OpenRecording,
    RecorderSettings,
    RecordingClosed,
    RecordingFailed,
    Room,
    RoomChanged,
    ToRecorder,
    room_of,
)
from firmware.records.recording import HEADER_SIZE, TRACKS, RecordingError, RecordingFile

ADVANCE_SECONDS = 0.2
"""How often `advance` wants to be called."""

WRITE_BYTES = 64 << 10
"""A running recording's file grows by blocks of this size at multiples of it: 4.1 s of audio."""
LOSS_SECONDS = 8.0
"""The most of a running recording that a power cut takes: a block, then the turns of `_sync_some`."""

_RETRY_ADVANCES = 10
_TURNS_TO_SYNC_ALL = 15
_PIECE = 10 * 8000
"""Samples that are moved at once: 160 kB."""
_PIECES_PER_ADVANCE = 4
_ENDS_PER_ADVANCE = 8
"""Each costs a slow disk a second. What has ended is told before more is ended, those that run are written in between,
and the process gives its sign of life: after a power cut all that was cut off is to be ended at once."""
_LONGEST = 24 * 3600 * 8000
"""Samples in the longest recording that is believed."""
_RESERVE = Recordings().reserve_mb << 20
"""Bytes of the disk that recordings leave to call records and configuration, until the callserver has said more."""
_ADVANCES_BETWEEN_ROOMS = 25
"""A disk at the limit shall not be told of all the time."""


class _Trouble(Exception):
    """A recording cannot go on now."""

    def __init__(self, found: Fault) -> None:
        super().__init__(found.what)
        self.fault = found


class _Recording:
    """One recording that was asked for: what was asked, and how far it is."""

    def __init__(self, message: OpenRecording | CloseRecording, path: Path) -> None:
        self.number = message.recording
        self.path = path
        self.boot = message.gateway_boot
        self.channel = message.channel
        self.from_sample = message.from_sample
        self.to_sample: int | None = None
        """Where it shall end; None while nobody has said."""
        self.file: RecordingFile | None = None
        self.synced_samples = 0
        self.name_is_durable = False
        self.told: Fault | None = None
        """The trouble that was told last, None if there is none."""
        self.advances_to_wait = 0

    def is_asked_by(self, message: OpenRecording | CloseRecording, path: Path) -> bool:
        source = (message.gateway_boot, message.channel, message.from_sample)
        return path == self.path and source == (self.boot, self.channel, self.from_sample)

    @property
    def position(self) -> int:
        """The sample count up to which the file has come."""
        return self.from_sample + (self.file.samples if self.file else 0)

    def close_file(self) -> None:
        if self.file:
            self.file.close()
            self.file = None


class Recorder:
    """All recordings of the box that are open. `open_ring` finds the ring of a start of the gateway (or raises)."""

    def __init__(
        self,
        recordings_folder: Path,
        open_ring: Callable[[str], RingReader],
        reserve_bytes: int = _RESERVE,
        write_bytes: int = WRITE_BYTES,
    ) -> None:
        self._write_bytes = write_bytes
        self._folder = recordings_folder
        self._open_ring = open_ring
        self._reserve_bytes = reserve_bytes
        self._recordings: dict[int, _Recording] = {}
        self._rings: dict[str, RingReader] = {}
        self._latest_boot = ""
        self._refused: list[FromRecorder] = []
        self._room = Room.ENOUGH
        self._told_room: Room | None = Room.ENOUGH
        self._advances_since_room = 0
        self.behind = False
        """True if the last `advance` left work undone: call it again at once."""

    @property
    def open_recordings(self) -> int:
        """How many are recorded, or wait for their end."""
        return len(self._recordings)

    def handle(self, message: ToRecorder) -> None:
        """Take note of a wish. The same one again does no harm; what cannot be is answered by the next `advance`."""
        if isinstance(message, RecorderSettings):
            self._reserve_bytes, self._told_room = message.reserve_bytes, None
            return
        path = self._path(message.file)
        to_sample = message.to_sample if isinstance(message, CloseRecording) else UNKNOWN_END
        if path is None or not _believable(message.from_sample, to_sample):
            refused = fault("recording_refused", order=f"{message}"[:300])
            self._refused.append(RecordingFailed(message.recording, refused, final=True))
            return
        recording = self._recordings.get(message.recording)
        if recording is not None and not recording.is_asked_by(message, path):
            recording.close_file()
            recording = None
        if recording is None:
            recording = self._recordings[message.recording] = _Recording(message, path)
        recording.told = None  # whoever asks (again) shall be told (again)
        recording.advances_to_wait = 0
        if isinstance(message, CloseRecording):
            recording.to_sample = message.to_sample

    def advance(self) -> list[FromRecorder]:
        """Take from the ring what has come since, end what can be ended, make the longest unsaved durable."""
        answers, self._refused = self._refused, []
        answers += self._look_for_room()
        self.behind = False
        ended = 0
        for recording in list(self._recordings.values()):
            if recording.advances_to_wait:
                recording.advances_to_wait -= 1
                continue
            if recording.to_sample is not None and ended == _ENDS_PER_ADVANCE:
                self.behind = True
                continue
            try:
                closed = self._bring_forward(recording)
            except (OSError, RecordingError, _Trouble) as error:
                answers += self._fail(recording, error)
                continue
            if closed:
                ended += 1
                answers.append(closed)
                recording.close_file()
                del self._recordings[recording.number]
            else:
                recording.told = None
        answers += self._sync_some()
        self._release_rings()
        return answers

    def close(self) -> None:
        """Make all durable and let go. Nothing is ended: the next recorder goes on with what it is told is open."""
        for recording in self._recordings.values():
            with contextlib.suppress(OSError):
                self._sync(recording)
            recording.close_file()
        self._recordings.clear()
        self._release_rings(all_of_them=True)

    # ---- one recording

    def _bring_forward(self, recording: _Recording) -> RecordingClosed | None:
        """Write what is there. RecordingClosed if that was all."""
        file = recording.file = recording.file or self._open_file(recording)
        end = recording.to_sample
        ring, why_not = self._ring(recording)
        if end is None:
            if ring is None:
                raise _Trouble(why_not)
            self._fill(recording, file, ring, self._whole_blocks(recording, ring.newest))
            return None
        if ring is None:
            # The gateway and its ring are gone: what was asked for and is not in the file is lost.
            last = recording.position if end == UNKNOWN_END else end
        else:
            lives = ring.writer_lives  # asked first: if it does not, `newest` will not grow any more
            last = ring.newest
            if end != UNKNOWN_END:
                if lives and last < end:
                    self._fill(recording, file, ring, self._whole_blocks(recording, last))
                    return None
                last = min(last, end)
        self._fill(recording, file, ring, last)
        if recording.position < last:
            return None
        file.cut(max(0, last - recording.from_sample))
        self._sync(recording)
        return RecordingClosed(recording.number, file.samples, file.missing, file.sha256())

    def _whole_blocks(self, recording: _Recording, newest: int) -> int:
        """The sample count up to which the file would be made of whole blocks only."""
        size = HEADER_SIZE + (newest - recording.from_sample) * TRACKS
        return recording.from_sample + (size // self._write_bytes * self._write_bytes - HEADER_SIZE) // TRACKS

    def _fill(self, recording: _Recording, file: RecordingFile, ring: RingReader | None, last: int) -> None:
        """Bring the file up to sample count `last`, or a good part of the way (`behind`)."""
        for _ in range(_PIECES_PER_ADVANCE):
            position = recording.position
            if position >= last:
                return
            if self._room is Room.STOPPED:
                raise OSError(errno.ENOSPC, "disk full")
            upto = min(last, position + _PIECE)
            if ring is None:
                stereo, missing = np.full((upto - position, TRACKS), ALAW_SILENCE, np.uint8), upto - position
            else:
                stereo, missing = ring.read(recording.channel, position, upto)
            file.append(stereo, missing)
        self.behind = self.behind or recording.position < last

    def _open_file(self, recording: _Recording) -> RecordingFile:
        """Go on with the file, or make it: durable at once, so that there is never a file that cannot be opened."""
        try:
            return RecordingFile.continued(recording.path)
        except FileNotFoundError:
            if self._room in (Room.REFUSING, Room.STOPPED):
                raise OSError(errno.ENOSPC, "disk full") from None
            recording.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            recording.file = RecordingFile.create(recording.path)
            self._sync(recording)
            return recording.file

    def _fail(self, recording: _Recording, error: OSError | RecordingError | _Trouble) -> list[FromRecorder]:
        """Let go of the file, whose true length is looked up when it is tried again, and tell once why."""
        recording.close_file()
        recording.advances_to_wait = _RETRY_ADVANCES
        found = _found(error, recording.path.relative_to(self._folder))
        if found == recording.told:
            return []
        recording.told = found
        return [RecordingFailed(recording.number, found)]

    # ---- durability

    def _sync_some(self) -> list[FromRecorder]:
        """Make those durable that have gone longest without, a few each time: the disk is also the call records'."""
        due = [
            recording
            for recording in self._recordings.values()
            if recording.file and recording.file.samples > recording.synced_samples
        ]
        due.sort(key=lambda recording: recording.synced_samples - (recording.file.samples if recording.file else 0))
        answers: list[FromRecorder] = []
        for recording in due[: 1 + len(self._recordings) // _TURNS_TO_SYNC_ALL]:
            try:
                self._sync(recording)
            except OSError as error:
                answers += self._fail(recording, error)
        return answers

    def _sync(self, recording: _Recording) -> None:
        """File and, once, its name in its folder and the folders' names."""
        if recording.file is None:
            return
        recording.file.sync()
        recording.synced_samples = recording.file.samples
        if not recording.name_is_durable:
            for folder in recording.path.parents:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                if folder == self._folder:
                    break
            recording.name_is_durable = True

    def _look_for_room(self) -> list[FromRecorder]:
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return []  # writing will tell what is wrong
        self._room = room_of(disk.f_bavail * disk.f_frsize, self._reserve_bytes)
        self._advances_since_room += 1
        if self._room is self._told_room:
            return []
        if self._told_room is not None and self._advances_since_room < _ADVANCES_BETWEEN_ROOMS:
            return []
        self._told_room, self._advances_since_room = self._room, 0
        return [RoomChanged(self._room)]

    # ---- rings and names

    def _ring(self, recording: _Recording) -> tuple[RingReader | None, Fault]:
        """The ring that holds the recording's channel, and why not if there is none. Raises OSError."""
        not_there = fault("recording_no_ring", boot=recording.boot)
        ring = self._rings.get(recording.boot)
        if ring is None:
            try:
                ring = self._rings[recording.boot] = self._open_ring(recording.boot)
            except (FileNotFoundError, RingError):
                return None, not_there
            self._latest_boot = recording.boot
        if not 0 <= recording.channel < ring.channels:
            return None, fault("no_such_channel", channel=recording.channel)
        return ring, not_there

    def _release_rings(self, all_of_them: bool = False) -> None:
        """Keep the rings that are read from, and the latest: after its gateway died nobody else may have it."""
        needed = {recording.boot for recording in self._recordings.values()} | {self._latest_boot}
        for boot in list(self._rings):
            if all_of_them or boot not in needed:
                self._rings.pop(boot).close()

    def _path(self, file: str) -> Path | None:
        """Where `file` lies, None if that is not inside the recordings folder."""
        pure = PurePosixPath(file)
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in file:
            return None
        return self._folder / pure


def _believable(from_sample: int, to_sample: int) -> bool:
    return 0 <= from_sample < 1 << 60 and UNKNOWN_END <= to_sample <= from_sample + _LONGEST


def _found(error: OSError | RecordingError | _Trouble, file: Path) -> Fault:
    """What a person is told of it."""
    if isinstance(error, _Trouble):
        return error.fault
    if isinstance(error, RecordingError):
        return fault("recording_not_ours", file=file)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return fault("recording_disk_full")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return fault("recording_not_permitted", file=file)
    return fault("recording_not_written", file=file, error=error.strerror or error)
