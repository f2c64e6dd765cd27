"""Reads the recordings again when somebody asks for a reload, in a thread: those whose files have changed.

The gateway reads all of them when it starts, the office's over the shipped ones. What has changed goes to it in parts,
as fast as it reads them; the first time all, of which it takes what is new to it. A file that cannot be played is told;
the sound before stays in use.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import NamedTuple

from firmware.box.callserver.errands import Errands
from firmware.calls.messages import Request
from firmware.lines.load_sound import LoadSound
from firmware.lines.sound_parts import parts_of
from firmware.media.codec import SAMPLE_RATE, Alaw
from firmware.media.prompts import PROMPTS
from firmware.media.sounds import SoundError, read_sound, sound_files

STOP_SECONDS = 2.0
LONGEST_SECONDS = 600

_log = logging.getLogger("linebox.callserver")


class Mark(NamedTuple):
    """By what a file is known to be another one."""

    path: Path
    changed_ns: int
    size: int
    inode: int


class Looked(NamedTuple):
    """What a client's request for a reload has found: recordings that changed, and what is wrong with files."""

    client: int
    request: Request
    changed: dict[str, Alaw]
    problems: tuple[str, ...]


class OfficeSounds(Errands[tuple[int, Request, int], Looked]):
    """Every request is answered."""

    def __init__(self, folder: Path, language: str) -> None:
        """`folder`: the office's prompts, with a folder for each language."""
        self._folder = folder
        self._language = language
        self._connection = -1
        self._known: dict[str, Mark] = {}
        """The files that the gateway is known to have, by sound."""
        self._waiting: deque[LoadSound] = deque()
        super().__init__("office sounds", STOP_SECONDS)

    def ask(self, client: int, request: Request, connection: int) -> None:
        """`connection` counts the connections with the gateway: what a new one has read is not known."""
        self._asked.put((client, request, connection))

    # ---- on their way to the gateway ---------------------------------------------------------------------------------

    def send(self, changed: dict[str, Alaw]) -> None:
        """These shall go to the gateway."""
        for sound, samples in changed.items():
            self._waiting += parts_of(sound, samples)

    def next_part(self) -> LoadSound | None:
        """What goes next, None if nothing waits."""
        return self._waiting.popleft() if self._waiting else None

    def gateway_lost(self) -> None:
        """The next gateway has read the files itself."""
        self._waiting.clear()

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _do(self, asked: tuple[int, Request, int]) -> Looked:
        client, request, connection = asked
        if connection != self._connection:
            self._connection, self._known = connection, {}
        changed: dict[str, Alaw] = {}
        problems = []
        try:
            files = dict(sound_files(self._language, (PROMPTS, self._folder)))
        except OSError as error:  # the folder itself
            files = {}
            problems.append(str(error))
        for sound, path in files.items():
            try:
                mark = _mark(path)
                if mark != self._known.get(sound):
                    changed[sound] = _read(path)
                    self._known[sound] = mark
            except Exception as error:  # whatever it is, who asked waits for an answer
                _log.error("%s", error)
                problems.append(str(error))
        return Looked(client, request, changed, tuple(problems))


def _mark(path: Path) -> Mark:
    found = path.stat()
    return Mark(path, found.st_mtime_ns, found.st_size, found.st_ino)


def _read(path: Path) -> Alaw:
    samples = read_sound(path)
    if samples.size > LONGEST_SECONDS * SAMPLE_RATE:
        minutes = LONGEST_SECONDS // 60
        raise SoundError(f"{path}: longer than {minutes} minutes. It comes into use when the box starts anew")
    return samples
