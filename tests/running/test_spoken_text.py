"""A text without a recording in the running box: callserver, espeak-ng, gateway and line are processes of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from firmware.media.espeak import VOICES, speak
from firmware.media.sounds import SoundStore
from tests.running.listener import check_heard, listener
from tests.running.running_box import RunningBox, until

TEXT = "今天办理社保业务的市民较多"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng")
def test_a_greeting_with_a_text_is_heard_word_for_word(tmp_path: Path) -> None:
    greeting = ["word:工号", f"text:{TEXT}", "say:number:2"]
    box = RunningBox(tmp_path, *listener(tmp_path, 2.0, 8.0), greeting=greeting)
    box.start()
    try:
        until(lambda: box.contacts_in("queued") == 1, "the greeting has been spoken", 40.0)
        until(lambda: not box.state().contacts, "the citizen has hung up", 40.0)
    finally:
        box.stop()

    store = SoundStore.load({})
    whole = np.concatenate([store.samples("word:工号"), speak(TEXT, VOICES["zh_CN"]), store.samples("word:二")])
    check_heard(tmp_path, whole)
    (kept,) = (tmp_path / "data" / "spoken").glob("*.alaw")
    assert kept.stat().st_size > 8000
