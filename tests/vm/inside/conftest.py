"""Fixtures of the tests that run inside the guest. They need the real driver and skip anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.dahdi import DahdiError
from tests.vm.inside.spans import DynamicSpan, create


@pytest.fixture(autouse=True)
def driver_is_loaded() -> None:
    if not Path("/dev/dahdi/ctl").exists():
        pytest.skip("runs inside the test guest only: scripts/test vm")


@pytest.fixture
def pair() -> Iterator[tuple[DynamicSpan, DynamicSpan]]:
    """Two new E1 spans, each the other's far end, not yet configured."""
    ends = create(1, 0), create(1, 1)
    yield ends
    for end in ends:
        with suppress(DahdiError):
            end.destroy()
