"""Compressed copies: the same samples, proven by the same hash, played from any second; never of changed audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from firmware.records.chain import LinkKind
from firmware.records.derivative import DerivativeError, compress, copied_alaw, copy_of, file_sha256
from firmware.records.playing import wav_chunks, wav_length
from firmware.records.recording import HEADER_SIZE, RecordingFile, alaw_chunks
from tests.records.closed_recordings import MORNING, ChangedRow, DataFolder, Row, moment

Verify = Callable[[], tuple[int, dict[str, Any]]]


@pytest.fixture
def raw(tmp_path: Path) -> tuple[Path, str]:
    """Every A-law code, and 25 s of noise."""
    file = RecordingFile.create(tmp_path / "1.au")
    file.append(np.stack([np.arange(256), np.arange(256)[::-1]], axis=1).astype(np.uint8))
    file.append(np.random.default_rng(1).integers(0, 256, (200_000, 2), np.uint8))
    digest = file.sha256()
    file.close()
    return tmp_path / "1.au", digest


def test_a_copy_holds_every_sample_and_is_read_by_others(raw: tuple[Path, str]) -> None:
    path, digest = raw
    copy = path.with_name(copy_of(path.name))
    steps = sum(1 for _ in compress(path, copy, digest))

    assert steps == 6  # ten seconds each, written and read again
    assert np.array_equal(np.concatenate(list(copied_alaw(copy))), np.concatenate(list(alaw_chunks(path))))
    original, _ = soundfile.read(path, dtype="int16")
    samples, rate = soundfile.read(copy, dtype="int16")
    assert (rate, soundfile.info(copy).format) == (8000, "FLAC")
    assert np.array_equal(samples, original)
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".part"] == []


@pytest.mark.parametrize(("start", "stop"), [(0, None), (10, 50), (44, 48), (400_003, 400_100), (800_000, None)])
def test_any_part_of_a_copy_plays_as_of_the_raw_recording(raw: tuple[Path, str], start: int, stop: int | None) -> None:
    path, digest = raw
    copy = path.with_name(copy_of(path.name))
    list(compress(path, copy, digest))

    length = wav_length(path)
    assert wav_length(copy) == length
    given = b"".join(wav_chunks(copy, length, start, stop))
    assert given == b"".join(wav_chunks(path, length, start, stop))
    assert len(given) == (stop or length) - start


def test_changed_audio_gets_no_copy(raw: tuple[Path, str]) -> None:
    path, digest = raw
    with path.open("r+b") as file:
        file.seek(HEADER_SIZE + 5000)
        file.write(b"\x55\x2a")

    with pytest.raises(DerivativeError, match=r"1\.au is not the audio that was recorded"):
        list(compress(path, path.with_suffix(".flac"), digest))
    assert [one.name for one in path.parent.iterdir()] == ["1.au"]


def test_a_copy_that_is_given_up_leaves_nothing(raw: tuple[Path, str]) -> None:
    path, digest = raw
    steps = compress(path, path.with_suffix(".flac"), digest)
    next(steps)
    steps.close()
    assert [one.name for one in path.parent.iterdir()] == ["1.au"]


# ---- in the chain ----------------------------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


@pytest.fixture
def verify(box: DataFolder, capsys: pytest.CaptureFixture[str]) -> Verify:
    return lambda: box.verify(capsys)


def copied(box: DataFolder, of: int) -> int:
    """Make a copy and its row; gives its number."""
    source, copy = box.path(of), box.paths.recordings / f"{of}.flac"
    with_row = box.rows("recordings")[of - 1]
    list(compress(source, copy, with_row["sha256"]))
    number, digest = len(box.rows("recordings")) + 1, file_sha256(copy)
    box.calls = max(box.calls, number)
    values = {name: with_row[name] for name in with_row if not name.startswith("closed") and name not in ("chain",)}
    values.pop("region"), values.pop("box_id")
    values |= {"number": number, "file": copy.name, "sha256": digest, "bytes": copy.stat().st_size, "derived_from": of}
    row = Row("recordings", **values, **moment("closed", MORNING))
    box.journal.commit([row, box.link(LinkKind.CLOSED, number, digest)], {})
    return number


def without_raw(box: DataFolder, number: int) -> None:
    row = ChangedRow("recordings", number, deleted_utc_us=MORNING)
    box.journal.commit([row, box.link(LinkKind.DELETED, number, by="archive", reason="copy_kept")], {})
    box.path(number).unlink()


def test_a_recording_of_which_only_the_copy_is_left_is_proven_by_it(box: DataFolder, verify: Verify) -> None:
    box.record()
    copied(box, 1)
    without_raw(box, 1)

    code, report = verify()

    assert (code, report["recordings"], report["copies"], report["derivative_only"]) == (0, 0, 1, 1)


def test_a_changed_copy_is_named(box: DataFolder, verify: Verify) -> None:
    box.record()
    copied(box, 1)
    with (box.paths.recordings / "1.flac").open("r+b") as file:
        file.seek(-10, 2)
        file.write(b"\0")

    code, report = verify()

    assert code == 1
    assert [report["first"][key] for key in ("what", "recording", "file")] == ["copy_changed", 2, "1.flac"]


def test_the_copy_tells_which_byte_of_the_raw_recording_was_changed(box: DataFolder, verify: Verify) -> None:
    box.record()
    copied(box, 1)
    box.change_byte(1, HEADER_SIZE + 12_346)

    code, report = verify()

    assert code == 1
    assert report["first"]["detail"].endswith(f"differs from byte {HEADER_SIZE + 12_346} on (0.772 s)")
