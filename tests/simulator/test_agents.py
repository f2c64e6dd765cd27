"""Simulated agents act by CTI as a person would who sees the page: sign in, go ready, put the handset down."""

from __future__ import annotations

import pytest

from boards.signals import HookChange
from firmware.calls.messages import AgentState, AgentView, BoxState, CallEvent, EventName, SetReady, SignIn
from firmware.simulator.agents import SimulatedAgent
from firmware.simulator.citizens import Caller
from firmware.simulator.scenario import Citizen, HangUp, Phone, Wait, demonstration_phones
from firmware.simulator.world import World
from tests.simulator.scripted_box import START, ScriptedBox

FXS_1 = 30
PHONE = Phone(extension="FXS-1", behaviour="manned", agent="801", seat="1")


class Callserver:
    """Speaks CTI to a world by hand."""

    def __init__(self, box: ScriptedBox) -> None:
        self.box = box
        self.number = 0

    def state(self, *agents: AgentView) -> None:
        state = BoxState(
            number=self.number,
            at=self.box.now,
            box_id="x",
            gateway_connected=True,
            recorder_connected=True,
            agents=agents,
        )
        self.box.world.handle_cti(state, self.box.now)

    def tell(self, name: EventName, contact: int = 0, **fields: str) -> None:
        self.number += 1
        event = CallEvent(number=self.number, name=name, at=self.box.now, contact=contact, **fields)
        self.box.world.handle_cti(event, self.box.now)

    def agent_is(self, state: AgentState, reason: str = "", agent: str = "801") -> None:
        self.tell(EventName.AGENT_STATE_CHANGED, agent=agent, state=state, reason=reason)


@pytest.fixture
def box() -> ScriptedBox:
    citizen = Citizen(at_seconds=100.0, calling="13912345678", steps=(Wait(until="cleared"),))
    return ScriptedBox(World([citizen], (PHONE,), START))


@pytest.fixture
def callserver(box: ScriptedBox) -> Callserver:
    callserver = Callserver(box)
    callserver.state(AgentView(agent="801", name="王", state=AgentState.READY))
    return callserver


def the_agent(box: ScriptedBox) -> SimulatedAgent:
    (agent,) = box.world.agents
    return agent


def in_conversation(box: ScriptedBox, callserver: Callserver) -> None:
    callserver.tell(EventName.DELIVERED, 7, agent="801")
    box.ring(FXS_1)
    box.run(2.5)
    callserver.tell(EventName.ESTABLISHED, 7, agent="801")
    assert box.world.phones[0].off_hook


def hooks(box: ScriptedBox) -> list[bool]:
    return [signal.off_hook for _, signal in box.heard_signals if isinstance(signal, HookChange)]


def test_the_four_agents_of_the_demonstration_sign_in_and_go_ready() -> None:
    box = ScriptedBox(World([], demonstration_phones(), START))
    callserver = Callserver(box)
    box.run(1)
    assert box.world.take_requests() == [], "nobody is asked before the callserver is there"

    callserver.state()
    box.run(1)
    signed_in = box.world.take_requests()
    for agent in ("801", "802", "803", "804"):
        callserver.agent_is(AgentState.NOT_READY, "signed_in", agent)
    box.run(0.1)

    assert signed_in == [SignIn(agent=str(801 + n), seat=str(1 + n)) for n in range(4)]
    assert box.world.take_requests() == [SetReady(agent=str(801 + n)) for n in range(4)]


def test_a_request_without_effect_is_made_again_until_it_has_one(box: ScriptedBox) -> None:
    callserver = Callserver(box)
    callserver.state()
    box.run(11)
    assert box.world.take_requests() == [SignIn(agent="801", seat="1")] * 3

    callserver.agent_is(AgentState.READY)
    box.run(20)

    assert box.world.take_requests() == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [(AgentState.WRAP_UP, ""), (AgentState.NOT_READY, "no_answer"), (AgentState.NOT_READY, "break")],
)
def test_after_a_call_or_a_missed_offer_the_agent_is_ready_again_soon(
    box: ScriptedBox, callserver: Callserver, state: AgentState, reason: str
) -> None:
    callserver.agent_is(state, reason)

    box.run(2.9)
    assert box.world.take_requests() == []
    box.run(0.2)

    assert box.world.take_requests() == [SetReady(agent="801")]


def test_who_is_signed_out_by_force_signs_in_again(box: ScriptedBox, callserver: Callserver) -> None:
    callserver.agent_is(AgentState.LOGGED_OUT)

    box.run(1)

    assert box.world.take_requests() == [SignIn(agent="801", seat="1")]


@pytest.mark.parametrize("name", [EventName.CONNECTION_CLEARED, EventName.CONTACT_ENDED])
def test_the_handset_goes_down_when_the_citizen_has_left(
    box: ScriptedBox, callserver: Callserver, name: EventName
) -> None:
    in_conversation(box, callserver)
    callserver.tell(name, 8)
    box.run(2)
    assert hooks(box) == [True], "another contact's end is no news"

    callserver.tell(name, 7)
    box.run(0.6)

    assert hooks(box) == [True, False]


def test_a_caller_who_leaves_while_the_phone_rings_leaves_no_lifted_handset(
    box: ScriptedBox, callserver: Callserver
) -> None:
    callserver.tell(EventName.DELIVERED, 7, agent="801")
    box.ring(FXS_1)
    box.run(1.5)

    callserver.tell(EventName.CONTACT_ENDED, 7)
    box.ring(FXS_1, on=False)
    box.run(10)

    assert hooks(box) == []


def test_an_agent_knows_the_contact_also_from_the_own_state_alone(box: ScriptedBox, callserver: Callserver) -> None:
    callserver.tell(EventName.AGENT_STATE_CHANGED, 7, agent="801", state=AgentState.OFFERED)
    box.ring(FXS_1)
    box.run(1)

    callserver.tell(EventName.CONTACT_ENDED, 7)
    box.run(5)

    assert hooks(box) == []


def test_an_offer_taken_back_stops_the_agent_and_the_next_ring_is_a_new_one(
    box: ScriptedBox, callserver: Callserver
) -> None:
    callserver.tell(EventName.DELIVERED, 7, agent="801")
    box.ring(FXS_1)
    box.run(1)
    callserver.tell(EventName.DIVERTED, 7, agent="801")
    box.run(0.5)

    began = box.world.block
    callserver.tell(EventName.DELIVERED, 8, agent="801")
    box.ring(FXS_1)
    box.run(2.5)

    assert hooks(box) == [True]
    lifted = next(block for block, signal in box.heard_signals if isinstance(signal, HookChange))
    assert lifted - began == 200


def test_an_offer_that_left_another_agent_does_not_end_this_agents_conversation(
    box: ScriptedBox, callserver: Callserver
) -> None:
    in_conversation(box, callserver)

    callserver.tell(EventName.CONNECTION_CLEARED, 7, agent="802")
    box.run(2)

    assert hooks(box) == [True]


def test_a_handset_lifted_for_nobody_is_put_down_again(box: ScriptedBox, callserver: Callserver) -> None:
    box.ring(FXS_1)

    box.run(9)

    assert hooks(box) == [True, False]


def test_the_conversation_goes_on_without_the_callserver_and_ends_by_what_it_says_when_it_is_back(
    box: ScriptedBox, callserver: Callserver
) -> None:
    in_conversation(box, callserver)
    box.world.cti_lost(box.now)
    box.run(30)
    assert hooks(box) == [True]

    callserver.number = 50
    callserver.state(AgentView(agent="801", name="王", state=AgentState.TALKING, contact=7))
    box.run(5)
    assert hooks(box) == [True]
    callserver.state(AgentView(agent="801", name="王", state=AgentState.WRAP_UP))
    box.run(1)

    assert hooks(box) == [True, False]


def test_events_older_than_the_state_change_no_belief(box: ScriptedBox, callserver: Callserver) -> None:
    callserver.number = 50
    callserver.state(AgentView(agent="801", name="王", state=AgentState.READY))

    callserver.number = 30
    callserver.agent_is(AgentState.LOGGED_OUT)
    box.run(2)

    assert box.world.take_requests() == []
    assert the_agent(box).state is AgentState.READY


def talking_citizen(*steps: Wait | HangUp, calling: str = "13912345678") -> Citizen:
    return Citizen(at_seconds=0.1, calling=calling, steps=(Wait(until="answered"), *steps))


def test_citizens_know_by_cti_that_a_phone_rings_and_that_an_agent_is_there() -> None:
    box = ScriptedBox(World([talking_citizen(Wait(until="agent"), Wait(seconds=3.0), HangUp())], (PHONE,), START))
    callserver = Callserver(box)
    box.run(1)
    (caller,) = box.world.callers.values()

    callserver.tell(EventName.ARRIVED, 7, calling="13912345678")
    callserver.tell(EventName.ESTABLISHED, 7)
    box.run(5)
    assert isinstance(caller, Caller)
    assert not caller.reached_agent, "answered by the box is not answered by an agent"
    callserver.tell(EventName.DELIVERED, 7, agent="801")
    assert caller.offered_to_agent
    callserver.tell(EventName.ESTABLISHED, 7, agent="801")
    began = box.world.block
    box.run(4, until=lambda: not box.world.callers)

    assert box.world.block - began in (301, 302), "three seconds, and a tick for the confirmation"
    assert box.world.totals.reached_agent == 1


def test_two_calls_of_one_number_are_told_apart_in_their_order() -> None:
    citizens = [talking_citizen(Wait(until="agent"), HangUp()) for _ in range(2)]
    box = ScriptedBox(World(citizens, (), START))
    callserver = Callserver(box)
    box.run(1)

    callserver.tell(EventName.ARRIVED, 7, calling="13912345678")
    callserver.tell(EventName.ARRIVED, 8, calling="13912345678")
    callserver.tell(EventName.ESTABLISHED, 8, agent="801", calling="13912345678")
    box.run(0.1)

    assert list(box.world.callers) == [0], "the second one has talked and hung up"
