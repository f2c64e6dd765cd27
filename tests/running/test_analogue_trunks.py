"""The whole box with simulated analogue trunks: a call from ring to record, and a busy tone that is learnt."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from firmware.calls.messages import EventName, MakeCall, ReleaseCall, SignIn
from firmware.core.configuration import (
    load_configuration,
    load_configuration_or_last_good,
    read_documents,
    save_documents,
)
from firmware.records import tables
from tests.running.running_box import LINEBOX, RunningBox, until
from tests.running.stalls import SCENES, lost_blocks, more_was_lost

SCENARIO: dict[str, Any] = {
    "citizens": [
        {
            "at_seconds": 1.0,
            "calling": "13912345678",
            "trunk": "exchange_line",
            "audio": True,
            "steps": [
                {"do": "wait", "until": "answered"},
                {"do": "wait", "until": "agent"},
                {"do": "talk"},
                {"do": "wait", "seconds": 3.0},
                {"do": "hang_up"},
            ],
        }
    ],
    "phones": [
        {"extension": "FXS-1", "behaviour": "manned", "agent": "801", "seat": "1", "answer_seconds": 1.0},
        {"extension": "FXS-2", "behaviour": "headset", "seat": "2"},
    ],
}


BUSY_TONE = "FXO-2: busy tone of 450 Hz, 350 ms on and 350 ms off, -10 dBm0"
AS_IT_WAS = ("13912345678", "12345", "answered", "801", "FXO-1", "line")


def first_call(box: RunningBox) -> tuple[str, ...]:
    """Who called whom, the result, the agent, the line, and which side ended it."""
    (contact,), (outside, *_) = box.rows_of(tables.contacts, tables.legs)
    of_contact = tuple(contact[name] for name in ("calling", "called", "result", "agent"))
    return (*of_contact, outside["channel_label"], outside["ended_by"])


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box that has recorded its first call. It is another one if a stall of this machine cost that one its caller ID,
    or let the agent know the busy tone before the box did."""
    for scene in range(1, SCENES + 1):
        folder = tmp_path_factory.mktemp("box")
        scenario = folder / "scenario.json"
        scenario.write_text(json.dumps(SCENARIO))
        arguments = ("--scenario", str(scenario), "--report", str(folder / "report"))
        box = RunningBox(folder, *arguments, greeting=["tone:zip"], analogue_trunks=2)
        seats = read_documents(box.paths, "seats")
        seats[1]["headset"] = True
        save_documents(box.paths, "seats", seats)
        box.start()
        try:
            until(lambda box=box: any(row["state"] == "closed" for row in box.rows(tables.recordings)), "recorded", 60)
            if first_call(box) == AS_IT_WAS or scene == SCENES or not more_was_lost(folder / "report", 0):
                yield box
                return
        finally:
            box.stop()


def test_a_call_arrives_with_its_number_is_answered_and_is_recorded_when_busy_tone_ends_it(box: RunningBox) -> None:
    assert first_call(box) == AS_IT_WAS
    (outside, *_), (recording,) = box.rows_of(tables.legs, tables.recordings)
    assert recording["samples"] == outside["ended_sample"] - outside["answered_sample"]
    until(lambda: all(one.state == "idle" for one in box.state().channels if one.kind == "fxo"), "the line is free")


def test_an_agent_calls_out_on_a_free_trunk_of_the_group(box: RunningBox) -> None:
    until(lambda: not box.state().contacts, "the first call is over")
    assert box.ask(SignIn("802", "2")).error == ""
    assert box.ask(MakeCall("802", "96111")).error == ""
    until(lambda: box.contacts_in("talking"), "the line was dialled")
    assert box.ask(ReleaseCall("802")).error == ""
    until(lambda: not box.state().contacts, "the call is over")
    contacts, legs = box.rows_of(tables.contacts, tables.legs)
    contact = contacts[-1]
    outside = next(row for row in legs if row["contact"] == contact["number"] and not row["agent"])

    assert (contact["direction"], contact["called"], contact["result"]) == ("out", "96111", "answered")
    assert (outside["channel_label"], outside["ended_by"]) == ("FXO-1", "box")
    until(lambda: box.rows(tables.recordings)[-1]["state"] == "closed", "it is recorded")
    assert box.rows(tables.recordings)[-1]["leg"] == outside["number"]
    until(lambda: all(one.state == "idle" for one in box.state().channels if one.kind == "fxo"), "the line is free")


def learn(box: RunningBox) -> subprocess.CompletedProcess[str]:
    """Has FXO-2 call a busy number; once more where a stall of this machine has spoilt digits or tone."""
    command = [*LINEBOX, "learn-line", "2", "--number", "10", "--seconds", "40", "--data", str(box.paths.data)]
    report = box.paths.data.parent / "report"
    for scene in range(1, SCENES + 1):
        before = len(lost_blocks(report))
        learnt = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
        if BUSY_TONE in learnt.stdout or scene == SCENES or not more_was_lost(report, before):
            break
    return learnt


def test_a_lines_busy_tone_is_learnt_stored_and_in_force_while_the_box_runs(box: RunningBox) -> None:
    learnt = learn(box)

    assert learnt.returncode == 0, learnt.stderr
    assert BUSY_TONE in learnt.stdout
    assert "in force" in learnt.stdout
    (line,) = load_configuration(box.paths).exchange_lines
    assert (line.line, round(line.busy_tones[0].hz)) == ("FXO-2", 450)
    assert load_configuration_or_last_good(box.paths)[0] == load_configuration(box.paths)
    (tone,) = until(lambda: shown_tones(box, "FXO-2"), "the pages have heard of it")
    assert round(tone["hz"]) == 450
    assert (box.paths.last_good_configuration / "exchange_lines.json").exists()
    names = [row["name"] for row in box.rows(tables.events)]
    assert EventName.LINE_LEARNT in names and EventName.CONFIGURATION_CHANGED not in names


def shown_tones(box: RunningBox, line: str) -> list[dict[str, Any]]:
    (reply,) = [one for one in box.json("/api/v1/lines")["lines"] if one["line"] == line]
    tones: list[dict[str, Any]] = reply["busy_tones"]
    return tones


def test_what_cannot_be_learnt_is_said_with_a_remedy(box: RunningBox) -> None:
    command = [*LINEBOX, "learn-line", "9", "--data", str(box.paths.data)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert refused.returncode == 1
    assert "there is no exchange line 9" in refused.stderr and "the box has FXO-1, FXO-2" in refused.stderr
