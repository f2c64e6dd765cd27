"""A citizen who calls a running box once, hears what is played until it is over, and hangs up; what was heard."""

from __future__ import annotations

import json
from pathlib import Path

from firmware.media.codec import BLOCK, Alaw
from firmware.simulator.report import read_report
from tests.running.stalls import lost_blocks

MENDED = 80
"""The first samples of a play fade in."""
PIECE = 800
"""What is looked for piece by piece where a stall of the machine has lost samples."""


def listener(folder: Path, at_seconds: float, hears_seconds: float) -> tuple[str, ...]:
    """The arguments of `linebox up` with which the citizen calls."""
    steps = [
        {"do": "wait", "until": "answered"},
        {"do": "wait", "until": "sound"},
        {"do": "wait", "seconds": hears_seconds},
        {"do": "hang_up"},
    ]
    citizen = {"at_seconds": at_seconds, "name": "listener", "calling": "13800000001", "audio": True, "steps": steps}
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps({"citizens": [citizen], "phones": []}))
    return "--scenario", str(scenario), "--report", str(folder / "report")


def check_heard(folder: Path, whole: Alaw) -> None:
    """The citizen heard `whole` without a gap; where the simulator has counted blocks that were lost, all but the
    pieces that these can have been in, in its order."""
    people, _ = read_report(folder / "report")
    heard = people["listener"].sound.tobytes()
    said = whole[MENDED:].tobytes()
    losses = [max(1, entry.blocks) for entry in lost_blocks(folder / "report")]
    if not losses:
        assert said in heard
        return
    pieces = [said[begin : begin + PIECE] for begin in range(0, len(said) - PIECE, PIECE)]
    found, place = 0, 0
    for piece in pieces:
        at = heard.find(piece, place)
        if at >= 0:
            found, place = found + 1, at + PIECE
    spoilt = sum(blocks * BLOCK // PIECE + 2 for blocks in losses)
    assert found >= max(len(pieces) / 2, len(pieces) - spoilt), f"{found} of {len(pieces)} pieces were heard: {losses}"
