"""报工号: the citizen hears the agent's number before the two are joined, whatever happens meanwhile."""

from __future__ import annotations

import msgspec
import pytest

from firmware.calls import messages as cti
from firmware.core import schemas
from firmware.lines.line_commands import Hear, Join, Play
from tests.contacts import scripted_lines
from tests.contacts.scripted_lines import ScriptedLines, office_configuration


def announcing() -> schemas.Configuration:
    change = msgspec.structs.replace
    configuration = office_configuration()
    pieces = ("word:工号", "say:agent", "word:为您服务")
    queues = tuple(change(one, agent_announcement=pieces) for one in configuration.queues)
    return change(configuration, queues=queues)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines) -> ScriptedLines:
    monkeypatch.setattr(scripted_lines, "office_configuration", announcing)
    exchange.restart()
    return exchange


SPOKEN = ("word:工号", "word:八", "word:零", "word:幺", "word:为您服务")


def telling(exchange: ScriptedLines) -> tuple[str, str]:
    """Agent 801 has lifted the handset; the citizen hears the number. Both legs."""
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.answered(phone)
    return citizen, phone


def joined(citizen: str, phone: str) -> Join:
    return Join((Hear(citizen, (phone,)), Hear(phone, (citizen,))))


def test_the_citizen_hears_the_number_and_the_agent_nothing(exchange: ScriptedLines) -> None:
    citizen, phone = telling(exchange)

    assert exchange.last(Play, citizen).sounds == SPOKEN
    assert not exchange.last(Play, citizen).loop
    assert exchange.ordered(Join)[-1] == Join((Hear(phone, ()),))


def test_then_both_hear_each_other_and_a_short_tone_tells_the_agent(exchange: ScriptedLines) -> None:
    citizen, phone = telling(exchange)

    exchange.play_ends(citizen)

    assert exchange.ordered(Join)[-1] == joined(citizen, phone)
    tone = exchange.last(Play, phone)
    assert (tone.sounds, tone.loop) == (("tone:connected",), False)
    assert exchange.orders.index(exchange.ordered(Join)[-1]) < exchange.orders.index(tone)
    exchange.event(scripted_lines.lines.PlayEnded, phone, play=tone.play)
    assert exchange.orders[-1] == tone, "its end changes nothing"


def test_hold_in_the_middle_of_the_number_is_hold_and_retrieve_is_speech(exchange: ScriptedLines) -> None:
    citizen, phone = telling(exchange)
    number = exchange.last(Play, citizen)

    assert exchange.ask(cti.HoldCall("801")).error == ""
    exchange.event(scripted_lines.lines.PlayEnded, citizen, play=number.play)
    assert exchange.last(Play, citizen).sounds == ("music:waiting",)
    assert exchange.ask(cti.RetrieveCall("801")).error == ""

    assert exchange.orders[-1] == joined(citizen, phone)


def test_a_callserver_that_comes_back_goes_on_where_it_was(exchange: ScriptedLines) -> None:
    citizen, phone = telling(exchange)
    number = exchange.last(Play, citizen)
    exchange.orders.clear()
    exchange.restart()
    assert exchange.last(Play, citizen) == number, "the gateway knows the name and does not begin anew"

    exchange.kill()
    exchange.event(scripted_lines.lines.PlayEnded, citizen, heard=False, play=number.play)
    exchange.orders.clear()
    exchange.start()
    exchange.attach()

    assert joined(citizen, phone) in exchange.orders
    assert number not in exchange.orders


def test_an_agent_who_hangs_up_in_the_middle_ends_the_call(exchange: ScriptedLines) -> None:
    citizen, phone = telling(exchange)
    number = exchange.last(Play, citizen)
    exchange.clears(phone)
    exchange.event(scripted_lines.lines.PlayEnded, citizen, play=number.play)

    assert not [order for order in exchange.ordered(Join) if order == joined(citizen, phone)]
    exchange.clears(citizen, by="box")
    assert not exchange.state().contacts


def test_the_next_agent_tells_a_number_of_their_own(exchange: ScriptedLines) -> None:
    exchange.ready("802", "2")
    citizen = exchange.caller_in_queue()
    exchange.answered(exchange.rings(31))

    assert exchange.last(Play, citizen).sounds == ("word:工号", "word:八", "word:零", "word:二", "word:为您服务")


def test_a_queue_without_an_announcement_joins_at_once(
    monkeypatch: pytest.MonkeyPatch, exchange: ScriptedLines
) -> None:
    monkeypatch.setattr(scripted_lines, "office_configuration", office_configuration)
    exchange.restart()
    citizen, phone = telling(exchange)

    assert exchange.orders[-1] == joined(citizen, phone)
