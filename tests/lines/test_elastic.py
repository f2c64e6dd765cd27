"""The buffer between the tick and a board that is not its clock."""

from __future__ import annotations

import numpy as np

from boards.base import Block
from firmware.lines.elastic import DEPTH, WATCHED_TICKS, ElasticBuffer


def block(number: int) -> Block:
    return np.full((1, 80), number, np.uint8)


def taken(buffer: ElasticBuffer) -> int | None:
    got = buffer.take()
    return None if got is None else int(got[0, 0])


def test_blocks_come_out_in_order() -> None:
    buffer = ElasticBuffer()
    for number in range(3):
        buffer.put(block(number))

    assert [taken(buffer) for _ in range(4)] == [0, 1, 2, None]
    assert buffer.underruns == 1


def test_before_the_first_block_nothing_is_missing() -> None:
    buffer = ElasticBuffer()
    assert taken(buffer) is None
    assert buffer.underruns == 0


def test_of_a_burst_the_newest_stay_and_the_rest_is_counted() -> None:
    buffer = ElasticBuffer()
    for number in range(10):
        buffer.put(block(number))

    assert len(buffer) == DEPTH
    assert taken(buffer) == 6
    assert buffer.overruns == 6


def test_a_block_that_came_late_bridges_the_next_late_one() -> None:
    buffer = ElasticBuffer()
    heard = []
    arrivals = [1, 0, 2, 1, 0, 2, 1]
    number = 0
    for count in arrivals:
        for _ in range(count):
            buffer.put(block(number))
            number += 1
        heard.append(taken(buffer))

    assert heard == [0, None, 1, 2, 3, 4, 5]
    assert buffer.underruns == 1


def test_delay_that_is_not_needed_is_given_back() -> None:
    buffer = ElasticBuffer()
    for number in range(3):
        buffer.put(block(number))
    for _ in range(3 * WATCHED_TICKS):
        buffer.put(block(0))
        buffer.take()

    assert buffer.slips == 3
    assert len(buffer) == 0
    assert buffer.underruns == 0
