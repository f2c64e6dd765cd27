"""Speaks texts that have no recording: a thread with espeak-ng, so that no call waits in the loop, and a cache on disk.

Which texts are wanted, and what is played instead of one that fails, is `firmware/ivr/speech.py`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

from firmware.core.storage import write_durably

FILES_KEPT = 1000
"""Spoken texts that stay on the disk, those used last; about 40 MB."""
DIGEST_BYTES = 32
STOP_SECONDS = 6.0
"""A text that is being spoken takes at most that."""

_log = logging.getLogger("linebox.callserver")


class SpokenTexts:
    """Texts as A-law, from the cache or from espeak-ng. Not from two threads at once.

    A file of the cache is the SHA-256 of the A-law, then the A-law. What makes speech is imported when a text is made:
    a callserver that has none, or has all in its cache, needs no memory for it.
    """

    def __init__(self, folder: Path, language: str) -> None:
        """`folder` is made when it is needed. The oldest files are removed. Raises nothing."""
        self._folder = folder
        self._language = language
        self._remove_oldest()

    def speak(self, text: str) -> bytes:
        """`text` in A-law. Raises SpeechError (`firmware/media/espeak.py`). A cache that cannot be read or written is
        told, and hinders nothing."""
        path = self._folder / f"{hashlib.sha256(f'{self._language} {text}'.encode()).hexdigest()[:32]}.alaw"
        try:
            kept = self._kept(path)
        except OSError as error:
            _log.warning("a spoken text is made anew: %s", error)
            kept = b""
        if kept:
            return kept
        from firmware.media import espeak

        spoken = espeak.speak(text, espeak.VOICES[self._language]).tobytes()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(path, hashlib.sha256(spoken).digest() + spoken)
        except OSError as error:
            _log.warning("a spoken text could not be kept and will be made again: %s", error)
        return spoken

    def _kept(self, path: Path) -> bytes:
        """What the file holds; nothing if there is none, or it is spoilt. Raises OSError."""
        if not path.exists():
            return b""
        content = path.read_bytes()
        digest, samples = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(samples).digest() != digest:
            _log.warning("a spoken text is made anew: %s is spoilt", path)
            return b""
        os.utime(path)
        return samples

    def _remove_oldest(self) -> None:
        try:
            files = sorted(self._folder.glob("*.alaw"), key=lambda path: path.stat().st_mtime, reverse=True)
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
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            os.close(self._signal)

    def _run(self) -> None:
        while (text := self._asked.get()) is not None:
            self._answered.put((text, self._spoken(text)))
            os.eventfd_write(self._signal, 1)

    def _spoken(self, text: str) -> bytes | None:
        try:
            samples = self._texts.speak(text)
        except Exception as error:  # SpeechError; whatever else it is, callers must be served
            if str(error) != self._problem:  # said once, not for every call
                _log.error("a text is not spoken, callers hear a recording instead: %s", error)
            self._problem = str(error)
            return None
        self._problem = ""
        return samples
