"""Runs in the guest, not under pytest: records calls on a disk whose power is cut, and judges what survived.

    python3 -m tests.vm.inside.power_cuts CUTS SEED TEMPLATE

/dev/vdd is the disk, /dev/vde its control (`tests/vm/losing_disk.py`). In each round a child process records calls with
the recorder, journal and committer of the box, while another part of it scribbles on the same disk without ever
flushing, and the kernel writes back early. At a random moment the power goes, which ends the child. After power and
journal replay are back, the recorder ends what was open, as after a restart of the box, and everything is compared
with what was acknowledged before: acknowledgements lie in memory, which stands for whoever was told.

Writes /results/cuts.json: rounds, what was looked at, and everything that is wrong (empty if nothing is).
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import random
import select
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from sqlalchemy import select as sql_select

from boards.base import ALAW_SILENCE
from firmware.box.callserver.committer import Committer
from firmware.box.callserver.reserve import DiskReserve
from firmware.calls.messages import EventName
from firmware.contacts.effects import Effects
from firmware.contacts.ledger import Ledger, moment
from firmware.core.clock import SystemClock
from firmware.core.paths import BoxPaths
from firmware.media.ring import RingReader, RingWriter
from firmware.records import database
from firmware.records.chain import LinkKind
from firmware.records.database import open_for_reading
from firmware.records.journal import Journal
from firmware.records.messages import UNKNOWN_END, CloseRecording, OpenRecording, RecordingClosed
from firmware.records.recorder import ADVANCE_SECONDS, LOSS_SECONDS, Recorder
from firmware.records.recording import HEADER_SIZE, content_of
from firmware.records.tables import events, recordings
from firmware.records.verify import Verification, noted_anchors

DISK, CONTROL, MOUNT = "/dev/vdd", "/dev/vde", "/mnt"
ACKNOWLEDGED = Path("/dev/shm/acknowledged")
RING = Path("/dev/shm/audio.ring")
CHANNELS = 3
STEP_TICKS = 200
"""Audio of one turn: two seconds."""
ROUNDS_ON_ONE_DATABASE = 5
TICKS_AN_ADVANCE = round(ADVANCE_SECONDS * 100)
EARLIEST_CUT, LATEST_CUT = 10, 150
"""Writes and flushes after which the power fails, or with the next flush."""

_libc = ctypes.CDLL(None, use_errno=True)


def spoken(channel: int, from_sample: int, to_sample: int) -> np.ndarray:
    """A-law [n, 2]: audio that says which sample, channel and direction it is."""
    samples = np.arange(from_sample, to_sample)
    received = (samples * 13 + samples // 80 * 5 + channel * 40) % 199
    return np.stack([received, received + 7], axis=1).astype(np.uint8)


def tell_disk(word: bytes) -> None:
    """`cut N` or `on`."""
    with mmap.mmap(-1, 4096) as page:
        page[: len(word)] = word
        control = os.open(CONTROL, os.O_WRONLY | os.O_DIRECT)
        os.pwritev(control, [page], 0)
        os.close(control)


def mount() -> None:
    if _libc.mount(DISK.encode(), MOUNT.encode(), b"ext4", 0, None):
        raise OSError(ctypes.get_errno(), "mount")


def umount() -> None:
    if _libc.umount2(MOUNT.encode(), 0):
        raise OSError(ctypes.get_errno(), "umount")


def data_folder(cut: int) -> BoxPaths:
    return BoxPaths(Path(MOUNT) / f"data-{cut // ROUNDS_ON_ONE_DATABASE}", Path("/dev/shm/run"))


# ---- the child: a box that records --------------------------------------------------------------------------------


class Box:
    """Recorder, journal and committer, driven by an audio clock of its own."""

    def __init__(self, paths: BoxPaths, boot: str, seed: int) -> None:
        self._paths = paths
        self._boot = boot
        self._chance = random.Random(seed)
        self._journal = journal_of(paths)
        self._committer = Committer(self._journal, DiskReserve(paths.disk_reserve, 1 << 20))
        self._ledger = Ledger(self._journal.last_numbers(), "machine")
        self._clock = SystemClock()
        self._ring = RingWriter(RING, boot, CHANNELS)
        self._recorder = Recorder(paths.recordings, lambda boot: RingReader(RING, boot), reserve_bytes=0)
        self._sample = 0
        self._open: dict[int, tuple[OpenRecording, int]] = {}
        """Channel → what is recorded there, and where it will end."""
        self._told = os.open(ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._scribble = Scribble(Path(MOUNT) / "scribble", self._chance)

    def run(self) -> None:
        """Until it is killed."""
        while True:
            end = self._sample + STEP_TICKS * 80
            codes = np.stack([spoken(channel, self._sample, end) for channel in range(CHANNELS)])
            for place, tick in enumerate(codes.reshape(CHANNELS, STEP_TICKS, 80, 2).transpose(1, 3, 0, 2), 1):
                self._ring.write(self._sample, *tick)
                self._sample += 80
                if place % TICKS_AN_ADVANCE == 0:
                    for answer in self._recorder.advance():
                        self._closed(answer)
            self._commit()
            self._scribble.write()
            self._calls()
            self._commit()
            self._tell(at={one.recording: self._sample - one.from_sample for one, _ in self._open.values()})

    def _calls(self) -> None:
        now = self._clock.now()
        for channel in range(CHANNELS):
            one, end = self._open.get(channel, (None, 0))
            if one is None:
                number = self._ledger.last("recordings") + 1
                one = OpenRecording(number, f"{number:08}.au", self._boot, channel, self._sample)
                self._open[channel] = one, self._sample + self._chance.randrange(8_000, 160_000)
                self._ledger.insert(
                    "recordings",
                    contact=number,
                    call=number,
                    leg=number,
                    file=one.file,
                    gateway_boot=self._boot,
                    channel=channel,
                    from_sample=one.from_sample,
                    state="open",
                    **moment("opened", now),
                )
                self._ledger.effects.recorder.append(one)
            elif end <= self._sample:
                del self._open[channel]
                self._ledger.update("recordings", one.recording, state="closing", to_sample=end)
                close = CloseRecording(one.recording, one.file, one.gateway_boot, channel, one.from_sample, end)
                self._ledger.effects.recorder.append(close)
        self._ledger.emit(EventName.QUEUED, now, contact=self._ledger.last("events") + 1)

    def _closed(self, answer: object) -> None:
        assert isinstance(answer, RecordingClosed), answer
        store_closed(self._ledger, answer, self._clock.now())

    def _commit(self) -> None:
        """As the callserver: nothing is told before it is on the disk."""
        effects = self._ledger.collect()
        if not effects.must_be_stored:
            return
        self._committer.add(effects, 0)
        self._committer.start()
        while not select.select([self._committer], [], [], 0.1)[0]:
            if self._committer.failing:
                os._exit(0)  # the power has gone
        for stored in self._committer.finished():
            self._tell_stored(stored)

    def _tell_stored(self, stored: Effects) -> None:
        for message in stored.recorder:
            self._recorder.handle(message)
        closed = {
            row.number: row.values["sha256"]
            for row in stored.rows
            if getattr(row, "values", {}).get("sha256")  # type: ignore[union-attr]
        }
        self._tell(events=[event.number for event in stored.events], closed=closed)

    def _tell(self, **what: Any) -> None:
        os.write(self._told, json.dumps(what).encode() + b"\n")


class Scribble:
    """Somebody else who writes on the same disk and never flushes: straight to the disk, past the page cache."""

    PAGES = 64

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
        os.posix_fallocate(self._file, 0, self.PAGES * 4096)
        self._page = mmap.mmap(-1, 4096)
        self._chance = chance

    def write(self) -> None:
        self._page[:8] = self._chance.randbytes(8)
        os.pwritev(self._file, [self._page], self._chance.randrange(self.PAGES) * 4096)


def journal_of(paths: BoxPaths) -> Journal:
    return Journal(paths.calls_database, "xian-01", "610122", anchor=paths.chain_anchor)


def store_closed(ledger: Ledger, answer: RecordingClosed, now: Any) -> None:
    ledger.update(
        "recordings",
        answer.recording,
        state="closed",
        samples=answer.samples,
        missing=answer.missing,
        sha256=answer.sha256,
        **moment("closed", now),
    )
    ledger.link(LinkKind.CLOSED, answer.recording, now, answer.sha256)


# ---- after the power is back --------------------------------------------------------------------------------------


def rows_of(paths: BoxPaths) -> list[dict[str, Any]]:
    with open_for_reading(paths.calls_database).connect() as connection:
        rows = connection.execute(sql_select(recordings).order_by(recordings.c.number)).mappings().all()
    return [dict(row) for row in rows]


def no_ring(boot: str) -> RingReader:
    raise FileNotFoundError(boot)


def end_what_was_open(paths: BoxPaths) -> None:
    """As a box that starts again: recordings that were open end where their files end; those that waited for their end
    have the one that was stored before the recorder was told (`CallServer.recorder_orders`)."""
    waiting = [row for row in rows_of(paths) if row["state"] in ("open", "closing")]
    recorder = Recorder(paths.recordings, no_ring, reserve_bytes=0)
    journal = journal_of(paths)
    ledger, now = Ledger(journal.last_numbers(), "machine"), SystemClock().now()
    for row in waiting:
        place = (row["number"], row["file"], row["gateway_boot"], row["channel"], row["from_sample"])
        recorder.handle(CloseRecording(*place, UNKNOWN_END if row["to_sample"] is None else row["to_sample"]))
    for answer in recorder.advance():
        assert isinstance(answer, RecordingClosed), answer
        store_closed(ledger, answer, now)
    effects = ledger.collect()
    journal.commit(effects.rows, effects.live)
    journal.close()
    recorder.close()


def what_is_wrong(paths: BoxPaths, told: list[dict[str, Any]], first: int) -> Iterator[str]:
    """`first`: number of the first recording of this round; older ones were judged before but for their chain."""
    engine = open_for_reading(paths.calls_database)
    with engine.connect() as connection:
        known = set(connection.execute(sql_select(events.c.number)).scalars())
    for line in told:
        yield from (f"event {number} is missing" for number in line.get("events", ()) if number not in known)
    rows = {row["number"]: row for row in rows_of(paths)}
    acknowledged = {int(number): sha for line in told for number, sha in line.get("closed", {}).items()}
    for number, sha256 in acknowledged.items():
        if number not in rows or (rows[number]["state"], rows[number]["sha256"]) != ("closed", sha256):
            yield f"recording {number} was told to be closed and is not"
    reached = {int(number): samples for line in told for number, samples in line.get("at", {}).items()}
    for number, row in rows.items():
        if number < first:
            continue
        path = paths.recordings / row["file"]
        samples = soundfile.info(path).frames
        lost = content_of(path)[1] if number not in acknowledged else 0
        audio = spoken(row["channel"], row["from_sample"], row["from_sample"] + samples)
        audio[samples - lost :] = ALAW_SILENCE  # up to the end that was stored, and counted
        differing = np.flatnonzero(np.frombuffer(path.read_bytes()[HEADER_SIZE:], np.uint8) != audio.ravel())
        if len(differing):
            where = f"{len(differing)} bytes of {audio.size} from {differing[0]} to {differing[-1]}"
            yield f"recording {number} is not what was spoken: {where}"
        if number in acknowledged and content_of(path)[2] != acknowledged[number]:
            yield f"recording {number} is not what was told"
        if number not in acknowledged and samples - lost < reached.get(number, 0) - LOSS_SECONDS * 8000:
            yield f"recording {number} lost more than was stated: {samples - lost} of {reached[number]} samples"
    verification = Verification(engine, paths.recordings, noted_anchors(paths.chain_anchor))
    yield from map(str, verification.broken())
    if verification.so_far.recordings != len(rows):
        yield f"{verification.so_far.recordings} of {len(rows)} recordings are in the chain"


def a_tampered_byte_is_named(paths: BoxPaths, chance: random.Random) -> bool:
    row = chance.choice([row for row in rows_of(paths) if row["samples"]])
    path, place = paths.recordings / row["file"], HEADER_SIZE + chance.randrange(row["samples"] * 2)

    def flip() -> None:
        with path.open("r+b") as file:
            file.seek(place)
            value = file.read(1)[0] ^ (1 << chance.randrange(8))
            file.seek(place)
            file.write(bytes([value]))

    before = path.read_bytes()
    flip()
    verification = Verification(
        open_for_reading(paths.calls_database), paths.recordings, noted_anchors(paths.chain_anchor)
    )
    first = next(verification.broken(), None)
    path.write_bytes(before)
    return first is not None and (first.what, first.recording, first.file) == (
        "audio_changed",
        row["number"],
        row["file"],
    )


# ---- rounds -------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], None]) -> int:
    """Fork; gives the child's process number. It ends when the disk takes nothing any more."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as error:
        print(f"child: {type(error).__name__}: {error}"[:300], flush=True)
    os._exit(1)


def acknowledged() -> list[dict[str, Any]]:
    lines = ACKNOWLEDGED.read_bytes().splitlines(keepends=True) if ACKNOWLEDGED.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def one_cut(cut: int, seed: int, template: Path, chance: random.Random) -> tuple[list[str], int, int]:
    """Record, cut, come back, judge: what is wrong, how many acknowledgements there were, how many recordings."""
    paths = data_folder(cut)
    if not paths.data.exists():
        paths.data.mkdir()
        paths.recordings.mkdir()
        shutil.copy(template, paths.calls_database)
        os.sync()
    first = len(rows_of(paths)) + 1
    for left_over in (ACKNOWLEDGED, RING):
        left_over.unlink(missing_ok=True)
    tell_disk(b"cut %d" % chance.randint(EARLIEST_CUT, LATEST_CUT))
    pid = in_child(lambda: Box(paths, f"boot-{cut}", seed + cut).run())
    os.waitpid(pid, 0)
    told = acknowledged()
    umount()
    tell_disk(b"on")
    mount()
    RING.unlink(missing_ok=True)
    end_what_was_open(paths)
    wrong = [f"cut {cut}: {one}" for one in what_is_wrong(paths, told, first)]
    return wrong, sum(len(line.get("events", ())) + len(line.get("closed", ())) for line in told), len(rows_of(paths))


def main(cuts: int, seed: int, template: Path) -> int:
    chance = random.Random(seed)
    # One engine for each database, with what it has compiled, also in the children: they begin sooner.
    database._engine = cache(database._engine)
    for name in ("dirty_writeback_centisecs", "dirty_expire_centisecs"):
        Path(f"/proc/sys/vm/{name}").write_text("2\n")
    mount()
    wrong: list[str] = []
    promises = recorded = tampered = named = 0
    for cut in range(cuts):
        found, told, rows = one_cut(cut, seed, template, chance)
        wrong += found
        promises += told
        if cut % ROUNDS_ON_ONE_DATABASE == ROUNDS_ON_ONE_DATABASE - 1:
            recorded += rows
            tampered += 1
            named += a_tampered_byte_is_named(data_folder(cut), chance)
        print(f"cut {cut}: {told} promises, {rows} recordings, {len(found)} wrong", *found[:5], flush=True)
    umount()
    report = {
        "cuts": cuts,
        "promises": promises,
        "recordings": recorded,
        "tampered": tampered,
        "named": named,
        "wrong": wrong[:50],
    }
    Path("/results/cuts.json").write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
