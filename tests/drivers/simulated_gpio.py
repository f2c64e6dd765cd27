"""GPIO lines of a simulated processor, behind the same call as python-periphery's: taken, missing, failing.

A line that nobody holds keeps its level, as with many chips: what is left lit by who dies stays lit.
"""

from __future__ import annotations

import errno
import os
from collections import Counter


class SimulatedLine:
    """One line while somebody holds it."""

    def __init__(self, lines: SimulatedGpio, name: str) -> None:
        self._lines = lines
        self._name = name

    def read(self) -> bool:
        self._lines.look(self._name)
        self._lines.reads[self._name] += 1
        return self._lines.level.setdefault(self._name, False)

    def write(self, value: bool) -> None:
        self._lines.look(self._name)
        self._lines.level[self._name] = value
        self._lines.writes += 1

    def close(self) -> None:
        self._lines.held.discard(self._name)
        self._lines.look(self._name)


class SimulatedGpio:
    """All lines, by names such as `/dev/gpiochip0:17`."""

    def __init__(self) -> None:
        self.level: dict[str, bool] = {}
        self.held: set[str] = set()
        self.failing: dict[str, int] = {}
        """Line → error of the kernel: at opening and at each access."""
        self.asked: list[tuple[str, str]] = []
        """Line and direction of each try to open one."""
        self.reads: Counter[str] = Counter()
        self.writes = 0

    def look(self, name: str) -> None:
        if name in self.failing:
            raise OSError(self.failing[name], os.strerror(self.failing[name]))

    def open(self, chip: str, number: int, direction: str) -> SimulatedLine:
        name = f"{chip}:{number}"
        self.asked.append((name, direction))
        self.look(name)
        if name in self.held:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.held.add(name)
        if direction == "button":
            self.level.setdefault(name, True)  # pulled up, and nobody presses
        elif direction != "in":
            self.level[name] = direction == "high"
        return SimulatedLine(self, name)
