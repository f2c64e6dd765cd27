"""Who waits hears music, now and then the place in the queue and the expected wait, and music again."""

from __future__ import annotations

import msgspec
import pytest

from firmware.core import schemas
from firmware.lines.line_commands import Play
from tests.contacts import scripted_lines
from tests.contacts.scripted_lines import ScriptedLines, office_configuration

EVERY = 30.0
NEXT = ("word:您是下一位",)
ONE_AHEAD = ("word:您前面还有", "word:一", "word:位")


def announcing() -> schemas.Configuration:
    change = msgspec.structs.replace
    configuration = office_configuration()
    queues = tuple(change(one, announce_every_seconds=EVERY, wrap_up_seconds=0.0) for one in configuration.queues)
    return change(configuration, queues=queues)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines) -> ScriptedLines:
    monkeypatch.setattr(scripted_lines, "office_configuration", announcing)
    exchange.restart()
    return exchange


def heard(exchange: ScriptedLines, leg: str) -> tuple[str, ...]:
    sounds: tuple[str, ...] = exchange.last(Play, leg).sounds
    return sounds


def is_served(exchange: ScriptedLines, channel: int, agent_port: int, seconds: float) -> None:
    """A caller is answered at once, talks so long and leaves."""
    leg = exchange.caller_in_queue(channel)
    phone = exchange.rings(agent_port)
    exchange.answered(phone)
    exchange.wait(seconds)
    exchange.clears(leg)
    exchange.clears(phone, by="box")
    exchange.wait(0.1)


def test_the_place_is_told_at_the_interval_with_music_between(exchange: ScriptedLines) -> None:
    first = exchange.caller_in_queue(0)
    second = exchange.caller_in_queue(1)
    exchange.wait(EVERY - 0.1)
    assert heard(exchange, first) == ("music:waiting",)

    exchange.wait(0.2)
    assert (heard(exchange, first), heard(exchange, second)) == (NEXT, ONE_AHEAD)
    assert not exchange.last(Play, first).loop
    exchange.play_ends(first)
    music = exchange.last(Play, first)
    assert (music.sounds, music.loop) == (("music:waiting",), True)
    assert heard(exchange, second) == ONE_AHEAD, "each has an end of its own"
    exchange.play_ends(second)

    exchange.clears(first)
    exchange.wait(EVERY)
    assert heard(exchange, second) == NEXT
    names = [play.play for play in exchange.ordered(Play) if play.leg == second and not play.loop]
    assert len(names) == len(set(names)), "the gateway plays a name once"


def test_an_announcement_that_is_longer_than_the_interval_is_not_begun_anew(exchange: ScriptedLines) -> None:
    leg = exchange.caller_in_queue()
    exchange.wait(EVERY + 1)
    announcement = exchange.last(Play, leg)

    exchange.wait(EVERY)

    assert exchange.last(Play, leg) == announcement


def test_the_expected_wait_is_told_once_the_queue_is_known(exchange: ScriptedLines) -> None:
    exchange.ready("802", "2")
    for channel in range(3):
        is_served(exchange, channel, 31, 120.0)
    busy = exchange.caller_in_queue(3)
    exchange.answered(exchange.rings(31))
    first, second = exchange.caller_in_queue(4), exchange.caller_in_queue(5)

    exchange.wait(EVERY)

    assert heard(exchange, first) == (*NEXT, "word:预计等待", "word:大约", "word:两", "word:分钟")
    assert heard(exchange, second) == (*ONE_AHEAD, "word:预计等待", "word:大约", "word:四", "word:分钟")
    assert busy


def test_a_new_callserver_knows_how_long_calls_take_and_goes_on_with_the_announcement(exchange: ScriptedLines) -> None:
    exchange.ready("802", "2")
    for channel in range(3):
        is_served(exchange, channel, 31, 120.0)
    exchange.caller_in_queue(3)
    exchange.answered(exchange.rings(31))
    leg = exchange.caller_in_queue(4)
    exchange.wait(EVERY)
    announcement = exchange.last(Play, leg)
    exchange.orders.clear()

    exchange.restart()
    assert exchange.last(Play, leg) == announcement, "the gateway knows its name and does not begin anew"
    exchange.play_ends(leg)
    assert heard(exchange, leg) == ("music:waiting",)
    exchange.wait(EVERY)

    assert heard(exchange, leg) == announcement.sounds
    assert exchange.last(Play, leg).play != announcement.play


def test_who_is_being_offered_to_an_agent_hears_no_announcement(exchange: ScriptedLines) -> None:
    leg = exchange.caller_in_queue()
    exchange.wait(EVERY - 5)
    exchange.ready("801", "1")
    exchange.rings(30)
    exchange.wait(10)
    assert heard(exchange, leg) == ("music:waiting",)

    exchange.wait(15)

    assert heard(exchange, leg) == NEXT, "nobody answered: told after the offer"


def test_an_agent_who_answers_in_the_middle_ends_the_announcement(exchange: ScriptedLines) -> None:
    leg = exchange.caller_in_queue()
    exchange.wait(EVERY + 1)
    exchange.ready("801", "1")
    phone = exchange.rings(30)
    exchange.answered(phone)
    orders = list(exchange.orders)

    exchange.play_ends(leg)

    assert exchange.orders == orders, "an end that was under way changes nothing"


def test_without_an_interval_there_is_music_only(monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines) -> None:
    monkeypatch.setattr(scripted_lines, "office_configuration", office_configuration)
    exchange.restart()
    leg = exchange.caller_in_queue()

    exchange.wait(600)

    assert heard(exchange, leg) == ("music:waiting",)
