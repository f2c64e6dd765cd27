"""China's time is one fact in one place: whoever wants a time of day takes it from there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from firmware.core.clock import CHINA

ROOT = Path(__file__).resolve().parents[2]


def test_china_is_eight_hours_ahead_all_year() -> None:
    assert {CHINA.utcoffset(datetime(2026, month, 1)) for month in range(1, 13)} == {timedelta(hours=8)}


def test_nobody_has_a_time_zone_of_their_own() -> None:
    own = [
        path.relative_to(ROOT).as_posix()
        for folder in ("drivers", "boards", "firmware", "webui")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"\btimezone\(|\bZoneInfo\b|Asia/Shanghai|hours=8", path.read_text("utf-8"))
    ]

    assert own == ["firmware/core/clock.py"]
