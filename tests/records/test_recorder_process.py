"""The recorder as a process of its own: killed, restarted, left alone by the callserver, talked nonsense to.

Real time here: a thread plays the gateway and fills the ring tick by tick. Nothing is judged by seconds, only by
samples: however late the machine lets a process run, the ring bridges it or the test says that it could not.
"""

from __future__ import annotations

import hashlib
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.core.messages import Peer, PeerGone, accept, frame, listen
from firmware.core.paths import BoxPaths
from firmware.media.ring import RingWriter
from firmware.records.messages import (
    CloseRecording,
    OpenRecording,
    RecorderHello,
    RecordingClosed,
    decode_from_recorder,
)
from firmware.records.recording import HEADER_SIZE, TRACKS, samples_in

CHANNELS = 6
BOOT = "boot-1"
PATIENCE_SECONDS = 60.0


def tick(sample: int) -> np.ndarray:
    """[2, channels, 80]: audio that says which sample, channel and direction it is."""
    samples = sample + np.arange(80)
    received = (samples[None, :] * 13 + samples[None, :] // 80 * 5 + np.arange(CHANNELS)[:, None] * 40) % 199
    return np.stack([received, received + 7]).astype(np.uint8)


def spoken(channel: int, from_sample: int, to_sample: int) -> np.ndarray:
    first = from_sample // 80 * 80
    ticks = [tick(sample)[:, channel].T for sample in range(first, to_sample, 80)]
    return np.concatenate(ticks)[from_sample - first : to_sample - first]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "the recorder did not do it in time"
        time.sleep(0.01)


class Gateway(threading.Thread):
    """Writes a tick into the ring every 10 ms of real time; after a stall all that are due."""

    def __init__(self, paths: BoxPaths) -> None:
        super().__init__(name="gateway of the test")
        self._writer = RingWriter(paths.ring(BOOT), BOOT, CHANNELS)
        self._ended = threading.Event()
        self.sample = 0

    def run(self) -> None:
        begun = time.monotonic()
        while not self._ended.wait(0.005):
            due = int((time.monotonic() - begun) * 100) * 80
            while self.sample < due:
                self._writer.write(self.sample, *tick(self.sample))
                self.sample += 80

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._writer.close()


class Box:
    """Run folder, gateway, the callserver's end of the socket, and the recorder process."""

    def __init__(self, folder: Path) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        self.gateway = Gateway(self.paths)
        self.listener = listen(self.paths.recorder_socket)
        self.peer: Peer | None = None
        self.answers: list[object] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start_recorder(self) -> None:
        command = [sys.executable, "-m", "firmware.box.recorder.process", "--data", str(self.paths.data)]
        command += ["--write-bytes", "4096"]  # so that the tests need not wait four seconds for each block
        self.process = subprocess.Popen(command, env={**os.environ, "LINEBOX_RUN": str(self.paths.run)})
        self.meet()

    def meet(self) -> None:
        """Wait until the recorder connects and says what it is."""
        self.leave()
        until(lambda: bool(select.select([self.listener], [], [], 0.1)[0]))
        self.peer = accept(self.listener, decode_from_recorder)
        assert self.peer is not None
        self.answers.clear()
        assert self.hear(1) == [RecorderHello()]

    def leave(self) -> None:
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def say(self, *messages: object) -> None:
        assert self.peer is not None
        for message in messages:
            self.peer.send(message)

    def hear(self, count: int) -> list[object]:
        """The next `count` answers."""

        def heard() -> bool:
            assert self.peer is not None
            if select.select([self.peer], [], [], 0)[0]:
                self.answers += self.peer.receive()
            return len(self.answers) >= count

        until(heard)
        answers, self.answers = self.answers[:count], self.answers[count:]
        return answers

    def end_recorder(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self.process = None
        return code

    def file(self, name: str) -> Path:
        return self.paths.recordings / name

    def close(self) -> None:
        if self.process is not None:
            self.end_recorder(signal.SIGKILL)
        self.leave()
        self.listener.close()
        if self.gateway.is_alive():
            self.gateway.stop()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    box.gateway.start()
    box.start_recorder()
    yield box
    box.close()


def opened(channel: int, from_sample: int) -> OpenRecording:
    return OpenRecording(100 + channel, f"2026/11/22/{100 + channel}.au", BOOT, channel, from_sample)


def closing(asked: OpenRecording, to_sample: int) -> CloseRecording:
    return CloseRecording(asked.recording, asked.file, asked.gateway_boot, asked.channel, asked.from_sample, to_sample)


def assert_closed_exactly(box: Box, wishes: list[OpenRecording], to_sample: int) -> None:
    """Close all; each file holds every sample once, nothing is missing, and the answer says so."""
    box.say(*(closing(wish, to_sample) for wish in wishes))
    answers = {answer.recording: answer for answer in box.hear(len(wishes)) if isinstance(answer, RecordingClosed)}
    for wish in wishes:
        audio = spoken(wish.channel, wish.from_sample, to_sample)
        assert box.file(wish.file).read_bytes()[HEADER_SIZE:] == audio.tobytes()
        digest = hashlib.sha256(audio.tobytes()).hexdigest()
        assert answers[wish.recording] == RecordingClosed(wish.recording, len(audio), 0, digest)


def is_beyond(box: Box, wish: OpenRecording, samples: int) -> Callable[[], bool]:
    return lambda: box.file(wish.file).exists() and samples_in(box.file(wish.file)) > samples


def test_a_killed_recorder_that_comes_back_has_every_sample_once(box: Box) -> None:
    wishes = [opened(channel, box.gateway.sample + channel) for channel in range(CHANNELS)]
    box.say(*wishes)
    chance = random.Random(7)

    for _ in range(3):
        done = samples_in(box.file(wishes[0].file)) if box.file(wishes[0].file).exists() else 0
        until(is_beyond(box, wishes[0], done))
        time.sleep(chance.random() * 0.3)
        box.end_recorder(signal.SIGKILL)
        time.sleep(chance.random() * 0.5)
        box.start_recorder()
        box.say(*wishes)

    assert_closed_exactly(box, wishes, box.gateway.sample + 777)


def test_a_recorder_whose_callserver_died_goes_on_recording(box: Box) -> None:
    wish = opened(2, box.gateway.sample)
    box.say(wish)
    until(is_beyond(box, wish, 0))
    box.leave()
    box.listener.close()
    until(is_beyond(box, wish, samples_in(box.file(wish.file)) + 4000))

    box.listener = listen(box.paths.recorder_socket)
    box.meet()
    box.say(wish)

    assert_closed_exactly(box, [wish], box.gateway.sample)


def test_answers_wait_for_a_callserver_that_is_away(box: Box) -> None:
    wish = opened(1, box.gateway.sample)
    box.say(wish, closing(wish, wish.from_sample + 2400))
    box.leave()
    box.listener.close()
    until(is_beyond(box, wish, 2399))
    ended = box.gateway.sample + 4000
    until(lambda: box.gateway.sample > ended)

    box.listener = listen(box.paths.recorder_socket)
    box.meet()

    (answer,) = box.hear(1)
    assert isinstance(answer, RecordingClosed)
    assert (answer.recording, answer.samples, answer.missing) == (wish.recording, 2400, 0)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05[1,2]",
        b'\x00\x00\x00\x15{"type":"no_message"} ',
    ],
)
def test_nonsense_from_the_socket_costs_the_connection_and_no_sample(box: Box, nonsense: bytes) -> None:
    wish = opened(3, box.gateway.sample)
    box.say(wish)
    until(is_beyond(box, wish, 0))
    assert box.peer is not None
    box.peer.send_frames(nonsense)

    with pytest.raises(PeerGone):
        box.hear(1)

    box.meet()
    box.say(wish)
    assert_closed_exactly(box, [wish], box.gateway.sample)
    assert box.process is not None
    assert box.process.poll() is None


def test_half_a_message_is_forgotten_with_its_connection(box: Box) -> None:
    wish = opened(3, box.gateway.sample)
    assert box.peer is not None
    box.peer.send_frames(frame(wish)[:-3])

    box.meet()
    box.say(wish)

    assert_closed_exactly(box, [wish], wish.from_sample + 2400)


def test_told_to_end_it_leaves_files_that_are_whole_and_go_on(box: Box) -> None:
    wish = opened(4, box.gateway.sample)
    box.say(wish)
    until(is_beyond(box, wish, 0))

    assert box.end_recorder(signal.SIGTERM) == 0

    assert (box.file(wish.file).stat().st_size - HEADER_SIZE) % TRACKS == 0
    box.start_recorder()
    box.say(wish)
    assert_closed_exactly(box, [wish], box.gateway.sample)


def test_a_gateway_that_died_ends_its_recordings_truthfully(box: Box) -> None:
    wish = opened(5, box.gateway.sample)
    box.say(wish)
    until(is_beyond(box, wish, 4000))
    box.gateway.stop()

    box.say(closing(wish, box.gateway.sample + 8000))

    (answer,) = box.hear(1)
    audio = spoken(5, wish.from_sample, box.gateway.sample)
    assert answer == RecordingClosed(wish.recording, len(audio), 0, hashlib.sha256(audio.tobytes()).hexdigest())
