"""The county's day is the same for one seed everywhere, and looks like a county's day."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import msgspec
import pytest

from firmware.simulator.citizens import Outcome
from firmware.simulator.county import MENU_NUMBER, STRAIGHT_NUMBER, county_day, demonstration
from firmware.simulator.scenario import Dial, Scenario, Talk, scenario_from
from firmware.simulator.world import World
from tests.simulator.scripted_box import START, ScriptedBox

ROOT = Path(__file__).resolve().parents[2]
PRINT_DAY = "import msgspec,sys; from firmware.simulator.county import county_day; \
sys.stdout.buffer.write(msgspec.json.encode(county_day(7)))"


def test_one_seed_is_one_day_whatever_the_hash_seed_and_another_seed_is_another_day() -> None:
    def day(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", PRINT_DAY], cwd=ROOT, env=environment, capture_output=True, check=True
        )
        return done.stdout

    assert day("1") == day("2") == msgspec.json.encode(county_day(7))
    assert county_day(7) != county_day(8)


@pytest.mark.parametrize("seed", range(5))
def test_a_day_has_its_calls_in_order_with_a_morning_peak_and_a_tenth_with_audio(seed: int) -> None:
    day = county_day(seed)

    times = [citizen.at_seconds for citizen in day.citizens]
    assert len(times) == 100
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 3600
    peak = sum(720 <= at < 1440 for at in times)
    assert peak >= 30, "20 % of the day hold three times their share"
    assert sum(citizen.audio for citizen in day.citizens) == 10


def test_the_numbers_are_chinese_numbers_and_both_services_are_called() -> None:
    citizens = county_day(3, calls=400).citizens

    kinds = Counter("mobile" if re.fullmatch(r"1[358]\d{9}", c.calling) else "fixed" for c in citizens)
    assert all(re.fullmatch(r"1[358]\d{9}|029[68]\d{7}|09\d\d[2356]\d{6}", c.calling) for c in citizens)
    assert kinds["mobile"] > 2 * kinds["fixed"] > 100
    assert {c.called for c in citizens} == {STRAIGHT_NUMBER, MENU_NUMBER}
    assert {c.presentation for c in citizens} == {"allowed", "restricted", "unavailable"}


def test_who_has_no_audio_neither_talks_nor_dials_tones_and_who_has_does() -> None:
    citizens = county_day(3, calls=400).citizens

    talkers = [c for c in citizens if any(isinstance(step, Talk) for step in c.steps)]
    assert talkers
    assert all(c.audio for c in talkers)
    for citizen in citizens:
        assert all(step.signalled != citizen.audio for step in citizen.steps if isinstance(step, Dial))


def test_a_day_written_to_a_file_is_a_valid_scenario() -> None:
    day = county_day(1)

    assert scenario_from(msgspec.json.decode(msgspec.json.encode(day))) == day
    assert isinstance(day, Scenario)


def test_a_whole_day_passes_through_the_world_and_leaves_no_channel() -> None:
    day = county_day(2, calls=60, day_seconds=240.0)
    box = ScriptedBox(World(day.in_order, day.phones, START, remember=False))

    box.run(700, until=lambda: box.world.totals.placed == 60 and not box.world.callers)

    totals = box.world.totals
    assert sum(totals.by_outcome.values()) == totals.placed == 60
    assert totals.by_outcome[Outcome.HUNG_UP] == 60
    assert totals.unconfirmed_releases == 0


def test_demonstration_calls_come_every_twenty_to_sixty_seconds_for_ever_and_not_at_all_when_quiet() -> None:
    times = [citizen.at_seconds for citizen in islice(demonstration(1), 500)]

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 19.9 <= min(gaps) < 22
    assert 58 < max(gaps) <= 60.1
    assert list(demonstration(1, quiet=True)) == []
    assert all(citizen.audio for citizen in islice(demonstration(2), 20))


def test_where_there_are_analogue_trunks_every_third_citizen_of_the_demonstration_calls_there() -> None:
    trunks = [citizen.trunk for citizen in islice(demonstration(1, analogue=True), 9)]

    assert trunks == ["e1", "e1", "exchange_line"] * 3
    assert {citizen.trunk for citizen in islice(demonstration(1), 9)} == {"e1"}
