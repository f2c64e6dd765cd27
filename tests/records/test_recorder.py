"""What the recorder makes of wishes and a ring: sample-exact files, truthful ends, trouble that stays where it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.media.ring import RingReader, RingWriter
from firmware.records import recording as recording_file
from firmware.records.messages import CloseRecording, FromRecorder, OpenRecording, RecordingClosed, RecordingFailed
from firmware.records.recorder import UNKNOWN_END, Recorder
from firmware.records.recording import HEADER_SIZE

CHANNELS = 4
RING_SECONDS = 2
FILE = "2026/11/22/7.au"


def tick(sample: int) -> np.ndarray:
    """[2, channels, 80]: audio that says which sample, channel and direction it is, and is never silence."""
    samples = sample + np.arange(80)
    received = (samples[None, :] * 13 + samples[None, :] // 80 * 5 + np.arange(CHANNELS)[:, None] * 40) % 199
    return np.stack([received, received + 7]).astype(np.uint8)


class Gateway:
    """Fills the ring of one start, tick by tick, without a clock."""

    def __init__(self, folder: Path, boot: str) -> None:
        self.path = folder / f"audio-{boot}.ring"
        self.boot = boot
        self.writer = RingWriter(self.path, boot, CHANNELS, RING_SECONDS)
        self.sample = 0

    def run(self, to_sample: int) -> None:
        while self.sample < to_sample:
            self.writer.write(self.sample, *tick(self.sample))
            self.sample += 80

    def die(self, unlink: bool = False) -> None:
        self.writer.close(unlink)


def spoken(channel: int, from_sample: int, to_sample: int) -> np.ndarray:
    first = from_sample // 80 * 80
    ticks = [tick(sample)[:, channel].T for sample in range(first, to_sample, 80)]
    return np.concatenate([np.empty((0, 2), np.uint8), *ticks])[from_sample - first : to_sample - first]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, "g1")
    yield gateway
    gateway.die()


@pytest.fixture
def start(tmp_path: Path, recordings: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts a recorder; a second start is a recorder that comes back after the first one was killed."""
    started: list[Recorder] = []

    def start_recorder(reserve_bytes: int = 0) -> Recorder:
        recorder = Recorder(recordings, lambda boot: RingReader(tmp_path / f"audio-{boot}.ring", boot), reserve_bytes)
        started.append(recorder)
        return recorder

    yield start_recorder
    for recorder in started:
        recorder.close()


def opened(
    number: int = 7, file: str = FILE, boot: str = "g1", channel: int = 1, from_sample: int = 0
) -> OpenRecording:
    return OpenRecording(number, file, boot, channel, from_sample)


def closing(asked: OpenRecording, to_sample: int) -> CloseRecording:
    return CloseRecording(asked.recording, asked.file, asked.gateway_boot, asked.channel, asked.from_sample, to_sample)


def content(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes()[HEADER_SIZE:], np.uint8).reshape(-1, 2)


def closed(number: int, audio: np.ndarray, missing: int = 0) -> RecordingClosed:
    return RecordingClosed(number, len(audio), missing, hashlib.sha256(audio.tobytes()).hexdigest())


@pytest.mark.parametrize(("from_sample", "to_sample"), [(0, 8000), (1234, 9876), (80, 80), (500, 300)])
def test_a_recording_is_what_was_said_and_heard_between_two_samples(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path, from_sample: int, to_sample: int
) -> None:
    recorder = start()
    asked = opened(from_sample=from_sample)
    recorder.handle(asked)
    while gateway.sample < to_sample:
        gateway.run(gateway.sample + 1600)
        assert recorder.advance() == []
    recorder.handle(closing(asked, to_sample))

    answers = recorder.advance()

    audio = spoken(1, from_sample, to_sample)
    assert answers == [closed(7, audio)]
    assert np.array_equal(content(recordings / FILE), audio)
    assert recorder.open_recordings == 0


def test_several_recordings_do_not_mix(gateway: Gateway, start: Callable[..., Recorder], recordings: Path) -> None:
    recorder = start()
    wishes = [opened(channel, f"{channel}.au", channel=channel, from_sample=channel * 100) for channel in range(4)]
    for wish in wishes:
        recorder.handle(wish)
    gateway.run(4000)
    recorder.advance()
    gateway.run(8000)
    for wish in wishes:
        recorder.handle(closing(wish, 7000 + wish.recording))

    answers = recorder.advance()

    audios = [spoken(channel, channel * 100, 7000 + channel) for channel in range(4)]
    assert answers == [closed(channel, audio) for channel, audio in enumerate(audios)]


def test_the_end_is_waited_for_while_the_gateway_lives(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    recorder = start()
    recorder.handle(opened())
    gateway.run(800)
    recorder.handle(closing(opened(), 1000))
    assert recorder.advance() == []

    gateway.run(1040)

    assert recorder.advance() == [closed(7, spoken(1, 0, 1000))]


def test_what_ran_beyond_the_end_is_cut(gateway: Gateway, start: Callable[..., Recorder], recordings: Path) -> None:
    recorder = start()
    recorder.handle(opened())
    gateway.run(8000)
    recorder.advance()
    recorder.handle(closing(opened(), 5001))

    assert recorder.advance() == [closed(7, spoken(1, 0, 5001))]
    assert len(content(recordings / FILE)) == 5001


def test_a_recorder_that_was_killed_goes_on_without_a_gap(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    asked = opened(from_sample=40)
    first = start()
    first.handle(asked)
    gateway.run(8000)
    first.advance()
    with (recordings / FILE).open("ab") as file:
        file.write(b"\x11")  # killed in the middle of a sample
    gateway.run(20_000)

    second = start()
    second.handle(asked)
    second.advance()
    second.handle(closing(asked, 20_000))

    assert second.advance() == [closed(7, spoken(1, 40, 20_000))]


def test_what_the_ring_has_lost_is_silence_and_counted_also_over_restarts(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path
) -> None:
    first = start()
    first.handle(opened())
    gateway.run(8000)
    first.advance()
    gateway.run(40_000)  # the recorder is away for longer than the ring is long
    oldest = 40_000 - RING_SECONDS * 8000

    second = start()
    second.handle(opened())
    second.advance()
    gateway.run(41_600)
    third = start()
    third.handle(closing(opened(), 41_600))

    audio = spoken(1, 0, 41_600)
    audio[8000:oldest] = 0xD5
    assert third.advance() == [closed(7, audio, missing=oldest - 8000)]
    assert np.array_equal(content(recordings / FILE), audio)


def test_every_wish_may_come_twice_and_the_answer_comes_again(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    recorder = start()
    for _ in range(2):
        recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    recorder.handle(opened())
    for _ in range(2):
        recorder.handle(closing(opened(), 1500))
    recorder.handle(opened())
    answer = closed(7, spoken(1, 0, 1500))
    assert recorder.advance() == [answer]
    gateway.run(80_000)

    recorder.handle(closing(opened(), 1500))
    assert recorder.advance() == [answer]
    after_restart = start()
    after_restart.handle(closing(opened(), 1500))
    assert after_restart.advance() == [answer]


def test_a_gateway_that_died_ends_the_recording_at_its_last_sample(
    gateway: Gateway, start: Callable[..., Recorder]
) -> None:
    recorder = start()
    recorder.handle(opened(from_sample=100))
    gateway.run(1600)
    recorder.advance()
    gateway.run(3200)
    gateway.die()

    recorder.handle(closing(opened(from_sample=100), 9000))

    assert recorder.advance() == [closed(7, spoken(1, 100, 3200))]


def test_an_end_that_nobody_knows_is_the_last_sample_there_is(gateway: Gateway, start: Callable[..., Recorder]) -> None:
    first = start()
    first.handle(opened())
    first.handle(opened(8, "8.au", channel=2))
    gateway.run(1600)
    first.advance()
    gateway.run(2400)
    gateway.die()
    first.handle(closing(opened(), UNKNOWN_END))
    assert first.advance() == [closed(7, spoken(1, 0, 2400))]
    gateway.path.unlink()

    second = start()
    second.handle(closing(opened(8, "8.au", channel=2), UNKNOWN_END))

    assert second.advance() == [closed(8, spoken(2, 0, 2400))]


def test_a_ring_that_was_unlinked_after_the_gateway_ended_is_still_read(
    gateway: Gateway, start: Callable[..., Recorder]
) -> None:
    recorder = start()
    recorder.handle(opened())
    recorder.advance()
    gateway.run(4000)
    gateway.die(unlink=True)

    recorder.handle(closing(opened(), 3000))
    assert recorder.advance() == [closed(7, spoken(1, 0, 3000))]
    recorder.handle(closing(opened(8, "8.au", channel=2), 4000))
    assert recorder.advance() == [closed(8, spoken(2, 0, 4000))]


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
    assert second.advance() == [RecordingFailed(7, "the audio of gateway start g1 is not there")]
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
    assert "disk full" in failed.reason
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
    assert "disk full" in failed.reason


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
    assert (failed.recording, "taken/1.au cannot be written" in failed.reason) == (1, True)

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

    assert recorder.advance() == [RecordingFailed(7, "letter.au is not a recording of this box")]
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
    assert "refused" in failed.reason
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

    assert recorder.advance() == [RecordingFailed(7, "the gateway has no channel 99")]
    assert recorder.advance() == []
    recorder.handle(opened(channel=99))
    assert recorder.advance() == [RecordingFailed(7, "the gateway has no channel 99")]


def test_an_end_is_told_only_after_file_and_folders_are_durable(
    gateway: Gateway, start: Callable[..., Recorder], recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    def note(name: str, real: Callable[[int], None]) -> Callable[[int], None]:
        def noted(descriptor: int) -> None:
            done.append((name, str(Path(os.readlink(f"/proc/self/fd/{descriptor}")).relative_to(recordings))))
            real(descriptor)

        return noted

    monkeypatch.setattr(os, "fdatasync", note("data", os.fdatasync))
    monkeypatch.setattr(os, "fsync", note("name", os.fsync))
    recorder = start()
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    assert done == []

    recorder.handle(closing(opened(), 1600))
    assert recorder.advance() != []

    names = [("name", folder) for folder in ("2026/11/22", "2026/11", "2026", ".")]
    assert done == [("data", FILE), *names]


def test_long_recordings_become_durable_every_few_seconds_not_all_at_once(
    gateway: Gateway, start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(os, "fdatasync", note)
    recorder = start()
    for number in range(4):
        recorder.handle(opened(number, f"{number}.au", channel=number))
    most = 0
    while gateway.sample < 10 * 8000:
        gateway.run(gateway.sample + 1600)
        before = len(synced)
        recorder.advance()
        most = max(most, len(synced) - before)

    assert most == 1
    assert [synced.count(f"{number}.au") for number in range(4)] == [3, 3, 3, 3]


def test_two_starts_of_the_gateway_are_told_apart(
    gateway: Gateway, start: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = start()
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    gateway.die()
    second = Gateway(tmp_path, "g2")
    recorder.handle(opened(8, "8.au", boot="g2", channel=3))
    second.run(3200)

    recorder.handle(closing(opened(), 9999))
    recorder.handle(closing(opened(8, "8.au", boot="g2", channel=3), 3200))

    assert recorder.advance() == [closed(7, spoken(1, 0, 1600)), closed(8, spoken(3, 0, 3200))]
    second.die()
