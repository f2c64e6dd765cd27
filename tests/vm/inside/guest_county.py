"""An hour of the simulated county over E1 into analogue extensions: no call is lost, every one is recorded whole.

The day is that of `firmware/simulator/county.py`: 40 calls in the hour with a morning peak, menus, second thoughts,
withheld numbers. In the hour itself (`scripts/test vm -- --county-hour -k guest_county`) everything takes its own time
and four agents answer. Otherwise the hour is pressed into `SHORT_SECONDS`: the same citizens in their order; arrivals,
talk and pauses are divided by the same factor. What cannot be shortened is not: prompts, digits, rings, the driver's
1.25 s until a hook counts as put down. As these hold an agent far longer than the divided times say, there are more
agents, and nobody waits in the queue until patience is over: patience is not divided.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from firmware.records.tables import contacts, legs, recordings
from firmware.simulator.citizens import Outcome
from firmware.simulator.county import BRIEF_AGENT_SECONDS, county_day
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.scenario import Citizen, Phone, Step, Talk, Wait
from tests.vm.inside.town import Town
from tests.vm.inside.whole_box import WholeBox

SEED, CALLS, HOUR = 12345, 40, 3600.0
TALK_SECONDS = 40.0
IS_HOUR = bool(os.environ.get("LINEBOX_COUNTY_HOUR"))
SHORT_SECONDS = 30.0
SHORTEST_TALK_SECONDS = 0.6
FACTOR = 1.0 if IS_HOUR else HOUR / SHORT_SECONDS
SEATS = 4 if IS_HOUR else 14
RESULTS = Path("/results/county.json")
CONSOLE = Path("/dev/console")
"""The serial line: whoever waits for the hour sees there how far it is."""


def shortened(citizen: Citizen) -> Citizen:
    def step(step: Step) -> Step:
        match step:
            case Wait(seconds=float() as seconds):
                return msgspec.structs.replace(step, seconds=seconds / FACTOR)
            case Wait(until="cleared"):  # the agent is to hang up; this is how long the talk goes on otherwise
                return msgspec.structs.replace(step, at_most_seconds=step.at_most_seconds / FACTOR)
        return step

    steps = tuple(step(one) for one in citizen.steps)
    return msgspec.structs.replace(citizen, at_seconds=citizen.at_seconds / FACTOR, steps=steps)


def phone(number: int) -> Phone:
    """One of four agents is brief and hangs up first, as in the simulator's own day."""
    return Phone(
        extension=f"FXS-{number}",
        behaviour="manned",
        agent=str(800 + number),
        seat=str(number),
        answer_seconds=2.0 / FACTOR,
        talk_seconds=BRIEF_AGENT_SECONDS / FACTOR if number % 4 == 0 and IS_HOUR else None,
        ready_again_seconds=3.0 / FACTOR,
    )


@pytest.fixture
def box(tmp_path: Path) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path, SEATS)
    for name in ("gateway", "pri", "callserver", "recorder"):
        box.start(name)
    yield box
    box.close()


@pytest.fixture
def town(box: WholeBox) -> Iterator[Town]:
    day = county_day(SEED, CALLS, day_seconds=HOUR, audio_share=1.0, audio_talk_seconds=TALK_SECONDS)
    citizens = [shortened(citizen) for citizen in day.in_order]
    phones = [phone(number) for number in range(1, SEATS + 1)]
    town = Town(citizens, phones, box.far_e1, box.far_bank, box.paths, remember=False)
    yield town
    town.close()


def talk_seconds(citizen: Citizen) -> float:
    """How long the citizen talks to the agent, or waits for the agent's goodbye; 0 for one who wants to be gone."""
    for step, after in pairwise(citizen.steps):
        if isinstance(step, Talk) and isinstance(after, Wait):
            return after.seconds or after.at_most_seconds
    return 0.0


def wants_an_agent(citizen: Citizen) -> bool:
    return any(isinstance(step, Wait) and step.until == "agent" for step in citizen.steps)


def test_an_hour_of_the_county_loses_no_call_and_leaves_no_channel_busy(box: WholeBox, town: Town) -> None:
    assert town.serve_until(box.is_ready, 30), box.log("gateway")
    town.serve(2.0)
    town.stack.events.clear()  # layer 2 is up by now; both ends may have begun it
    began = town.world.block
    town.let_citizens_call()
    most_at_once, told = 0, 0

    def all_have_called() -> bool:
        nonlocal most_at_once, told
        most_at_once = max(most_at_once, len(town.world.callers))
        minutes = (town.world.block - began) // 6000
        if minutes > told:
            told = minutes
            CONSOLE.write_text(f"minute {minutes} of the county: {len(town.finished)} of {CALLS} calls have ended\n")
        return len(town.finished) == CALLS

    assert town.serve(HOUR / FACTOR + 60, all_have_called), f"{len(town.finished)} of {CALLS} calls have ended"
    lasted = (town.world.block - began) / 100
    assert town.serve_until(lambda: town.is_idle() and box.is_idle(), 30), box.state().channels
    assert town.serve_until(lambda: {row["state"] for row in box.rows(recordings)} == {"closed"}, 30)

    state = box.state()
    counts = {outcome.value: sum(one.outcome is outcome for one in town.finished) for outcome in Outcome}
    lost = [c for c in town.finished if c.outcome not in (Outcome.HUNG_UP, Outcome.RELEASED) or not c.answered]
    in_vain = [one for one in town.finished if wants_an_agent(one.plan) and not one.reached_agent]
    rows = box.rows(recordings)
    report = {
        "factor": FACTOR,
        "seconds": lasted,
        "agents": SEATS,
        "calls": len(town.finished),
        "most at once": most_at_once,
        "outcomes": counts,
        "reached an agent": sum(one.reached_agent for one in town.finished),
        "lost": len(lost),
        "waited in vain": len(in_vain),
        "recorded seconds": round(sum(row["samples"] for row in rows) / 8000, 2),
        "boards": {board.board: msgspec.to_builtins(board) for board in state.boards},
        "cpu seconds": {name: round(box.cpu_seconds(name), 2) for name in box.processes},
    }
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(report)))

    assert not lost, report
    assert not in_vain, report
    assert town.world.totals.unconfirmed_releases == 0
    assert (town.span.lines.calls, town.span.lines.stuck_channels, town.span.lines.protocol_errors) == (0, 0, 0)
    assert town.layer_two_changes == 0
    assert len(box.rows(contacts)) == CALLS
    check_recordings(box, town)


def check_recordings(box: WholeBox, town: Town) -> None:
    """One of each answered call, as long as its leg, with all that both parties said and in its order."""
    by_leg = {row["leg"]: row for row in box.rows(recordings)}
    citizens = {one.plan.calling: one for one in town.finished if one.plan.presentation != "unavailable"}
    calling = {row["number"]: row["calling"] for row in box.rows(contacts)}
    outside = [row for row in box.rows(legs) if row["party"] == "citizen"]
    assert len(outside) == len(by_leg) == CALLS
    spoke = 0
    for leg in outside:
        recording = by_leg[leg["number"]]
        assert recording["missing"] == 0
        assert abs(recording["samples"] - (leg["ended_sample"] - leg["answered_sample"])) <= 80
        citizen = citizens.get(calling[leg["contact"]])
        if citizen is not None and citizen.reached_agent:
            said = verify_pattern(box.recorded(recording["file"])[0], citizen.speaker)
            if said.runs:
                assert said.exactly_once, said
                spoke += 1
            # Whose talk is pressed into a few hundredths of a second may be gone before a word is said.
            assert said.runs or talk_seconds(citizen.plan) < SHORTEST_TALK_SECONDS, citizen.plan
    assert spoke > CALLS / 4


def test_citizens_are_the_same_and_in_the_same_order() -> None:
    day = county_day(SEED, CALLS, day_seconds=HOUR, audio_share=1.0, audio_talk_seconds=TALK_SECONDS)
    short = [shortened(citizen) for citizen in day.in_order]

    assert [citizen.calling for citizen in short] == [citizen.calling for citizen in day.in_order]
    assert np.allclose([one.at_seconds * FACTOR for one in short], [one.at_seconds for one in day.in_order])
