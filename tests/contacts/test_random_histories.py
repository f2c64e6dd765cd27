"""Whatever happens in whatever order: no ringing phone, stuck channel, agent or caller, and the record is complete.

Random histories on the real gateway core (`living_office.py`). After each step that leaves nothing under way, what the
lines do, what the callserver knows and what is stored must fit together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState
from firmware.calls.model import ContactState
from firmware.calls.seat_display import phone_text, seat_shown
from firmware.contacts.office import Office
from firmware.contacts.views import box_state
from firmware.core import line_schemas, schemas
from firmware.lines.extension import ExtensionState
from firmware.lines.messages import LegState
from tests.contacts.living_office import LINES, PHONES, TRUNKS, LivingOffice
from tests.contacts.scripted_lines import office_configuration

TOGETHER = (ContactState.CALLING, ContactState.TALKING, ContactState.HELD)
"""An agent's leg and an outside one belong together."""
AGENTS = ("801", "802", "803")
SEATS = ("1", "2", "3")

CALL_CONTROL = (cti.AnswerCall, cti.HoldCall, cti.RetrieveCall, cti.ReleaseCall)
ANNOUNCED = ("word:工号", "say:agent", "word:为您服务")
FULL = msgspec.structs.replace(
    office_configuration(),
    queues=tuple(
        msgspec.structs.replace(
            one, agent_announcement=ANNOUNCED if one.queue == "general" else (), announce_every_seconds=4.0
        )
        for one in office_configuration().queues
    ),
    trunk_groups=(line_schemas.TrunkGroup(group="all", boards=("card",), choice="cyclic"),),
    # Without sound: the first ring is a call, and dialling does not wait for a tone.
    exchange_lines=tuple(
        line_schemas.ExchangeLineEntry(line=f"FXO-{line - 6}", caller_id="none", dial_on="wait", dial_tone_seconds=1.0)
        for line in LINES
    ),
    seats=tuple(msgspec.structs.replace(one, phone_display=True) for one in office_configuration().seats),
)


def _without_queue(queue: str) -> schemas.Configuration:
    change = msgspec.structs.replace
    agents = tuple(change(one, queues=tuple(name for name in one.queues if name != queue)) for one in FULL.agents)
    menus = tuple(
        change(one, choices={digit: to for digit, to in one.choices.items() if to != queue}) for one in FULL.menus
    )
    queues = tuple(one for one in FULL.queues if one.queue != queue)
    return change(FULL, agents=agents, menus=menus, queues=queues)


def _with_seat(number: int, **changes: object) -> schemas.Configuration:
    seats = list(FULL.seats)
    seats[number] = msgspec.structs.replace(seats[number], **changes)
    return msgspec.structs.replace(FULL, seats=tuple(seats))


CONFIGURATIONS = {
    "full": FULL,
    "without agent 801": msgspec.structs.replace(FULL, agents=FULL.agents[1:]),
    "without agent 803": msgspec.structs.replace(FULL, agents=FULL.agents[:2]),
    "without the menu": msgspec.structs.replace(FULL, services=FULL.services[:1], menus=()),
    "without queue consult": _without_queue("consult"),
    "without seat 1": msgspec.structs.replace(FULL, seats=FULL.seats[1:]),
    "without seat 3": msgspec.structs.replace(FULL, seats=FULL.seats[:2]),
    "seat 1 at another port": _with_seat(0, extension="FXS-4"),
    "seat 1 with headset": _with_seat(0, headset=True),
    "seat 3 without headset": _with_seat(2, headset=False),
    "nothing is interrupted": msgspec.structs.replace(
        FULL,
        services=tuple(msgspec.structs.replace(one, greeting_interruptible=False) for one in FULL.services),
        menus=tuple(msgspec.structs.replace(one, interruptible=False) for one in FULL.menus),
    ),
    "seat 2 at no port": _with_seat(1, extension="FXS-99"),
}

ACTS: dict[str, Callable[..., None]] = {
    "call": lambda office, channel, number: office.call(channel, number),
    "line rings": lambda office, line: office.line_rings(line),
    "line drops": lambda office, line: office.line_drops(line),
    "far phone rings": lambda office, channel: office.far_phone_rings(channel),
    "far phone answers": lambda office, channel: office.far_phone_answers(channel),
    "hang up": lambda office, channel: office.hang_up(channel),
    "press": lambda office, channel, digit: office.press(channel, digit),
    "lift": lambda office, phone: office.lift(phone),
    "flash": lambda office, phone: office.flash(phone),
    "put down": lambda office, phone: office.put_down(phone),
    "ask": lambda office, body: office.ask(body),
    "wait": lambda office, seconds: office.wait(seconds),
    "stall": lambda office, seconds: office.stall(seconds),
    "kill": lambda office, arrive: office.kill(orders_arrive=arrive),
    "start": lambda office: office.start(),
    "hear": lambda office: office.hear(),
    "store": lambda office: office.store(),
    "disconnect": lambda office: office.disconnect(),
    "forget": lambda office: office.forget_events(),
    "gateway": lambda office: office.restart_gateway(),
    "reboot": lambda office: office.reboot(),
    "card": lambda office: office.card_fails(),
    "block": lambda office, phone, blocked: office.block(phone, blocked),
    "reload": lambda office, name: office.reload(CONFIGURATIONS[name]),
    "recorder": lambda office: office.recorder_comes(),
    "recorded": lambda office, fails: office.recorder_answers(fails=fails),
}

agents = st.sampled_from(AGENTS)
trunks, phones, exchange_lines = st.sampled_from(TRUNKS), st.sampled_from(PHONES), st.sampled_from(LINES)
requests = st.one_of(
    st.builds(cti.SignIn, agents, st.sampled_from(SEATS)),
    st.builds(cti.SetReady, agents),
    st.builds(cti.SetNotReady, agents, st.sampled_from(["break", "lunch", ""])),
    *(st.builds(kind, agents) for kind in (cti.SignOut, *CALL_CONTROL)),
    st.builds(cti.MakeCall, agents, st.just("96110")),
)
life = st.one_of(
    st.tuples(st.just("call"), trunks, st.sampled_from(["12345", "12346"])),
    st.tuples(st.just("hang up"), trunks),
    st.tuples(st.just("line rings"), exchange_lines),
    st.tuples(st.just("line drops"), exchange_lines),
    st.tuples(st.just("far phone rings"), trunks),
    st.tuples(st.just("far phone answers"), trunks),
    st.tuples(st.just("press"), trunks, st.sampled_from("017")),
    st.tuples(st.just("lift"), phones),
    st.tuples(st.just("put down"), phones),
    st.tuples(st.just("flash"), phones),
    st.tuples(st.just("ask"), requests),
    st.tuples(st.just("ask"), requests),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.5, 1.0, 3.0, 8.0, 16.0])),
    st.tuples(st.just("recorded"), st.booleans()),
)
trouble = st.one_of(
    st.tuples(st.just("kill"), st.booleans()),
    *(
        st.just((name,))
        for name in ("start", "hear", "store", "disconnect", "forget", "gateway", "reboot", "card", "recorder")
    ),
    st.tuples(st.just("stall"), st.sampled_from([0.5, 1.0, 8.0])),
    st.tuples(st.just("block"), phones, st.booleans()),
    st.tuples(st.just("reload"), st.sampled_from(sorted(CONFIGURATIONS))),
)
Step = tuple[tuple[object, ...], bool]
"""What happens, and whether things then come to rest."""

OPENINGS: dict[str, list[tuple[object, ...]]] = {
    "an empty office": [],
    "three ready agents": [
        ("lift", PHONES[2]),
        *(
            ("ask", body)
            for agent, seat in zip(AGENTS, SEATS, strict=True)
            for body in (cti.SignIn(agent, seat), cti.SetReady(agent))
        ),
    ],
    "a ready headset seat": [("lift", PHONES[2]), ("ask", cti.SignIn("803", "3")), ("ask", cti.SetReady("803"))],
    "a ready desk": [("ask", cti.SignIn("801", "1")), ("ask", cti.SetReady("801"))],
    "an agent who calls out": [
        ("lift", PHONES[2]),
        ("ask", cti.SignIn("803", "3")),
        ("ask", cti.MakeCall("803", "96110")),
    ],
}
OFFERED: list[tuple[object, ...]] = [("call", 0, "12345"), ("wait", 1.5)]


def play(office: LivingOffice, steps: list[Step]) -> None:
    for (name, *arguments), rest in steps:
        ACTS[str(name)](office, *arguments)
        if rest:
            office.settle()
            check(office)


def check(office: LivingOffice) -> None:
    """Everything that must hold when nothing is under way."""
    server = office.server
    if server is None:
        return
    memory = server.office
    _check_agents(memory)
    _check_stored(office, memory)
    if not office.connected:
        return
    ending = [one for one in memory.contacts.values() if one.state is ContactState.ENDING]
    assert not ending, "the far end confirms at once, so that nothing is left to wait for"
    legs = {state.leg: state for state in office.gateway.snapshot(True, office.now).legs}
    _check_phones(office, memory)
    _check_hearing(memory, legs)
    _check_nobody_waits_for_an_idle_agent(office, memory)


def _check_agents(memory: Office) -> None:
    for agent in memory.agents.values():
        contact = memory.contacts.get(agent.contact)
        match agent.state:
            case AgentState.OFFERED:
                assert contact is not None and contact.state is ContactState.OFFERED, agent
            case AgentState.TALKING:
                assert contact is not None and contact.state in TOGETHER, agent
            case _:
                assert agent.contact == 0, agent
        assert contact is None or contact.agent == agent.agent
        assert bool(agent.deadline_us) == (agent.state is AgentState.WRAP_UP), agent
        assert bool(agent.wrap_up_leg) == (agent.state is AgentState.WRAP_UP), agent
        assert bool(agent.seat) == (agent.state is not AgentState.LOGGED_OUT), agent
        if agent.state not in (AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP):
            assert agent.agent in memory.agent_entries, f"{agent} is not in the configuration any more"
            assert not agent.pending_reason, agent
    signed_in = [agent.seat for agent in memory.agents.values() if agent.seat]
    assert len(signed_in) == len(set(signed_in))
    assert set(memory.phones) == set(memory.seats) | set(signed_in)
    for contact in memory.contacts.values():
        served = contact.state in (ContactState.OFFERED, *TOGETHER)
        assert bool(contact.agent_leg) == served, contact
        assert not served or memory.agents[contact.agent].contact == contact.number, contact
    used = {number for one in memory.contacts.values() for number in (one.citizen_leg, one.agent_leg) if number}
    assert set(memory.legs) == used | {one.wrap_up_leg for one in memory.agents.values() if one.wrap_up_leg}


def _check_stored(office: LivingOffice, memory: Office) -> None:
    """A callserver that starts now has the same office in mind."""
    again = Office(office.configuration, memory.box.machine_boot)
    again.restore(dict(office.shelf.live))
    if office.connected:
        again.set_channels(tuple(memory.channels.values()), tuple(memory.boards.values()))
    for name in ("contacts", "legs", "recordings", "agents"):
        assert getattr(again, name) == getattr(memory, name), (getattr(again, name), getattr(memory, name))
    if office.connected:
        assert again.phones == memory.phones, (again.phones, memory.phones)
        assert again.box == memory.box


def _check_phones(office: LivingOffice, memory: Office) -> None:
    offered = {
        memory.legs[one.agent_leg].gateway_leg for one in memory.contacts.values() if one.state is ContactState.OFFERED
    }
    for channel in PHONES:
        line = office.gateway.lines[channel]
        if line.state is ExtensionState.RINGING:
            assert line.leg in offered, f"phone {channel} rings for nobody"
        else:
            assert channel not in office.ringing
        phone = memory.phone_on(channel)
        if phone is not None and line.state in (ExtensionState.IDLE, ExtensionState.RINGING):
            assert (phone.gateway_leg, phone.off_hook) == (line.leg, False), phone
    for contact in memory.contacts.values():
        if contact.state is ContactState.OFFERED:
            phone = memory.phones[memory.agents[contact.agent].seat]
            line = office.gateway.lines[phone.channel]
            assert line.leg == memory.legs[contact.agent_leg].gateway_leg
            assert line.state is (ExtensionState.UP if phone.headset else ExtensionState.RINGING), (line, phone)


def _check_hearing(memory: Office, legs: dict[str, LegState]) -> None:
    hears = {leg: () if state.play else state.hearing for leg, state in legs.items()}
    joined: dict[str, tuple[str, ...]] = {}
    for contact in memory.contacts.values():
        citizen = memory.legs[contact.citizen_leg].gateway_leg
        match contact.state:
            case ContactState.TALKING | ContactState.CALLING:
                agent = memory.legs[contact.agent_leg].gateway_leg
                if contact.play:
                    assert legs[citizen].play == contact.play, contact
                elif legs[agent].play.endswith("-open"):
                    joined[citizen] = (agent,)
                    assert legs[agent].hearing == (citizen,), "it hears the citizen after its tone"
                else:
                    joined |= {citizen: (agent,), agent: (citizen,)}
            case ContactState.QUEUED | ContactState.OFFERED:
                assert legs[citizen].play == (contact.play or "queue"), contact
            case ContactState.HELD:
                assert legs[citizen].play == "hold", contact
            case ContactState.ANNOUNCED | ContactState.MENU:
                assert legs[citizen].play == contact.play, contact
                assert contact.play or contact.deadline_us, contact
    assert {leg: sources for leg, sources in hears.items() if sources} == joined


def _check_nobody_waits_for_an_idle_agent(office: LivingOffice, memory: Office) -> None:
    waiting = {one.queue for one in memory.contacts.values() if one.state is ContactState.QUEUED}
    assert waiting <= set(memory.queues), "somebody waits in a queue that is not there"
    for agent in memory.agents.values():
        if agent.state is AgentState.READY and waiting & set(memory.agent_entries[agent.agent].queues):
            phone = memory.phones[agent.seat]
            if phone.channel >= 0:
                idle = ExtensionState.UP if phone.headset else ExtensionState.IDLE
                assert office.gateway.lines[phone.channel].state is not idle, f"{agent} could serve who waits"


def end(office: LivingOffice) -> None:
    """All hang up and time passes: nothing is left, and the record of everything is complete."""
    for phone in PHONES:
        office.put_down(phone)
    for channel in TRUNKS:
        office.hang_up(channel)
    office.start()
    for phone in PHONES:
        office.block(phone, False)
    office.settle()
    for line in LINES:
        office.line_drops(line)  # an analogue trunk tells an end only of a call that is up
    office.settle()
    check(office)
    office.wait(20.0)
    office.recorder_comes()
    while office.recorder:
        office.recorder_answers()
    office.settle()
    check(office)
    assert office.server is not None
    memory = office.server.office
    assert not memory.contacts and not memory.legs and not memory.recordings
    assert {kind for kind, _ in office.shelf.live} <= {"agent", "phone", "box", "queue"}
    assert all(line.display_state() == "idle" for line in office.gateway.lines)
    assert all(not (phone.gateway_leg or phone.off_hook or phone.request) for phone in memory.phones.values())
    resting = (AgentState.LOGGED_OUT, AgentState.NOT_READY, AgentState.READY)
    assert all(agent.state in resting for agent in memory.agents.values())
    _check_records(office)
    office.wait(25.0)
    _check_displays(office, memory)


def _check_displays(office: LivingOffice, memory: Office) -> None:
    """Each phone of a seat shows what the seat is about."""
    state = box_state(memory, 0, office.now, gateway_connected=True, recorder_connected=True)
    for seat in memory.seats.values():
        phone = memory.phones[seat.seat]
        if seat.phone_display and phone.channel >= 0:
            assert office.shown.get(phone.channel) == phone_text(seat_shown(state, seat.seat)), seat


def _check_records(office: LivingOffice) -> None:
    rows = office.shelf.rows
    for contact in rows["contacts"].values():
        assert contact["result"] and contact["ended_mono_us"] >= contact["arrived_mono_us"], contact
    for call in rows["calls"].values():
        assert call["ended_mono_us"] is not None
    for recording in rows["recordings"].values():
        assert recording["state"] in ("closed", "failed"), recording
    for number, leg in rows["legs"].items():
        lived = [row for row in rows["segments"].values() if row["leg"] == number]
        assert lived and lived[0]["started_utc_us"] == leg["started_utc_us"], leg
        assert leg["ended_mono_us"] in [row["ended_mono_us"] for row in lived], (leg, lived)
        for before, after in itertools.pairwise(lived):
            assert before["ended_utc_us"] == after["started_utc_us"], lived
        for row in lived:
            assert row["machine_boot"] == leg["machine_boot"], row
            assert row["ended_mono_us"] >= row["started_mono_us"], row
            assert row["ended_mono_us"] - row["started_mono_us"] == row["ended_utc_us"] - row["started_utc_us"], row


def history(opening: str, steps: list[Step]) -> None:
    office = LivingOffice(FULL)
    play(office, [(step, True) for step in OPENINGS[opening]])
    play(office, steps)
    end(office)


@given(
    st.sampled_from(sorted(OPENINGS)), st.booleans(), st.lists(st.tuples(life, st.booleans()), min_size=5, max_size=40)
)
@settings(max_examples=200)
def test_people_in_any_order(opening: str, offered: bool, steps: list[Step]) -> None:
    history(opening, [(step, True) for step in (OFFERED if offered else [])] + steps)


@given(
    st.sampled_from(sorted(OPENINGS)),
    st.booleans(),
    st.lists(st.tuples(st.one_of(life, life, trouble), st.booleans()), min_size=10, max_size=40),
)
@settings(max_examples=500)
def test_people_and_trouble_in_any_order(opening: str, offered: bool, steps: list[Step]) -> None:
    history(opening, [(step, True) for step in (OFFERED if offered else [])] + steps)
