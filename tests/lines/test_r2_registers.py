"""The MFC register machines alone: what they say to which tone, in orders that other exchanges use, and their plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from boards.signals import Cause
from firmware.lines.r2.plan import PLANS, R2PlanError, load_r2_plan
from firmware.lines.r2.registers import (
    Finished,
    IncomingRegister,
    Offered,
    OutgoingRegister,
    Step,
    Tone,
    Wait,
)

PLAN = load_r2_plan()


def said(steps: list[Step]) -> list[object]:
    """Signals (0: silence), Offered and Finished; without timers."""
    return [step.signal if isinstance(step, Tone) else step for step in steps if not isinstance(step, Wait)]


def answers(register: OutgoingRegister, *backward: int) -> list[object]:
    """What the caller's side sends when these backward signals come, each compelled."""
    sent = said(register.start(PLAN))
    for signal in backward:
        assert said(register.tone(signal, True, PLAN)) == [0]
        sent += said(register.tone(signal, False, PLAN))
    return sent


def test_china_sends_called_number_category_calling_number_and_kind() -> None:
    register = OutgoingRegister(called="120", calling="90")

    assert answers(register, 1, 1, 6, 1, 1, 1, 3, 1) == [1, 2, 10, 1, 9, 10, 15, 3, 0, Finished(None)]


def test_openr2_asks_for_the_calling_number_after_the_first_digit() -> None:
    register = OutgoingRegister(called="120", calling="90")

    assert answers(register, 6, 1, 1, 1, 1, 1, 3, 1)[:8] == [1, 1, 9, 10, 15, 2, 10, 3]


def test_an_exchange_that_asks_for_the_category_again_gets_the_calling_number_from_its_beginning() -> None:
    assert answers(OutgoingRegister(called="1", calling="90"), 6, 1, 1, 6, 1, 1)[1:] == [1, 9, 10, 1, 9, 10]


def test_an_exchange_that_lost_its_place_gets_the_number_from_the_first_digit() -> None:
    assert answers(OutgoingRegister(called="1234"), 1, 1, 2, 1) == [1, 2, 3, 1, 2]


def test_a_caller_that_has_no_more_digits_is_silent_until_a_pulse_asks_for_group_b() -> None:
    register = OutgoingRegister(called="12")
    assert answers(register, 1, 1) == [1, 2]

    assert said(register.tone(3, True, PLAN)) == [0]
    assert said(register.tone(3, False, PLAN)) == [3]


@pytest.mark.parametrize(
    ("backward", "cause"),
    [
        ((4,), Cause.CONGESTION),
        ((1, 4), Cause.CONGESTION),
        ((5,), Cause.UNALLOCATED),
        ((9,), Cause.FAILURE),
        ((3, 1), None),
        ((3, 6), None),
        ((3, 2), Cause.BUSY),
        ((3, 3), Cause.BUSY),
        ((3, 4), Cause.CONGESTION),
        ((3, 5), Cause.UNALLOCATED),
        ((3, 7), Cause.REJECTED),
    ],
)
def test_backward_signals_mean_what_the_plan_says(backward: tuple[int, ...], cause: Cause | None) -> None:
    assert answers(OutgoingRegister(called="12345"), *backward)[-1] == Finished(cause)


def test_a_withheld_number_is_one_signal() -> None:
    register = OutgoingRegister(called="1", calling="138", restricted=True)
    assert answers(register, 6, 1, 3) == [1, 1, 12, 3]


@pytest.mark.parametrize("backward", [(), (1,), (1, 6), (3,)])
def test_a_caller_that_is_not_answered_gives_up(backward: tuple[int, ...]) -> None:
    register = OutgoingRegister(called="12345", calling="1")
    answers(register, *backward)

    assert said(register.expire(PLAN)) == [0, Finished(Cause.FAILURE)]
    assert register.tone(1, True, PLAN) == []


def replies(register: IncomingRegister, *forward: int) -> list[object]:
    """What the called side says to these forward signals, each compelled."""
    sent = said(register.start(PLAN))
    for signal in forward:
        sent += said(register.tone(signal, True, PLAN))
        assert said(register.tone(signal, False, PLAN)) in ([0], [])
    return sent


def test_the_called_side_collects_both_numbers_and_offers_the_call() -> None:
    register = IncomingRegister()

    assert replies(register, 1, 2, 3, 4, 5, 8, 1, 3, 10, 15) == [1, 1, 1, 1, 6, 1, 1, 1, 1, 3]
    assert said(register.tone(2, True, PLAN)) == [Offered()]
    assert (register.called, register.calling, register.category, register.kind) == ("12345", "130", 8, 2)
    assert said(register.offer_answer(1, PLAN)) == [1]
    assert said(register.tone(2, False, PLAN)) == [0, Finished(None)]


def test_a_caller_that_gives_up_its_kd_is_told_nothing() -> None:
    register = IncomingRegister()
    replies(register, 1, 1, 10, 1, 15, 3)

    assert said(register.offer_answer(1, PLAN)) == [Finished(Cause.FAILURE)]


def test_a_number_that_stops_early_is_taken_as_it_is_by_a_pulse() -> None:
    register = IncomingRegister()
    replies(register, 8, 7, 6)

    assert register.expire(PLAN) == [Wait("pulse_gap")]
    assert register.expire(PLAN) == [Tone(3), Wait("pulse")]
    assert register.expire(PLAN) == [Tone(0), Wait("first_digit")]
    assert said(register.tone(3, True, PLAN)) == [Offered()]
    assert register.called == "876"


@pytest.mark.parametrize("forward", [(1, 1, 10), (1, 1, 10, 1), (1, 1, 10, 1, 9)])
def test_a_caller_without_a_calling_number_is_put_through_without(forward: tuple[int, ...]) -> None:
    register = IncomingRegister()
    replies(register, *forward)

    assert register.expire(PLAN) == [Wait("pulse_gap")]
    assert register.expire(PLAN) == [Tone(3), Wait("pulse")]
    register.expire(PLAN)
    assert said(register.tone(3, True, PLAN)) == [Offered()]
    assert register.called == "110"


def test_a_digit_that_comes_just_before_the_pulse_still_counts() -> None:
    register = IncomingRegister()
    replies(register, 8, 7)
    register.expire(PLAN)

    assert said(register.tone(6, True, PLAN)) == [1]
    assert said(register.tone(6, False, PLAN)) == [0]
    assert register.called == "876"
    assert register.expire(PLAN) == [Wait("pulse_gap")]


def test_a_caller_that_does_not_wait_for_the_end_of_the_pulse_is_understood() -> None:
    register = IncomingRegister()
    replies(register, 8, 7)
    register.expire(PLAN)
    register.expire(PLAN)

    assert said(register.tone(3, True, PLAN)) == [0, Offered()]


def test_a_seizure_without_a_digit_ends_with_a_congestion_pulse() -> None:
    register = IncomingRegister()
    register.start(PLAN)

    assert [register.expire(PLAN) for _ in range(3)] == [
        [Wait("pulse_gap")],
        [Tone(4), Wait("pulse")],
        [Tone(0), Wait(""), Finished(Cause.FAILURE)],
    ]


@pytest.mark.parametrize("forward", [(1,), (1, 1, 10), (1, 1, 10, 1), (1, 1, 10, 1, 15)])
def test_a_tone_without_end_is_given_up(forward: tuple[int, ...]) -> None:
    register = IncomingRegister()
    replies(register, *forward[:-1])
    register.tone(forward[-1], True, PLAN)

    assert said(register.expire(PLAN)) == [0, Finished(Cause.FAILURE)]


def test_what_is_no_digit_in_a_called_number_is_refused() -> None:
    register = IncomingRegister()

    assert said(register.tone(13, True, PLAN)) == [4]
    assert said(register.tone(13, False, PLAN)) == [0, Finished(Cause.FAILURE)]


def test_a_number_that_never_ends_is_not_listened_to_for_ever() -> None:
    plan = msgspec.structs.replace(PLAN, called=msgspec.structs.replace(PLAN.called, otherwise=1000))
    register = IncomingRegister()
    for _ in range(200):
        register.tone(9, True, plan)
        register.tone(9, False, plan)
    assert len(register.called) <= 24
    assert len(register.calling) <= 24


@pytest.mark.parametrize(
    ("digits", "complete"),
    [("12345", True), ("1234", False), ("110", True), ("11", False), ("8760123", False), ("87601234", True)],
)
def test_the_longest_prefix_decides_how_long_a_number_is(digits: str, complete: bool) -> None:
    assert PLAN.called.is_complete(digits) == complete


def test_every_timer_and_table_names_its_source() -> None:
    assert all(timing.source for timing in PLAN.timers.values())
    tables = (PLAN.bits, PLAN.group_a, PLAN.group_b, PLAN.causes, PLAN.forward, PLAN.called)
    assert all(table.source for table in tables)


def test_all_that_is_wrong_in_a_plan_is_said_at_once(tmp_path: Path) -> None:
    text = (PLANS / "china.toml").read_text()
    text = (
        text.replace('idle = "10"', 'idle = "1"')
        .replace("next = 1", "next = 16")
        .replace("[timers.seize]", "[timers.size]")
    )
    (tmp_path / "china.toml").write_text(text)

    with pytest.raises(R2PlanError) as caught:
        load_r2_plan("china", tmp_path)
    for problem in ('bits.idle is "1"', "group_a.next is 16", "timers.seize is missing", "timers.size is not one of"):
        assert problem in str(caught.value)


def test_a_plan_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(R2PlanError, match="Plans that are there: china"):
        load_r2_plan("nowhere")
