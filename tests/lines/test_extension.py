"""What an attached phone does and what the callserver sees of it."""

from __future__ import annotations

import pytest

from boards.signals import Alarm, Cause, Flash, HookChange, Ring
from firmware.lines.line_commands import ClearLeg, ConfigureLines, RingExtension
from firmware.lines.messages import (
    HookFlashed,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    PhoneLifted,
    RingFailed,
)
from tests.lines.bench import BUSY, FIRST_PHONE, Bench

PHONE = FIRST_PHONE


def ring(bench: Bench, request: str = "offer-1", channel: int = PHONE) -> str:
    bench.command(RingExtension(request, channel))
    return bench.last(LegAlerting).leg


def rings(bench: Bench) -> list[Ring]:
    """Ringing current that the board was told since the last look."""
    return [signal for signal in bench.said() if isinstance(signal, Ring)]


def test_a_lifted_phone_is_a_leg_that_hears_nothing(bench: Bench) -> None:
    bench.lift()

    assert bench.last(PhoneLifted).channel == PHONE
    assert bench.state(PHONE) == "up"
    assert set(bench.tick()[PHONE]) == {0xD5}


def test_a_phone_rings_one_second_on_and_four_off(bench: Bench) -> None:
    leg = ring(bench)
    assert bench.last(LegAlerting).request == "offer-1"
    assert leg == f"b00t.{PHONE}.1"
    assert bench.said() == [Ring(PHONE, True)]

    turns = []
    for _ in range(110):
        bench.wait(0.1)
        turns += [(round(bench.clock.now().mono_us / 1e6 - 5, 1), signal.on) for signal in rings(bench)]

    assert turns == [(1.0, False), (5.0, True), (6.0, False), (10.0, True), (11.0, False)]


@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_lifting_a_ringing_phone_stops_the_ring_and_answers(bench: Bench, seconds: float) -> None:
    leg = ring(bench)
    bench.wait(seconds)
    ringing = rings(bench)[-1].on

    bench.lift()

    assert bench.said() == ([Ring(PHONE, False)] if ringing else [])
    assert [event.leg for event in bench.all(LegAnswered)] == [leg]
    bench.wait(20)
    assert bench.said() == []


def test_a_caller_who_hangs_up_while_the_phone_rings_leaves_no_ringing_phone(bench: Bench) -> None:
    leg = ring(bench)
    bench.said()

    bench.command(ClearLeg(leg))

    assert bench.said() == [Ring(PHONE, False)]
    assert [(event.leg, event.by) for event in bench.all(LegCleared)] == [(leg, "box")]
    bench.wait(20)
    assert bench.said() == []
    assert bench.state(PHONE) == "idle"


def test_a_request_given_twice_rings_once(bench: Bench) -> None:
    leg = ring(bench)
    bench.command(RingExtension("offer-1", PHONE), ClearLeg(leg), RingExtension("offer-1", PHONE))

    assert len(bench.all(LegAlerting)) == 1
    assert bench.all(RingFailed) == []
    assert bench.state(PHONE) == "idle"


def test_a_busy_blocked_or_missing_phone_cannot_be_rung(bench: Bench) -> None:
    bench.lift(PHONE)
    bench.command(ConfigureLines(blocked=("P-2",)))
    for number, channel in enumerate((PHONE, PHONE + 1, 0, 99, -1)):
        bench.command(RingExtension(str(number), channel))

    assert [(event.request, event.cause) for event in bench.all(RingFailed)] == [
        ("0", Cause.BUSY),
        ("1", Cause.FAILURE),
        ("2", Cause.UNALLOCATED),
        ("3", Cause.UNALLOCATED),
        ("4", Cause.UNALLOCATED),
    ]
    assert [signal for signal in bench.said() if isinstance(signal, Ring)] == []


def test_a_phone_put_down_clears_its_leg(bench: Bench) -> None:
    bench.lift()
    bench.put_down()

    cleared = bench.last(LegCleared)
    assert (cleared.by, cleared.cause) == ("line", Cause.NORMAL)
    assert bench.state(PHONE) == "idle"


def test_a_phone_whose_call_has_ended_hears_busy_tone_until_it_is_put_down(bench: Bench) -> None:
    leg = ring(bench)
    bench.lift()
    bench.command(ClearLeg(leg, Cause.NO_ANSWER), ClearLeg(leg))

    assert [event.leg for event in bench.all(LegReleasing)] == [leg]
    assert bench.all(LegCleared) == []
    bench.tick()  # fades in
    heard = [bench.tick()[PHONE] for _ in range(4)]
    assert heard[0].tolist() == BUSY[80:160].tolist()
    assert heard[1].tolist() == [*BUSY[160:200].tolist(), *BUSY[:40].tolist()]
    bench.put_down()

    cleared = bench.last(LegCleared)
    assert (cleared.leg, cleared.by, cleared.cause) == (leg, "box", Cause.NO_ANSWER)
    bench.tick()
    assert set(bench.tick()[PHONE]) == {0xD5}


def test_lifting_and_clearing_in_one_tick_leave_no_ringing_phone_and_no_stuck_port(bench: Bench) -> None:
    leg = ring(bench)
    bench.lift()
    bench.command(ClearLeg(leg))
    assert bench.said()[-1] == Ring(PHONE, False)
    bench.put_down()
    assert bench.state(PHONE) == "idle"

    second = ring(bench, "offer-2")
    bench.command(ClearLeg(second))
    bench.lift()

    assert bench.said()[-1] == Ring(PHONE, False)
    assert bench.last(PhoneLifted).leg not in (leg, second)
    bench.put_down()
    assert [event.leg for event in bench.all(LegCleared)] == [leg, second, bench.last(PhoneLifted).leg]
    assert bench.state(PHONE) == "idle"


def test_a_flash_counts_only_in_a_conversation(bench: Bench) -> None:
    bench.signal(Flash(PHONE))
    assert bench.all(HookFlashed) == []
    bench.lift()
    bench.signal(Flash(PHONE))

    assert bench.last(HookFlashed).leg == bench.last(PhoneLifted).leg


def test_a_phone_that_lies_lifted_at_the_start_is_told(bench: Bench) -> None:
    bench.signal(HookChange(PHONE, True), HookChange(PHONE + 1, False), HookChange(PHONE, True))

    assert [event.channel for event in bench.all(PhoneLifted)] == [PHONE]


def test_a_phone_lifted_while_its_port_is_blocked_counts_when_it_is_given_back(bench: Bench) -> None:
    bench.command(ConfigureLines(blocked=("P-1",)))
    bench.lift()
    assert bench.all(PhoneLifted) == []
    bench.command(ConfigureLines(), ConfigureLines())

    assert len(bench.all(PhoneLifted)) == 1


def test_a_phone_lifted_during_an_alarm_counts_when_the_alarm_is_over(bench: Bench) -> None:
    bench.signal(Alarm("power", True))
    bench.lift()
    assert bench.all(PhoneLifted) == []
    bench.signal(Alarm("power", False))

    assert len(bench.all(PhoneLifted)) == 1


def test_an_alarm_that_stays_while_the_phone_rings_stops_the_ring(bench: Bench) -> None:
    leg = ring(bench)
    bench.signal(Alarm("power", True))
    bench.wait(5.5)

    assert rings(bench)[-1] == Ring(PHONE, False)
    assert [(event.leg, event.by, event.cause) for event in bench.all(LegCleared)] == [(leg, "line", Cause.FAILURE)]
