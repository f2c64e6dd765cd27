"""A text without a recording in the running box: callserver, espeak-ng, gateway and line are processes of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from firmware.media.espeak import VOICES, speak
from firmware.media.sounds import SoundStore
from firmware.simulator.report import read_report
from tests.running.running_box import RunningBox, until

TEXT = "今天办理社保业务的市民较多"
MENDED = 80
"""The first samples of a play fade in."""


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng")
def test_a_greeting_with_a_text_is_heard_word_for_word(tmp_path: Path) -> None:
    steps = [
        {"do": "wait", "until": "answered"},
        {"do": "wait", "until": "sound"},
        {"do": "wait", "seconds": 8.0},
        {"do": "hang_up"},
    ]
    citizen = {"at_seconds": 2.0, "name": "listener", "calling": "13800000001", "audio": True, "steps": steps}
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps({"citizens": [citizen], "phones": []}))
    box = RunningBox(
        tmp_path,
        "--scenario",
        str(scenario),
        "--report",
        str(tmp_path / "report"),
        greeting=["word:工号", f"text:{TEXT}", "say:number:2"],
    )
    box.start()
    try:
        until(lambda: box.contacts_in("queued") == 1, "the greeting has been spoken", 40.0)
        until(lambda: not box.state().contacts, "the citizen has hung up", 40.0)
    finally:
        box.stop()

    store, (people, clock) = SoundStore.load({}), read_report(tmp_path / "report")
    whole = np.concatenate([store.samples("word:工号"), speak(TEXT, VOICES["zh_CN"]), store.samples("word:二")])
    heard = people["listener"].sound.tobytes()
    lost = [entry for entry in clock if entry.event in ("lost", "not_taken", "gap")]
    assert whole[MENDED:].tobytes() in heard or lost, "a stall of this machine may lose samples, but is counted"
    assert whole[MENDED : store.samples("word:工号").size].tobytes() in heard or lost
    (kept,) = (tmp_path / "data" / "spoken").glob("*.alaw")
    assert kept.stat().st_size > 8000
