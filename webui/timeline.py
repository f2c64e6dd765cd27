"""The picture of one call on its page: a row for each leg, a bar for each segment. Geometry only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from firmware.records.queries import LegRow, SegmentRow

WIDTH = 960
ROW_HEIGHT = 32
NARROWEST = 3


class Bar(NamedTuple):
    """One segment; in SVG units. `wide`: there is room for its word."""

    x: float
    y: int
    width: float
    segment: SegmentRow
    wide: bool


class Timeline(NamedTuple):
    begins_utc_us: int
    ends_utc_us: int
    rows: Sequence[tuple[int, LegRow]]
    """(y, leg) of each row."""
    bars: Sequence[Bar]
    height: int


def timeline(legs: Sequence[LegRow], segments: Sequence[SegmentRow]) -> Timeline | None:
    """Where to draw what; None while nothing has been lived through yet."""
    if not segments:
        return None
    begins = min(one.started_utc_us for one in segments)
    ends = max(one.ended_utc_us for one in segments)
    scale = WIDTH / max(1, ends - begins)
    shown = [leg for leg in legs if any(one.leg == leg.number for one in segments)]
    row_of = {leg.number: row * ROW_HEIGHT for row, leg in enumerate(shown)}
    bars = []
    for one in segments:
        if one.leg in row_of:
            width = max(NARROWEST, (one.ended_utc_us - one.started_utc_us) * scale)
            x = min((one.started_utc_us - begins) * scale, WIDTH - NARROWEST)
            bars.append(Bar(round(x, 1), row_of[one.leg], round(width, 1), one, width > 72))
    return Timeline(begins, ends, [(row_of[leg.number], leg) for leg in shown], bars, len(shown) * ROW_HEIGHT)
