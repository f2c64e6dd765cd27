"""The recorder process: `python -m firmware.box.recorder.process --data DIR`. What it records: `records/recorder.py`.

One thread. It connects to the callserver's recorder.sock and to nothing else; audio comes by the gateway's ring. While
the callserver is away it goes on recording what is open and keeps its answers. SIGTERM and SIGINT end it in order: all
that is written is durable. After anything worse the next start goes on where the files end.
"""

from __future__ import annotations

import argparse
import logging
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.core.logging import start_logging
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths, box_paths
from firmware.media.ring import RingReader
from firmware.records.messages import FromRecorder, RecorderHello, RecordingFailed, decode_to_recorder
from firmware.records.recorder import ADVANCE_SECONDS, WRITE_BYTES, Recorder

RECONNECT_SECONDS = 0.2
_log = logging.getLogger("linebox.recorder")


class RecorderProcess:
    """The loop around a Recorder: one socket, one timer."""

    def __init__(self, paths: BoxPaths, write_bytes: int = WRITE_BYTES, sign: SignOfLife = NOBODY) -> None:
        self._sign = sign
        self._socket = paths.recorder_socket
        self._recorder = Recorder(
            paths.recordings, lambda boot: RingReader(paths.ring(boot), boot), write_bytes=write_bytes
        )
        self._callserver: Peer | None = None
        self._answers: list[FromRecorder] = []
        self._ending = False
        self._last_reason = ""

    def end(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: leave the loop, at the latest when the next turn is due."""
        self._ending = True

    def run(self) -> None:
        """Returns after `end`."""
        next_advance = next_connect = time.monotonic()
        self._sign.ready()
        try:
            while not self._ending:
                self._sign.alive(time.monotonic_ns() // 1000)
                if self._callserver is None and time.monotonic() >= next_connect:
                    self._connect()
                    next_connect = time.monotonic() + RECONNECT_SECONDS
                self._wait(max(0.0, next_advance - time.monotonic()))
                if time.monotonic() >= next_advance:
                    next_advance = time.monotonic() + ADVANCE_SECONDS
                    self._advance()
                    if self._recorder.behind:
                        next_advance = 0.0
            self._sign.stopping()
            self._advance()
        finally:
            self._recorder.close()
            if self._callserver is not None:
                self._callserver.close()

    def _advance(self) -> None:
        for answer in self._recorder.advance():
            if isinstance(answer, RecordingFailed):
                _log.error("recording %d: %s. %s", answer.recording, answer.fault.what, answer.fault.remedy)
            self._answers.append(answer)
        self._send()

    def _send(self) -> None:
        try:
            while self._callserver is not None and self._answers:
                self._callserver.send(self._answers[0])
                del self._answers[0]
        except PeerGone as gone:
            self._drop(gone)

    def _connect(self) -> None:
        try:
            self._callserver = connect(self._socket, decode_to_recorder, timeout_seconds=0.1)
        except PeerGone as gone:
            self._say_once(f"callserver not reached: {gone.reason}")
            return
        self._say_once("connected to the callserver")
        try:
            self._callserver.send(RecorderHello())
        except PeerGone as gone:
            self._drop(gone)

    def _wait(self, seconds: float) -> None:
        """Until the callserver says something or the time is over."""
        peer = self._callserver
        if peer is None:
            time.sleep(min(seconds, RECONNECT_SECONDS))
            return
        readable, writable, _ = select.select([peer], [peer] if peer.wants_to_write else [], [], seconds)
        try:
            if writable:
                peer.flush()
            if readable:
                for message in peer.receive():
                    self._recorder.handle(message)
        except PeerGone as gone:
            self._drop(gone)

    def _drop(self, gone: PeerGone) -> None:
        self._say_once(f"callserver gone: {gone.reason}")
        if self._callserver is not None:
            self._callserver.close()
            self._callserver = None

    def _say_once(self, text: str) -> None:
        if text != self._last_reason:
            self._last_reason = text
            _log.info("%s, %d recordings open", text, self._recorder.open_recordings)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="linebox-recorder", description="Writes recordings from the audio ring.")
    parser.add_argument("--data", type=Path, help="data folder of the box (default: LINEBOX_DATA)")
    parser.add_argument(
        "--write-bytes", type=int, default=WRITE_BYTES, help="what a running recording grows by (for tests: less)"
    )
    options = parser.parse_args(arguments)
    start_logging("recorder")
    sign = begin_signs_of_life()
    paths = box_paths(options.data)
    paths.make()
    process = RecorderProcess(paths, options.write_bytes, sign)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, process.end)
    _log.info("recorder started, recordings in %s", paths.recordings)
    process.run()
    _log.info("recorder ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
