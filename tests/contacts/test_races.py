"""Two things at once: no ringing phone, no stuck channel, no stuck agent, no lost place in the queue."""

from __future__ import annotations

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, EventName
from firmware.lines.line_commands import ClearLeg, RingExtension
from firmware.lines.messages import RingFailed
from firmware.records import tables
from tests.contacts.scripted_lines import Cause, ScriptedLines


def test_a_caller_who_leaves_while_the_phone_rings_leaves_no_ringing_phone(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.clears(citizen)
    assert exchange.orders[-1] == ClearLeg(phone)
    assert exchange.agent("801").state is AgentState.READY
    assert exchange.rows(tables.contacts)[0]["result"] == "abandoned"


def test_a_caller_who_leaves_before_the_phone_begins_to_ring_leaves_no_ringing_phone(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    exchange.clears(citizen)
    phone = exchange.rings(30)
    assert exchange.orders[-1] == ClearLeg(phone)
    exchange.clears(phone, by="box")
    exchange.caller_in_queue(1)
    assert len(exchange.ordered(RingExtension)) == 2


def test_the_agent_lifts_in_the_tick_in_which_the_caller_leaves(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.clears(citizen)
    exchange.answered(phone)
    assert exchange.agent("801").state is AgentState.READY
    exchange.caller_in_queue(1)
    assert len(exchange.ordered(RingExtension)) == 1, "the phone is off hook and cannot ring"
    exchange.clears(phone)
    assert len(exchange.ordered(RingExtension)) == 2


def test_the_caller_leaves_in_the_tick_in_which_the_agent_lifts(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.answered(phone)
    exchange.clears(citizen)
    exchange.clears(phone)
    exchange.wait(10)
    assert exchange.agent("801").state is AgentState.READY
    assert not exchange.state().contacts


def test_an_offer_that_nobody_answers_goes_to_the_head_of_the_queue_and_the_agent_is_not_ready(
    exchange: ScriptedLines,
) -> None:
    exchange.ready("801", "1")
    first = exchange.caller_in_queue(0, calling="13800000001")
    phone = exchange.rings(30)
    exchange.wait(5)
    exchange.caller_in_queue(1, calling="13800000002")
    exchange.wait(10)
    assert exchange.orders[-1] == ClearLeg(phone)
    agent = exchange.agent("801")
    assert (agent.state, agent.reason) == (AgentState.NOT_READY, "no_answer")
    assert exchange.told(EventName.DIVERTED)[0].reason == "no_answer"
    exchange.clears(phone, by="box")
    exchange.ready("802", "2")
    assert exchange.ordered(RingExtension)[-1].calling == "13800000001"
    assert first


def test_the_longest_idle_agent_is_served_first_and_a_lost_caller_does_not_cost_the_place(
    exchange: ScriptedLines,
) -> None:
    exchange.ready("801", "1")
    exchange.wait(1)
    exchange.ready("802", "2")
    citizen = exchange.caller_in_queue()
    assert exchange.ordered(RingExtension)[-1].channel == 30
    phone = exchange.rings(30)
    exchange.clears(citizen)
    exchange.clears(phone, by="box")
    exchange.wait(1)
    exchange.caller_in_queue(1)
    assert exchange.ordered(RingExtension)[-1].channel == 30, "801 is still the longest idle"


def test_a_phone_that_cannot_ring_costs_the_agent_the_ready_state_and_not_the_caller_the_place(
    exchange: ScriptedLines,
) -> None:
    exchange.ready("801", "1")
    exchange.caller_in_queue()
    request = exchange.ordered(RingExtension)[0].request
    exchange.event(RingFailed, "", request=request, cause=Cause.BUSY)
    agent = exchange.agent("801")
    assert (agent.state, agent.reason) == (AgentState.NOT_READY, "phone_failed")
    exchange.ready("802", "2")
    assert exchange.ordered(RingExtension)[-1].channel == 31


def test_both_hang_up_in_one_tick(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.answered(phone)
    exchange.clears(phone)
    exchange.clears(citizen)
    exchange.wait(10)
    assert exchange.agent("801").state is AgentState.READY
    assert len(exchange.told(EventName.CONTACT_ENDED)) == 1


def test_requests_that_cannot_be_are_refused_with_a_code(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    refused = {
        "unknown_agent": cti.SignIn("999", "1"),
        "unknown_seat": cti.SignIn("802", "99"),
        "seat_taken": cti.SignIn("802", "1"),
        "signed_in_elsewhere": cti.SignIn("801", "2"),
        "not_signed_in": cti.SetReady("802"),
        "no_call": cti.AnswerCall("801"),
    }
    for code, body in refused.items():
        assert exchange.ask(body).error == code
    exchange.caller_in_queue()
    assert exchange.ask(cti.SignOut("801")).error == "in_call"
    assert exchange.ask(cti.AnswerCall("801")).error == "lift_the_handset"


def test_not_ready_during_a_call_takes_effect_after_it(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    exchange.answered(exchange.rings(30))
    assert exchange.ask(cti.SetNotReady("801", "lunch")).error == ""
    exchange.clears(citizen)
    exchange.wait(10)
    agent = exchange.agent("801")
    assert (agent.state, agent.reason) == (AgentState.NOT_READY, "lunch")


def test_a_refusal_of_what_nobody_asked_for_ends_no_call(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    exchange.caller_in_queue()
    exchange.answered(exchange.rings(30))
    exchange.event(RingFailed, "", request="", cause=Cause.UNALLOCATED)
    assert exchange.agent("801").state is AgentState.TALKING
