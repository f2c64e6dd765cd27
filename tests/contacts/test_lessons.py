"""A line's busy tone is learnt: asked of the gateway, handed on to be stored, in force and told."""

from __future__ import annotations

from firmware.calls import messages as cti
from firmware.calls.messages import EventName
from firmware.contacts.effects import ToneToStore
from firmware.core.line_schemas import BusyTone
from firmware.lines.line_commands import LearnTone
from firmware.lines.messages import LearnFailed, ToneLearnt
from firmware.records import tables
from firmware.tones.cadence import LearnedTone
from tests.contacts.scripted_lines import EXCHANGE_LINE, ScriptedLines

TONE = LearnedTone(411, 190, 200, -21.5, 10, (186, 194), (196, 204))
AGAIN = LearnedTone(409, 194, 196, -22.0, 10, (190, 198), (192, 200))


def asked(exchange: ScriptedLines, number: str = "") -> LearnTone:
    assert exchange.ask(cti.LearnLine("FXO-1", number, 60.0)).error == ""
    (order,) = exchange.ordered(LearnTone)
    exchange.orders.clear()
    return order


def measured(exchange: ScriptedLines, tone: LearnedTone) -> ToneToStore:
    request = asked(exchange).request
    effects = exchange.happens(ToneLearnt, channel=EXCHANGE_LINE, request=request, tone=tone)
    (to_store,) = effects.tones
    return to_store


def stored(exchange: ScriptedLines, wish: ToneToStore, problem: str = "") -> None:
    exchange.carry(exchange.server.tone_stored(wish.line, wish.tone, problem, exchange.now))


def test_the_tone_is_in_force_and_told_when_it_is_stored(exchange: ScriptedLines) -> None:
    wish = measured(exchange, TONE)
    assert (wish.line, wish.tone) == ("FXO-1", TONE)
    assert EventName.LINE_LEARNT not in [event.name for event in exchange.events]
    stored(exchange, wish)

    told = exchange.events[-1]
    assert (told.name, told.line, told.tone, told.reason) == (EventName.LINE_LEARNT, "FXO-1", TONE, "")
    names = [event.name for event in exchange.events]
    assert EventName.CONFIGURATION_CHANGED not in names, "the files of others are not in force by that"
    assert exchange.line_settings is not None
    (line,) = exchange.line_settings.exchange_lines
    assert (line.line, line.busy_tones) == ("FXO-1", (BusyTone(hz=411, on_ms=190, off_ms=200, level_dbm0=-21.5),))
    audit = exchange.rows(tables.audit)[-2:]
    assert [(row["action"], row["subject"], row["outcome"]) for row in audit] == [
        ("LearnLine", "FXO-1", "done"),
        ("LearnLine", "FXO-1", "stored"),
    ]


def test_a_tone_that_is_learnt_again_takes_the_place_of_the_old_one(exchange: ScriptedLines) -> None:
    other = LearnedTone(450, 350, 350, -10, 10, (350, 350), (350, 350))
    for tone in (TONE, other, AGAIN):
        stored(exchange, measured(exchange, tone))

    (line,) = exchange.server.office.configuration.exchange_lines
    assert [tone.hz for tone in line.busy_tones] == [409, 450]


def test_a_tone_that_could_not_be_stored_is_in_force_all_the_same_and_that_is_said(exchange: ScriptedLines) -> None:
    stored(exchange, measured(exchange, TONE), "not_stored")

    assert exchange.events[-1].reason == "not_stored" and exchange.events[-1].tone == TONE
    assert exchange.line_settings is not None and exchange.line_settings.exchange_lines[0].busy_tones
    assert exchange.rows(tables.audit)[-1]["outcome"] == "not_stored"


def test_why_nothing_was_learnt_is_told(exchange: ScriptedLines) -> None:
    request = asked(exchange, "10")
    assert (request.called, request.channel, request.seconds) == ("10", EXCHANGE_LINE, 60.0)
    exchange.happens(LearnFailed, channel=EXCHANGE_LINE, request=request.request, reason="no_tone")

    told = exchange.events[-1]
    assert (told.name, told.line, told.tone, told.reason) == (EventName.LINE_LEARNT, "FXO-1", None, "no_tone")


def test_lines_that_cannot_learn_are_refused(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.LearnLine("FXO-9")).error == "unknown_line"
    assert exchange.ask(cti.LearnLine("FXS-1")).error == "unknown_line"
    exchange.channel_is(EXCHANGE_LINE, "up")
    assert exchange.ask(cti.LearnLine("FXO-1")).error == "line_busy"
    assert exchange.ordered(LearnTone) == []
