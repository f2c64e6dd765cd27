"""An office with a scripted gateway, attached and with nobody signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contacts.scripted_lines import ScriptedLines


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ScriptedLines]:
    scripted = ScriptedLines(tmp_path)
    scripted.attach()
    yield scripted
    scripted.kill()
