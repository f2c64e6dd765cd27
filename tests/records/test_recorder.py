"""What the recorder makes of wishes and a ring: sample-exact files and truthful ends, also after restarts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware.media.ring import RingReader, RingWriter
from firmware.records.recorder import ADVANCE_SECONDS, LOSS_SECONDS, UNKNOWN_END, WRITE_BYTES, Recorder
from firmware.records.recording import HEADER_SIZE, samples_in
from tests.records.scripted_ring import FILE, RING_SECONDS, Gateway, closed, closing, content, opened, spoken


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


def test_many_that_end_at_once_are_ended_and_told_a_few_at_a_time(
    gateway: Gateway, start: Callable[..., Recorder]
) -> None:
    recorder = start()
    wishes = [opened(number, f"{number}.au") for number in range(10)]
    gateway.run(800)
    for wish in wishes:
        recorder.handle(closing(wish, 800))

    first = recorder.advance()
    assert (len(first), recorder.behind) == (8, True)
    assert first + recorder.advance() == [closed(number, spoken(1, 0, 800)) for number in range(10)]
    assert not recorder.behind


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


def test_a_file_is_durable_with_its_name_at_once_and_an_end_is_told_when_all_of_it_is(
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
    recorder = start(write_bytes=WRITE_BYTES)
    recorder.handle(opened())
    gateway.run(1600)
    recorder.advance()
    names = [("name", folder) for folder in ("2026/11/22", "2026/11", "2026", ".")]
    assert done == [("data", FILE), *names]

    recorder.handle(closing(opened(), 1600))
    assert recorder.advance() != []

    assert done[5:] == [("data", FILE)]


def test_long_recordings_become_durable_every_few_seconds_not_all_at_once(
    real_gateway: Gateway, start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(os, "fdatasync", note)
    recorder = start(write_bytes=WRITE_BYTES)
    for number in range(4):
        recorder.handle(opened(number, f"{number}.au", channel=number))
    recorder.advance()
    synced.clear()  # the files themselves, which are durable at once
    most = 0
    while real_gateway.sample < 10 * 8000:
        real_gateway.run(real_gateway.sample + 1600)
        before = len(synced)
        recorder.advance()
        most = max(most, len(synced) - before)

    assert most == 1
    assert [synced.count(f"{number}.au") for number in range(4)] == [2, 2, 2, 2]


def test_a_minute_of_a_call_costs_fifteen_aligned_writes(
    real_gateway: Gateway, start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against 300 writes and 20 synchronisations of a recorder that writes at once what there is."""
    writes: list[tuple[int, int]] = []
    syncs: list[int] = []
    write = os.pwrite

    def count(descriptor: int, data: bytes, position: int) -> int:
        writes.append((position, position + len(data)))
        return write(descriptor, data, position)

    monkeypatch.setattr(os, "pwrite", count)
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    recorder = start(write_bytes=WRITE_BYTES)
    recorder.handle(opened())
    while real_gateway.sample < 60 * 8000:
        real_gateway.run(real_gateway.sample + 1600)
        recorder.advance()

    header, first, *others = writes
    assert (header, first) == ((0, HEADER_SIZE), (HEADER_SIZE, WRITE_BYTES))
    assert all(begin % WRITE_BYTES == end % WRITE_BYTES == 0 for begin, end in others)
    assert (len(writes), len(syncs)) == (15, 15)


def test_no_more_than_the_stated_seconds_of_thirty_recordings_are_ever_unsaved(
    tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable: dict[str, int] = {}

    def note(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        durable[name] = samples_in(recordings / name)

    monkeypatch.setattr(os, "fdatasync", note)
    channels, gateway_sample, step = 30, 0, round(ADVANCE_SECONDS * 8000)
    writer = RingWriter(tmp_path / "audio-g1.ring", "g1", channels, seconds=15)
    recorder = Recorder(recordings, lambda boot: RingReader(writer.path, boot), 0)
    for number in range(channels):
        recorder.handle(opened(number, f"{number}.au", channel=number))
    silence, worst = np.zeros((channels, 80), np.uint8), 0
    while gateway_sample < 20 * 8000:
        for _ in range(step // 80):
            writer.write(gateway_sample, silence, silence)
            gateway_sample += 80
        unsaved = [gateway_sample - durable.get(f"{number}.au", 0) for number in range(channels)]
        worst = max(worst, *unsaved)
        recorder.advance()
    recorder.close()
    writer.close()

    assert WRITE_BYTES / 16000 < worst / 8000 <= LOSS_SECONDS


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
