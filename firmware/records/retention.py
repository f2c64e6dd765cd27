"""Which recordings are to be deleted now, and why. Pure; who asks and who deletes is `firmware/box/archive`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firmware.core.schemas import Recordings
from firmware.records.stored import OldRecording

DAY_US = 86_400_000_000
AGE, QUOTA, ROOM, COPY_KEPT = "age", "quota", "room", "copy_kept"
"""Reasons of deletions that the box decides on; a person's are sentences."""
_STRANGE_CLOCK_US = 366 * DAY_US


def clock_is_strange(now_utc_us: int, newest_utc_us: int) -> bool:
    """True if nothing may be judged by age: the clock is before the newest recording, or more than a year after it
    (a battery ran out, somebody mistyped the year)."""
    return not newest_utc_us <= now_utc_us <= newest_utc_us + _STRANGE_CLOCK_US


def due(
    oldest: Iterable[OldRecording], used_bytes: int, free_bytes: int, settings: Recordings, now_utc_us: int
) -> Iterator[tuple[int, str]]:
    """(number, reason) of what is to be deleted, the oldest first. `oldest`: in that order, none on legal hold."""
    for one in oldest:
        age_us = now_utc_us - one.opened_utc_us
        if age_us < settings.least_days * DAY_US:
            return
        if one.retain_until_utc_us is not None and one.retain_until_utc_us > now_utc_us:
            continue
        if settings.keep_days and age_us >= settings.keep_days * DAY_US:
            reason = AGE
        elif settings.quota_gb and used_bytes > settings.quota_gb * 1e9:
            reason = QUOTA
        elif free_bytes < 2 * (settings.reserve_mb << 20):
            reason = ROOM
        else:
            return
        used_bytes -= one.bytes
        free_bytes += one.bytes
        yield one.number, reason
