"""The office replaces its greeting while the box runs: after `linebox reload` callers hear it, and no process was
started anew. A file that cannot be played is told, and callers go on hearing the greeting before.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firmware.media import codec
from firmware.records import tables
from tests.running.listener import check_heard, listener
from tests.running.running_box import LINEBOX, RunningBox, until

GREETING = (np.arange(-6000, 6000, 1) * 2).astype(np.int16)


def reload(box: RunningBox) -> subprocess.CompletedProcess[str]:
    command = [*LINEBOX, "reload", "--data", str(box.paths.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TooSlow(Exception):
    """The citizen called before the greeting was replaced: the machine has much else to do."""


def test_a_greeting_that_was_replaced_is_heard_after_a_reload(tmp_path: Path) -> None:
    for calls_at_seconds in (14.0, 60.0):
        folder = tmp_path / f"{calls_at_seconds:.0f}"
        folder.mkdir()
        try:
            replace_and_listen(folder, calls_at_seconds)
        except TooSlow:
            continue
        check_heard(folder, codec.encode(np.concatenate([GREETING, GREETING[::-1]])))
        return
    pytest.fail("the greeting could not be replaced within a minute")


def replace_and_listen(tmp_path: Path, calls_at_seconds: float) -> None:
    arguments = listener(tmp_path, calls_at_seconds, 4.0)
    box = RunningBox(tmp_path, *arguments, greeting=["prompt:welcome", "prompt:own"])
    folder = box.paths.prompts / "zh_CN"
    box.start()
    try:
        running = {name: entry.pid for name, entry in box.processes().items()}
        folder.mkdir(parents=True)
        for name, samples in (("welcome", GREETING), ("own", GREETING[::-1])):
            soundfile.write(folder / f"{name}.wav", samples, 8000, subtype="PCM_16")
        taken = reload(box)
        assert (taken.returncode, taken.stdout) == (0, "The configuration is in force.\n"), taken.stderr

        (folder / "welcome.wav").write_bytes(b"half a file")
        refused = reload(box)
        assert refused.returncode == 1 and "some announcements were not taken" in refused.stderr
        assert "welcome.wav: not a sound file" in refused.stderr and "remedy: " in refused.stderr
        if box.rows(tables.contacts):
            raise TooSlow

        until(lambda: box.state().contacts, "the citizen calls", 2 * calls_at_seconds)
        until(lambda: not box.state().contacts, "the citizen has hung up", 40.0)
        assert {name: entry.pid for name, entry in box.processes().items()} == running
    finally:
        box.stop()
