"""The recording file: a valid .au at every moment, continued at its true length, given to browsers as WAV."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firmware.records import recording as recording_file
from firmware.records.playing import wav_chunks, wav_length
from firmware.records.recording import HEADER_SIZE, RecordingError, RecordingFile, content_of, samples_in


def audio(samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (samples, 2), dtype=np.uint8)


def write(path: Path, *pieces: np.ndarray) -> None:
    file = RecordingFile.create(path)
    for piece in pieces:
        file.append(piece)
    file.close()


def alaw(path: Path) -> np.ndarray:
    """What libsndfile, which is not ours, reads: A-law codes of both tracks by its own encoder, 16-bit samples."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate == 8000
    return samples


def independent_decode(codes: np.ndarray) -> np.ndarray:
    """A-law by libsndfile from raw bytes."""
    samples, _ = soundfile.read(
        io.BytesIO(codes.tobytes()), dtype="int16", format="RAW", subtype="ALAW", channels=2, samplerate=8000
    )
    return samples


def test_a_recording_is_a_valid_file_at_every_moment(tmp_path: Path) -> None:
    path = tmp_path / "1.au"
    file = RecordingFile.create(path)
    assert soundfile.info(path).frames == 0
    for count in range(1, 4):
        file.append(audio(1000, count))

        assert soundfile.info(path).frames == 1000 * count
    file.close()
    information = soundfile.info(path)
    assert (information.format, information.subtype, information.channels) == ("AU", "ALAW", 2)


def test_left_is_what_the_citizen_said_and_right_what_the_citizen_heard(tmp_path: Path) -> None:
    stereo = audio(800)
    write(tmp_path / "1.au", stereo[:300], stereo[300:])

    assert np.array_equal(alaw(tmp_path / "1.au"), independent_decode(stereo))


def test_a_recording_is_made_only_where_there_is_none_and_for_its_owner(tmp_path: Path) -> None:
    write(tmp_path / "1.au", audio(10))

    with pytest.raises(FileExistsError):
        RecordingFile.create(tmp_path / "1.au")
    assert stat.S_IMODE((tmp_path / "1.au").stat().st_mode) == 0o600
    assert samples_in(tmp_path / "1.au") == 10


def test_a_recording_goes_on_where_it_ends_and_half_a_sample_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "1.au"
    stereo = audio(500)
    write(path, stereo[:200])
    with path.open("ab") as file:
        file.write(b"\x00")
    assert samples_in(path) == 200

    continued = RecordingFile.continued(path)
    assert continued.samples == 200
    assert path.stat().st_size == HEADER_SIZE + 400
    continued.append(stereo[200:])
    digest = continued.sha256()
    continued.close()

    assert path.read_bytes()[HEADER_SIZE:] == stereo.tobytes()
    assert digest == hashlib.sha256(stereo.tobytes()).hexdigest()


@pytest.mark.parametrize("length", [0, 3, 24, HEADER_SIZE - 1])
def test_a_recording_that_was_killed_in_its_header_begins_anew(tmp_path: Path, length: int) -> None:
    path = tmp_path / "1.au"
    write(path)
    os.truncate(path, length)

    file = RecordingFile.continued(path)
    file.append(audio(5))
    file.close()

    assert soundfile.info(path).frames == 5


@pytest.mark.parametrize("content", [b"RIFF", b"RIFF" + bytes(200), b".snd" + bytes(200), b"x" * 50])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.au"
    path.write_bytes(content)

    with pytest.raises(RecordingError, match=r"letter\.au"):
        RecordingFile.continued(path)
    with pytest.raises(RecordingError, match=r"letter\.au"):
        list(wav_chunks(path))
    assert path.read_bytes() == content


def test_lost_samples_stay_counted_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "1.au"
    file = RecordingFile.create(path)
    file.append(audio(100), missing=30)
    file.append(audio(50))
    file.append(audio(40), missing=40)
    file.append(audio(10))
    file.close()

    continued = RecordingFile.continued(path)
    assert (continued.samples, continued.missing) == (200, 70)
    continued.cut(60)
    continued.close()

    again = RecordingFile.continued(path)
    assert (again.samples, again.missing) == (60, 60)
    again.close()
    assert soundfile.info(path).frames == 60


@pytest.mark.parametrize(("kept", "missing"), [(100, 5), (110, 15), (125, 25), (200, 25)])
def test_silence_that_was_announced_but_not_written_is_not_counted(tmp_path: Path, kept: int, missing: int) -> None:
    path = tmp_path / "1.au"
    file = RecordingFile.create(path)
    file.append(audio(100), missing=5)
    file.append(audio(100), missing=20)
    file.close()
    os.truncate(path, HEADER_SIZE + 2 * kept)

    continued = RecordingFile.continued(path)

    assert (continued.samples, continued.missing) == (kept, missing)
    continued.close()


def test_a_disk_that_takes_half_a_piece_leaves_a_file_that_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "1.au"
    stereo = audio(400)
    file = RecordingFile.create(path)
    file.append(stereo[:100])
    real_write, room = os.pwrite, [151]

    def write_until_full(descriptor: int, data: bytes, position: int) -> int:
        count = min(room[0], len(data))
        if not count:
            raise OSError(28, "No space left on device")
        room[0] -= count
        return real_write(descriptor, data[:count], position)

    monkeypatch.setattr(recording_file.os, "pwrite", write_until_full)
    with pytest.raises(OSError, match="No space left"):
        file.append(stereo[100:])
    monkeypatch.undo()
    file.close()

    continued = RecordingFile.continued(path)
    assert continued.samples == 175
    continued.append(stereo[175:])
    continued.close()
    assert path.read_bytes()[HEADER_SIZE:] == stereo.tobytes()


@pytest.mark.parametrize("samples", [0, 1, 999, 200_000])
def test_a_browser_gets_a_wav_file_of_the_length_that_was_announced(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "1.au"
    stereo = audio(samples)
    write(path, stereo)

    wav = b"".join(wav_chunks(path))

    assert len(wav) == wav_length(path) == 44 + 4 * samples
    information = soundfile.info(io.BytesIO(wav))
    assert (information.format, information.subtype, information.channels) == ("WAV", "PCM_16", 2)
    decoded, rate = soundfile.read(io.BytesIO(wav), dtype="int16", always_2d=True)
    assert rate == 8000
    assert np.array_equal(decoded, independent_decode(stereo) if samples else np.empty((0, 2), np.int16))


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 10), (0, 44), (40, 50), (44, 48), (45, 46), (47, 300_001), (262_100, 262_300), (399_000, None)],
)
def test_any_range_of_the_wav_file_can_be_asked_for(tmp_path: Path, start: int, stop: int | None) -> None:
    path = tmp_path / "1.au"
    write(path, audio(100_000))
    whole = b"".join(wav_chunks(path))

    part = b"".join(wav_chunks(path, wav_length(path), start, stop))

    assert part == whole[start:stop]


def test_a_recording_that_grows_while_it_is_sent_keeps_the_announced_length(tmp_path: Path) -> None:
    path = tmp_path / "1.au"
    stereo = audio(1000)
    write(path, stereo[:600])
    length = wav_length(path)
    growing = RecordingFile.continued(path)
    growing.append(stereo[600:])
    growing.close()

    wav = b"".join(wav_chunks(path, length))

    assert len(wav) == length
    assert soundfile.info(io.BytesIO(wav)).frames == 600


def test_a_file_with_the_short_header_of_old_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path, said = tmp_path / "old.au", audio(500)
    lost = b"missing 0000000020 at 0000000100, 0000000020 at 0000000100".ljust(72, b"\0")
    path.write_bytes(struct.pack(">4sIIIII", b".snd", 96, 0xFFFFFFFF, 27, 8000, 2) + lost + said[:300].tobytes())

    file = RecordingFile.continued(path)
    assert (file.samples, file.missing) == (300, 20)
    file.append(said[300:400])
    file.append(said[400:], missing=100)
    digest = file.sha256()
    file.close()

    assert path.read_bytes()[96:] == said.tobytes()
    assert content_of(path) == (500, 120, digest) == (500, 120, hashlib.sha256(said.tobytes()).hexdigest())
    assert np.array_equal(alaw(path), independent_decode(said))
    assert b"".join(wav_chunks(path))[44:] == independent_decode(said).tobytes()


def test_audio_shares_no_page_with_the_header() -> None:
    """What a file system keeps of a page that it had before is not in order with the file's length."""
    assert HEADER_SIZE % 4096 == 0


@pytest.mark.parametrize(
    ("zeroes", "kept"),
    [
        ((30_000, 40_000), 30_000),  # the last write
        ((20_000, 30_000), 20_000),  # the one before it: what follows is of no use without it
        ((39_968, 40_000), 39_968),  # the end of a page
        ((20_000, 20_100), 40_000),  # less than a page within the sound is sound
        ((39_990, 40_000), 40_000),
        ((0, 40_000), 0),
    ],
)
def test_pages_that_a_power_cut_has_kept_from_the_disk_are_not_taken_for_sound(
    tmp_path: Path, zeroes: tuple[int, int], kept: int
) -> None:
    path, spoken = tmp_path / "1.au", np.maximum(audio(40_000), 1)
    spoken[slice(*zeroes)] = 0
    write(path, spoken)

    again = RecordingFile.continued(path)
    was = again.samples
    again.append(spoken[was:], missing=len(spoken) - was)
    again.close()

    assert was == kept
    assert content_of(path)[:2] == (40_000, 40_000 - kept)
    assert path.read_bytes()[HEADER_SIZE:][: kept * 2] == spoken[:kept].tobytes()


def test_what_lies_further_back_than_anything_unsaved_is_sound_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "1.au"
    write(path, np.zeros((10_000, 2), np.uint8), np.maximum(audio(600_000), 1))

    again = RecordingFile.continued(path)
    again.close()

    assert again.samples == 610_000


@pytest.mark.parametrize(("hole", "missing"), [(9_000, 1_000), (10_100, 1_100), (500, 500)])
def test_losses_in_what_a_power_cut_took_are_counted_only_if_they_are_losses_again(
    tmp_path: Path, hole: int, missing: int
) -> None:
    path, spoken = tmp_path / "1.au", np.maximum(audio(40_000), 1)
    file = RecordingFile.create(path)
    file.append(spoken[:1_000], missing=1_000)
    file.append(spoken[1_000:10_000])
    file.append(spoken[10_000:10_300], missing=300)
    file.append(np.zeros((9_700, 2), np.uint8))
    file.close()
    with path.open("r+b") as raw:
        raw.seek(HEADER_SIZE + hole * 2)
        raw.write(bytes((20_000 - hole) * 2))

    again = RecordingFile.continued(path)
    assert (again.samples, again.missing) == (hole, missing)
    again.append(spoken[hole:])
    again.close()

    assert content_of(path)[:2] == (40_000, missing)
