"""The office replaces recordings while the box runs: what has changed is read again, and what is wrong is told."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firmware.box.callserver.office_sounds import LONGEST_SECONDS, Looked, OfficeSounds
from firmware.calls.messages import ReloadConfiguration, Request
from firmware.media import codec
from firmware.media.sounds import SoundStore

REQUEST = Request(7, ReloadConfiguration(), "test")
OLD, NEW = np.arange(-4000, 4000, 8, dtype=np.int16), np.arange(4000, -4000, -8, dtype=np.int16)


@pytest.fixture
def sounds(tmp_path: Path) -> Iterator[OfficeSounds]:
    (tmp_path / "zh_CN").mkdir()
    one = OfficeSounds(tmp_path, "zh_CN")
    yield one
    one.stop()


def look(sounds: OfficeSounds, connection: int = 1) -> Looked:
    sounds.ask(3, REQUEST, connection)
    assert select.select([sounds], [], [], 20.0)[0], "no answer"
    (looked,) = sounds.answers()
    assert (looked.client, looked.request) == (3, REQUEST)
    return looked


def record(folder: Path, name: str, samples: np.ndarray) -> Path:
    path = folder / "zh_CN" / f"{name}.wav"
    soundfile.write(path, samples, 8000, subtype="PCM_16")
    return path


def test_the_first_time_all_are_read_the_offices_over_the_shipped_ones(sounds: OfficeSounds, tmp_path: Path) -> None:
    record(tmp_path, "welcome", OLD)

    looked = look(sounds)

    shipped = SoundStore.load({})
    assert set(looked.changed) == set(shipped.names)
    assert np.array_equal(looked.changed["prompt:welcome"], codec.encode(OLD))
    assert np.array_equal(looked.changed["prompt:menu"], shipped.samples("prompt:menu"))
    assert looked.problems == ()


def test_then_only_what_was_replaced_added_or_taken_away(sounds: OfficeSounds, tmp_path: Path) -> None:
    gone = record(tmp_path, "menu", OLD)
    record(tmp_path, "welcome", OLD)
    look(sounds)
    assert look(sounds).changed == {}

    record(tmp_path, "welcome", NEW)
    record(tmp_path, "own", NEW)
    gone.unlink()
    looked = look(sounds)

    assert set(looked.changed) == {"prompt:welcome", "prompt:own", "prompt:menu"}
    assert np.array_equal(looked.changed["prompt:welcome"], codec.encode(NEW))
    assert np.array_equal(looked.changed["prompt:menu"], SoundStore.load({}).samples("prompt:menu"))
    assert look(sounds).changed == {}


def test_a_file_of_the_same_time_and_size_that_was_moved_there_is_another_one(
    sounds: OfficeSounds, tmp_path: Path
) -> None:
    path = record(tmp_path, "welcome", OLD)
    look(sounds)
    other = record(tmp_path, "other", NEW)
    os.utime(other, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    other.rename(path)

    assert set(look(sounds).changed) == {"prompt:welcome"}


def test_a_file_that_cannot_be_played_is_told_each_time_until_it_is_mended(
    sounds: OfficeSounds, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = record(tmp_path, "welcome", OLD)
    look(sounds)
    path.write_bytes(b"half a file")
    record(tmp_path, "music", np.zeros(LONGEST_SECONDS * 8000 + 1, np.int16))

    for _ in range(2):
        looked = look(sounds)
        assert looked.changed == {}
        assert [problem.partition(": ")[2][:25] for problem in sorted(looked.problems, reverse=True)] == [
            "not a sound file (Format ",
            "longer than 10 minutes. I",
        ]
    assert caplog.text.count("welcome.wav: not a sound file") == 2

    record(tmp_path, "welcome", NEW)
    assert set(look(sounds).changed) == {"prompt:welcome"}


def test_of_a_gateway_that_has_just_come_nothing_is_known(sounds: OfficeSounds) -> None:
    first = look(sounds, connection=1)

    assert look(sounds, connection=2).changed.keys() == first.changed.keys()


def test_what_waits_for_a_gateway_that_was_lost_is_not_sent_to_the_next(sounds: OfficeSounds) -> None:
    sounds.send({"prompt:a": np.zeros(800, np.uint8), "prompt:b": np.zeros(0, np.uint8)})
    assert [part.sound for part in (sounds.next_part(), sounds.next_part()) if part] == ["prompt:a", "prompt:b"]
    sounds.send({"prompt:a": np.zeros(800, np.uint8)})

    sounds.gateway_lost()

    assert sounds.next_part() is None
