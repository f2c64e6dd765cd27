"""One call from arrival to record: announced, queued, offered, joined, held, ended from either side."""

from __future__ import annotations

import itertools

import pytest

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, EventName
from firmware.lines.line_commands import AnswerLeg, ClearLeg, GiveDialTone, Hear, Join, Play, RingExtension
from firmware.records import tables
from firmware.records.messages import CloseRecording, OpenRecording
from tests.contacts.scripted_lines import ScriptedLines


def connected(exchange: ScriptedLines) -> tuple[str, str]:
    """A citizen and agent 801 (desk phone FXS-1) in conversation; gives both legs."""
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(30)
    exchange.wait(2)
    exchange.answered(phone)
    return citizen, phone


def test_a_caller_is_answered_greeted_and_goes_straight_to_the_queue_with_music(exchange: ScriptedLines) -> None:
    leg = exchange.arrives()
    assert exchange.orders[-1] == AnswerLeg(leg)
    exchange.answered(leg)
    assert exchange.last(Play, leg).sounds == ("prompt:welcome",)
    exchange.play_ends(leg)
    music = exchange.last(Play, leg)
    assert music.sounds == ("music:waiting",) and music.loop
    assert exchange.state().queues[0].waiting == 1


def test_the_phone_of_a_ready_agent_rings_and_both_hear_each_other_when_it_is_lifted(exchange: ScriptedLines) -> None:
    citizen, phone = connected(exchange)
    assert exchange.ordered(RingExtension)[0].calling == "13800000001"
    assert exchange.orders[-1] == Join((Hear(citizen, (phone,)), Hear(phone, (citizen,))))
    assert exchange.agent("801").state is AgentState.TALKING
    assert [event.name for event in exchange.events if event.contact and event.name != "AgentStateChanged"] == [
        EventName.ARRIVED,
        EventName.QUEUED,
        EventName.DELIVERED,
        EventName.ESTABLISHED,
    ]


def test_when_the_citizen_hangs_up_the_agents_phone_is_cleared_and_wrap_up_ends_by_itself(
    exchange: ScriptedLines,
) -> None:
    citizen, phone = connected(exchange)
    exchange.wait(30)
    exchange.clears(citizen)
    assert exchange.orders[-1] == ClearLeg(phone)
    assert exchange.agent("801").state is AgentState.WRAP_UP
    exchange.clears(phone)
    exchange.wait(10)
    assert exchange.agent("801").state is AgentState.READY
    (contact,) = exchange.rows(tables.contacts)
    assert contact["result"] == "answered" and contact["agent"] == "801"
    assert contact["ended_utc_us"] - contact["answered_utc_us"] == 30_000_000


def test_when_the_agent_hangs_up_the_citizens_line_is_cleared(exchange: ScriptedLines) -> None:
    citizen, phone = connected(exchange)
    exchange.clears(phone)
    assert exchange.orders[-1] == ClearLeg(citizen)
    assert exchange.agent("801").state is AgentState.WRAP_UP
    exchange.clears(citizen, by="box")
    assert not exchange.state().contacts


@pytest.mark.parametrize("first", ["citizen", "agent"])
def test_the_record_says_which_of_the_two_hung_up(exchange: ScriptedLines, first: str) -> None:
    citizen, phone = connected(exchange)
    exchange.clears(citizen if first == "citizen" else phone)
    exchange.clears(phone if first == "citizen" else citizen, by="box")
    ended_by = {row["party"]: row["ended_by"] for row in exchange.rows(tables.legs)}
    assert ended_by == {"citizen": "box", "agent": "box", first: "line"}


def test_the_agent_releases_from_the_page_and_the_phone_hears_busy_until_it_is_put_down(
    exchange: ScriptedLines,
) -> None:
    citizen, phone = connected(exchange)
    assert exchange.ask(cti.ReleaseCall("801")).error == ""
    assert ClearLeg(phone) in exchange.orders and ClearLeg(citizen) in exchange.orders


def test_hold_gives_the_citizen_music_and_retrieve_joins_again(exchange: ScriptedLines) -> None:
    citizen, phone = connected(exchange)
    assert exchange.ask(cti.HoldCall("801")).error == ""
    assert exchange.orders[-2] == Join((Hear(phone, ()),))
    assert exchange.last(Play, citizen).sounds == ("music:waiting",)
    assert exchange.ask(cti.HoldCall("801")).error == "not_possible_now"
    assert exchange.ask(cti.RetrieveCall("801")).error == ""
    assert exchange.orders[-1] == Join((Hear(citizen, (phone,)), Hear(phone, (citizen,))))


def test_the_flash_key_of_the_agents_phone_holds_and_retrieves(exchange: ScriptedLines) -> None:
    citizen, phone = connected(exchange)
    exchange.flashes(phone)
    assert exchange.last(Play, citizen).sounds == ("music:waiting",)
    assert exchange.ask(cti.HoldCall("801")).error == "not_possible_now"
    exchange.flashes(phone)
    assert exchange.orders[-1] == Join((Hear(citizen, (phone,)), Hear(phone, (citizen,))))
    told = [event.name for event in exchange.events if event.name in (EventName.HELD, EventName.RETRIEVED)]
    assert told == [EventName.HELD, EventName.RETRIEVED]

    exchange.flashes(phone)
    exchange.clears(phone)
    assert exchange.orders[-1] == ClearLeg(citizen), "put down while the citizen is held"


def test_a_flash_at_any_other_time_means_nothing(exchange: ScriptedLines) -> None:
    phone = exchange.lifts(30)
    before = list(exchange.orders)
    exchange.flashes(phone)
    assert exchange.orders == before
    exchange.clears(phone)

    exchange.ready("801", "1")
    exchange.caller_in_queue()
    before = list(exchange.orders)
    exchange.flashes(exchange.rings(30))
    assert [order for order in exchange.orders if order not in before] == []


def test_segments_tell_the_whole_life_of_both_legs_without_a_hole(exchange: ScriptedLines) -> None:
    citizen, phone = connected(exchange)
    exchange.wait(5)
    exchange.ask(cti.HoldCall("801"))
    exchange.wait(3)
    exchange.ask(cti.RetrieveCall("801"))
    exchange.wait(4)
    exchange.clears(citizen)
    exchange.clears(phone)
    exchange.wait(10)
    rows = exchange.rows(tables.segments)
    lives = {leg: [row for row in rows if row["leg"] == leg] for leg in {row["leg"] for row in rows}}
    kinds = sorted([row["kind"] for row in life] for life in lives.values())
    assert kinds == [
        ["offered", "talking", "held", "talking", "wrap_up"],
        ["ringing", "announced", "queued", "talking", "held", "talking"],
    ]
    for life in lives.values():
        for before, after in itertools.pairwise(life):
            assert before["ended_mono_us"] == after["started_mono_us"]


def test_the_citizens_line_is_recorded_from_answer_to_end(exchange: ScriptedLines) -> None:
    citizen, _ = connected(exchange)
    opened = exchange.to_recorder[0]
    assert isinstance(opened, OpenRecording) and opened.channel == 0
    exchange.wait(7)
    exchange.clears(citizen)
    closing = exchange.to_recorder[-1]
    assert isinstance(closing, CloseRecording)
    assert closing.to_sample - closing.from_sample == 9 * 8000
    exchange.close_recordings()
    (row,) = exchange.rows(tables.recordings)
    assert row["state"] == "closed" and row["samples"] == 9 * 8000
    assert exchange.told(EventName.RECORDING_CLOSED)


def test_the_type_and_plan_of_the_callers_number_are_kept(exchange: ScriptedLines) -> None:
    exchange.arrives(calling="2988888888", calling_type="national", calling_plan="isdn")
    exchange.arrives(1)

    rows = exchange.rows(tables.contacts)
    assert [(row["calling_type"], row["calling_plan"]) for row in rows] == [("national", "isdn"), (None, None)]
    assert (rows[0]["calling_received"], rows[0]["calling"]) == ("2988888888", "02988888888")


def test_a_withheld_number_is_kept_but_not_shown(exchange: ScriptedLines) -> None:
    exchange.arrives(calling="13911112222", presentation="restricted")
    assert exchange.told(EventName.ARRIVED)[0].calling == ""
    assert exchange.rows(tables.contacts)[0]["calling_received"] == "13911112222"


@pytest.mark.parametrize(
    ("digits", "queue"),
    [(["1"], "consult"), (["0"], "general"), (["7", "1"], "consult"), (["7", "7"], "general")],
)
def test_the_menu_sends_by_digit_asks_again_once_and_then_goes_to_a_person(
    exchange: ScriptedLines, digits: list[str], queue: str
) -> None:
    leg = exchange.arrives(called="12346")
    exchange.answered(leg)
    exchange.play_ends(leg)
    for digit in digits:
        assert exchange.last(Play, leg).sounds == ("prompt:menu",)
        exchange.presses(leg, digit)
    assert exchange.state().contacts[0].queue == queue


def test_a_digit_pressed_during_the_greeting_counts(exchange: ScriptedLines) -> None:
    leg = exchange.arrives(called="12346")
    exchange.answered(leg)
    exchange.presses(leg, "1")
    assert exchange.state().contacts[0].queue == "consult"


def test_digits_mean_nothing_where_there_is_no_menu(exchange: ScriptedLines) -> None:
    leg = exchange.arrives(called="12345")
    exchange.answered(leg)
    exchange.presses(leg, "1")
    assert exchange.state().contacts[0].state == "announced"


def test_a_caller_who_presses_nothing_is_asked_again_and_then_reaches_a_person(exchange: ScriptedLines) -> None:
    leg = exchange.arrives(called="12346")
    exchange.answered(leg)
    exchange.play_ends(leg)
    for _ in range(2):
        exchange.play_ends(leg)
        exchange.wait(5.1)
    assert exchange.state().contacts[0].state == "queued"


def test_a_headset_seat_beeps_answers_on_the_page_and_stays_off_hook(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.SignIn("803", "3")).error == ""
    assert exchange.ask(cti.SetReady("803")).error == "headset_on_hook"
    headset = exchange.lifts(32)
    assert exchange.ask(cti.SetReady("803")).error == ""
    citizen = exchange.caller_in_queue()
    assert exchange.last(Play, headset).sounds == ("tone:zip",)
    assert exchange.ask(cti.AnswerCall("803")).error == ""
    assert exchange.orders[-1] == Join((Hear(citizen, (headset,)), Hear(headset, (citizen,))))
    exchange.clears(citizen)
    assert exchange.orders[-1] == Join((Hear(headset, ()),))
    assert not exchange.ordered(ClearLeg)
    exchange.wait(10)
    second = exchange.caller_in_queue(1)
    assert exchange.agent("803").state is AgentState.OFFERED
    assert second


def test_a_lifted_desk_phone_is_given_dial_tone_and_a_headset_is_not(exchange: ScriptedLines) -> None:
    desk = exchange.lifts(30)
    exchange.lifts(32)

    assert exchange.ordered(GiveDialTone) == [GiveDialTone(desk)]


def test_a_phone_that_belongs_to_no_seat_may_not_dial(exchange: ScriptedLines) -> None:
    leg = exchange.lifts(3)

    assert exchange.orders[-1] == GiveDialTone(leg, barred=True)


def test_dial_tone_that_was_lost_with_a_callserver_is_given_by_the_next_one(exchange: ScriptedLines) -> None:
    leg = exchange.lifts(30)
    exchange.orders.clear()
    exchange.restart()

    assert exchange.ordered(GiveDialTone) == [GiveDialTone(leg)]
