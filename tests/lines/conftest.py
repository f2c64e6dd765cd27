"""The bench on which the lines are tested."""

from __future__ import annotations

import pytest

from tests.lines.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
