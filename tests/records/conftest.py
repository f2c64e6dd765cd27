"""A recordings folder, a gateway with a ring, and recorders that may come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware.media.ring import RingReader
from firmware.records.recorder import Recorder
from firmware.records.recording import TRACKS
from tests.records.scripted_ring import Gateway


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
def real_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """One whose ring is as long as in the running box."""
    gateway = Gateway(tmp_path, "g1", seconds=15)
    yield gateway
    gateway.die()


@pytest.fixture
def start(tmp_path: Path, recordings: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts a recorder; a second start is a recorder that comes back after the first one was killed."""
    started: list[Recorder] = []

    def start_recorder(reserve_bytes: int = 0, write_bytes: int = TRACKS) -> Recorder:
        """By default one that writes at once what there is."""

        def open_ring(boot: str) -> RingReader:
            return RingReader(tmp_path / f"audio-{boot}.ring", boot)

        recorder = Recorder(recordings, open_ring, reserve_bytes, write_bytes)
        started.append(recorder)
        return recorder

    yield start_recorder
    for recorder in started:
        recorder.close()
