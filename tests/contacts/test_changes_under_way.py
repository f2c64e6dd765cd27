"""Configuration, gateway, machine change under people who wait, ring and talk: nobody is stuck, nothing is untrue."""

from __future__ import annotations

import msgspec
import pytest

from boards.signals import Alarm, ChannelKind
from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, EventName
from firmware.calls.model import ContactState
from firmware.calls.request_texts import unreasonable
from firmware.core import schemas
from firmware.core.faults import Fault, fault
from firmware.lines.extension import ExtensionState
from firmware.lines.messages import BoardChanged, BoardState, LegState, Snapshot
from firmware.records import tables
from tests.contacts.living_office import PHONES, LivingOffice
from tests.contacts.scripted_lines import ScriptedLines, office_configuration

DESK, HEADSET = PHONES[0], PHONES[2]
FULL = office_configuration()


@pytest.fixture
def office() -> LivingOffice:
    return LivingOffice(FULL)


def ready(office: LivingOffice, agent: str, seat: str, takes: AgentState = AgentState.READY) -> None:
    office.ask(cti.SignIn(agent, seat))
    office.ask(cti.SetReady(agent))
    office.settle()
    assert state(office, agent) == (takes, "")


def state(office: LivingOffice, agent: str) -> tuple[AgentState, str]:
    assert office.server is not None
    one = office.server.office.agents[agent]
    return one.state, one.reason


def contact_state(office: LivingOffice) -> ContactState:
    assert office.server is not None
    (contact,) = office.server.office.contacts.values()
    return contact.state


def caller_in_queue(office: LivingOffice, channel: int = 0) -> None:
    office.call(channel, "12345")
    office.wait(1.5)


def reload(office: LivingOffice, **changes: tuple[object, ...]) -> None:
    office.reload(msgspec.structs.replace(FULL, **changes))
    office.settle()


def error(office: LivingOffice, body: cti.AnyRequestBody) -> str:
    office.ask(body)
    office.settle()
    return office.replies[-1].error


def test_an_offer_that_a_crash_made_us_forget_does_not_keep_the_next_one_from_ringing(office: LivingOffice) -> None:
    caller_in_queue(office)
    office.ask(cti.SignIn("801", "1"))
    office.settle()
    office.ask(cti.SetReady("801"))  # the offer goes out at once, its commit does not come
    office.kill(orders_arrive=True)
    assert office.gateway.lines[DESK].state is ExtensionState.RINGING
    office.start()
    office.settle()
    assert office.gateway.lines[DESK].state is ExtensionState.IDLE
    office.ask(cti.SetReady("801"))
    office.settle()
    assert office.gateway.lines[DESK].state is ExtensionState.RINGING


def test_a_phone_that_a_dying_process_could_not_stop_is_stopped_by_the_next(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.hang_up(0)
    office.hear()
    office.store()
    office.kill(orders_arrive=False)
    assert DESK in office.ringing
    office.start()
    office.settle()
    assert not office.ringing


def test_nothing_is_offered_while_nobody_knows_how_the_lines_are(office: LivingOffice) -> None:
    caller_in_queue(office)
    office.ask(cti.SignIn("801", "1"))
    office.settle()
    office.disconnect()
    office.hang_up(0)
    office.ask(cti.SetReady("801"))
    assert state(office, "801") == (AgentState.READY, "")
    office.settle()
    assert "offered" not in {row["kind"] for row in office.shelf.rows["segments"].values()}
    assert state(office, "801") == (AgentState.READY, "")


def test_a_break_that_was_asked_for_while_the_phone_rang_begins_when_the_caller_leaves(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.ask(cti.SetNotReady("801", "lunch"))
    office.hang_up(0)
    office.settle()
    assert state(office, "801") == (AgentState.NOT_READY, "lunch")


def test_a_handset_lifted_in_the_moment_of_the_offer_costs_neither_place(office: LivingOffice) -> None:
    ready(office, "801", "1")
    office.call(0, "12345")
    office.settle()
    office.stall(1.5)  # the end of the greeting and
    office.lift(DESK)  # the hook are both under way when the offer is made
    office.settle()
    assert office.shelf.rows["segments"][3]["kind"] == "offered"
    assert contact_state(office) is ContactState.QUEUED
    assert state(office, "801") == (AgentState.READY, "")
    office.put_down(DESK)
    office.settle()
    assert contact_state(office) is ContactState.OFFERED


def test_a_hang_up_that_is_under_way_when_the_agent_presses_hold_leaves_no_time_less_than_nothing(
    office: LivingOffice,
) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.lift(DESK)
    office.settle()
    office.hang_up(0)
    office.stall(0.5)
    assert error(office, cti.HoldCall("801")) == ""
    assert office.shelf.rows["contacts"][1]["result"] == "answered"
    for row in office.shelf.rows["segments"].values():
        assert row["ended_mono_us"] >= row["started_mono_us"], row


def test_an_agent_who_is_taken_out_of_the_configuration_finishes_the_call_and_frees_the_seat(
    office: LivingOffice,
) -> None:
    ready(office, "801", "1")
    ready(office, "802", "2")
    caller_in_queue(office)
    office.lift(DESK)
    office.settle()
    reload(office, agents=FULL.agents[2:])
    assert error(office, cti.SignIn("803", "2")) == ""
    assert state(office, "801") == (AgentState.TALKING, "")
    assert error(office, cti.HoldCall("801")) == ""
    assert error(office, cti.ReleaseCall("801")) == ""
    office.wait(10.5)
    assert office.server is not None and set(office.server.office.agents) == {"803"}
    assert error(office, cti.SignIn("801", "1")) == "unknown_agent"


def test_a_seat_that_is_taken_out_of_the_configuration_keeps_its_phone_until_the_agent_leaves(
    office: LivingOffice,
) -> None:
    office.lift(HEADSET)
    office.settle()
    ready(office, "803", "3")
    caller_in_queue(office)
    reload(office, seats=FULL.seats[:2])
    assert error(office, cti.AnswerCall("803")) == ""
    office.put_down(HEADSET)
    office.settle()
    office.lift(HEADSET)
    office.settle()
    office.wait(10.5)
    assert error(office, cti.SetReady("803")) == ""
    assert error(office, cti.SignOut("803")) == ""
    assert office.server is not None and set(office.server.office.phones) == {"1", "2"}


def test_a_desk_that_becomes_a_headset_seat_while_its_phone_rings_stops_ringing(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    reload(office, seats=(schemas.Seat(seat="1", extension="FXS-1", headset=True), *FULL.seats[1:]))
    office.hang_up(0)
    office.settle()
    assert not office.ringing


def test_who_waits_in_a_queue_that_is_taken_away_waits_on_in_that_of_the_service(office: LivingOffice) -> None:
    office.call(0, "12346")
    office.wait(0.5)
    office.press(0, "1")
    office.settle()
    agents = tuple(msgspec.structs.replace(one, queues=("general",)) for one in FULL.agents)
    menus = (msgspec.structs.replace(FULL.menus[0], choices={"0": "general"}),)
    reload(office, queues=FULL.queues[:1], agents=agents, menus=menus)
    assert office.shelf.rows["contacts"][1]["queue"] == "general"
    ready(office, "801", "1", takes=AgentState.OFFERED)
    assert contact_state(office) is ContactState.OFFERED


def test_a_queue_that_a_ready_agent_is_given_is_served_at_once(office: LivingOffice) -> None:
    reload(office, agents=tuple(msgspec.structs.replace(one, queues=("consult",)) for one in FULL.agents))
    ready(office, "801", "1")
    caller_in_queue(office)
    assert contact_state(office) is ContactState.QUEUED
    reload(office)
    assert contact_state(office) is ContactState.OFFERED


def test_what_a_power_cut_ended_is_recorded_in_the_time_of_then(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.lift(DESK)
    office.settle()
    known = office.now
    office.put_down(DESK)
    office.reboot()
    office.ask(cti.SetReady("801"))  # before the gateway is found
    office.settle()
    assert office.shelf.rows["contacts"][1]["ended_mono_us"] == known.mono_us
    assert {row["machine_boot"] for row in office.shelf.rows["segments"].values()} == {"machine0"}
    assert state(office, "801") == (AgentState.READY, "")


def test_a_citizen_whose_agents_phone_breaks_down_is_the_next_to_be_served(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.lift(DESK)
    office.settle()
    office.signal(Alarm("LOS", True, (DESK,)))
    office.wait(3.0)
    assert contact_state(office) is ContactState.QUEUED
    ready(office, "802", "2", takes=AgentState.OFFERED)
    office.lift(PHONES[1])
    office.settle()
    citizen = [row for row in office.shelf.rows["segments"].values() if row["leg"] == 1]
    assert [row["kind"] for row in citizen[-3:]] == ["queued", "talking", "queued"]


def test_a_phone_that_breaks_down_in_the_conversation_is_not_offered_another(office: LivingOffice) -> None:
    ready(office, "801", "1")
    caller_in_queue(office)
    office.lift(DESK)
    office.settle()
    office.signal(Alarm("LOS", True, (DESK,)))
    office.wait(13.0)
    assert state(office, "801") == (AgentState.NOT_READY, "phone_failed")


def test_a_call_that_a_gateway_with_a_short_memory_still_holds_is_taken_and_no_extension_is(
    exchange: ScriptedLines,
) -> None:
    legs = (
        LegState("boot1.0.8", 0, "incoming", calling="13800000001", called="12345"),
        LegState("boot1.33.9", 33, "alerting"),
    )
    snapshot = Snapshot(
        boot="boot1",
        machine_boot="machine1",
        resumed=False,
        last_number=900,
        sample=exchange.sample,
        at=exchange.now,
        legs=legs,
        channels=(*exchange._channels(), cti.ChannelState(33, "sim", "FXS-9", ChannelKind.EXTENSION, "ringing")),
        boards=(),
    )
    exchange.carry(exchange.server.handle_snapshot(snapshot, exchange.now))
    (contact,) = exchange.state().contacts
    assert (contact.trunk, contact.calling) == ("E1-1/1", "")


# ---- displays at the seats -------------------------------------------------------------------------------------------


def test_a_display_that_fails_is_shown_until_it_works_and_told_once(exchange: ScriptedLines) -> None:
    failed = cti.ReportDisplay("1", fault("display_serial", error="gone").at("/dev/ttyUSB0"))
    for report in (failed, failed):
        assert exchange.ask(report).error == ""
    assert exchange.state().seats[0].display_fault == failed.fault
    assert exchange.state().seats[1].display_fault is None
    for report in (cti.ReportDisplay("1"), cti.ReportDisplay("1")):
        assert exchange.ask(report).error == ""

    assert exchange.state().seats[0].display_fault is None
    told = [(event.seat, event.reason) for event in exchange.told(EventName.DISPLAY_CHANGED)]
    assert told == [("1", "display_serial"), ("1", "")]


def test_a_display_that_words_its_failure_otherwise_each_time_is_shown_so_and_told_once(
    exchange: ScriptedLines,
) -> None:
    for second in range(3):
        failed = fault("display_silent", address="0x3f", error=f"try {second}").at("/dev/i2c-1")
        exchange.ask(cti.ReportDisplay("1", failed))
        exchange.ask(cti.ReportPanel((fault("gpio_failed", error=f"try {second}").at("call"),)))

    shown = exchange.state()
    assert shown.seats[0].display_fault == failed
    assert dict(shown.panel_faults[0].arguments) == {"error": "try 2"}
    assert len(exchange.told(EventName.DISPLAY_CHANGED)) == len(exchange.told(EventName.PANEL_CHANGED)) == 1


def test_a_board_that_words_its_failure_otherwise_each_time_is_shown_so_and_told_once(exchange: ScriptedLines) -> None:
    for second in range(3):
        state = BoardState("sim", False, (fault("process_ended", detail=f"{second} bytes"),))
        exchange.happens(BoardChanged, state=state, news=second == 0)

    assert exchange.state().boards == (state,)
    assert len(exchange.told(EventName.BOARD_CHANGED)) == 1


def test_a_report_of_a_seat_that_there_is_not_is_refused(exchange: ScriptedLines) -> None:
    assert exchange.ask(cti.ReportDisplay("99", fault("display_serial", error="gone"))).error == "unknown_seat"


def test_a_report_may_be_a_sentence_but_not_a_book() -> None:
    def report(fault: Fault) -> str:
        return unreasonable(cti.Request(1, cti.ReportDisplay("1", fault)))

    assert report(fault("display_serial", error="x" * 400).at("/" * 400)) == ""
    assert "error" in report(fault("display_serial", error="x" * 401))
    assert "error" in report(fault("display_serial", error="two\nlines"))
    assert "place" in report(fault("display_serial").at("x" * 401))
    assert "code" in report(fault("x" * 65))
    assert "arguments" in report(Fault("x", (("x" * 65, ""),)))
    assert "arguments" in report(Fault("x", tuple((str(number), "") for number in range(9))))
    assert "seat" in unreasonable(cti.Request(1, cti.ReportDisplay("x" * 65)))
    panel = cti.ReportPanel((fault("button_stuck"), fault("x" * 65)))
    assert "code" in unreasonable(cti.Request(1, panel))
    assert "channels" in unreasonable(cti.Request(1, cti.BlockChannels(("E1-1/1", "E1\n"), "reason")))


# ---- front panel -----------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_front_panel_is_shown_until_it_works_and_told_once(exchange: ScriptedLines) -> None:
    failed = (fault("gpio_taken", error="busy").at("call /dev/gpiochip0:5"), fault("button_stuck").at("shut_down x"))
    for report in (failed, failed, (), ()):
        assert exchange.ask(cti.ReportPanel(report)).error == ""
        assert exchange.state().panel_faults == report

    assert [event.reason for event in exchange.told(EventName.PANEL_CHANGED)] == ["button_stuck gpio_taken", ""]
    assert exchange.rows(tables.audit) == []


def test_a_panel_that_is_configured_no_more_has_no_faults(office: LivingOffice) -> None:
    box = msgspec.structs.replace(FULL.box, panel=schemas.Panel(call="/dev/gpiochip0:5"))
    report = cti.ReportPanel((fault("gpio_taken", error="busy"),))
    for configuration, left in ((msgspec.structs.replace(FULL, box=box), report.faults), (FULL, ())):
        office.ask(report)
        office.reload(configuration)
        office.settle()
        assert office.server is not None
        assert office.server.office.panel_faults == left
