"""Citizens and agents who talk in patterns on a running box, and what came through of it. Not a place for tests.

Every sample of a pattern says whose it is and which, so each end can tell what of the other's arrived. A stall of this
machine can cost samples, too: simulator and gateway count those, and no more than they count may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.media.codec import BLOCK
from firmware.simulator.journal import Party
from firmware.simulator.report import ClockEntry, PartyReport, read_report
from tests.running.stalls import losses

Step = dict[str, Any]

FIRST_SPEAKER = 1001
"""The pattern of the first citizen of a scenario."""
TALKS: list[Step] = [
    {"do": "wait", "until": "answered"},
    {"do": "wait", "until": "agent"},
    {"do": "talk", "pattern": True},
]
UNTIL_CLEARED: Step = {"do": "wait", "until": "cleared", "at_most_seconds": 200.0}


def citizen(one: int, at_seconds: float, steps: list[Step]) -> dict[str, Any]:
    """`citizen-<one>`, who does these steps."""
    return {
        "at_seconds": at_seconds,
        "name": f"citizen-{one}",
        "calling": f"1380000{one:04d}",
        "audio": True,
        "steps": steps,
    }


def agents(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Agents 801, 802, … at seats 1, 2, …, who take one call each and talk in patterns."""
    return [
        {
            "extension": f"FXS-{one}",
            "behaviour": "manned",
            "agent": str(800 + one),
            "seat": str(one),
            "says": "pattern",
            "ready_again_seconds": 300.0,
            **fields,
        }
        for one in range(1, count + 1)
    ]


def arguments(folder: Path, citizens: list[dict[str, Any]], phones: list[dict[str, Any]]) -> tuple[str, ...]:
    """The arguments of `linebox up` with which they live, and report what they hear."""
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": phones}))
    return "--scenario", str(path), "--report", str(folder / "report")


def report_of(folder: Path) -> tuple[dict[str, PartyReport], Stalls]:
    """What they report, until now, and the stalls of this machine in it."""
    people, clock = read_report(folder / "report")
    return people, Stalls(clock)


class Stalls:
    """What simulator and gateway have counted when they, or the whole machine, stood still."""

    def __init__(self, clock: list[ClockEntry]) -> None:
        self.lost_blocks = sum(max(1, entry.blocks) for entry in losses(clock))
        """Blocks that one end made and that never reached the other."""
        stalls_us = sum(entry.microseconds for entry in clock if entry.event == "stall")
        self.seconds = self.lost_blocks * 0.01 + stalls_us / 1e6
        """For how long in all somebody may have been late."""

    def __str__(self) -> str:
        return f"{self.lost_blocks} blocks lost in stalls of this machine, {self.seconds:.2f} s late"


def wrong_conversations(
    people: dict[str, PartyReport], stalls: Stalls, talkers: int, at_least_seconds: Callable[[int], float]
) -> list[str]:
    """What citizens 0 to `talkers` - 1 or their agents missed of each other, or heard twice, or wrongly, that no stall
    has lost; and who heard less than `at_least_seconds(citizen)`."""
    wrong = []
    for one in range(talkers):
        caller, speaker = people[f"citizen-{one}"], FIRST_SPEAKER + one
        agent = next(who for who in people.values() if _is_phone(who.party) and who.heard_pattern(speaker).runs)
        for who, whom in ((caller, agent.party.speaker), (agent, speaker)):
            heard = who.heard_pattern(whom)
            missing = sum(stretch.count for stretch in heard.missing)
            harmed = bool(heard.duplicated or heard.out_of_order or heard.foreign)
            too_short = heard.last - heard.first < at_least_seconds(one) * 8000
            if not heard.runs or harmed or too_short or missing > stalls.lost_blocks * BLOCK:
                wrong.append(f"{who.party.name}: {heard}; {stalls}")
    return wrong


def _is_phone(party: Party) -> bool:
    return party.role == "phone"
