"""How grave what is wrong with the box is: one table, by which the lamps of the front panel go. Data only.

Codes are those of faults (`fault_texts.py`), of the alarms of the box (`BoxAlarm`), and of whole parts that are away
(`firmware/calls/troubles.py`).
"""

from __future__ import annotations

from enum import IntEnum


class Gravity(IntEnum):
    """What it means for the office."""

    PASSING = 0
    """It belongs to a start or an end, and goes by itself: no alarm."""
    MINOR = 1
    """Something is wrong, but calls are taken."""
    GRAVE = 2
    """No call can be taken."""


GRAVITY = {
    "callserver_away": Gravity.GRAVE,
    "gateway_away": Gravity.GRAVE,
    "no_trunk": Gravity.GRAVE,
    "all_trunks_blocked": Gravity.GRAVE,
    "not_started": Gravity.PASSING,
    "starting": Gravity.PASSING,
    "RECOVERING": Gravity.PASSING,
    "stopping": Gravity.PASSING,
}
"""What is not here is minor: one board, span, display or process does not stop the others. When too many are out of
order `no_trunk` says so."""


def gravity(code: str) -> Gravity:
    return GRAVITY.get(code, Gravity.MINOR)
