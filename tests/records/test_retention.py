"""What retention deletes: the oldest first, never what is young or held, and nothing while the clock is strange."""

from __future__ import annotations

import pytest

from firmware.core.schemas import Recordings
from firmware.records.retention import DAY_US, clock_is_strange, due
from firmware.records.stored import OldRecording

NOW = 20_500 * DAY_US
PLENTY = 1 << 40
GB = 1_000_000_000


def kept(number: int, days: float, size: int = GB, retain_days: float | None = None) -> OldRecording:
    until = None if retain_days is None else NOW + round(retain_days * DAY_US)
    return OldRecording(number=number, opened_utc_us=NOW - round(days * DAY_US), bytes=size, retain_until_utc_us=until)


FOUR = [kept(1, 400), kept(2, 300), kept(3, 200), kept(4, 100)]


def decided(settings: Recordings, used: int = 4 * GB, free: int = PLENTY) -> list[tuple[int, str]]:
    return list(due(FOUR, used, free, settings, NOW))


def test_by_default_nothing_is_deleted_while_there_is_room() -> None:
    assert decided(Recordings()) == []


def test_what_is_older_than_it_may_be_is_deleted() -> None:
    assert decided(Recordings(keep_days=250)) == [(1, "age"), (2, "age")]


def test_over_quota_the_oldest_go_until_it_fits() -> None:
    assert decided(Recordings(quota_gb=2.5)) == [(1, "quota"), (2, "quota")]


def test_what_is_young_stays_whatever_the_quota() -> None:
    assert decided(Recordings(quota_gb=0.5)) == [(1, "quota"), (2, "quota"), (3, "quota")]


def test_a_disk_with_less_than_twice_the_reserve_gets_room_and_no_more() -> None:
    settings = Recordings(reserve_mb=1000)
    assert decided(settings, free=600 << 20) == [(1, "room"), (2, "room")]


def test_one_that_is_to_be_kept_longer_is_passed_over() -> None:
    oldest = [kept(1, 400, retain_days=1), kept(2, 300, retain_days=-1)]
    assert list(due(oldest, 2 * GB, PLENTY, Recordings(keep_days=250), NOW)) == [(2, "age")]


@pytest.mark.parametrize(("after_newest_days", "strange"), [(0, False), (300, False), (-1, True), (400, True)])
def test_a_clock_that_cannot_be_right_deletes_nothing(after_newest_days: int, strange: bool) -> None:
    assert clock_is_strange(NOW, NOW - after_newest_days * DAY_US) is strange
