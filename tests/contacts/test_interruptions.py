"""The callserver or the gateway dies: what was true stays true, what is over is recorded truthfully."""

from __future__ import annotations

import msgspec

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, EventName
from firmware.core.line_schemas import ExchangeLineEntry
from firmware.lines.line_commands import ConfigureLines, Hear, Join, Play, RingExtension
from firmware.records import tables
from tests.contacts.scripted_lines import ScriptedLines, office_configuration


def test_a_restarted_callserver_knows_the_conversation_and_says_again_what_shall_be(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.answered(phone)
    exchange.orders.clear()
    exchange.restart()
    assert exchange.orders == [Join((Hear(citizen, (phone,)), Hear(phone, (citizen,))))]
    assert exchange.agent("801").state is AgentState.TALKING
    exchange.clears(citizen)
    assert exchange.rows(tables.contacts)[0]["result"] == "answered"


def test_queue_places_agents_and_music_survive(exchange: ScriptedLines) -> None:
    first = exchange.caller_in_queue(0, calling="1001")
    exchange.wait(1)
    second = exchange.caller_in_queue(1, calling="1002")
    exchange.ask(cti.SignIn("801", "1"))
    exchange.orders.clear()
    exchange.restart()
    assert {order.leg for order in exchange.ordered(Play)} == {first, second}
    assert exchange.agent("801").state is AgentState.NOT_READY
    exchange.ask(cti.SetReady("801"))
    assert exchange.ordered(RingExtension)[0].calling == "1001"


def test_hang_ups_that_happened_while_it_was_dead_are_in_the_record_at_their_own_time(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.answered(phone)
    exchange.kill()
    exchange.wait_dead(3)
    exchange.clears(citizen, heard=False)
    gone = exchange.now.utc_us
    exchange.wait_dead(3)
    exchange.start()
    exchange.attach()
    (contact,) = exchange.rows(tables.contacts)
    assert contact["ended_utc_us"] == gone
    assert exchange.agent("801").state is AgentState.WRAP_UP


def test_a_call_that_arrived_while_it_was_dead_is_served(exchange: ScriptedLines) -> None:
    exchange.kill()
    leg = exchange.arrives(heard=False)
    exchange.start()
    exchange.attach()
    assert exchange.orders[-1].leg == leg
    assert exchange.told(EventName.ARRIVED)


def test_an_event_that_was_handled_and_not_stored_is_handled_again_with_the_same_numbers(
    exchange: ScriptedLines,
) -> None:
    exchange.arrives(heard=False)
    lost = exchange.server.handle_line(exchange.sent[-1], exchange.now)
    exchange.restart()
    assert exchange.events[-1] == lost.events[-1]
    assert [row["number"] for row in exchange.rows(tables.contacts)] == [1]


def test_the_offer_goes_on_after_a_restart_and_ends_when_it_should(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    exchange.caller_in_queue()
    exchange.rings(30)
    exchange.wait(5)
    exchange.restart()
    exchange.wait(9)
    assert exchange.agent("801").state is AgentState.OFFERED
    exchange.wait(1)
    assert exchange.agent("801").state is AgentState.NOT_READY


def test_when_the_gateway_dies_its_calls_end_truthfully_and_the_next_call_is_taken(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    exchange.caller_in_queue()
    exchange.answered(exchange.rings(30))
    exchange.wait(20)
    exchange.caller_in_queue(1)
    exchange.wait(4)
    exchange.restart_gateway()
    talked, waited = exchange.rows(tables.contacts)
    assert (talked["result"], talked["cause"]) == ("answered", "restart")
    assert (waited["result"], waited["cause"]) == ("failed", "restart")
    assert talked["ended_utc_us"] == exchange.now.utc_us
    assert not exchange.state().contacts
    exchange.wait(10)
    exchange.caller_in_queue(2)
    exchange.answered(exchange.rings(30))
    assert exchange.agent("801").state is AgentState.TALKING


def test_what_happened_on_the_new_gateway_before_it_was_attached_is_not_missed(exchange: ScriptedLines) -> None:
    exchange.carry(exchange.server.lose_gateway(exchange.now))
    exchange.boot, exchange.sent = "boot2", []
    short = exchange.arrives(heard=False)
    exchange.clears(short, heard=False)
    waiting = exchange.arrives(1, heard=False)
    exchange.attach()
    rows = exchange.rows(tables.contacts)
    assert [row["result"] for row in rows] == ["left_early", ""]
    assert exchange.orders[-1].leg == waiting


def test_after_a_power_cut_open_contacts_end_at_the_last_moment_that_is_known(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    exchange.caller_in_queue()
    known = exchange.now.utc_us
    exchange.kill()
    exchange.machine_boot, exchange.boot, exchange.sent = "machine2", "boot2", []
    exchange.wait_dead(3600)
    exchange.start()
    exchange.attach()
    (contact,) = exchange.rows(tables.contacts)
    assert (contact["result"], contact["ended_utc_us"]) == ("failed", known)
    assert exchange.agent("801").state is AgentState.READY


def test_numbers_have_no_gap_over_restarts(exchange: ScriptedLines) -> None:
    for channel in range(3):
        citizen = exchange.caller_in_queue(channel)
        exchange.clears(citizen)
        exchange.restart()
    for table in (tables.contacts, tables.calls, tables.legs, tables.segments, tables.events):
        numbers = sorted(row["number"] for row in exchange.rows(table))
        assert numbers == list(range(1, len(numbers) + 1))


def test_how_lines_are_set_is_said_to_a_gateway_that_comes_and_when_it_changes(exchange: ScriptedLines) -> None:
    assert exchange.line_settings == ConfigureLines()
    own = (ExchangeLineEntry(line="FXO-1", number="87654321"),)
    changed = msgspec.structs.replace(office_configuration(), exchange_lines=own)
    request = cti.Request(1, cti.ReloadConfiguration(), "test")
    exchange.carry(exchange.server.configure(1, request, changed, exchange.now))
    assert exchange.line_settings == ConfigureLines(exchange_lines=own)
    exchange.line_settings = None
    exchange.attach()

    assert exchange.line_settings == ConfigureLines(exchange_lines=own)
