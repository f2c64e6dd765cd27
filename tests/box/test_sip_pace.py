"""RTP must not burst, however many blocks have piled up."""

from __future__ import annotations

from firmware.box.sip.pace import AHEAD, Pace


def test_a_steady_gateway_loses_nothing_also_if_its_clock_is_a_little_fast() -> None:
    pace = Pace()

    for number in range(100_000):
        assert pace.allow(1, number * 9_990) == 1

    assert pace.dropped == 0


def test_after_a_stall_the_newest_three_go_out_and_the_others_are_counted() -> None:
    pace = Pace()
    pace.allow(1, 0)

    assert pace.allow(40, 400_000) == AHEAD
    assert pace.dropped == 37
    assert pace.allow(5, 401_000) == 0  # also when they come in several portions
    assert pace.allow(1, 420_000) == 1


def test_in_any_second_no_more_than_a_second_and_three_blocks_go_out() -> None:
    pace = Pace()

    allowed = sum(pace.allow(3, moment) for moment in range(0, 1_000_000, 1_000))

    assert 100 <= allowed <= 104
