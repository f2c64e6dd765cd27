"""What a simulated person may use of the world: the line, the voice, the ear, a clock. `world.py` gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from boards.signals import FromBoard
from firmware.calls.messages import AnyRequestBody
from firmware.simulator.hearing import Hearing
from firmware.simulator.journal import Journal
from firmware.simulator.voices import Voices

BLOCKS_A_SECOND = 100


class Timer:
    """One wake-up. `live` becomes False when it has rung or is cancelled."""

    __slots__ = ("action", "block", "live")

    def __init__(self, block: int, action: Callable[[], None]) -> None:
        self.block = block
        self.action = action
        self.live = True

    def cancel(self) -> None:
        self.live = False


class Surroundings(Protocol):
    """Everything that citizens, phones and agents do to the world, and how they know the time."""

    voices: Voices
    hearing: Hearing
    cti_connected: bool

    @property
    def sample(self) -> int:
        """World sample number at which the next block begins."""
        ...

    def signal(self, signal: FromBoard) -> None:
        """Send a line signal to the gateway."""
        ...

    def request(self, body: AnyRequestBody) -> None:
        """Ask something of the callserver."""
        ...

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Do something so much later, in whole blocks."""
        ...

    def note(self, journal: Journal, event: str, detail: str = "") -> None:
        """Write into a journal what happens now."""
        ...

    def listen(self, channel: int, journal: Journal | None) -> None:
        """Keep what the channel hears in this journal, or (None) no more."""
        ...
