"""How times, durations and telephone numbers are written on pages. The browser's side of it is `static/formats.js`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import overload

from firmware.core.clock import CHINA


@overload
def moment(utc_us: int) -> datetime: ...
@overload
def moment(utc_us: None) -> None: ...
@overload
def moment(utc_us: int | None) -> datetime | None: ...
def moment(utc_us: int | None) -> datetime | None:
    """A moment as the REST interface gives it: UTC, encoded as ISO 8601 with Z."""
    return None if utc_us is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_us)


def date_and_time(utc_us: int | None, seconds: bool = False) -> str:
    """`2026-11-22 09:05`, or with seconds; a dash for a moment that has not been."""
    if utc_us is None:
        return "—"
    return datetime.fromtimestamp(utc_us // 1_000_000, CHINA).strftime(
        "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    )


def time_of_day(utc_us: int) -> str:
    """`09:05:07`."""
    return datetime.fromtimestamp(utc_us // 1_000_000, CHINA).strftime("%H:%M:%S")


def duration(microseconds: int | None) -> str:
    """`03:25`, `1:03:25`; a dash if there is none."""
    if microseconds is None:
        return "—"
    minutes, seconds = divmod(max(0, microseconds) // 1_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def masked(number: str) -> str:
    """`138****0000`: four digits hidden, of a short number all but the ends."""
    shown = max(0, len(number) - 4)
    head = shown // 2
    return f"{number[:head]}****{number[len(number) - (shown - head) :] if shown else ''}" if number else ""


def day_begins(utc_us: int) -> int:
    """The midnight in China at or before a moment, in microseconds of UTC."""
    local = datetime.fromtimestamp(utc_us // 1_000_000, CHINA)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000


def day_from_text(text: str) -> int | None:
    """Where the day `2026-11-22` begins in China, in microseconds of UTC; None for other text."""
    try:
        day = date.fromisoformat(text)
        return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return None


def minutes_from_text(text: str) -> int | None:
    """Microseconds from midnight to the time of day `09:05`; None for other text."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    return (int(found[1]) * 60 + int(found[2])) * MINUTE_US if found else None


def whole_number_from_text(text: str) -> int | None:
    """A number of a row, as `17`; None for other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
