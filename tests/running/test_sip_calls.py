"""Outside callers by SIP (baresip, sipp) against the whole running box: greeted, asked, queued, answered, recorded.

The seats are manned by simulated agents, each with a tone of its own. What a caller says is another tone or, from sipp,
random codes that are like no other caller's.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from drivers import sip_stack
from firmware.calls.messages import AgentState, ReleaseCall
from firmware.media.codec import DECODE
from firmware.media.sounds import SoundStore
from firmware.records import tables
from firmware.simulator.report import read_report
from firmware.tones.plan import load_plan
from tests.running import sipp_scenarios as scenarios
from tests.running.rtp_room import RtpPhone, RtpRoom
from tests.running.running_box import RunningBox, until
from tests.running.sip_peers import Baresip, SippCall, free_ports, run_sipp, seconds_of_tone, tone

pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"),
]

AGENTS = range(1, 12)
CALLER_HZ = 1150.0


def agent_hz(agent: str) -> int:
    """The tone that the agent's phone says."""
    return 500 + 41 * (int(agent) - 800)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    folder = tmp_path_factory.mktemp("box")
    phones = [
        {
            "extension": f"FXS-{one}",
            "behaviour": "manned",
            "agent": str(800 + one),
            "seat": str(one),
            "says": "tone",
            "tone_hz": agent_hz(str(800 + one)),
            "answer_seconds": 0.5,
            "ready_again_seconds": 0.3,
        }
        for one in AGENTS
    ]
    (folder / "scenario.json").write_text(json.dumps({"citizens": [], "phones": phones}))
    box = RunningBox(
        folder, "--scenario", str(folder / "scenario.json"), "--report", str(folder / "report"), wrap_up_seconds=0.5
    )
    box.start()
    try:
        until(lambda: ready_agents(box) == len(AGENTS), "all agents are ready")
        until(lambda: any(board.board == "sip" and board.working for board in box.state().boards), "SIP joined")
        yield box
    finally:
        box.stop()


def ready_agents(box: RunningBox) -> int:
    return sum(agent.state is AgentState.READY for agent in box.state().agents)


def record_of(box: RunningBox, calling: str) -> Any:
    """The finished call of a caller, as the REST interface gives it."""

    def finished() -> Any:
        calls = box.json("/api/v1/calls?limit=500")["calls"]
        return next((call for call in calls if call["caller"] == calling and call["ended"]), None)

    return until(finished, f"the call of {calling} is over")


def recording_of(box: RunningBox, call: Any) -> NDArray[np.int16]:
    """Both tracks [samples, 2] of the call's recording, from the REST interface."""
    until(lambda: closed_recording(box, call["id"]), "the recording is closed")
    path = box.paths.data / "fetched.wav"
    path.write_bytes(box.get(f"/api/v1/calls/{call['id']}/recording"))
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 8000 and samples.shape[1] == 2
    tracks: NDArray[np.int16] = samples
    return tracks


def closed_recording(box: RunningBox, contact: int) -> bool:
    return any(row["contact"] == contact and row["state"] == "closed" for row in box.rows(tables.recordings))


def likeness(signal: NDArray[Any], piece: NDArray[Any]) -> NDArray[np.float64]:
    """How much a piece is like the signal from each of its samples on, -1 to 1, [len(signal) - len(piece) + 1]."""
    size = len(signal) + len(piece)
    match = np.fft.irfft(np.fft.rfft(signal, size) * np.conj(np.fft.rfft(piece, size)), size)
    energy = np.cumsum(np.concatenate(([0.0], np.square(signal, dtype=np.float64))))
    there = np.sqrt(energy[len(piece) :] - energy[: -len(piece)])
    found: NDArray[np.float64] = match[: len(there)] / (there * np.linalg.norm(piece) + 1.0)
    return found


def greeting_seconds(heard: NDArray[np.int16], prompt: str) -> float:
    """Where a prompt of the box begins in what was heard, in seconds. Raises AssertionError if it is not there. Looked
    for piece by piece, for a stall of the machine may have moved the one against the other."""
    wanted = DECODE[SoundStore.load(load_plan().samples()).samples(prompt)].astype(np.float64)[4000:16000]
    places = []
    for begin in range(0, len(wanted), 1000):
        found = likeness(heard, wanted[begin : begin + 1000])
        if found.max() > 0.9:
            places.append(int(found.argmax()) - begin)
    assert len(places) >= 5, f"{prompt} was not heard (only at {places})"
    return float(np.median(places)) / 8000 - 0.5


def seconds_in_menu(box: RunningBox) -> float:
    """For how long somebody has been in the menu."""
    state = box.state()
    since = [contact.since.mono_us for contact in state.contacts if contact.state == "menu"]
    return (state.at.mono_us - min(since)) / 1e6 if since else 0.0


def all_idle(box: RunningBox) -> None:
    until(lambda: not box.state().contacts, "no contact is left")
    until(lambda: {channel.state for channel in box.state().channels} == {"idle"}, "no channel is left busy")
    until(lambda: ready_agents(box) == len(AGENTS), "no agent is stuck")


def agent_heard(box: RunningBox, seat: str, hertz: float) -> float:
    """Seconds of a tone that the phone of a seat has heard since the box started."""
    people, _ = read_report(box.paths.data.parent / "report")
    phone = people.get(f"FXS-{seat}")
    return seconds_of_tone(DECODE[phone.sound], hertz) if phone else 0.0


def test_a_caller_hears_the_greeting_chooses_by_rfc_4733_and_talks_with_an_agent(box: RunningBox) -> None:
    with Baresip(tone(CALLER_HZ, 60.0), number="13700000001") as caller:
        caller.dial("12346", box.sip_port)
        caller.wait_for("CALL_ESTABLISHED")
        until(lambda: seconds_in_menu(box) > 2.0, "the menu has been spoken for two seconds")
        caller.press("2")
        contact = until(lambda: next((c for c in box.state().contacts if c.state == "talking"), None), "an agent talks")
        assert contact.queue == "complaint" and contact.trunk.startswith("SIP-")
        until(lambda: agent_heard(box, contact.seat, CALLER_HZ) > 3.0, "the agent hears the caller")
        hertz = agent_hz(contact.agent)
        until(lambda: seconds_of_tone(caller.heard_so_far(), hertz) > 2.0, "the caller hears the agent")
        caller.hang_up()
        caller.wait_for("CALL_CLOSED")
        call = record_of(box, "13700000001")
        heard = caller.heard()
    assert (call["called"], call["service"], call["queue"], call["result"]) == (
        "12346",
        "12346",
        "complaint",
        "answered",
    )
    assert greeting_seconds(heard, "prompt:welcome") < greeting_seconds(heard, "prompt:menu")
    assert seconds_of_tone(heard, agent_hz(call["agent"])) > 1.5
    left, right = recording_of(box, call).T
    assert seconds_of_tone(left, CALLER_HZ) > 5.0
    assert seconds_of_tone(right, agent_hz(call["agent"])) > 1.5
    assert greeting_seconds(right, "prompt:welcome") < 1.0
    all_idle(box)


def test_the_agent_ends_the_call_and_the_callers_phone_is_released(box: RunningBox) -> None:
    with Baresip(tone(CALLER_HZ, 60.0), number="13700000002") as caller:
        caller.dial("12345", box.sip_port)
        contact = until(lambda: next((c for c in box.state().contacts if c.state == "talking"), None), "an agent talks")
        assert box.ask(ReleaseCall(contact.agent)).error == ""
        caller.wait_for("CALL_CLOSED")
    call = record_of(box, "13700000002")
    assert (call["result"], call["agent"]) == ("answered", contact.agent)
    all_idle(box)


def test_a_caller_who_gives_up_in_the_queue_is_recorded_as_abandoned(box: RunningBox) -> None:
    # The agents answer in half a second: who was answered while this machine stood still calls again.
    waits = ("queued", "offered", "talking")
    for number in ("13700000003", "13700000004", "13700000005"):
        with Baresip(tone(CALLER_HZ, 60.0), number=number) as caller:
            caller.dial("12345", box.sip_port)
            until(lambda: any(c.state in waits for c in box.state().contacts), "the caller waits")
            caller.hang_up()
            caller.wait_for("CALL_CLOSED")
        call = record_of(box, number)
        all_idle(box)
        if not call["answered"]:
            break
    assert call["result"] == "abandoned"


def callers(first: int, count: int, ports: list[int] | None = None) -> list[SippCall]:
    return [SippCall(f"136{first + one:08d}", "12345", ports[one] if ports else 9) for one in range(count)]


def test_ten_callers_at_once_each_hear_an_agent_of_their_own_and_are_recorded_right(box: RunningBox) -> None:
    ports = free_ports(20)[::2]
    codes = [np.random.default_rng(one).integers(0, 256, 8000, dtype=np.uint8) for one in range(10)]
    phones = [RtpPhone(port, speaks) for port, speaks in zip(ports, codes, strict=True)]
    calls = callers(0, 10, ports)
    with RtpRoom(phones):
        result = run_sipp(scenarios.caller_hangs_up(12.0), calls, box.sip_port, rate=10, limit_seconds=60)
    assert (result.successful, result.failed) == (10, 0), result.errors
    records = [record_of(box, call.calling) for call in calls]
    assert {record["result"] for record in records} == {"answered"}
    assert len({record["agent"] for record in records}) == 10
    for phone, record, speaks in zip(phones, records, codes, strict=True):
        hertz = agent_hz(record["agent"])
        heard = DECODE[phone.heard()]
        assert seconds_of_tone(heard, hertz) > 2.0
        left, right = recording_of(box, record).T
        assert seconds_of_tone(right, hertz) > 2.0
        assert seconds_said(left, DECODE[speaks]) > 1.0, "the left track is what this caller said"
    all_idle(box)


def seconds_said(track: NDArray[np.int16], said: NDArray[Any]) -> float:
    """How much of a track is, in pieces of 100 ms, what was said over and over. Not bit for bit: what a stall of this
    machine has left behind is given back by interpolation (firmware/lines/elastic.py)."""
    repeated = np.concatenate((said, said))
    pieces = [track[at : at + 800] for at in range(0, len(track) - 800, 800)]
    return 0.1 * sum(likeness(repeated, piece).max() > 0.7 for piece in pieces)


def test_a_hundred_callers_in_a_row_and_none_is_lost(box: RunningBox) -> None:
    before = len(box.rows(tables.contacts))
    calls = callers(1000, 100)
    # Two seconds and more longer than the greeting and an agent take: a stall of this machine does not send all away.
    result = run_sipp(scenarios.caller_hangs_up(8.5), calls, box.sip_port, rate=3, at_once=25, limit_seconds=150)
    assert (result.successful, result.failed) == (100, 0), result.errors
    all_idle(box)
    rows = box.rows(tables.contacts)[before:]
    assert len(rows) == 100
    assert {row["result"] for row in rows} <= {"answered", "abandoned"} and all(row["ended_utc_us"] for row in rows)
    assert sum(row["result"] == "answered" for row in rows) > 50
    until(lambda: all(row["state"] == "closed" for row in box.rows(tables.recordings)), "all recordings are closed")
    for table in tables.SEQUENCED.values():
        numbers = [row["number"] for row in box.rows(table)]
        assert numbers == list(range(1, len(numbers) + 1)), table.name


def test_the_list_of_calls_says_what_the_rows_say(box: RunningBox) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{box.web_port}/api/v1/calls")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    refused.value.close()
    assert refused.value.code == 401
    if not box.rows(tables.contacts):
        assert run_sipp(scenarios.caller_hangs_up(7.0), callers(2000, 1), box.sip_port).successful == 1
        record_of(box, "13600002000")
    calls = box.json("/api/v1/calls?limit=500")["calls"]
    wanted = {
        "id",
        "caller",
        "called",
        "service",
        "queue",
        "agent",
        "started",
        "answered",
        "ended",
        "result",
        "recording",
    }
    assert wanted <= set(calls[0])
    rows = box.rows(tables.contacts)[-500:]
    names = ("called", "service", "queue", "agent", "result")
    told = sorted(tuple(call[name] for name in ("id", *names)) for call in calls)
    assert told == [tuple(row[name] for name in ("number", *names)) for row in rows]
