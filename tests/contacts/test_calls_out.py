"""An agent calls out: a trunk of the group is taken, the next if it cannot; nothing is stuck whatever happens."""

from __future__ import annotations

import msgspec
import pytest

from boards.signals import Cause
from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, EventName, MakeCall
from firmware.core.line_schemas import TrunkGroup
from firmware.lines.line_commands import ClearLeg, Hear, Join, PlaceCall
from firmware.lines.messages import CallPlaced, LegAlerting, LegCleared, LegReleasing, RingFailed
from firmware.records import tables
from tests.contacts.scripted_lines import EXCHANGE_LINES, HEADSET_PHONE, ScriptedLines, office_configuration

FIRST, SECOND, THIRD = EXCHANGE_LINES
GROUP = TrunkGroup(group="town", lines=("FXO-1", "FXO-2", "FXO-3"), number="12345")


class CallingOffice:
    """Agent 803 at the headset seat, ready, and a group of three analogue trunks."""

    def __init__(self, exchange: ScriptedLines) -> None:
        self.exchange = exchange
        exchange.wait(1)
        self.configure()
        self.headset = exchange.lifts(HEADSET_PHONE)
        exchange.ready("803", "3")

    def configure(self) -> None:
        changed = msgspec.structs.replace(office_configuration(), trunk_groups=(GROUP,))
        request = cti.Request(1, cti.ReloadConfiguration(), "test")
        self.exchange.carry(self.exchange.server.configure(1, request, changed, self.exchange.now))

    def calls(self, agent: str = "803") -> str:
        return self.exchange.ask(MakeCall(agent, "13800138000")).error

    def order(self) -> PlaceCall:
        order: PlaceCall = self.exchange.ordered(PlaceCall)[-1]
        return order

    def placed(self) -> str:
        order = self.order()
        leg = f"{self.exchange.boot}.{order.channel}.{order.request.split('/')[2]}"
        self.exchange.event(CallPlaced, leg, channel=order.channel, request=order.request)
        return leg

    def fails(self, cause: Cause) -> None:
        self.exchange.happens(RingFailed, request=self.order().request, cause=cause)

    def clears(self, leg: str, cause: Cause, by: str = "line") -> None:
        self.exchange.event(LegCleared, leg, channel=int(leg.split(".")[1]), cause=cause, by=by)

    @property
    def agent(self) -> cti.AgentView:
        return self.exchange.agent("803")

    def results(self) -> list[tuple[str, str, str]]:
        rows = self.exchange.rows(tables.contacts)
        assert {row["direction"] for row in rows} == {"out"}
        return [(row["result"], row["cause"], row["called"]) for row in rows]

    def is_at_rest(self) -> bool:
        """Nothing is left of the call but the agent's wrap-up of no length."""
        self.exchange.wait(1)
        office = self.exchange.server.office
        return not office.contacts and not office.legs and self.agent.state is AgentState.READY


@pytest.fixture
def office(exchange: ScriptedLines) -> CallingOffice:
    return CallingOffice(exchange)


def test_a_call_is_placed_heard_answered_recorded_and_over(office: CallingOffice) -> None:
    exchange = office.exchange
    assert office.calls() == ""
    order = office.order()
    assert (order.channel, order.called, order.calling) == (FIRST, "13800138000", "12345")
    assert office.agent.state is AgentState.TALKING
    leg = office.placed()
    assert exchange.orders[-1] == Join((Hear(leg, (office.headset,)), Hear(office.headset, (leg,))))
    exchange.wait(3)
    exchange.event(LegAlerting, leg, channel=FIRST, request=order.request)
    assert exchange.ordered(ClearLeg) == []
    exchange.wait(5)
    exchange.answered(leg)
    assert exchange.state().contacts[0].state == "talking"
    exchange.wait(20)
    exchange.clears(leg)

    assert office.results() == [("answered", "normal", "13800138000")]
    assert office.is_at_rest()
    outside = next(row for row in exchange.rows(tables.legs) if row["party"] == "citizen")
    assert (outside["channel_label"], outside["gateway_leg"]) == ("FXO-1", leg)
    kinds = [row["kind"] for row in exchange.rows(tables.segments) if row["leg"] == outside["number"]]
    assert kinds == ["calling", "alerting", "talking"]
    (recording,) = exchange.rows(tables.recordings)
    assert recording["leg"] == outside["number"] and recording["from_sample"] == outside["answered_sample"]
    told = [event.name for event in exchange.events if event.contact]
    assert [told.count(name) for name in (EventName.ORIGINATED, EventName.DELIVERED, EventName.ESTABLISHED)] == [1] * 3


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.FAILURE])
def test_a_trunk_that_cannot_be_seized_is_passed_over(office: CallingOffice, cause: Cause) -> None:
    office.calls()
    office.fails(cause)
    assert office.order().channel == SECOND
    office.fails(cause)
    assert office.order().channel == THIRD
    office.exchange.answered(office.placed())

    assert [row["channel_label"] for row in office.exchange.rows(tables.legs) if row["party"] == "citizen"] == [
        "FXO-1",
        "FXO-2",
        "FXO-3",
    ]
    assert len(office.exchange.server.office.legs) == 2


def test_a_trunk_without_dial_tone_is_given_up_for_the_next(office: CallingOffice) -> None:
    office.calls()
    office.clears(office.placed(), Cause.CONGESTION)

    assert office.order().channel == SECOND
    assert office.exchange.state().contacts[0].state == "calling"


def test_when_all_trunks_fail_the_call_is_over_and_the_agent_free(office: CallingOffice) -> None:
    office.calls()
    for _ in range(3):
        office.fails(Cause.FAILURE)

    assert office.results() == [("failed", "failure", "13800138000")]
    assert office.is_at_rest()


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.NO_ANSWER, Cause.UNALLOCATED, Cause.NORMAL])
def test_what_the_far_end_says_is_no_reason_for_another_trunk(office: CallingOffice, cause: Cause) -> None:
    office.calls()
    office.clears(office.placed(), cause)

    assert office.results() == [("unanswered", str(cause), "13800138000")]
    assert len(office.exchange.ordered(PlaceCall)) == 1 and office.is_at_rest()


def test_a_trunk_that_fails_while_the_far_phone_rings_ends_the_call(office: CallingOffice) -> None:
    office.calls()
    leg = office.placed()
    office.exchange.event(LegAlerting, leg, channel=FIRST, request=office.order().request)
    office.clears(leg, Cause.FAILURE)

    assert len(office.exchange.ordered(PlaceCall)) == 1 and office.is_at_rest()


def test_the_agent_gives_up_before_the_trunk_is_seized(office: CallingOffice) -> None:
    office.calls()
    assert office.exchange.ask(cti.ReleaseCall("803")).error == ""
    leg = office.placed()
    assert office.exchange.last(ClearLeg, leg)
    office.clears(leg, Cause.NORMAL, by="box")

    assert office.results() == [("unanswered", "normal", "13800138000")]
    assert office.is_at_rest()


def test_the_agent_gives_up_and_the_trunk_cannot_be_seized(office: CallingOffice) -> None:
    office.calls()
    office.exchange.ask(cti.ReleaseCall("803"))
    office.fails(Cause.FAILURE)

    assert len(office.exchange.ordered(PlaceCall)) == 1 and office.is_at_rest()


@pytest.mark.parametrize(("cause", "reason"), [(Cause.NORMAL, "headset_on_hook"), (Cause.FAILURE, "phone_failed")])
def test_the_headset_is_put_down_or_breaks_down_while_it_rings(
    office: CallingOffice, cause: Cause, reason: str
) -> None:
    office.calls()
    leg = office.placed()
    office.clears(office.headset, cause)
    assert office.exchange.last(ClearLeg, leg)
    office.clears(leg, Cause.NORMAL, by="box")

    assert office.exchange.server.office.contacts == {}
    office.exchange.wait(1)  # and the next caller is offered to somebody else
    assert (office.agent.state, office.agent.reason) == (AgentState.NOT_READY, reason)


def test_nobody_answers_for_three_minutes(office: CallingOffice) -> None:
    office.calls()
    leg = office.placed()
    office.exchange.wait(181)
    assert office.exchange.last(ClearLeg, leg)
    office.clears(leg, Cause.NORMAL, by="box")

    assert office.is_at_rest()


def test_an_agent_who_was_not_ready_is_so_again_after_the_call(office: CallingOffice) -> None:
    office.exchange.ask(cti.SetNotReady("803", "meal"))
    office.calls()
    office.clears(office.placed(), Cause.NO_ANSWER)
    office.exchange.wait(1)

    assert (office.agent.state, office.agent.reason) == (AgentState.NOT_READY, "meal")


def test_the_callserver_dies_before_the_trunk_is_seized_and_the_wish_is_said_again(office: CallingOffice) -> None:
    office.calls()
    order = office.order()
    office.exchange.orders.clear()
    office.exchange.restart()
    assert office.order() == order, "the same name: the gateway calls once"
    leg = office.placed()
    office.exchange.orders.clear()
    office.exchange.restart()
    assert office.exchange.orders[0] == Join((Hear(leg, (office.headset,)), Hear(office.headset, (leg,))))
    office.exchange.answered(leg)
    office.exchange.clears(leg)

    assert office.results() == [("answered", "normal", "13800138000")]


def test_a_call_that_was_given_up_and_of_which_nobody_knows_is_over_after_a_restart(office: CallingOffice) -> None:
    office.calls()
    order = office.order()
    office.exchange.ask(cti.ReleaseCall("803"))
    office.exchange.restart()
    assert office.exchange.server.office.contacts == {}
    late = f"{office.exchange.boot}.{FIRST}.9"
    office.exchange.event(CallPlaced, late, channel=FIRST, request=order.request)

    assert office.exchange.last(ClearLeg, late)


def test_the_gateway_dies_while_a_call_is_placed(office: CallingOffice) -> None:
    office.calls()
    office.placed()
    office.exchange.restart_gateway()

    assert office.results() == [("failed", "restart", "13800138000")]
    assert office.exchange.server.office.contacts == {}


def test_a_call_is_refused_with_the_reason(office: CallingOffice) -> None:
    exchange = office.exchange
    assert office.calls("801") == "not_signed_in"
    exchange.ask(cti.SignIn("801", "1"))
    assert office.calls("801") == "lift_the_handset_first"
    assert office.calls("899") == "unknown_agent"
    for channel in EXCHANGE_LINES:
        exchange.channel_is(channel, "up")
    assert office.calls() == "no_free_trunk"
    exchange.channel_is(FIRST, "idle")
    assert office.calls() == ""
    assert office.calls() == "in_call"
    exchange.restart()  # with a configuration that has no groups
    exchange.lifts(30)
    assert office.calls("801") == "no_trunk_group"


def test_a_desk_phone_calls_when_its_handset_is_lifted(office: CallingOffice) -> None:
    exchange = office.exchange
    exchange.ready("801", "1")
    desk = exchange.lifts(30)
    assert office.calls("801") == ""
    leg = office.placed()
    exchange.answered(leg)
    exchange.clears(leg)

    assert exchange.last(ClearLeg, desk), "it hears busy tone until it is put down"
    exchange.clears(desk)
    exchange.wait(1)
    assert exchange.agent("801").state is AgentState.READY


def test_a_handset_that_was_given_up_must_be_put_down_before_it_can_call(exchange: ScriptedLines) -> None:
    office = CallingOffice(exchange)
    exchange.ready("801", "1")
    leg = exchange.lifts(30)
    exchange.event(LegReleasing, leg)  # nobody used it, and it hears busy tone
    assert office.calls("801") == "lift_the_handset_first"
    exchange.restart()
    office.configure()
    assert office.calls("801") == "lift_the_handset_first"
    exchange.clears(leg)
    exchange.lifts(30)

    assert office.calls("801") == ""
