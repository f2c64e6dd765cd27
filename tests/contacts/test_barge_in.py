"""Digits while something is spoken: they end what may be interrupted, and wait for the end of what may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from firmware.calls.messages import EventName
from firmware.core import schemas
from firmware.lines.line_commands import Play
from tests.contacts import scripted_lines
from tests.contacts.scripted_lines import ScriptedLines, office_configuration


def configure(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines, service: dict[str, Any], menu: dict[str, Any]
) -> None:
    """Have the service with the menu, and the menu, changed."""

    def changed() -> schemas.Configuration:
        change = msgspec.structs.replace
        configuration = office_configuration()
        services = tuple(change(one, **service) if one.menu else one for one in configuration.services)
        return change(configuration, services=services, menus=tuple(change(one, **menu) for one in configuration.menus))

    monkeypatch.setattr(scripted_lines, "office_configuration", changed)
    exchange.restart()


def greeted(exchange: ScriptedLines) -> str:
    """A caller whose service has a menu hears the greeting."""
    leg = exchange.arrives(called="12346")
    exchange.answered(leg)
    return leg


def queue(exchange: ScriptedLines) -> str:
    (contact,) = exchange.state().contacts
    return contact.queue


def test_greeting_and_menu_are_interrupted_by_the_digit_that_chooses(exchange: ScriptedLines) -> None:
    leg = greeted(exchange)
    assert exchange.last(Play, leg).interruptible
    exchange.play_ends(leg)
    assert exchange.last(Play, leg).interruptible

    exchange.presses(leg, "1")

    assert queue(exchange) == "consult"
    assert not exchange.last(Play, leg).interruptible, "digits mean nothing to who waits"


def test_a_greeting_without_a_menu_is_not_interrupted(exchange: ScriptedLines) -> None:
    leg = exchange.arrives()
    exchange.answered(leg)

    assert not exchange.last(Play, leg).interruptible


def test_digits_in_what_may_not_be_interrupted_are_kept_for_the_menu(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    configure(monkeypatch, exchange, {"greeting_interruptible": False}, {"interruptible": False})
    leg = greeted(exchange)
    greeting = exchange.last(Play, leg)
    exchange.presses(leg, "7")
    exchange.presses(leg, "1")
    assert exchange.last(Play, leg) == greeting
    assert not greeting.interruptible
    exchange.restart()

    exchange.play_ends(leg)

    assert queue(exchange) == "consult", "7 is no choice, so the menu is asked again, and 1 answers it"
    assert [event.digit for event in exchange.told(EventName.DIGIT)] == ["7", "1"]
    assert "prompt:menu" not in [sound for play in exchange.ordered(Play) for sound in play.sounds]


def test_a_digit_in_a_menu_that_may_not_be_interrupted_counts_at_its_end(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    configure(monkeypatch, exchange, {}, {"interruptible": False})
    leg = greeted(exchange)
    exchange.play_ends(leg)
    prompt = exchange.last(Play, leg)
    exchange.presses(leg, "1")
    assert exchange.last(Play, leg) == prompt

    exchange.play_ends(leg)

    assert queue(exchange) == "consult"


def test_where_nothing_may_be_typed_ahead_such_digits_are_lost(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    configure(
        monkeypatch,
        exchange,
        {"greeting_interruptible": False},
        {"interruptible": False, "typed_ahead": False},
    )
    leg = greeted(exchange)
    exchange.presses(leg, "1")
    exchange.play_ends(leg)
    assert exchange.last(Play, leg).sounds == ("prompt:menu",)
    exchange.presses(leg, "1")
    exchange.play_ends(leg)
    assert not queue(exchange)

    exchange.presses(leg, "1")

    assert queue(exchange) == "consult", "after the prompt it counts"


def test_only_wrong_digits_typed_ahead_lead_where_no_choice_leads(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    configure(monkeypatch, exchange, {"greeting_interruptible": False}, {})
    leg = greeted(exchange)
    for digit in "77777777777777777777":
        exchange.presses(leg, digit)

    exchange.play_ends(leg)

    assert queue(exchange) == "general"
    assert exchange.last(Play, leg).sounds == ("music:waiting",)


def test_a_menu_that_is_taken_away_in_the_greeting_leaves_nobody_in_silence(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    leg = greeted(exchange)
    monkeypatch.setattr(
        scripted_lines,
        "office_configuration",
        lambda: msgspec.structs.replace(office_configuration(), services=office_configuration().services[:1], menus=()),
    )
    exchange.restart()

    exchange.presses(leg, "1")

    assert queue(exchange) == "general", "the digit has stopped the greeting, so it is over"
