"""What is wrong with a configuration, as a person is told it. Finding it is `configuration_checks.py`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one place. All texts are for a person; empty where there is nothing to say."""

    file: str
    """File name in the configuration folder, e.g. `services.json`."""
    place: str
    """Where in it, e.g. `document 2 (12346), field queue`, or `line 3, column 5`."""
    what: str
    expected: str = ""
    nearest: str = ""
    """The right name that looks most like what was written."""
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        text = f"{where}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest:
            text += f'; did you mean "{self.nearest}"?'
        if self.remedy:
            text += f"\n    remedy: {self.remedy}"
        return text


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` holds all that is wrong with it, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        heading = "1 problem in the configuration:" if count == 1 else f"{count} problems in the configuration:"
        return "\n".join([heading, *(f"  {problem}" for problem in self.problems)])


def nearest_name(wrong: str, right: Iterable[str]) -> str:
    """The right name that looks most like the wrong one, or an empty text when none does."""
    found = difflib.get_close_matches(wrong, list(right), n=1, cutoff=0.6)
    return found[0] if found else ""
