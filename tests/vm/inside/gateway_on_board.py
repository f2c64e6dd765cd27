"""The gateway's core on a board of the real driver, in the guest's time: blocks, signals, events. No process.

Two of them on the two spans of a pair are two boxes joined by a line.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from boards.base import Board
from firmware.core.clock import Stamp, SystemClock
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand, Attach
from firmware.lines.messages import AnyLineEvent, LegCleared
from firmware.media.codec import Alaw
from firmware.media.sounds import SoundStore
from firmware.tones.plan import load_plan
from tests.vm.inside.far_line import BoardEnd

SPEECH = np.random.default_rng(5).integers(0, 256, 8000, dtype=np.uint8)
"""A second of all codes: stands for speech, and is found again only if not a bit is changed."""
SOUNDS = SoundStore(
    {"prompt:speech": SPEECH, **{f"tone:{name}": samples for name, samples in load_plan().samples().items()}}
)
NEWEST_OUTWARD = 3
"""Of a burst so many blocks go out, as in the gateway process."""

Event = TypeVar("Event", bound=AnyLineEvent)


class GatewayOnBoard(BoardEnd):
    """One gateway with one board, which is opened here."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.gateway = Gateway([(board.name, board.channels)], SOUNDS, f"boot-{board.name}", "machine")
        self.events: list[AnyLineEvent] = []
        self._clock = SystemClock()
        self._ahead_us = 0
        self._last_number = 0
        board.open()
        self.gateway.attach(Attach("", 0), self.now())  # the test is the callserver
        self.gateway.board_opened(board.name, self.now())

    def now(self) -> Stamp:
        return self._clock.now().later(self._ahead_us)

    def pass_time(self, seconds: float) -> None:
        """Let the line machines (and nobody else) believe that so much time has passed."""
        self._ahead_us += round(seconds * 1_000_000)

    def look(self) -> int:
        came = 0
        while True:
            blocks, signals = self.board.receive()
            self.heard += blocks
            for number, block in enumerate(blocks, 1):
                sent = self.gateway.tick({self.board.name: block}, self.now())[self.board.name]
                if number > len(blocks) - NEWEST_OUTWARD:
                    self.board.send_block(sent)
            for signal in signals:
                self.gateway.handle_signal(self.board.name, signal, self.now())
            self._carry()
            came += len(blocks)
            if not blocks and not signals:
                return came

    def command(self, *commands: AnyLineCommand) -> None:
        for command in commands:
            self.gateway.handle_command(command, self.now())
        self._carry()

    def _carry(self) -> None:
        for _, signal in self.gateway.take_signals():
            self.board.send_signal(signal)
        self.events += self.gateway.events_after(self._last_number)
        self._last_number = self.gateway.last_number

    # ---- what a test asks --------------------------------------------------------------------------------------------

    def all(self, kind: type[Event]) -> list[Event]:
        """Events of a kind so far, oldest first."""
        found: list[Any] = [event for event in self.events if isinstance(event, kind)]
        return found

    def last(self, kind: type[Event]) -> Event:
        found = self.all(kind)
        assert found, f"no {kind.__name__} in {self.events}"
        return found[-1]

    def state(self, channel: int) -> str:
        return self.gateway.lines[channel].display_state()

    def how_it_ended(self) -> dict[int, tuple[str, str]]:
        """Cause of the last call of each channel, and which side ended it first."""
        return {event.channel: (event.cause.value, event.by) for event in self.all(LegCleared)}

    def row(self, channel: int) -> Alaw:
        """All that was heard on a channel since `heard` was emptied."""
        return np.concatenate([block[channel] for block in self.heard]) if self.heard else np.zeros(0, np.uint8)

    def heard_speech(self, channel: int) -> bool:
        """True if SPEECH came once, unchanged but for the ramp of 10 ms with which a sound begins and ends. It should
        be played twice: a stall when everything started is made up for by a slip within seconds."""
        return SPEECH[80:-80].tobytes() in self.row(channel).tobytes()
