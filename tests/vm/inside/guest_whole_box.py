"""Gateway, PRI worker, callserver and recorder together on the real driver: calls of both directions, and one process
after the other is killed in mid-call. The exchange is libpri; citizens and agents are the simulator's, with voices.

The tests share one box (starting it costs more than a test) and go on where the one before has left it: at rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.pri_stack import Cleared, Progress, Progressed
from firmware.calls.messages import AgentState
from firmware.core.messages import PeerGone, connect
from firmware.lines.line_commands import AnswerLeg, ClearLeg, Hear, Join, PlaceCall
from firmware.lines.messages import CallPlaced, IncomingCall, LegAnswered, decode_from_gateway
from firmware.records.tables import contacts, legs, recordings
from firmware.simulator.citizens import Caller, CallerState, Outcome, own_tone
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.scenario import Citizen, Dial, Phone, Step, Talk, Wait
from tests.box.running_gateway import Callserver
from tests.vm.inside.town import PARTY, REACHABLE, Town, heard_by
from tests.vm.inside.whole_box import WholeBox, longest_tone

SEATS = 3
SHORT_GREETING = "prompt:wait"
TEMPORARY_FAILURE = 41
TO_AN_AGENT: tuple[Step, ...] = (Wait(until="answered"), Wait(until="agent"), Talk(pattern=True))
Scene = tuple[WholeBox, Town]
pytestmark = pytest.mark.leaves("children", "descriptors")  # the box that they share


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The line side alone: gateway and PRI worker."""
    box = WholeBox(tmp_path_factory.mktemp("box"), SEATS, SHORT_GREETING)
    phones = [
        Phone(
            extension=f"FXS-{number}",
            behaviour="manned",
            agent=str(800 + number),
            seat=str(number),
            answer_seconds=0.5,
            ready_again_seconds=0.5,
        )
        for number in range(1, SEATS + 1)
    ]
    for name in ("gateway", "pri"):
        box.start(name)
    town = Town([], phones, box.far_e1, box.far_bank, box.paths)
    town.let_citizens_call()
    yield box, town
    town.close()
    box.close()


@pytest.fixture(scope="module")
def office(lines: Scene) -> Scene:
    """The whole box, with agents at all seats."""
    box, town = lines
    for name in ("callserver", "recorder"):
        box.start(name)
    wait(town, 30, box.is_ready, box)
    wait(town, 10, lambda: all(agent.state is AgentState.READY for agent in town.world.agents), box)
    return lines


def wait(town: Town, seconds: float, condition: Callable[[], object], box: WholeBox) -> None:
    """Let the town live until something holds that is too dear to ask at every turn."""
    if not town.serve_until(condition, seconds):
        logs = "\n".join(f"{name}: {box.log(name)[-1500:]}" for name in box.processes)
        raise AssertionError(f"within {seconds} s not so\n{town.stack.events[-20:]}\n{logs}")


def citizen(number: int, *steps: Step, called: str = "12345") -> Citizen:
    return Citizen(at_seconds=0, calling=f"1390000{number:04d}", called=called, audio=True, steps=steps or TO_AN_AGENT)


def talking(town: Town, box: WholeBox, *numbers: int) -> list[Caller]:
    """Citizens who talk to agents until somebody hangs up."""
    stay = (*TO_AN_AGENT, Wait(until="cleared", at_most_seconds=60.0))
    callers = [town.call(citizen(number, *stay)) for number in numbers]
    wait(town, 20, lambda: all(caller.reached_agent for caller in callers), box)
    town.serve(1.0)
    return callers


def hang_up(town: Town, box: WholeBox, callers: list[Caller]) -> None:
    for caller in callers:
        caller.hang_up()
    at_rest(town, box)


def at_rest(town: Town, box: WholeBox) -> None:
    """Nothing is busy at either end, and the agents are there for the next call."""
    wait(town, 15, lambda: town.is_idle() and box.is_idle(), box)
    wait(town, 15, lambda: all(agent.state is AgentState.READY for agent in town.world.agents), box)
    assert town.span.lines.calls == 0
    assert town.world.totals.unconfirmed_releases == 0


def test_a_call_that_comes_in_and_one_that_goes_out_hear_each_other_bit_by_bit(lines: Scene) -> None:
    box, town = lines
    wait(town, 20, lambda: town.span.lines.layer_two and listens(box.paths.gateway_socket), box)
    callserver = Callserver(box.paths)
    town.serve(1.5)

    def hear(kind: type, count: int = 1) -> bool:
        callserver.look()
        return len(callserver.all(kind)) >= count

    caller = town.call(citizen(1, Wait(until="answered"), Talk(pattern=True), Wait(seconds=60.0)))
    assert town.serve(5, lambda: hear(IncomingCall)), box.log("pri") + box.log("gateway")
    incoming = callserver.all(IncomingCall)[-1]
    assert (incoming.called, incoming.calling) == ("12345", "13900000001")
    callserver.say(AnswerLeg(incoming.leg), PlaceCall("out", 20, REACHABLE, "12345"))
    assert town.serve(5, lambda: hear(LegAnswered, 2)), callserver.events
    placed = callserver.all(CallPlaced)[-1]
    callserver.say(Join((Hear(incoming.leg, (placed.leg,)), Hear(placed.leg, (incoming.leg,)))))
    town.serve(2.0)

    (channel,) = town.parties
    for journal, speaker in ((caller.journal, PARTY + channel), (town.parties[channel], caller.speaker)):
        report = verify_pattern(heard_by(journal), speaker)
        assert report.exactly_once, report
        assert report.last - report.first > 8000
    callserver.say(ClearLeg(placed.leg), ClearLeg(incoming.leg))
    assert town.serve(5, town.is_idle)
    assert caller.outcome is Outcome.RELEASED
    callserver.close()


def test_calls_reach_agents_at_analogue_extensions_and_are_recorded_whole(office: Scene) -> None:
    box, town = office
    steps = (*TO_AN_AGENT, Wait(seconds=3.0))
    by_menu = (Wait(until="answered"), Wait(seconds=1.0), Dial(digits="1"), *steps[1:])
    callers = [town.call(citizen(11, *steps)), town.call(citizen(12, *by_menu, called="12346"))]

    assert town.serve(25, lambda: all(one.state is CallerState.GONE for one in callers)), box.log("gateway")
    at_rest(town, box)
    wait(town, 10, lambda: all(row["state"] == "closed" for row in box.rows(recordings)), box)

    assert [(caller.outcome, caller.reached_agent) for caller in callers] == [(Outcome.HUNG_UP, True)] * 2
    found = {row["calling"]: row for row in box.rows(contacts)}
    assert [found[caller.plan.calling]["queue"] for caller in callers] == ["general", "consult"]
    seats = {phone.plan.seat: phone for phone in town.world.phones}
    for caller in callers:
        contact = found[caller.plan.calling]
        phone = seats[contact["seat"]]
        (leg,) = [row for row in box.rows(legs) if row["contact"] == contact["number"] and row["party"] == "citizen"]
        (recording,) = [row for row in box.rows(recordings) if row["leg"] == leg["number"]]
        length = leg["ended_sample"] - leg["answered_sample"]
        assert recording["missing"] == 0
        assert abs(recording["samples"] - length) <= 80
        said, heard = box.recorded(recording["file"])
        assert len(said) == recording["samples"]
        report = verify_pattern(said, caller.speaker)
        assert report.exactly_once, report
        for track in (heard, heard_by(caller.journal)):
            assert longest_tone(track, own_tone(phone.speaker)) > 2.5


def test_killing_the_callserver_drops_no_call_and_new_ones_are_kept_alive(office: Scene) -> None:
    box, town = office
    callers = talking(town, box, 21, 22)
    began = time.monotonic()
    worker = box.processes["pri"]
    box.kill("callserver")
    town.stack.events.clear()

    new = town.call(citizen(23, *TO_AN_AGENT, Wait(seconds=2.0)))
    slot = town.span.lines.lines[new.channel].slot
    assert town.serve(0.5, lambda: progress(town, Progress.PROCEEDING, slot)), town.stack.events
    assert town.serve(2.0, lambda: progress(town, Progress.ALERTING, slot)), town.stack.events
    assert [caller.state for caller in callers] == [CallerState.UP] * 2
    box.start("callserver")
    wait(town, 20, lambda: new.reached_agent, box)

    talked = time.monotonic() - began
    hang_up(town, box, callers)
    for caller in callers:
        heard = heard_by(caller.journal)
        assert max(longest_tone(heard, own_tone(phone.speaker)) for phone in town.world.phones) > talked - 0.1
    assert (town.layer_two_changes, worker.poll()) == (0, None)  # since the kill


def listens(path: Path) -> bool:
    """True if somebody takes connections there: the file is there a moment before."""
    try:
        connect(path, decode_from_gateway).close()
    except PeerGone:
        return False
    return True


def progress(town: Town, progress: Progress, slot: int) -> bool:
    return any(
        isinstance(event, Progressed) and event.progress is progress and event.slot == slot
        for event in town.stack.events
    )


def test_killing_the_gateway_clears_its_calls_with_a_proper_cause_and_the_d_channel_stays_up(office: Scene) -> None:
    box, town = office
    callers = talking(town, box, 31, 32)
    worker = box.processes["pri"]
    town.stack.events.clear()

    box.kill("gateway")

    assert town.serve(3, lambda: all(caller.outcome is Outcome.RELEASED for caller in callers)), town.stack.events
    cleared = [event for event in town.stack.events if isinstance(event, Cleared)]
    assert [event.cause for event in cleared] == [TEMPORARY_FAILURE] * 2
    refused = town.call(citizen(33))
    assert town.serve(2, lambda: refused.outcome is Outcome.RELEASED), town.stack.events
    box.start("gateway")
    wait(town, 20, lambda: box.is_ready() and town.is_idle(), box)
    at_rest(town, box)
    hang_up(town, box, talking(town, box, 34))
    assert (town.layer_two_changes, worker.poll()) == (0, None)  # since the kill


def test_killing_the_pri_worker_ends_the_calls_of_its_span_and_a_restart_brings_the_channels_back(
    office: Scene,
) -> None:
    box, town = office
    callers = talking(town, box, 41, 42)
    gateway = box.processes["gateway"]
    theirs = {line.slot for line in town.span.lines.lines if line.call is not None}

    box.kill("pri")
    wait(town, 5, lambda: not box.state().contacts, box)
    assert {channel.state for channel in box.state().channels if channel.board == "e1"} == {"out_of_service"}
    town.stack.events.clear()
    box.start("pri")

    assert town.serve(20, lambda: all(caller.state is CallerState.GONE for caller in callers)), box.log("pri")
    wait(town, 20, lambda: box.is_ready() and town.is_idle(), box)
    at_rest(town, box)
    hang_up(town, box, talking(town, box, 43))
    assert town.restarted() == theirs, "a call that crosses the restart of its channel would be lost (Q.931 5.5.2)"
    assert gateway.poll() is None


def test_a_span_that_goes_in_mid_call_takes_its_d_channel_along_and_both_come_back(office: Scene) -> None:
    """The exchange cannot hear that its calls are over: the box tells it as soon as it can, by restarts."""
    box, town = office
    callers = talking(town, box, 51, 52)
    processes = {name: box.processes[name] for name in ("gateway", "pri", "callserver")}

    device = box.e1.pull()
    wait(town, 5, lambda: not box.state().contacts, box)
    wait(town, 5, lambda: "the span has gone" in box.log("pri"), box)
    assert {channel.state for channel in box.state().channels if channel.board == "e1"} == {"out_of_service"}
    box.e1.put_back(device)

    assert town.serve(20, lambda: all(caller.outcome is Outcome.RELEASED for caller in callers)), box.log("pri")
    wait(town, 20, box.is_ready, box)
    at_rest(town, box)
    hang_up(town, box, talking(town, box, 53))
    assert {name: process.poll() for name, process in processes.items()} == dict.fromkeys(processes)
