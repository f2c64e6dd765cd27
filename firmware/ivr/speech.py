"""Sees to it that every play says something: texts are spoken before it goes out, missing prompts are replaced.

It stands between what the callserver orders and the gateway. A play that waits for text-to-speech is kept back; the
caller goes on hearing what was heard before. Whatever else is ordered for that leg meanwhile replaces it. Sans-I/O: it
says which texts it wants, and is told the samples. Not here: who speaks, and what is kept on the disk.

Instead of a sound that the gateway does not have: the text of the prompt (`texts.toml`) or the word itself is spoken,
other music is played; where that is not possible, `prompt:wait` (请稍候). Each replacement is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import msgspec

from firmware.core.schemas import Configuration
from firmware.lines.line_commands import AnyLineCommand, ClearLeg, Conference, Join, Play, StopPlay, Supervise

TEXT = "text:"
REPLACEMENT = "prompt:wait"
MUSIC = "music:waiting"
TEXTS_KEPT = 64
"""Spoken texts that are kept in memory, about 5 s each."""

_log = logging.getLogger(__name__)


class Speech:
    """One gateway's plays."""

    def __init__(self, prompt_texts: Mapping[str, str] | None = None) -> None:
        """`prompt_texts`: what prompts say, by name without `prompt:`."""
        self._prompt_texts = dict(prompt_texts or {})
        self._known: frozenset[str] | None = None
        self._spoken: dict[str, bytes] = {}
        """By text, the one used last at the end."""
        self._waiting: dict[str, Play] = {}
        """By leg: plays that wait for texts."""
        self._wanted: list[str] = []
        self._asked: set[str] = set()
        self._failed: set[str] = set()
        """Texts that could not be spoken for the plays that wait now."""

    def gateway_has(self, sounds: Iterable[str]) -> None:
        """What the gateway says that it can play; nothing: it does not say. Plays that wait are for another one."""
        self._known = frozenset(sounds) or None
        self._waiting.clear()

    def gateway_has_too(self, sound: str) -> None:
        """The gateway has been given a recording."""
        if self._known is not None:
            self._known |= {sound}

    def prepare(self, configuration: Configuration) -> None:
        """Have the texts that the configuration names spoken before somebody waits for them."""
        for sound in _sounds_of(configuration):
            self._want(sound.removeprefix(TEXT) if sound.startswith(TEXT) else "")

    def take_wanted(self) -> list[str]:
        """Texts that shall be spoken now; each is answered by `spoken`."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def order(self, commands: Iterable[AnyLineCommand]) -> list[AnyLineCommand]:
        """What of these goes to the gateway now."""
        ready: list[AnyLineCommand] = []
        for command in commands:
            for leg in _legs_that_hear_anew(command):
                self._waiting.pop(leg, None)
            if isinstance(command, Play):
                self._waiting[command.leg] = self._replaced(command)
                ready += self._release()
            else:
                ready.append(command)
        return ready

    def spoken(self, text: str, samples: bytes | None) -> list[AnyLineCommand]:
        """A text was spoken (A-law), or could not be (None). What goes to the gateway now."""
        self._asked.discard(text)
        if samples:
            self._spoken[text] = samples
        else:
            self._failed.add(text)
        ready = self._release()
        while len(self._spoken) > TEXTS_KEPT and not self._waiting:
            del self._spoken[next(iter(self._spoken))]
        return ready

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _replaced(self, play: Play) -> Play:
        sounds = tuple(self._available(sound) for sound in play.sounds)
        return play if sounds == play.sounds else msgspec.structs.replace(play, sounds=sounds)

    def _available(self, sound: str) -> str:
        if self._known is None or sound in self._known or sound.startswith(TEXT):
            return sound
        kind, _, name = sound.partition(":")
        text = name if kind == "word" else self._prompt_texts.get(name, "") if kind == "prompt" else ""
        music = kind == "music" and MUSIC in self._known
        instead = TEXT + text if text else MUSIC if music else REPLACEMENT
        _log.warning("there is no sound %s: %s is played. Add the recording, or correct the name", sound, instead)
        return instead

    def _release(self) -> list[AnyLineCommand]:
        """Plays whose texts are all there, or will not be."""
        ready: list[AnyLineCommand] = []
        for leg, play in list(self._waiting.items()):
            texts = [sound.removeprefix(TEXT) for sound in play.sounds if sound.startswith(TEXT)]
            missing = [text for text in texts if text not in self._spoken and text not in self._failed]
            if not missing:
                del self._waiting[leg]
                ready.append(self._complete(play, texts))
            for text in missing:
                self._want(text)
        if not self._waiting:
            self._failed.clear()  # the next play may try again
        return ready

    def _want(self, text: str) -> None:
        if text and text not in self._asked and text not in self._spoken:
            self._asked.add(text)
            self._wanted.append(text)

    def _complete(self, play: Play, texts: list[str]) -> Play:
        if not texts:
            return play
        spoken = {}
        for text in texts:
            if text in self._spoken:
                self._spoken[text] = spoken[TEXT + text] = self._spoken.pop(text)
        sounds = tuple(sound if not sound.startswith(TEXT) or sound in spoken else REPLACEMENT for sound in play.sounds)
        return msgspec.structs.replace(play, sounds=sounds, spoken=spoken)


def _sounds_of(configuration: Configuration) -> Iterable[str]:
    for service in configuration.services:
        yield from service.greeting
    for menu in configuration.menus:
        yield from menu.prompt
    for queue in configuration.queues:
        yield from (*queue.agent_announcement, *queue.announcement)


def _legs_that_hear_anew(command: AnyLineCommand) -> Iterable[str]:
    match command:
        case Play(leg=leg) | StopPlay(leg=leg) | ClearLeg(leg=leg) | Supervise(leg=leg):
            return (leg,)
        case Conference(legs=legs):
            return legs
        case Join(hearing=hearing):
            return [one.leg for one in hearing]
    return ()
