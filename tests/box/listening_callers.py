"""A virtual box whose callers are asked afterwards what they heard, code by code. For tests of announcements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from boards.base import ALAW_SILENCE, BLOCK
from firmware.box.commands.virtual_box import VirtualBox
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.ivr.announcements import Values, expand
from firmware.media.codec import Alaw
from firmware.media.sounds import SoundStore
from firmware.simulator.journal import HeardStretch, Journal
from firmware.simulator.scenario import Citizen, HangUp, Scenario, Wait
from firmware.tones.plan import load_plan

STORE = SoundStore.load(load_plan().samples())
Documents = dict[str, list[dict[str, Any]]]


def sounds_like(*pieces: str, values: Values | None = None) -> Alaw:
    """An announcement as it must be heard, code by code."""
    return np.concatenate([STORE.samples(name) for name in expand(pieces, values)])


def place_of(part: Alaw, heard: Alaw) -> int:
    """Where a caller heard an announcement, in samples; its first block fades in, so the rest counts. -1: nowhere."""
    return heard.tobytes().find(part[BLOCK:].tobytes())


def citizen(*steps: object, at_seconds: float = 1.0, called: str = "12345", name: str = "") -> Citizen:
    return Citizen(
        at_seconds=at_seconds,
        name=name,
        calling="13912345678",
        called=called,
        audio=True,
        steps=steps,  # type: ignore[arg-type]
    )


def run(folder: Path, change: Callable[[Documents], None], scenario: Scenario) -> tuple[VirtualBox, list[Alaw]]:
    """The box after a scenario, with the demonstration county's configuration changed; what each citizen heard."""
    paths = BoxPaths(folder / "data", folder / "run")
    paths.make()
    documents = demonstration_documents("not used here")
    change(documents)
    box = VirtualBox(scenario, save_subjects(paths, documents), paths, remember=True)
    box.run()
    box.close()
    return box, [from_the_start(one.journal) for one in box.world.take_finished()]


def from_the_start(journal: Journal) -> Alaw:
    """What somebody heard, with silence before it, so that the same place in two of these is the same moment."""
    entries, heard = journal.take(0)
    first = min(entry.first_block for entry in entries if isinstance(entry, HeardStretch))
    return np.concatenate([np.full(first * BLOCK, ALAW_SILENCE, np.uint8), np.frombuffer(heard, np.uint8)])


def greeting(*sounds: str) -> Callable[[Documents], None]:
    def change(documents: Documents) -> None:
        documents["services"][0]["greeting"] = list(sounds)

    return change


LISTENS = Scenario(citizens=(citizen(Wait(until="answered"), Wait(seconds=20.0), HangUp()),), phones=())
