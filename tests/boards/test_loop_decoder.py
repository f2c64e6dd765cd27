"""A phone's loop: what is a lift, a flash, a pulsed digit, a put-down."""

from __future__ import annotations

import pytest

from boards.loop_decoder import LoopDecoder
from boards.signals import Digit, Flash, FromBoard, HookChange


def told(*course: tuple[int, bool]) -> list[FromBoard]:
    """What a phone has done by this course of (milliseconds, loop closed), looked at every 10 ms."""
    decoder, now, signals = LoopDecoder(3), 0, list[FromBoard]()
    for lasts, closed in course:
        for _ in range(lasts // 10):
            signals += decoder.look(closed, now)
            now += 10
    return signals


LIFTED = HookChange(3, True)
DOWN = HookChange(3, False)


def pulses(count: int, break_ms: int = 60, make_ms: int = 40) -> list[tuple[int, bool]]:
    return [(break_ms, False), (make_ms, True)] * count


def test_a_phone_is_lifted_and_put_down() -> None:
    assert told((100, False), (2000, True), (1000, False)) == [LIFTED, DOWN]


def test_putting_down_is_told_once_it_cannot_be_a_flash_any_more() -> None:
    assert told((100, True), (800, False)) == [LIFTED]
    assert told((100, True), (830, False)) == [LIFTED, DOWN]


@pytest.mark.parametrize("break_ms", [100, 300, 600, 790])
def test_a_short_press_of_the_hook_is_a_flash(break_ms: int) -> None:
    assert told((1000, True), (break_ms, False), (1000, True)) == [LIFTED, Flash(3)]


def test_a_bounce_is_nothing() -> None:
    assert told((1000, True), (10, False), (1000, True)) == [LIFTED]


def test_contacts_that_bounce_when_the_handset_is_lifted_or_after_a_flash_dial_nothing() -> None:
    assert told((100, False), (30, True), (40, False), (20, True), (20, False), (1000, True)) == [LIFTED]
    assert told((1000, True), (300, False), (30, True), (40, False), (1000, True)) == [LIFTED, Flash(3)]


def test_who_dials_at_once_is_understood() -> None:
    signals = told((160, True), *pulses(3), (500, True))

    assert [one.digit for one in signals if isinstance(one, Digit)] == ["3"]


@pytest.mark.parametrize(("count", "digit"), [(1, "1"), (5, "5"), (9, "9"), (10, "0")])
@pytest.mark.parametrize(("break_ms", "make_ms"), [(60, 40), (50, 40), (70, 50), (40, 30), (80, 60)])
def test_dial_pulses_are_a_digit(count: int, digit: str, break_ms: int, make_ms: int) -> None:
    signals = told((500, True), *pulses(count, break_ms, make_ms), (600, True))

    assert signals == [LIFTED, Digit(3, digit, break_ms * count)]


def test_two_digits_are_told_apart_by_the_pause() -> None:
    signals = told((500, True), *pulses(2), (500, True), *pulses(3), (500, True))

    assert [one.digit for one in signals if isinstance(one, Digit)] == ["2", "3"]


def test_eleven_pulses_are_no_digit() -> None:
    assert told((500, True), *pulses(11), (500, True)) == [LIFTED]


def test_a_phone_that_is_put_down_while_dialling_has_dialled_nothing() -> None:
    assert told((500, True), *pulses(3), (1000, False), (500, True)) == [LIFTED, DOWN, LIFTED]
