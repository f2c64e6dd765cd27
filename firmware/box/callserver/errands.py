"""A thread for what must not hold the callserver's loop up: asked in order, and the loop wakes when there are answers.

What is asked is in the files that derive from it: callers.py, office_sounds.py, stored_recordings.py, speaker.py. Not
for what is stored: that is committer.py.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_log = logging.getLogger("linebox.callserver")


class Errands(ABC, Generic[Asked, Answer]):
    """`fileno()` becomes readable when there are answers."""

    def __init__(self, name: str, stop_seconds: float) -> None:
        """The thread starts at once: a class that derives from this has all that `_do` needs before it calls this."""
        self._stop_seconds = stop_seconds
        self._asked: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def _do(self, asked: Asked) -> Answer | None:
        """In the thread: the answer, None if there is none."""

    def fileno(self) -> int:
        return self._signal

    def answers(self) -> list[Answer]:
        """What was answered since, in the order of asking."""
        try:
            os.eventfd_read(self._signal)
        except BlockingIOError:
            pass
        found = []
        while not self._answered.empty():
            found.append(self._answered.get())
        return found

    def stop(self) -> bool:
        """End the thread after what it is doing. False if it hangs: it is left behind and dies with the process."""
        self._asked.put(None)
        self._thread.join(self._stop_seconds)
        if self._thread.is_alive():
            return False
        os.close(self._signal)
        return True

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            try:
                answer = self._do(asked)
            except Exception:  # a defect of ours; whoever asks next is to be answered all the same
                _log.exception("%s: no answer to %r", self._thread.name, asked)
                continue
            if answer is not None:
                self._answered.put(answer)
                os.eventfd_write(self._signal, 1)
