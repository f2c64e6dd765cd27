"""The estimate of a caller's wait."""

from __future__ import annotations

import pytest

from firmware.acd.expected_wait import HANDLINGS_KEPT, expected_wait


@pytest.mark.parametrize(
    ("ahead", "handling", "agents", "seconds"),
    [
        (0, [120.0, 180.0, 240.0], 1, 180.0),
        (2, [120.0, 180.0, 240.0], 1, 540.0),
        (3, [120.0, 180.0, 240.0], 6, 120.0),
        (0, [9999.0] + [60.0] * HANDLINGS_KEPT, 1, 60.0),
        (0, [60.0, 60.0], 1, None),
        (0, [], 1, None),
        (0, [60.0, 60.0, 60.0], 0, None),
    ],
)
def test_place_times_mean_handling_by_agents(
    ahead: int, handling: list[float], agents: int, seconds: float | None
) -> None:
    assert expected_wait(ahead, handling, agents) == seconds
