"""Speaks texts that have no recording: a thread with espeak-ng, so that no call waits in the loop, and a cache on disk.

Which texts are wanted, and what is played instead of one that fails, is `firmware/ivr/speech.py`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from firmware.box.callserver.errands import Errands
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


class Speaker(Errands[str, tuple[str, bytes | None]]):
    """Answers are (text, A-law), or None in its place if it could not be spoken; the log says why."""

    def __init__(self, folder: Path, language: str) -> None:
        self._texts = SpokenTexts(folder, language)
        self._problem = ""
        super().__init__("speaker", STOP_SECONDS)

    def ask(self, texts: Iterable[str]) -> None:
        """Each is answered, in order."""
        for text in texts:
            self._asked.put(text)

    def _do(self, asked: str) -> tuple[str, bytes | None]:
        return asked, self._spoken(asked)

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
