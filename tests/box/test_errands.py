"""What is done beside the callserver's loop: answered in order; a defect in one errand costs its own answer only."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from firmware.box.callserver.errands import Errands


class Inverses(Errands[int, float]):
    def __init__(self) -> None:
        super().__init__("inverses", 2.0)

    def ask(self, number: int) -> None:
        self._asked.put(number)

    def _do(self, asked: int) -> float | None:
        return 1 / asked if asked < 10 else None


@pytest.fixture
def inverses() -> Iterator[Inverses]:
    one = Inverses()
    yield one
    assert one.stop()


def answers(inverses: Inverses, count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count:
        assert select.select([inverses], [], [], 5.0)[0], f"only {found} came"
        found += inverses.answers()
    return found


def test_answers_come_in_the_order_of_asking_and_wake_who_waits(inverses: Inverses) -> None:
    for number in (1, 2, 4):
        inverses.ask(number)

    assert answers(inverses, 3) == [1.0, 0.5, 0.25]
    assert not select.select([inverses], [], [], 0.0)[0]


def test_a_defect_or_nothing_to_say_leaves_the_next_one_answered(
    inverses: Inverses, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 12, 5):
        inverses.ask(number)

    assert answers(inverses, 1) == [0.2]
    assert "inverses: no answer to 0" in caplog.text
