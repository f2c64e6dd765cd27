"""A process of the box dies while ten E1 calls talk: no sample is lost, and the records are right in the end.

The citizens and the agents' phones speak patterns that carry their own sample numbers, so each end can tell what of the
other's samples arrived (talkers.py).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware.calls.messages import AgentState, BoxState, SetNotReady
from firmware.core.messages import PeerGone
from firmware.media.codec import DECODE
from firmware.records import tables
from firmware.simulator.report import PartyReport, read_report
from tests.running.running_box import RunningBox, until
from tests.running.talkers import TALKS, UNTIL_CLEARED, agents, arguments, citizen, report_of, wrong_conversations

TALKERS = 10
EARLY = 2
"""Of the talkers, so many hang up early."""
WAITERS = 2
TALK_SECONDS = 22.0
EARLY_SECONDS = 9.0


def talk_seconds(one: int) -> float:
    return EARLY_SECONDS if one < EARLY else TALK_SECONDS


def scenario(folder: Path) -> tuple[str, ...]:
    """Ten citizens who talk with agents, and two who wait in the queue, because no agent is ready again."""
    citizens = [
        citizen(one, 2.0 + one * 0.05, [*TALKS, {"do": "wait", "seconds": talk_seconds(one)}, {"do": "hang_up"}])
        for one in range(TALKERS)
    ]
    citizens += [
        citizen(one, 8.0 + one * 0.05, [{"do": "wait", "until": "answered"}, UNTIL_CLEARED])
        for one in range(TALKERS, TALKERS + WAITERS)
    ]
    return arguments(folder, citizens, agents(TALKERS))


def play(folder: Path, during: Callable[[RunningBox], None]) -> RunningBox:
    """Ten talk, two wait; `during` happens; the talkers come to their end. Gives the stopped box."""
    box = RunningBox(folder, *scenario(folder), wrap_up_seconds=300.0)
    box.start()
    try:
        until(lambda: talking_and_waiting(box) == (TALKERS, WAITERS), "ten talk and two wait")
        during(box)
        until(lambda: talking_and_waiting(box)[0] == 0, "all talkers hung up", 60.0)
        until(lambda: len(closed(box)) >= TALKERS, "their recordings are closed")
    finally:
        box.stop()
    return box


def talking_and_waiting(box: RunningBox) -> tuple[int, int]:
    """How many talk with an agent and how many wait for one, at one moment."""
    states = [one.state for one in box.state().contacts]
    return states.count("talking"), states.count("queued")


def closed(box: RunningBox) -> list[dict[str, Any]]:
    return [row for row in box.rows(tables.recordings) if row["state"] == "closed"]


def every_sample_arrived_once(folder: Path) -> None:
    """Both directions of all ten conversations, and the music of those who wait."""
    people, stalls = report_of(folder)
    wrong = wrong_conversations(people, stalls, TALKERS, lambda one: talk_seconds(one) - 1.0)
    for one in range(TALKERS, TALKERS + WAITERS):
        silence = silent_seconds(people[f"citizen-{one}"])
        if silence > 1.0 + stalls.seconds:
            wrong.append(f"citizen-{one} heard nothing for {silence:.1f} s while waiting; {stalls}")
    assert not wrong, "\n".join(wrong)


def silent_seconds(who: PartyReport) -> float:
    """The longest time for which somebody heard nothing after the first sound; pauses in the greeting are short."""
    linear = DECODE[who.sound[: len(who.sound) // 800 * 800]].reshape(-1, 800)
    loud = np.flatnonzero(np.abs(linear).max(axis=1) > 200)
    return float(np.diff(loud).max(initial=1) - 1) / 10.0


def records_are_right(box: RunningBox, folder: Path) -> None:
    """One complete record a call, with what really happened, and no number missing."""
    people, stalls = report_of(folder)
    rows, of_legs, of_recordings = box.rows_of(tables.contacts, tables.legs, tables.recordings)
    assert len(rows) == TALKERS + WAITERS
    recordings = {row["contact"]: row for row in of_recordings}
    legs = {row["contact"]: row for row in of_legs if row["party"] == "citizen"}
    talked = [row for row in rows if int(row["calling"][-4:]) < TALKERS]
    assert len({row["agent"] for row in talked}) == TALKERS
    for row in talked:
        assert row["result"] == "answered"
        hung_up = people[f"citizen-{int(row['calling'][-4:])}"].event("clearing")
        assert hung_up is not None
        late_us = abs(row["ended_mono_us"] - hung_up.at.mono_us)
        assert late_us < 500_000 + stalls.seconds * 1e6, f"the record tells when the citizen hung up; {stalls}"
        recording, leg = recordings[row["number"]], legs[row["number"]]
        assert (recording["state"], recording["missing"]) == ("closed", 0)
        assert recording["samples"] == leg["ended_sample"] - leg["answered_sample"]
    for table in (tables.contacts, tables.calls, tables.legs, tables.segments, tables.recordings, tables.events):
        numbers = [row["number"] for row in box.rows(table)]
        assert numbers == list(range(1, len(numbers) + 1)), table.name


def scene(folder: Path, during: Callable[[RunningBox], None]) -> None:
    """Play and check."""
    box = play(folder, during)
    every_sample_arrived_once(folder)
    records_are_right(box, folder)


def test_calls_do_not_notice_that_web_and_recorder_die(tmp_path: Path) -> None:
    def during(box: RunningBox) -> None:
        box.kill("web")
        time.sleep(1.0)
        box.kill("recorder")

    scene(tmp_path, during)


def test_calls_do_not_notice_that_the_sip_worker_dies(tmp_path: Path) -> None:
    pytest.importorskip("pjsua2", reason="the SIP stack is not built: scripts/build_pjsua2 --install")
    scene(tmp_path, lambda box: box.kill("sip"))


def test_a_restarted_callserver_knows_every_call_and_what_happened_while_it_was_dead(tmp_path: Path) -> None:
    def during(box: RunningBox) -> None:
        box.ask(SetNotReady("803", "lunch"))
        before = box.state()
        supervisor, old = box.pid("supervisor"), box.pid("callserver")
        os.kill(supervisor, signal.SIGSTOP)  # so that it stays dead while two citizens hang up
        try:
            os.kill(old, signal.SIGKILL)
            until(lambda: early_hung_up(box), "two citizens have hung up", 3 * EARLY_SECONDS)
            time.sleep(2.0)  # so that it shows if the record told when this was learnt
        finally:
            os.kill(supervisor, signal.SIGCONT)
        after = until(lambda: state_after(box), "the callserver has the gateway and knows who has hung up")
        assert [contact.state for contact in after.contacts].count("talking") == TALKERS - EARLY
        for contact in after.contacts:
            was = next(one for one in before.contacts if one.contact == contact.contact)
            assert (was.state, was.agent, was.queue, was.since) == (
                contact.state,
                contact.agent,
                contact.queue,
                contact.since,
            )
        states = [agent.state for agent in after.agents]
        assert states.count(AgentState.TALKING) == TALKERS - EARLY and states.count(AgentState.WRAP_UP) == EARLY

    scene(tmp_path, during)


def early_hung_up(box: RunningBox) -> bool:
    people, _ = read_report(box.paths.data.parent / "report")
    early = [people.get(f"citizen-{one}") for one in range(EARLY)]
    return all(who is not None and who.event("clearing") for who in early)


def state_after(box: RunningBox) -> BoxState | None:
    """The state in which the callserver has learnt that those who were early have gone."""
    try:
        state = box.state()
    except PeerGone:
        return None
    talking = [contact.state for contact in state.contacts].count("talking")
    return state if state.gateway_connected and talking <= TALKERS - EARLY else None


def test_when_the_gateway_dies_its_calls_end_truthfully_and_the_next_is_taken_within_five_seconds(
    tmp_path: Path,
) -> None:
    for attempt in range(3):  # in one, this machine may stand still or have much else to do
        folder = tmp_path / f"attempt-{attempt}"
        folder.mkdir()
        taken_us, off_us = after_a_dead_gateway(folder)
        if taken_us < 5_000_000 and off_us < 1_000_000:
            return
    pytest.fail(f"taken after {taken_us} µs, the ends of calls {off_us} µs off")


def after_a_dead_gateway(folder: Path) -> tuple[int, int]:
    """How long it takes until a call is taken, and how far the ends that were told are from the truth at most; both in
    microseconds."""
    phones = [
        {"extension": "FXS-1", "behaviour": "manned", "agent": "801", "seat": "1", "says": "tone"},
        {"extension": "FXS-2", "behaviour": "manned", "agent": "802", "seat": "2", "says": "tone"},
    ]
    steps = [{"do": "wait", "until": "answered"}, {"do": "wait", "until": "cleared", "at_most_seconds": 200.0}]
    # A citizen a second: somebody calls just after the gateway died.
    citizens = [
        {"at_seconds": 2.0 + one, "name": f"citizen-{one}", "calling": f"1390000{one:04d}", "steps": steps}
        for one in range(60)
    ]
    box = RunningBox(folder, *arguments(folder, citizens, phones))
    box.start()
    try:
        until(lambda: talking_and_waiting(box) >= (2, 3), "two talk, others wait")
        before = {contact.contact: contact for contact in box.state().contacts}
        boot = boot_of(box.rows(tables.legs)[-1])
        killed_us = time.monotonic_ns() // 1000
        box.kill("gateway")

        def taken() -> list[dict[str, Any]]:
            legs = [row for row in box.rows(tables.legs) if boot_of(row) != boot]
            return [row for row in legs if row["party"] == "citizen" and row["answered_mono_us"]]

        first = until(taken, "a call is taken after the gateway died")[0]
        rows = {row["number"]: row for row in box.rows(tables.contacts)}
    finally:
        box.stop()
    for number, contact in before.items():
        row = rows[number]
        assert row["cause"] == "restart" and row["result"] == ("answered" if contact.state == "talking" else "failed")
    return (
        first["answered_mono_us"] - killed_us,
        max(abs(rows[number]["ended_mono_us"] - killed_us) for number in before),
    )


def boot_of(leg: dict[str, Any]) -> str:
    """The start of the gateway in which a leg was."""
    return str(leg["gateway_leg"]).partition(".")[0]
