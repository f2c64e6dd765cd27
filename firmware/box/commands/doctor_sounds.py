"""`linebox doctor` on what callers hear: text-to-speech, recordings of the office, sounds that are configured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firmware.box.commands.doctor_finding import OK, WARN, Check, Finding
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.configuration_problems import Problem, nearest_name
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration
from firmware.media.espeak import VOICES, SpeechError, speak
from firmware.media.prompts import PROMPTS
from firmware.media.sounds import SoundError, read_sound, sound_files
from firmware.tones.plan import load_plan

MADE_WHEN_NEEDED = ("text", "say")


def speech(paths: BoxPaths) -> Iterator[Finding]:
    try:
        speak("一", VOICES["zh_CN"])
    except SpeechError as error:
        remedy = "scripts/setup --system espeak-ng; until then callers hear 请稍候 where a text has no recording"
        yield Finding("speech", WARN, str(error), remedy)
    else:
        yield Finding("speech", OK, "espeak-ng speaks Mandarin")


def recordings_of_the_office(paths: BoxPaths) -> Iterator[Finding]:
    good = 0
    for path in sorted(paths.prompts.rglob("*.wav")):
        try:
            read_sound(path)
        except SoundError as error:
            remedy = "replace it, then `linebox reload`; meanwhile the one before it is played, or the shipped one"
            yield Finding("prompts", WARN, str(error), remedy)
        else:
            good += 1
    yield Finding("prompts", OK, f"{good} recordings of the office in {paths.prompts}")


def sounds_of_the_configuration(paths: BoxPaths) -> Iterator[Finding]:
    try:
        configuration, _ = load_configuration_or_last_good(paths)
    except (ConfigurationError, OSError):
        return  # another check says so
    missing = missing_sounds(configuration, paths)
    for one in missing:
        yield Finding("sounds", WARN, f"{one.file} {one.place}: {one.what}", one.remedy)
    if not missing:
        yield Finding("sounds", OK, "all sounds that the configuration names are there")


def missing_sounds(configuration: Configuration, paths: BoxPaths) -> list[Problem]:
    """The sounds that the configuration names and nobody has."""
    language = configuration.box.language
    there = {f"tone:{name}" for name in load_plan().samples()}
    there |= {name for name, path in sound_files(language, (PROMPTS, paths.prompts)) if _can_be_played(path)}
    remedy = f"correct the name, or add the recording to {paths.prompts / language}; until then its text is spoken"
    return [
        Problem(file, place, f"there is no sound {sound}", nearest=nearest_name(sound, there), remedy=remedy)
        for file, place, sound in _named(configuration)
        if sound.partition(":")[0] not in MADE_WHEN_NEEDED and sound not in there
    ]


def _can_be_played(path: Path) -> bool:
    try:
        read_sound(path)
    except SoundError:
        return False  # another check says so
    return True


def _named(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """(file, place in it, sound) of every sound in the configuration."""
    for service in configuration.services:
        yield from (("services.json", f"service {service.service}, greeting", sound) for sound in service.greeting)
    for menu in configuration.menus:
        yield from (("menus.json", f"menu {menu.menu}, prompt", sound) for sound in menu.prompt)
    for queue in configuration.queues:
        for sound in (queue.music, *queue.agent_announcement, *queue.announcement):
            yield "queues.json", f"queue {queue.queue}", sound


def sound_checks() -> tuple[Check, ...]:
    return (speech, recordings_of_the_office, sounds_of_the_configuration)
