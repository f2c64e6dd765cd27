"""What the recorder does when something is wrong: trouble stays where it is and is told once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware.core.faults import fault
from firmware.records import recording as recording_file
from firmware.records.messages import FromRecorder, RecordingFailed
from firmware.records.recorder import Recorder
from tests.records.scripted_ring import FILE, Gateway, closed, closing, content, opened, spoken


def test_without_the_ring_the_rest_is_silence_and_counted(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    first = start()
    first.handle(opened())
    gateway.run(1600)
    first.advance()
    gateway.die(unlink=True)

    second = start()
    second.handle(opened())
    assert second.advance() == [RecordingFailed(7, fault("recording_no_ring", boot="g1"))]
    second.handle(closing(opened(), 5000))

    audio = np.concatenate([spoken(1, 0, 1600), np.full((3400, 2), 0xD5, np.uint8)])
    assert second.advance() == [closed(7, audio, missing=3400)]


def test_a_long_loss_is_made_up_in_parts(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    recorder = start()
    recorder.handle(opened())
    gateway.writer.skip(8000 * 100)
    gateway.die()
    recorder.handle(closing(opened(), 8000 * 100))
    turns, answers = 0, recorder.advance()
    while recorder.behind:
        turns, answers = turns + 1, recorder.advance()

    assert turns == 2
    assert answers == [closed(7, np.full((800_000, 2), 0xD5, np.uint8), missing=800_000)]


def test_a_full_disk_stops_one_write_is_told_once_and_made_up_for(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = start()
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    real_write = os.pwrite

    def half_then_full(descriptor: int, data: bytes, position: int) -> int:
        if len(data) < 2000:
            raise OSError(28, "No space left on device")
        return real_write(descriptor, data[:1001], position)

    monkeypatch.setattr(recording_file.os, "pwrite", half_then_full)
    answers: list[FromRecorder] = []
    gateway.run(6400)
    for _ in range(30):
        answers += recorder.advance()
    (failed,) = answers
    assert isinstance(failed, RecordingFailed)
    assert failed.fault == fault("recording_disk_full")
    monkeypatch.undo()

    for _ in range(11):
        assert recorder.advance() == []
    assert np.array_equal(content(recordings / FILE), spoken(1, 0, 6400))
    recorder.handle(closing(opened(), 6400))
    assert recorder.advance() == [closed(7, spoken(1, 0, 6400))]


def test_recordings_leave_room_for_the_call_records(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    recorder = start(reserve_bytes=1 << 60)
    recorder.handle(opened())
    gateway.run(1600)

    (failed,) = recorder.advance()

    assert isinstance(failed, RecordingFailed)
    assert failed.fault == fault("recording_disk_full")


def test_trouble_with_one_recording_leaves_the_others_alone(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    (recordings / "taken").write_text("a file where a folder should be")
    recorder = start()
    recorder.handle(opened(1, "taken/1.au"))
    recorder.handle(opened(2, "2.au", channel=2))
    gateway.run(1600)
    (failed,) = recorder.advance()
    assert isinstance(failed, RecordingFailed)
    not_written = fault("recording_not_written", file="taken/1.au", error="Not a directory")
    assert (failed.recording, failed.fault) == (1, not_written)

    recorder.handle(closing(opened(2, "2.au", channel=2), 1600))
    assert recorder.advance() == [closed(2, spoken(2, 0, 1600))]
    (recordings / "taken").unlink()
    recorder.handle(closing(opened(1, "taken/1.au"), 1600))
    assert recorder.advance() == [closed(1, spoken(1, 0, 1600))]


def test_a_file_that_is_no_recording_is_never_touched(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    (recordings / "letter.au").write_bytes(b"Dear citizen" * 20)
    recorder = start()
    recorder.handle(opened(file="letter.au"))
    gateway.run(1600)

    assert recorder.advance() == [RecordingFailed(7, fault("recording_not_ours", file="letter.au"))]
    assert (recordings / "letter.au").read_bytes() == b"Dear citizen" * 20


@pytest.mark.parametrize("file", ["../out.au", "/tmp/out.au", "a/../../out.au", "", "a\0b"])
def test_a_name_outside_the_recordings_folder_is_refused(
    gateway: Gateway, start: Callable[..., Recorder], tmp_path: Path, file: str
) -> None:
    recorder = start()
    recorder.handle(opened(file=file))
    gateway.run(1600)

    (failed,) = recorder.advance()

    assert isinstance(failed, RecordingFailed)
    assert failed.fault.code == "recording_refused"
    assert recorder.open_recordings == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio-g1.ring", "recordings"]


@pytest.mark.parametrize(("from_sample", "to_sample"), [(-5, 100), (1 << 70, 1 << 71), (0, 1 << 40), (0, -2)])
def test_sample_counts_that_cannot_be_are_refused(
    gateway: Gateway, start: Callable[..., Recorder], from_sample: int, to_sample: int
) -> None:
    recorder = start()
    recorder.handle(closing(opened(from_sample=from_sample), to_sample))

    (failed,) = recorder.advance()

    assert isinstance(failed, RecordingFailed)
    assert recorder.open_recordings == 0


def test_a_channel_that_the_gateway_has_not_is_told(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    recorder = start()
    recorder.handle(opened(channel=99))

    assert recorder.advance() == [RecordingFailed(7, fault("no_such_channel", channel=99))]
    assert recorder.advance() == []
    recorder.handle(opened(channel=99))
    assert recorder.advance() == [RecordingFailed(7, fault("no_such_channel", channel=99))]
