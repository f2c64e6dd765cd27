"""Calls over simulated analogue trunks through gateway core, callserver and recorder, in virtual time.

The simulated exchange turns no polarity and drops no loop: that the caller has left is only heard.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Table, select

from firmware.box.commands.virtual_box import VirtualBox
from firmware.box.demonstration import demonstration_documents
from firmware.calls.messages import LearnLine, MakeCall, ReleaseCall, SignIn
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.records.database import open_for_reading
from firmware.records.tables import contacts, legs, recordings
from firmware.simulator.citizens import Outcome
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.scenario import Citizen, HangUp, Phone, Scenario, Talk, Wait
from firmware.simulator.voices import Cadence

AGENT = 1
FXO_1, FXO_2 = 38, 39
PHONES = (Phone(extension="FXS-1", behaviour="manned", agent="801", seat="1", says="pattern", answer_seconds=2.0),)
CALL = (Wait(until="answered"), Wait(until="agent"), Talk(pattern=True), Wait(seconds=8.0))
ODD_BUSY = Cadence(411, 190, 200)
"""As measured at a site that no box released (FACTS: 167 to 213 ms on, 175 to 225 off, 394 to 446 Hz)."""


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    return paths


def citizen(*steps: object, at: float = 1.0, **fields: Any) -> Citizen:
    fields = {"calling": "13912345678", **fields}
    return Citizen(at_seconds=at, audio=True, trunk="exchange_line", steps=steps or (*CALL, HangUp()), **fields)  # type: ignore[arg-type]


def play(
    paths: BoxPaths,
    *citizens: Citizen,
    prepare: Callable[[VirtualBox], object] | None = None,
    phones: tuple[Phone, ...] = PHONES,
    **line: Any,
) -> VirtualBox:
    """The box after these calls on two analogue trunks, one group with the hotline's number."""
    documents = demonstration_documents("not used here")
    documents["boards"] = [{"board": "sim", "kind": "sim", "exchange_lines": 2}]
    documents["trunk_groups"] = [{"group": "town", "lines": ["FXO-1", "FXO-2"], "number": "12345"}]
    documents["exchange_lines"] = [{"line": "FXO-1", **line}]
    box = VirtualBox(Scenario(citizens=citizens, phones=phones), save_subjects(paths, documents), paths, remember=True)
    if prepare:
        prepare(box)
    box.run()
    box.close()
    return box


def rows(paths: BoxPaths, table: Table) -> list[dict[str, Any]]:
    engine = open_for_reading(paths.calls_database)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(select(table).order_by(table.c.number)).mappings()]
    engine.dispose()
    return found


def test_a_call_with_caller_id_is_queued_answered_and_over_when_busy_tone_is_heard(paths: BoxPaths) -> None:
    box = play(paths, citizen())
    (caller,) = box.world.take_finished()
    (contact,) = rows(paths, contacts)
    outside, inside = rows(paths, legs)
    (recording,) = rows(paths, recordings)

    assert (contact["calling"], contact["presentation"], contact["called"]) == ("13912345678", "allowed", "12345")
    assert (contact["service"], contact["agent"], contact["result"]) == ("12345", "801", "answered")
    assert (outside["channel_label"], outside["cause"], outside["ended_by"]) == ("FXO-1", "normal", "line")
    assert (inside["channel_label"], inside["party"]) == ("FXS-1", "agent")
    assert caller.outcome is Outcome.HUNG_UP and box.world.totals.unconfirmed_releases == 0
    held_us = outside["ended_mono_us"] - next(e.at.mono_us for e in caller.journal.events if e.event == "clearing")
    assert 1_500_000 < held_us < 3_000_000, "three cycles of 0.7 s"
    assert (recording["state"], recording["missing"]) == ("closed", 0)
    assert recording["samples"] == outside["ended_sample"] - outside["answered_sample"]
    heard = verify_pattern(np.frombuffer(caller.journal.take(0)[1], np.uint8), AGENT)
    assert heard.exactly_once and heard.last - heard.first > 4 * 8000, "after the agent's number was told"


def test_each_line_of_the_group_reaches_the_same_service_and_serves_call_after_call(paths: BoxPaths) -> None:
    calls = [citizen(at=1.0 + 60 * (number // 2) + number % 2, calling=f"1390000000{number}") for number in range(6)]
    box = play(paths, *calls)
    found = rows(paths, contacts)

    assert {one["service"] for one in found} == {"12345"}
    assert sorted(one["calling"] for one in found) == [f"1390000000{number}" for number in range(6)]
    labels = [leg["channel_label"] for leg in rows(paths, legs) if leg["party"] == "citizen"]
    assert labels == ["FXO-1", "FXO-2"] * 3
    assert box.world.totals.unconfirmed_releases == 0 and box.world.totals.by_outcome[Outcome.NO_CHANNEL] == 0


def test_a_withheld_number_and_none_at_all(paths: BoxPaths) -> None:
    play(paths, citizen(presentation="restricted"), citizen(at=90.0, calling="", presentation="unavailable"))

    assert [(one["calling"], one["presentation"]) for one in rows(paths, contacts)] == [
        ("", "restricted"),
        ("", "unavailable"),
    ]


def test_a_caller_who_gives_up_while_it_rings_leaves_the_line_free(paths: BoxPaths) -> None:
    box = play(paths, citizen(Wait(seconds=0.5), HangUp()), citizen(at=20.0), caller_id="fsk")
    found = rows(paths, contacts)

    assert [one["result"] for one in found] == ["answered"]
    assert box.world.totals.by_outcome[Outcome.HUNG_UP] == 2


def test_the_box_hangs_up_and_the_line_is_free(paths: BoxPaths) -> None:
    brief = (msgspec.structs.replace(PHONES[0], talk_seconds=5.0),)
    box = play(paths, citizen(*CALL, Wait(until="cleared")), citizen(at=60.0), phones=brief)

    assert [one["ended_by"] for one in rows(paths, legs) if one["party"] == "citizen"] == ["box", "box"]
    assert box.world.totals.by_outcome[Outcome.RELEASED] == 2
    assert [one["result"] for one in rows(paths, contacts)] == ["answered", "answered"]


def test_an_agent_calls_out_by_the_next_line_when_the_first_is_dead(paths: BoxPaths) -> None:
    """The number is dialled by tones and heard by the exchange; the agent hears who answers."""

    def call_out(box: VirtualBox) -> None:
        box.world.exchange_lines[FXO_1].dead = True
        for seconds, body in (
            (2.0, SignIn("805", "5")),
            (3.0, MakeCall("805", "0296111")),
            (40.0, ReleaseCall("805")),
        ):
            box.world.after(seconds, lambda body=body: box.world.request(body))

    stays = Citizen(at_seconds=1.0, calling="13912345678", steps=(Wait(until="answered"), Wait(seconds=60.0)))
    headset = Phone(extension="FXS-5", behaviour="headset", seat="5", says="pattern")
    box = play(paths, stays, prepare=call_out, phones=(headset,))
    out = rows(paths, contacts)[-1]
    tried = [leg for leg in rows(paths, legs) if leg["contact"] == out["number"] and leg["party"] == "citizen"]

    assert [(leg["channel_label"], leg["cause"]) for leg in tried] == [("FXO-1", "congestion"), ("FXO-2", "normal")]
    assert (out["direction"], out["called"], out["result"], out["calling"]) == ("out", "0296111", "answered", "12345")
    assert box.world.exchange_lines[FXO_2].number == "0296111"
    heard = verify_pattern(np.frombuffer(box.world.phones[4].journal.take(0)[1], np.uint8), FXO_2)
    assert heard.exactly_once and heard.last - heard.first > 5 * 8000
    assert [row["state"] for row in rows(paths, recordings)][-1] == "closed"


def test_a_number_that_is_not_in_use_is_told_so_and_tried_on_no_other_line(paths: BoxPaths) -> None:
    """By vacant-number tone (空号音), on lines that tell no answer."""

    def call_out(box: VirtualBox) -> None:
        for seconds, body in ((2.0, SignIn("805", "5")), (3.0, MakeCall("805", "0296100"))):
            box.world.after(seconds, lambda body=body: box.world.request(body))

    stays = Citizen(at_seconds=1.0, calling="13912345678", steps=(Wait(until="answered"), Wait(seconds=30.0)))
    headset = Phone(extension="FXS-5", behaviour="headset", seat="5")
    play(paths, stays, prepare=call_out, phones=(headset,))
    out = rows(paths, contacts)[-1]
    tried = [leg for leg in rows(paths, legs) if leg["contact"] == out["number"] and leg["party"] == "citizen"]

    assert (out["direction"], out["called"], out["result"], out["cause"]) == (
        "out",
        "0296100",
        "unanswered",
        "unallocated",
    )
    (leg,) = tried
    assert (leg["channel_label"], leg["cause"], leg["answered_sample"]) == ("FXO-1", "unallocated", None)
    assert not [row for row in rows(paths, recordings) if row["leg"] == leg["number"]]


def test_a_tone_that_is_learnt_by_calling_the_line_and_hanging_up_ends_the_next_call(paths: BoxPaths) -> None:
    def odd(box: VirtualBox) -> None:
        box.world.exchange_lines[FXO_1].busy_tone = ODD_BUSY
        box.world.after(2.0, lambda: box.world.request(LearnLine("FXO-1", "", 60.0)))

    box = play(
        paths,
        citizen(Wait(until="answered"), Wait(seconds=3.0), HangUp(), at=4.0),
        citizen(at=30.0),
        prepare=odd,
        any_regular_tone=False,
        silence_seconds=0,
    )
    caller = box.world.take_finished()[-1]
    (contact,) = rows(paths, contacts)
    outside = rows(paths, legs)[0]
    left = next(e.at.mono_us for e in caller.journal.events if e.event == "clearing")
    (line,) = [one for one in box.server.office.configuration.exchange_lines if one.line == "FXO-1"]

    assert (line.busy_tones[0].hz, line.busy_tones[0].on_ms) == pytest.approx((411, 190), abs=3)
    assert (contact["calling"], contact["result"]) == ("13912345678", "answered")
    assert 0.9 < (outside["ended_mono_us"] - left) / 1e6 < 1.7


@pytest.mark.parametrize(
    ("line", "least", "most"),
    [
        ({"busy_tones": [{"hz": 411.0, "on_ms": 190.0, "off_ms": 200.0}]}, 0.9, 1.7),
        ({}, 2.8, 3.8),
    ],
)
def test_an_odd_busy_tone_ends_the_call_sooner_when_it_was_learnt(
    paths: BoxPaths, line: dict[str, Any], least: float, most: float
) -> None:
    def odd(box: VirtualBox) -> None:
        for end in box.world.exchange_lines.values():
            end.busy_tone = ODD_BUSY

    box = play(paths, citizen(), prepare=odd, **line)
    (caller,) = box.world.take_finished()
    outside = rows(paths, legs)[0]
    left = next(e.at.mono_us for e in caller.journal.events if e.event == "clearing")

    assert least < (outside["ended_mono_us"] - left) / 1e6 < most
