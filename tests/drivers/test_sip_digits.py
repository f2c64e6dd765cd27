"""One digit from the many packets that RFC 4733 sends of it."""

from __future__ import annotations

from drivers.sip_digits import OVERDUE_MS, DigitEvents


def test_a_digit_counts_once_when_it_ends() -> None:
    digits = DigitEvents()

    assert digits.event("5", 0, 20, False, 0) == []
    assert digits.event("5", 0, 40, False, 20) == []
    assert digits.event("5", 0, 100, True, 80) == [("5", 100)]
    assert digits.overdue(10_000) == []


def test_the_same_digit_twice_counts_twice() -> None:
    digits = DigitEvents()

    found = digits.event("5", 0, 100, True, 0)
    found += digits.event("5", 100, 20, False, 100) + digits.event("5", 100, 80, True, 160)

    assert found == [("5", 100), ("5", 80)]


def test_a_digit_whose_end_was_lost_counts_when_the_next_begins() -> None:
    digits = DigitEvents()
    digits.event("5", 0, 100, False, 0)

    assert digits.event("6", 150, 20, False, 150) == [("5", 100)]
    assert digits.event("6", 150, 60, True, 190) == [("6", 60)]


def test_the_same_digit_again_after_a_lost_end_is_known_by_its_shorter_duration() -> None:
    digits = DigitEvents()
    digits.event("5", 0, 100, False, 0)

    assert digits.event("5", 120, 20, False, 120) == [("5", 100)]


def test_a_digit_whose_end_was_lost_counts_after_a_time() -> None:
    digits = DigitEvents()
    digits.event("5", 0, 100, False, 0)

    assert digits.overdue(OVERDUE_MS - 1) == []
    assert digits.overdue(OVERDUE_MS) == [("5", 100)]
    assert digits.overdue(OVERDUE_MS * 2) == []


def test_a_digit_in_the_middle_of_which_everything_stood_still_counts_once() -> None:
    digits = DigitEvents()
    digits.event("5", 0, 40, False, 0)

    assert digits.overdue(600) == [("5", 40)]
    assert digits.event("5", 0, 60, False, 601) + digits.event("5", 0, 100, True, 602) == []
    assert digits.event("5", 900, 80, True, 900) == [("5", 80)]
