"""One call over the simulated E1 in virtual time, exact to the sample: what is said, heard and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from firmware.box.commands.virtual_box import VirtualBox
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.records.database import open_for_reading
from firmware.records.tables import contacts, recordings, segments
from firmware.simulator.journal import Journal
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.scenario import Citizen, Dial, HangUp, Phone, Scenario, Talk, Wait

CITIZEN, AGENT = 1001, 1
"""Speaker numbers: the first citizen of a scenario, the phone at FXS-1."""


def citizen(*steps: object, called: str = "12346") -> Citizen:
    return Citizen(at_seconds=1.0, calling="13912345678", called=called, audio=True, steps=steps)  # type: ignore[arg-type]


AGENT_PHONE = Phone(extension="FXS-1", behaviour="manned", agent="801", seat="1", says="pattern", answer_seconds=2.0)
MENU_CALL = citizen(
    Wait(until="answered"),
    Wait(seconds=9.0),
    Dial(digits="2"),
    Wait(until="agent"),
    Talk(pattern=True),
    Wait(seconds=13.0),  # of which the agent's number is told for three
    HangUp(),
)


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    return paths


@pytest.fixture
def box(paths: BoxPaths, request: pytest.FixtureRequest) -> Iterator[VirtualBox]:
    """The box after a scenario with one citizen and one agent."""
    configuration = save_subjects(paths, demonstration_documents("not used here"))
    one = VirtualBox(Scenario(citizens=(request.param,), phones=(AGENT_PHONE,)), configuration, paths, remember=True)
    one.run()
    one.close()
    yield one


def heard_by(journal: Journal) -> np.ndarray:
    return np.frombuffer(journal.take(0)[1], np.uint8)


@pytest.mark.parametrize("box", [MENU_CALL], indirect=True)
def test_every_sample_is_heard_once_at_both_ends_and_recorded_on_both_tracks(box: VirtualBox, paths: BoxPaths) -> None:
    (caller,) = box.world.take_finished()
    heard_outside = heard_by(caller.journal)
    heard_inside = heard_by(box.world.phones[0].journal)

    from_agent = verify_pattern(heard_outside, AGENT)
    from_citizen = verify_pattern(heard_inside, CITIZEN)
    assert from_agent.exactly_once and from_agent.last - from_agent.first > 9 * 8000, from_agent
    assert from_citizen.exactly_once and from_citizen.last - from_citizen.first > 9 * 8000, from_citizen

    engine = open_for_reading(paths.calls_database)
    with engine.connect() as connection:
        (contact,) = connection.execute(select(contacts)).mappings().all()
        (recording,) = connection.execute(select(recordings)).mappings().all()
        kinds = [row.kind for row in connection.execute(select(segments).order_by(segments.c.number))]
    engine.dispose()
    assert (contact["result"], contact["queue"], contact["agent"]) == ("answered", "complaint", "801")
    assert kinds == ["ringing", "announced", "menu", "queued", "offered", "talking", "talking", "wrap_up"]

    file = np.fromfile(paths.recordings / recording["file"], np.uint8)
    tracks = file[int.from_bytes(file[4:8].tobytes(), "big") :].reshape(-1, 2)  # .au: where the data begin
    assert len(tracks) == recording["samples"] == recording["to_sample"] - recording["from_sample"]
    assert recording["missing"] == 0
    left, right = tracks.T
    assert verify_pattern(left, CITIZEN).exactly_once
    # The right track is, sample for sample, what the citizen heard from the answer on: greeting, menu, music, agent.
    offset = heard_outside.tobytes().find(right[:8000].tobytes())
    assert offset >= 0
    common = min(len(right), len(heard_outside) - offset)
    assert common > 0.99 * len(right)
    np.testing.assert_array_equal(heard_outside[offset : offset + common], right[:common])


@pytest.mark.parametrize(
    "box",
    [citizen(Wait(until="answered"), Wait(until="sound"), Wait(seconds=1.0), HangUp(), called="12345")],
    indirect=True,
)
def test_a_caller_who_leaves_in_the_greeting_leaves_an_idle_box(box: VirtualBox) -> None:
    office = box.server.office
    assert not office.contacts and not office.legs and not office.recordings
    assert {line.state.name for line in box.gateway.lines if line.channel < 30} == {"IDLE"}
