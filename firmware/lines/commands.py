"""What a callserver says to the gateway, done on the lines and in the switch. Attaching is `gateway.py`.

A command given twice, or of a leg that is gone, does nothing.
"""

from __future__ import annotations

import logging

from boards.signals import Cause
from firmware.core.clock import Stamp
from firmware.lines.exchange_line import ExchangeLine
from firmware.lines.exchange_states import learn_failed
from firmware.lines.extension import ExtensionLine, ring_failed
from firmware.lines.hearing import SwitchCommand
from firmware.lines.kinds import AnyLine
from firmware.lines.line import Effect
from firmware.lines.line_bank import LineBank
from firmware.lines.line_commands import (
    AlertLeg,
    AnswerLeg,
    AnyLineCommand,
    ClearLeg,
    Conference,
    ConfigureLines,
    GiveDialTone,
    Join,
    LearnTone,
    Leave,
    PlaceCall,
    Play,
    Resume,
    RingExtension,
    SetLevel,
    StopPlay,
    Supervise,
    TellPhone,
)
from firmware.lines.load_sound import LoadSound
from firmware.lines.r2.line import R2Line
from firmware.lines.sound_parts import SoundParts
from firmware.lines.trunk import TrunkLine

REQUESTS_REMEMBERED = 4096
"""Ring requests that are known when they come again."""

_log = logging.getLogger(__name__)


class LineCommands:
    """Carries out line commands."""

    def __init__(self, bank: LineBank) -> None:
        self._bank = bank
        self._requests: dict[str, None] = {}
        self._parts = SoundParts()

    def handle(self, command: AnyLineCommand, now: Stamp) -> None:
        """Do what the command says."""
        match command:
            case AnswerLeg() | AlertLeg() | ClearLeg():
                self._leg(command, now)
            case RingExtension() | PlaceCall() | LearnTone():
                self._ring(command, now)
            case TellPhone():
                line = self._bank.at(command.channel)
                if isinstance(line, ExtensionLine):
                    self._bank.perform(line, line.tell(command, now), now)
            case GiveDialTone():
                line = self._leg_line(command.leg)
                if isinstance(line, ExtensionLine):
                    self._bank.perform(line, line.give_dial_tone(command, now), now)
            case Play():
                self._used(command.leg)
                for sound in self._bank.hearing.play(command):
                    _log.warning("the sound %s cannot be played: not in the store, or no room for it", sound)
            case LoadSound():
                recording = self._parts.take(command)
                if recording is not None and not self._bank.load_sound(command.sound, recording):
                    _log.warning(
                        "no room for the new recording of %s: it is in use when the gateway starts anew", command.sound
                    )
            case StopPlay():
                self._bank.hearing.stop(command.leg)
            case Join() | Conference() | Supervise() | Leave() | SetLevel():
                self._used(*_hearers(command))
                self._bank.hearing.handle(command)
            case ConfigureLines():
                self._bank.configure(command, now)
            case Resume():
                self._bank.store.confirm(command.last_number)

    def _leg_line(self, leg: str) -> AnyLine | None:
        channel = self._bank.legs.get(leg)
        return None if channel is None else self._bank.lines[channel]

    def _used(self, *legs: str) -> None:
        for leg in legs:
            line = self._leg_line(leg)
            if isinstance(line, ExtensionLine):
                line.used()

    def _leg(self, command: AnswerLeg | AlertLeg | ClearLeg, now: Stamp) -> None:
        line = self._leg_line(command.leg)
        if line is None:
            return
        effects: list[Effect] = []
        if isinstance(command, ClearLeg):
            effects = line.clear(command.cause, now)
            self._bank.hearing.close(command.leg)  # a trunk that is still to confirm is heard no more either
        elif not isinstance(line, ExtensionLine):
            effects = line.answer(now) if isinstance(command, AnswerLeg) else line.alert(now)
        self._bank.perform(line, effects, now)

    def _ring(self, command: RingExtension | PlaceCall | LearnTone, now: Stamp) -> None:
        if command.request in self._requests:
            return
        self._requests[command.request] = None
        if len(self._requests) > REQUESTS_REMEMBERED:
            del self._requests[next(iter(self._requests))]
        line = self._bank.at(command.channel)
        if isinstance(line, ExtensionLine) and isinstance(command, RingExtension):
            self._bank.perform(line, line.ring(command, now), now)
        elif isinstance(line, TrunkLine) and isinstance(command, PlaceCall):
            self._bank.perform(line, line.place(command, now), now)
        elif isinstance(line, R2Line | ExchangeLine) and isinstance(command, PlaceCall):
            self._bank.perform(line, line.handle(command, now), now)
        elif isinstance(line, ExchangeLine) and isinstance(command, LearnTone):
            self._bank.perform(line, line.learn(command, now), now)
        elif isinstance(command, LearnTone):
            self._bank.report(learn_failed(command, "no_such_line", now))
        else:
            self._bank.report(ring_failed(command.request, Cause.UNALLOCATED, now))


def _hearers(command: SwitchCommand) -> tuple[str, ...]:
    """The legs that are to hear somebody else from now on."""
    match command:
        case Join():
            return tuple(hear.leg for hear in command.hearing)
        case Conference():
            return command.legs
        case Supervise():
            return (command.leg,)
    return ()
