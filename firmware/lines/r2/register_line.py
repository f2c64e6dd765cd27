"""The register signalling of an R2 line: what the machines of registers.py want done on this channel. Not what their
numbers and answers mean for the call.
"""

from __future__ import annotations

from typing import Literal

from boards.signals import Cause
from firmware.core.clock import Stamp
from firmware.lines.line import Effect, RegisterListen, RegisterTone
from firmware.lines.r2.bits import BitLine
from firmware.lines.r2.registers import (
    Finished,
    IncomingRegister,
    Offered,
    OutgoingRegister,
    Register,
    Step,
    Tone,
    Wait,
)
from firmware.lines.r2.states import HeardTone


class RegisterLine(BitLine, kw_only=True):
    """The part of an R2 line that sends and hears register tones."""

    register: Register | None = None
    listening: bool = False

    def offered(self, register: IncomingRegister, now: Stamp) -> list[Effect]:
        """All numbers of a call that comes in are known."""
        raise NotImplementedError

    def registers_finished(self, cause: Cause | None, now: Stamp) -> list[Effect]:
        """The registers have done their work, or could not (see `Finished`)."""
        raise NotImplementedError

    def hear_tone(self, heard: HeardTone, now: Stamp) -> list[Effect]:
        if self.register is None:
            return []
        return self.take_steps(self.register.tone(heard.signal, heard.on, self.plan), now)

    def take_steps(self, steps: list[Step], now: Stamp) -> list[Effect]:
        effects: list[Effect] = []
        for step in steps:
            match step:
                case Tone():
                    direction: Literal["forward", "backward"] = (
                        "forward" if isinstance(self.register, OutgoingRegister) else "backward"
                    )
                    effects.append(RegisterTone(direction, step.signal))
                case Wait():
                    self.stop_timer("register")
                    if step.timer:
                        self.start_timer("register", self.plan.microseconds(step.timer), now)
                case Offered():
                    assert isinstance(self.register, IncomingRegister)
                    effects += self.offered(self.register, now)
                case Finished():
                    effects += self.registers_finished(step.cause, now)
        return effects

    def quiet(self) -> list[Effect]:
        """The registers have nothing to do any more."""
        self.stop_timer("register")
        self.register = None
        if not self.listening:
            return []
        self.listening = False
        return [RegisterTone("forward", 0), RegisterListen(None)]
