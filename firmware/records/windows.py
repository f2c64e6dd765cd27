"""Whether a call that is answered at some moment is to be recorded: the recording times of the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from firmware.core.clock import CHINA, MICROSECONDS
from firmware.core.schemas import RecordingWindow

OUTSIDE = "outside_recording_times"
"""Why a segment was not recorded (`segments.not_recorded`)."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK_IS_SET = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * MICROSECONDS


def is_recorded(windows: Sequence[RecordingWindow], utc_us: int) -> bool:
    """True in one of the windows, always if there are none, and while the clock shows a time before this program was
    written: a box that does not know the time records."""
    if not windows or utc_us < _CLOCK_IS_SET:
        return True
    local = datetime.fromtimestamp(utc_us // MICROSECONDS, CHINA)
    minute, today, yesterday = local.hour * 60 + local.minute, _DAYS[local.weekday()], _DAYS[local.weekday() - 1]
    return any(
        (today in one.days and begin <= minute < (end if begin < end else 24 * 60))
        or (yesterday in one.days and end <= begin and minute < end)
        for one in windows
        for begin, end in [(_minute(one.begin), _minute(one.end))]
    )


def _minute(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)
