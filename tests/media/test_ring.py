"""The audio ring between gateway and recorder: what a reader gets is what was written, or silence that is counted."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.media.ring import RingError, RingReader, RingWriter, remove_dead_rings

CHANNELS = 3
SECONDS = 1
HELD = SECONDS * 8000


def block(sample: int, direction: int) -> np.ndarray:
    """Audio of a tick that differs by sample, direction and channel, and is never silence."""
    samples = sample + np.arange(80)
    codes = (samples[None, :] * 7 + np.arange(CHANNELS)[:, None] * 31 + direction * 101 + samples[None, :] // 80) % 200
    return codes.astype(np.uint8)


def fill(writer: RingWriter, from_sample: int, to_sample: int) -> None:
    for sample in range(from_sample, to_sample, 80):
        writer.write(sample, block(sample, 0), block(sample, 1))


def expected(channel: int, from_sample: int, to_sample: int) -> np.ndarray:
    first = from_sample // 80 * 80
    ticks = range(first, to_sample, 80)
    both = [np.stack([block(sample, 0)[channel], block(sample, 1)[channel]], axis=1) for sample in ticks]
    return np.concatenate(both)[from_sample - first : to_sample - first]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RingWriter]:
    writer = RingWriter(tmp_path / "audio-b1.ring", "b1", CHANNELS, SECONDS)
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: RingWriter) -> Iterator[RingReader]:
    reader = RingReader(writer.path, "b1")
    yield reader
    reader.close()


@pytest.mark.parametrize(("from_sample", "to_sample"), [(0, 80), (0, 800), (33, 34), (79, 161), (400, 400)])
def test_a_reader_gets_each_channel_exactly_as_written(
    writer: RingWriter, reader: RingReader, from_sample: int, to_sample: int
) -> None:
    fill(writer, 0, 800)

    for channel in range(CHANNELS):
        audio, missing = reader.read(channel, from_sample, to_sample)

        assert missing == 0
        assert audio.shape == (to_sample - from_sample, 2)
        if to_sample > from_sample:
            assert np.array_equal(audio, expected(channel, from_sample, to_sample))


def test_newest_and_oldest_say_what_can_be_read(writer: RingWriter, reader: RingReader) -> None:
    assert (reader.oldest, reader.newest) == (0, 0)

    fill(writer, 0, 3 * HELD + 80)

    assert (reader.oldest, reader.newest) == (2 * HELD + 80, 3 * HELD + 80)
    audio, missing = reader.read(1, reader.oldest, reader.newest)
    assert missing == 0
    assert np.array_equal(audio, expected(1, 2 * HELD + 80, 3 * HELD + 80))


def test_what_was_overwritten_is_silence_and_counted_to_the_sample(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, 3 * HELD)

    audio, missing = reader.read(0, reader.oldest - 130, reader.oldest + 100)

    assert missing == 130
    assert (audio[:130] == 0xD5).all()
    assert np.array_equal(audio[130:], expected(0, 2 * HELD, 2 * HELD + 100))


def test_a_piece_longer_than_the_ring_ends_with_what_the_ring_holds(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, 3 * HELD)

    audio, missing = reader.read(2, 0, 3 * HELD)

    assert missing == 2 * HELD
    assert (audio[: 2 * HELD] == 0xD5).all()
    assert np.array_equal(audio[2 * HELD :], expected(2, 2 * HELD, 3 * HELD))


def test_what_is_not_written_yet_is_missing(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, 160)

    audio, missing = reader.read(0, 100, 300)

    assert missing == 140
    assert np.array_equal(audio[:60], expected(0, 100, 160))
    assert (audio[60:] == 0xD5).all()


@pytest.mark.parametrize("ticks", [5, 1000])
def test_ticks_that_were_skipped_are_missing_though_their_slots_hold_older_audio(
    writer: RingWriter, reader: RingReader, ticks: int
) -> None:
    fill(writer, 0, HELD)
    gap = ticks * 80
    fill(writer, HELD + gap, HELD + gap + 800)

    audio, missing = reader.read(0, HELD, HELD + gap + 800)

    assert missing == gap
    assert (audio[:gap] == 0xD5).all()
    assert np.array_equal(audio[gap:], expected(0, HELD + gap, HELD + gap + 800))


def test_virtual_time_that_jumps_moves_newest_without_audio(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, 800)

    writer.skip(80_000)

    assert reader.newest == 80_000
    assert reader.read(0, 70_000, 80_000)[1] == 10_000


def test_before_the_first_tick_all_is_missing(reader: RingReader) -> None:
    assert reader.read(0, 0, 800)[1] == 800


def test_a_slot_that_was_not_finished_is_missing(writer: RingWriter, reader: RingReader) -> None:
    """A writer that was killed in the middle of a slot: half of it is old, half is new."""
    fill(writer, 0, 800)
    writer._numbers[3] = -1

    audio, missing = reader.read(0, 0, 800)

    assert missing == 80
    assert (audio[240:320] == 0xD5).all()


def test_the_slots_that_are_next_to_be_overwritten_are_not_trusted(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, HELD + 160)

    assert reader.read(0, 160, 320)[1] == 0
    fill(writer, HELD + 160, HELD + 240)
    assert reader.read(0, 160, 320)[1] == 80


def test_a_channel_that_is_not_there_is_refused(reader: RingReader) -> None:
    for channel in (-1, CHANNELS):
        with pytest.raises(IndexError):
            reader.read(channel, 0, 80)


def test_a_sample_that_does_not_begin_a_tick_is_refused(writer: RingWriter) -> None:
    with pytest.raises(ValueError, match="not the first of a tick"):
        writer.write(81, block(81, 0), block(81, 1))


def test_the_ring_is_its_owners_alone_and_seen_only_when_complete(writer: RingWriter, tmp_path: Path) -> None:
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["audio-b1.ring"]


def test_a_reader_keeps_its_audio_after_the_file_was_unlinked(writer: RingWriter, reader: RingReader) -> None:
    fill(writer, 0, 800)

    writer.close(unlink=True)

    assert not writer.path.exists()
    assert not reader.writer_lives
    assert np.array_equal(reader.read(1, 0, 800)[0], expected(1, 0, 800))


def test_a_writer_that_was_killed_leaves_its_audio_and_is_known_to_be_dead(tmp_path: Path) -> None:
    path = tmp_path / "audio-b2.ring"
    script = (
        "import sys, time, numpy, pathlib; from firmware.media.ring import RingWriter\n"
        f"writer = RingWriter(pathlib.Path({str(path)!r}), 'b2', 2, 1)\n"
        "audio = numpy.full((2, 80), 7, numpy.uint8); writer.write(0, audio, audio + 1)\n"
        "print('written', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=os.getcwd()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        reader = RingReader(path, "b2")
        assert reader.writer_lives

        process.send_signal(signal.SIGKILL)
        process.wait()

    assert not reader.writer_lives
    audio, missing = reader.read(1, 0, 80)
    assert missing == 0
    assert (audio == [7, 8]).all()
    reader.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"nonsense" + data[8:], "not an audio ring"),
        (lambda data: data[:8] + b"\x63" + data[9:], "of version 99"),
        (lambda data: data[:-4096], "damaged"),
        (lambda data: b"", "not an audio ring"),
    ],
)
def test_a_file_that_is_no_good_ring_is_refused(writer: RingWriter, tmp_path: Path, spoil: object, says: str) -> None:
    other = tmp_path / "other.ring"
    other.write_bytes(spoil(writer.path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(RingError, match=says):
        RingReader(other, "b1")


def test_the_ring_of_another_start_of_the_gateway_is_refused(writer: RingWriter) -> None:
    with pytest.raises(RingError, match="belongs to start b1 of the gateway, not to b9"):
        RingReader(writer.path, "b9")


def test_no_ring_is_an_ordinary_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RingReader(tmp_path / "audio-b7.ring", "b7")


def test_rings_of_the_dead_are_removed_but_for_the_newest(tmp_path: Path) -> None:
    living = RingWriter(tmp_path / "audio-living.ring", "living", 1, 1)
    for name in ("old", "last"):
        RingWriter(tmp_path / f"audio-{name}.ring", name, 1, 1).close()
        os.utime(tmp_path / f"audio-{name}.ring")

    remove_dead_rings(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio-last.ring", "audio-living.ring"]
    living.close()
