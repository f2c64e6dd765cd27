"""A stop by the button at the front: told to everybody, and over by itself where it comes to nothing."""

from __future__ import annotations

from firmware.calls import messages as cti
from firmware.calls.messages import EventName
from firmware.contacts.announced_stop import PATIENCE_US
from firmware.records import tables
from tests.contacts.scripted_lines import ScriptedLines

PATIENCE_SECONDS = PATIENCE_US / 1_000_000


def audited(exchange: ScriptedLines) -> list[tuple[str, str, str]]:
    return [(row["login"], row["action"], row["outcome"]) for row in exchange.rows(tables.audit)]


def test_a_stop_by_the_button_is_announced_to_all_and_in_the_audit_log_and_taken_back_if_it_fails(
    exchange: ScriptedLines,
) -> None:
    assert exchange.ask(cti.AnnounceStop()).error == ""
    assert exchange.state().alarms == (cti.BoxAlarm.STOPPING,)
    assert exchange.ask(cti.AnnounceStop(stopping=False)).error == ""
    assert exchange.state().alarms == ()

    assert [event.reason for event in exchange.told(EventName.ALARMS_CHANGED)] == ["stopping", ""]
    exchange.wait(2 * PATIENCE_SECONDS)
    assert audited(exchange) == [("test", "AnnounceStop", "done"), ("test", "AnnounceStop", "not_stopped")]


def test_the_alarm_goes_away_when_who_reads_the_button_dies_before_the_box_is_stopped(exchange: ScriptedLines) -> None:
    exchange.ask(cti.AnnounceStop())

    exchange.wait(PATIENCE_SECONDS - 0.1)
    assert exchange.state().alarms == (cti.BoxAlarm.STOPPING,)
    exchange.wait(0.2)

    assert exchange.state().alarms == ()
    assert [event.reason for event in exchange.told(EventName.ALARMS_CHANGED)] == ["stopping", ""]
    assert audited(exchange) == [("test", "AnnounceStop", "done"), ("linebox", "AnnounceStop", "not_stopped")]
    assert exchange.server.next_deadline() is None


def test_it_goes_away_too_while_the_gateway_is_away(exchange: ScriptedLines) -> None:
    exchange.ask(cti.AnnounceStop())
    exchange.carry(exchange.server.lose_gateway(exchange.now))

    exchange.wait(PATIENCE_SECONDS + 0.1)

    assert exchange.state().alarms == ()


def test_a_button_that_is_held_again_is_announced_for_its_whole_time(exchange: ScriptedLines) -> None:
    exchange.ask(cti.AnnounceStop())
    exchange.wait(PATIENCE_SECONDS - 1)
    exchange.ask(cti.AnnounceStop())

    exchange.wait(2)

    assert exchange.state().alarms == (cti.BoxAlarm.STOPPING,)
