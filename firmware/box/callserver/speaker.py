"""Speaks texts that have no recording: a thread with espeak-ng, so that no call waits in the loop, and a cache on disk.

Which texts are wanted, and what is played instead of one that fails, is `firmware/ivr/speech.py`.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from firmware.core.storage import write_durably
from firmware.media import codec
from firmware.media.espeak import PATIENCE_S, VOICES, SpeechError, speak
from firmware.media.sounds import SoundError, read_sound

FILES_KEPT = 1000
"""Spoken texts that stay on the disk, those used last; about 40 MB."""

_log = logging.getLogger("linebox.callserver")


class SpokenTexts:
    """Texts as A-law, from the cache or from espeak-ng. Not from two threads at once."""

    def __init__(self, folder: Path, language: str) -> None:
        """`folder` is made when it is needed. The oldest files are removed. Raises nothing."""
        self._folder = folder
        self._voice = VOICES[language]
        self._remove_oldest()

    def speak(self, text: str) -> bytes:
        """`text` in A-law. Raises SpeechError. A cache that cannot be read or written is told, and hinders nothing."""
        path = self._folder / f"{hashlib.sha256(f'{self._voice} {text}'.encode()).hexdigest()[:32]}.wav"
        try:
            samples = read_sound(path).tobytes() if path.exists() else b""
            if samples:
                os.utime(path)
                return samples
        except (SoundError, OSError) as error:
            _log.warning("a spoken text is made anew: %s", error)
        codes = speak(text, self._voice)
        try:
            self._keep(path, codes)
        except OSError as error:
            _log.warning("a spoken text could not be kept and will be made again: %s", error)
        return codes.tobytes()

    def _keep(self, path: Path, codes: codec.Alaw) -> None:
        import soundfile

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wav = io.BytesIO()
        linear = codec.decode(codes).astype(np.int16)
        soundfile.write(wav, linear, codec.SAMPLE_RATE, format="WAV", subtype="ALAW")
        write_durably(path, wav.getvalue())

    def _remove_oldest(self) -> None:
        try:
            files = sorted(self._folder.glob("*.wav"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in files[FILES_KEPT:]:
                path.unlink()
        except OSError as error:
            _log.warning("old spoken texts could not be removed: %s", error)


class Speaker:
    """`fileno()` becomes readable when texts were spoken, or could not be."""

    def __init__(self, folder: Path, language: str) -> None:
        self._texts = SpokenTexts(folder, language)
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[str, bytes | None]] = queue.SimpleQueue()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._signal

    def ask(self, texts: Iterable[str]) -> None:
        """Each is answered, in order."""
        for text in texts:
            self._asked.put(text)

    def answers(self) -> list[tuple[str, bytes | None]]:
        """(text, A-law), or None in its place if it could not be spoken; the log says why."""
        try:
            os.eventfd_read(self._signal)
        except BlockingIOError:
            pass
        found = []
        while not self._answered.empty():
            found.append(self._answered.get())
        return found

    def stop(self) -> None:
        """End the thread, after the text that it speaks."""
        self._asked.put(None)
        self._thread.join(PATIENCE_S + 1.0)
        if not self._thread.is_alive():
            os.close(self._signal)

    def _run(self) -> None:
        while (text := self._asked.get()) is not None:
            self._answered.put((text, self._spoken(text)))
            os.eventfd_write(self._signal, 1)

    def _spoken(self, text: str) -> bytes | None:
        try:
            samples = self._texts.speak(text)
        except SpeechError as error:
            if str(error) != self._problem:  # said once, not for every call
                _log.error("a text is not spoken, callers hear a recording instead: %s", error)
            self._problem = str(error)
            return None
        self._problem = ""
        return samples
