"""A loop test is asked for: handed to the gateway, refused while there are calls, told and noted when it is over."""

from __future__ import annotations

from boards.signals import LoopWay
from firmware.calls import messages as cti
from firmware.calls.messages import EventName
from firmware.lines.loop_messages import BeginLoopTest, LoopOutcome, StopLoopTest
from firmware.lines.messages import LoopTested
from firmware.records import tables
from tests.contacts.scripted_lines import ScriptedLines


def test_the_gateway_is_told_and_what_it_found_is_told_and_noted(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.LoopTest("sim", LoopWay.LOCAL, 5.0)).error == ""
    (order,) = exchange.ordered(BeginLoopTest)
    assert (order.board, order.way, order.seconds) == ("sim", LoopWay.LOCAL, 5.0)
    outcome = LoopOutcome(board="sim", way=LoopWay.LOCAL, seconds=5.0)
    exchange.happens(LoopTested, request=order.request, outcome=outcome)

    told = exchange.events[-1]
    assert (told.name, told.loop_test, told.reason) == (EventName.LOOP_TESTED, outcome, "")
    audit = exchange.rows(tables.audit)[-2:]
    assert [(row["action"], row["subject"], row["outcome"]) for row in audit] == [
        ("LoopTest", "sim", "done"),
        ("LoopTest", "sim", "tested"),
    ]


def test_why_there_was_no_test_is_told(exchange: ScriptedLines) -> None:
    outcome = LoopOutcome(board="sim", way=LoopWay.FAR, seconds=0, reason="no_carrier")
    exchange.happens(LoopTested, request="loop/1", outcome=outcome)

    assert (exchange.events[-1].name, exchange.events[-1].reason) == (EventName.LOOP_TESTED, "no_carrier")
    assert exchange.rows(tables.audit)[-1]["outcome"] == "no_carrier"


def test_a_board_that_is_not_there_or_has_calls_is_refused(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.LoopTest("nowhere")).error == "unknown_board"
    exchange.channel_is(0, "seized")
    assert exchange.ask(cti.LoopTest("sim")).error == "calls_on_board"
    assert exchange.ordered(BeginLoopTest) == []


def test_a_second_test_of_the_board_is_refused_until_the_first_is_over(exchange: ScriptedLines) -> None:
    exchange.ask(cti.LoopTest("sim"))
    (order,) = exchange.ordered(BeginLoopTest)
    assert exchange.ask(cti.LoopTest("sim", LoopWay.LOCAL)).error == "loop_test_running"
    outcome = LoopOutcome(board="sim", way=LoopWay.FAR, seconds=10)
    exchange.happens(LoopTested, request=order.request, outcome=outcome)

    assert exchange.ask(cti.LoopTest("sim")).error == ""


def test_a_test_that_went_with_its_gateway_is_told_and_another_can_begin(exchange: ScriptedLines) -> None:
    exchange.ask(cti.LoopTest("sim", LoopWay.TOWARD_EXCHANGE, 600.0))
    exchange.restart_gateway()

    (told,) = exchange.told(EventName.LOOP_TESTED)
    assert told.reason == "gateway_gone"
    assert exchange.ask(cti.LoopTest("sim")).error == ""


def test_a_test_is_ended_by_whoever_asks_and_noted(exchange: ScriptedLines) -> None:
    exchange.ask(cti.LoopTest("sim", LoopWay.TOWARD_EXCHANGE, 600.0))
    assert exchange.ask(cti.EndLoopTest("sim")).error == ""
    assert exchange.ordered(StopLoopTest) == [StopLoopTest("sim")]
    row = exchange.rows(tables.audit)[-1]
    assert (row["action"], row["subject"], row["outcome"]) == ("EndLoopTest", "sim", "done")
    outcome = LoopOutcome(board="sim", way=LoopWay.TOWARD_EXCHANGE, seconds=0, reason="stopped")
    exchange.happens(LoopTested, request="loop/1", outcome=outcome)

    assert exchange.events[-1].reason == "stopped"
    assert exchange.ask(cti.LoopTest("sim")).error == ""


def test_where_no_test_runs_there_is_nothing_to_end(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.EndLoopTest("sim")).error == "no_loop_test"
    assert exchange.ask(cti.EndLoopTest("nowhere")).error == "unknown_board"
    assert exchange.ordered(StopLoopTest) == []
