"""What a caller is played and asked before a person speaks: greeting, then straight on, or a menu of one level.

`step(...)` is told where the caller stands and what happened, and says what comes next. It holds nothing itself: the
contact carries its place, so that a restart of the process does not lose it.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core.schemas import Menu, Service


@dataclass(frozen=True)
class PlayGreeting:
    sounds: tuple[str, ...]


@dataclass(frozen=True)
class AskMenu:
    """Play the menu's prompt; a digit counts from its first word on."""

    menu: Menu
    attempt: int


@dataclass(frozen=True)
class AwaitDigit:
    """The prompt is over: wait so long for a digit."""

    seconds: float


@dataclass(frozen=True)
class GoToQueue:
    queue: str


Step = PlayGreeting | AskMenu | AwaitDigit | GoToQueue


def on_answered(service: Service, menus: dict[str, Menu]) -> Step:
    """The caller is on the line."""
    if service.greeting:
        return PlayGreeting(service.greeting)
    return on_greeted(service, menus)


def on_greeted(service: Service, menus: dict[str, Menu]) -> Step:
    """The greeting is over: straight to a person (GB/T 33358), or the menu where the service is set so."""
    if service.menu:
        return AskMenu(menus[service.menu], 1)
    return GoToQueue(service.queue)


def on_prompt_ended(menu: Menu) -> Step:
    return AwaitDigit(menu.timeout_seconds)


def on_digit(menu: Menu, digit: str, attempt: int) -> Step:
    """A digit was pressed. A wrong one is asked for again, as often as the menu says."""
    if digit in menu.choices:
        return GoToQueue(menu.choices[digit])
    return _again(menu, attempt)


def on_timeout(menu: Menu, attempt: int) -> Step:
    return _again(menu, attempt)


def _again(menu: Menu, attempt: int) -> Step:
    if attempt < menu.attempts:
        return AskMenu(menu, attempt + 1)
    return GoToQueue(menu.otherwise)
