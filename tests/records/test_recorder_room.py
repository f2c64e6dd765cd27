"""A disk that fills: new recordings stop first, running ones last, calls never; each step is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware.core.faults import fault
from firmware.records.messages import RecorderSettings, RecordingFailed, Room, RoomChanged
from firmware.records.recorder import Recorder
from tests.records.scripted_ring import Gateway, closed, closing, content, opened, spoken

RESERVE = 100 << 20


class Disk:
    """What the recorder is told of its disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 1 << 40
        monkeypatch.setattr(os, "statvfs", lambda _: self)

    f_frsize = 4096

    @property
    def f_bavail(self) -> int:
        return self.free // 4096


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize(
    ("free", "room"),
    [
        (2 * RESERVE, Room.ENOUGH),
        (2 * RESERVE - 4096, Room.LOW),
        (RESERVE, Room.LOW),
        (RESERVE - 4096, Room.REFUSING),
        (RESERVE // 4, Room.REFUSING),
        (RESERVE // 4 - 4096, Room.STOPPED),
        (0, Room.STOPPED),
    ],
)
def test_each_step_has_a_name_and_is_told_after_the_settings(
    disk: Disk, start: Callable[..., Recorder], free: int, room: Room
) -> None:
    disk.free = free
    recorder = start()
    recorder.handle(RecorderSettings(RESERVE))

    assert recorder.advance() == [RoomChanged(room)]
    assert recorder.advance() == []


def test_below_the_reserve_no_recording_begins_and_running_ones_go_on(
    disk: Disk, gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    recorder = start(RESERVE)
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    disk.free = RESERVE - 4096
    recorder.handle(opened(8, "8.au", channel=2))
    gateway.run(4800)

    (refused,) = recorder.advance()

    assert isinstance(refused, RecordingFailed)
    assert (refused.recording, refused.final) == (8, False)
    assert refused.fault == fault("recording_disk_full")
    assert not (recordings / "8.au").exists()
    recorder.handle(closing(opened(), 4800))
    assert recorder.advance() == [closed(7, spoken(1, 0, 4800))]


def test_running_recordings_wait_last_and_miss_nothing_that_the_ring_still_has(
    disk: Disk, gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    recorder = start(RESERVE)
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    disk.free = RESERVE // 4 - 4096
    gateway.run(4800)
    (waits,) = recorder.advance()
    assert isinstance(waits, RecordingFailed)
    assert np.array_equal(content(recordings / "2026/11/22/7.au"), spoken(1, 0, 1600))

    disk.free = RESERVE
    recorder.handle(closing(opened(), 8000))
    gateway.run(8000)

    assert recorder.advance() == [closed(7, spoken(1, 0, 8000))]


def test_a_disk_at_the_limit_is_not_told_of_all_the_time(disk: Disk, start: Callable[..., Recorder]) -> None:
    recorder = start()
    recorder.handle(RecorderSettings(RESERVE))
    told = []
    for turn in range(100):
        disk.free = RESERVE - 4096 * (turn % 2)
        told += recorder.advance()

    assert 2 <= len(told) <= 4
