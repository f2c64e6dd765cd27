"""A phone that lies on its hook hears what is sent for its display, and line feed rests again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from boards.signals import OnHookData, Ring
from drivers.si3210 import LineFeed
from drivers.simulated.si3210 import SimulatedSi3210
from tests.boards.chip_board import ChipBench


@pytest.fixture
def bench() -> Iterator[ChipBench]:
    bench = ChipBench("si3210")
    yield bench
    bench.board.close()


def phone(bench: ChipBench) -> SimulatedSi3210:
    (chip,) = bench.chips
    return cast(SimulatedSi3210, chip)


def test_a_message_to_a_phone_on_its_hook_is_carried_and_a_lifted_or_ringing_one_is_left_alone(
    bench: ChipBench,
) -> None:
    bench.started()
    bench.board.send_signal(OnHookData(0, 1500))
    assert phone(bench).feed() is LineFeed.FORWARD_ON_HOOK_TRANSMISSION
    bench.run(1400)
    assert phone(bench).feed() is LineFeed.FORWARD_ON_HOOK_TRANSMISSION
    bench.run(120)
    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE

    bench.board.send_signal(Ring(0, True))
    bench.board.send_signal(OnHookData(0, 1500))
    assert phone(bench).rings
    phone(bench).lift()
    bench.run(200)
    bench.board.send_signal(OnHookData(0, 1500))
    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE
