"""Recording times: in the time of China, over midnight, by days of the week."""

from __future__ import annotations

from datetime import datetime

import pytest

from firmware.core.clock import CHINA
from firmware.core.schemas import RecordingWindow
from firmware.records.windows import is_recorded

OFFICE = RecordingWindow(days=("mon", "tue", "wed", "thu", "fri"), begin="08:30", end="18:00")
NIGHT = RecordingWindow(days=("fri",), begin="22:00", end="06:00")


def utc_us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("windows", "moment", "recorded"),
    [
        ((), "2026-11-22 03:00", True),
        ((OFFICE,), "2026-11-23 08:30", True),  # a Monday
        ((OFFICE,), "2026-11-23 08:29:59", False),
        ((OFFICE,), "2026-11-23 17:59:59", True),
        ((OFFICE,), "2026-11-23 18:00", False),
        ((OFFICE,), "2026-11-22 12:00", False),  # a Sunday
        ((NIGHT,), "2026-11-27 22:00", True),  # a Friday
        ((NIGHT,), "2026-11-28 05:59", True),
        ((NIGHT,), "2026-11-28 06:00", False),
        ((NIGHT,), "2026-11-28 22:00", False),
        ((NIGHT,), "2026-11-27 05:00", False),
        ((OFFICE, NIGHT), "2026-11-27 23:00", True),
        ((RecordingWindow(),), "2026-11-22 23:59:59", True),
        ((OFFICE,), "1970-01-01 12:00", True),  # the box does not know the time
    ],
)
def test_a_call_is_recorded_in_the_recording_times_alone(
    windows: tuple[RecordingWindow, ...], moment: str, recorded: bool
) -> None:
    assert is_recorded(windows, utc_us(moment)) is recorded
