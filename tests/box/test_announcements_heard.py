"""What callers hear in the virtual box, code by code: announcements of recordings, spoken values and texts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from boards.base import ALAW_SILENCE, BLOCK
from firmware.ivr.announcements import Values
from firmware.media import espeak
from firmware.media.codec import Alaw
from firmware.media.espeak import VOICES, SpeechError, speak
from firmware.records.database import open_for_reading
from firmware.records.tables import recordings
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.scenario import Citizen, Dial, HangUp, Phone, Scenario, Talk, Wait
from tests.box.listening_callers import (
    LISTENS,
    STORE,
    Documents,
    citizen,
    greeting,
    place_of,
    run,
    sounds_like,
)

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng"
)


def test_a_greeting_of_recordings_and_values_is_one_stream_without_a_gap(tmp_path: Path) -> None:
    pieces = ("prompt:welcome", "say:number:1203", "tone:zip", "say:date:2002-02-22")

    _, (heard,) = run(tmp_path, greeting(*pieces), LISTENS)

    assert place_of(sounds_like(*pieces), heard) >= 0


@needs_espeak
def test_a_text_without_a_recording_is_spoken_between_recordings(tmp_path: Path) -> None:
    _, (heard,) = run(tmp_path, greeting("word:工号", "text:今天办理社保业务", "tone:zip"), LISTENS)

    spoken = speak("今天办理社保业务", VOICES["zh_CN"])
    assert place_of(np.concatenate([STORE.samples("word:工号"), spoken, STORE.samples("tone:zip")]), heard) >= 0


def test_without_espeak_a_text_is_a_recording_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def without_espeak(text: str, voice: str) -> None:
        raise SpeechError("espeak-ng is not installed. Debian: apt-get install espeak-ng")

    monkeypatch.setattr(espeak, "speak", without_espeak)

    _, (heard,) = run(tmp_path, greeting("word:工号", "text:今天办理社保业务"), LISTENS)

    begin = place_of(sounds_like("word:工号", "prompt:wait"), heard)
    assert begin >= 0
    assert np.ptp(heard[begin + 3 * 8000 :].astype(int)) > 0, "waiting music after it"
    assert "apt-get install espeak-ng" in caplog.text


@needs_espeak
def test_a_prompt_that_is_not_there_is_said_and_the_caller_hears_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, (heard,) = run(tmp_path, greeting("prompt:lost", "word:工号"), LISTENS)

    assert place_of(sounds_like("prompt:wait", "word:工号"), heard) >= 0
    assert "there is no sound prompt:lost" in caplog.text


# ---- barge-in --------------------------------------------------------------------------------------------------------

MENU_PROMPT = STORE.samples("prompt:menu")


@pytest.mark.parametrize("interruptible", [True, False])
def test_a_digit_ends_the_menus_prompt_or_waits_for_its_end(tmp_path: Path, interruptible: bool) -> None:
    def change(documents: Documents) -> None:
        documents["menus"][0]["interruptible"] = interruptible
        documents["services"][1]["greeting"] = []

    dials = citizen(Wait(until="answered"), Wait(seconds=2.0), Dial(digits="1"), Wait(seconds=9.0), called="12346")
    box, (heard,) = run(tmp_path, change, Scenario(citizens=(dials,), phones=()))

    begins = place_of(MENU_PROMPT[:8000], heard) - BLOCK
    assert begins >= 0
    whole = np.array_equal(heard[begins + BLOCK : begins + MENU_PROMPT.size], MENU_PROMPT[BLOCK:])
    assert whole == (not interruptible)
    differs = np.flatnonzero(heard[begins + BLOCK : begins + MENU_PROMPT.size] != MENU_PROMPT[BLOCK:])
    if interruptible:
        pressed_to_stop = BLOCK + int(differs[0]) - 2 * 8000
        assert 0 < pressed_to_stop < 8000 * 0.2, f"{pressed_to_stop} samples after the key was pressed for 100 ms"
    phase_of(heard[-8000:])  # and then waiting music
    assert not box.server.office.contacts


# ---- waiting ---------------------------------------------------------------------------------------------------------


def stays(at_seconds: float, name: str) -> Citizen:
    return citizen(Wait(until="answered"), Wait(seconds=25.0), HangUp(), at_seconds=at_seconds, name=name)


def phase_of(heard: Alaw) -> int:
    """Where in the loop of the waiting music this stretch begins."""
    music = STORE.samples("music:waiting")
    place = np.concatenate([music, music]).tobytes().find(heard.tobytes())
    assert place >= 0, "this is not the waiting music"
    return place


def test_who_waits_hears_the_place_in_the_queue_in_music_that_runs_on_for_all(tmp_path: Path) -> None:
    def change(documents: Documents) -> None:
        documents["queues"][0]["announce_every_seconds"] = 8.0

    scenario = Scenario(citizens=(stays(1.0, "first"), stays(3.0, "second")), phones=())
    _, (first, second) = run(tmp_path, change, scenario)

    length = STORE.samples("music:waiting").size
    phases = set()
    for heard, ahead in ((first, 0), (second, 1)):
        announcement = sounds_like("say:position", values=Values(ahead=ahead))
        begins = place_of(announcement, heard) - BLOCK
        assert begins >= 0
        ends = begins + announcement.size + 2 * BLOCK
        phases.add((phase_of(heard[begins - 8000 : begins - BLOCK]) - begins + 8000) % length)
        phases.add((phase_of(heard[ends : ends + 8000]) - ends) % length)
    assert len(phases) == 1, "before and after the announcement, and for both, it is one stream"


# ---- the agent's number ----------------------------------------------------------------------------------------------

CITIZEN, AGENT = 1001, 1
"""Speaker numbers: the first citizen of a scenario, the phone at FXS-1."""
AGENT_PHONE = Phone(extension="FXS-1", behaviour="manned", agent="801", seat="1", says="pattern", answer_seconds=2.0)
TALKS = Scenario(
    citizens=(citizen(Wait(until="answered"), Talk(pattern=True), Wait(until="agent"), Wait(seconds=8.0), HangUp()),),
    phones=(AGENT_PHONE,),
)


def test_the_number_comes_before_the_conversation_and_only_the_citizen_hears_it(tmp_path: Path) -> None:
    box, (outside,) = run(tmp_path, lambda documents: None, TALKS)
    inside = np.frombuffer(box.world.phones[0].journal.take(0)[1], np.uint8)

    number = sounds_like("word:工号", "say:agent", "word:为您服务", values=Values(agent="801"))
    begins = place_of(number, outside) - BLOCK
    assert begins >= 0
    agent = verify_pattern(outside, AGENT)
    assert agent.exactly_once
    gap = agent.runs[0].position - (begins + number.size)
    assert 0 <= gap <= 3 * BLOCK, f"the agent is heard {gap} samples after the number"

    tone = STORE.samples("tone:connected")
    rings = place_of(tone, inside)
    assert rings >= 0, "the agent hears a tone when speech begins"
    assert set(inside[rings - number.size : rings - 2 * BLOCK].tolist()) == {ALAW_SILENCE}
    citizen_heard = verify_pattern(inside, CITIZEN)
    assert citizen_heard.exactly_once
    assert citizen_heard.runs[0].position > rings
    assert place_of(number[: 4 * BLOCK], inside) < 0


def test_the_recording_has_the_number_as_the_citizen_heard_it(tmp_path: Path) -> None:
    run(tmp_path, lambda documents: None, TALKS)

    engine = open_for_reading(tmp_path / "data" / "calls.db")
    with engine.connect() as connection:
        (recording,) = connection.execute(select(recordings)).mappings().all()
    engine.dispose()
    file = np.fromfile(tmp_path / "data" / "recordings" / recording["file"], np.uint8)
    tracks = file[int.from_bytes(file[4:8].tobytes(), "big") :].reshape(-1, 2)
    number = sounds_like("word:工号", "say:agent", "word:为您服务", values=Values(agent="801"))
    assert place_of(number, np.ascontiguousarray(tracks[:, 1])) >= 0
    assert place_of(number, np.ascontiguousarray(tracks[:, 0])) < 0


def test_a_queue_may_be_set_to_tell_no_number(tmp_path: Path) -> None:
    def change(documents: Documents) -> None:
        for queue in documents["queues"]:
            queue["agent_announcement"] = []

    _, (outside,) = run(tmp_path, change, TALKS)

    assert place_of(STORE.samples("word:工号"), outside) < 0
    assert verify_pattern(outside, AGENT).exactly_once
