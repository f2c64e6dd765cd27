"""Calls on ISDN lines, through libpri at both ends: what the gateway is told and what the exchange sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    Digit,
    Release,
    Setup,
)
from drivers.pri_stack import (
    TIME_SLOTS,
    Clear,
    Cleared,
    DigitsWanted,
    Gone,
    Incoming,
    PriSettings,
    Progress,
    Progressed,
    SendDigit,
)
from firmware.lines.isdn.causes import Q850_OF_CAUSE, cause_of_q850
from firmware.lines.isdn.channels import ALARM, PriLines
from firmware.lines.isdn.timers import T302_US
from tests.lines.isdn import Box, Exchange, IsdnLine
from tests.lines.isdn_town import SLOT_17, Town


@pytest.fixture(params=[False, True], ids=["user", "network"])
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    town = Town(network=request.param)
    yield town
    town.box.stack.close()
    town.exchange.stack.close()


def test_a_call_comes_in_is_answered_and_ends(town: Town) -> None:
    call = town.call(called_type="subscriber", called_plan="isdn", calling_type="national", calling_plan="isdn")

    (setup,) = town.box.heard()
    assert setup == Setup(
        channel=SLOT_17,
        called="12345",
        called_type="subscriber",
        called_plan="isdn",
        calling="13800138000",
        calling_type="national",
        calling_plan="isdn",
    )
    assert town.exchange.said() == [Progressed(call, Progress.PROCEEDING, 17)]

    town.say(Alerting(SLOT_17), Connect(SLOT_17), Connect(SLOT_17))
    assert town.exchange.said() == [
        Progressed(call, Progress.ALERTING, 17),
        Progressed(call, Progress.ANSWERED, 17),
    ]

    town.tell(Clear(call, 16))
    assert town.box.heard() == [Release(SLOT_17, Cause.NORMAL)]
    assert town.exchange.said()[-1] == Gone(call)
    town.assert_idle()


def test_call_proceeding_waits_for_no_gateway(town: Town) -> None:
    town.box.answers = lambda signal: []

    call = town.call()

    assert town.exchange.said() == [Progressed(call, Progress.PROCEEDING, 17)]


def test_the_box_hangs_up(town: Town) -> None:
    call = town.up()

    town.say(Release(SLOT_17))

    assert town.box.heard() == [Release(SLOT_17)]
    assert town.exchange.said() == [Cleared(call, 16), Gone(call)]
    town.assert_idle()


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_of_the_box_reaches_the_exchange_as_a_number(town: Town, cause: Cause) -> None:
    call = town.call()

    town.say(Release(SLOT_17, cause))

    assert town.exchange.said()[-2:] == [Cleared(call, Q850_OF_CAUSE[cause]), Gone(call)]
    town.assert_idle()


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (1, Cause.UNALLOCATED),
        (5, Cause.UNALLOCATED),
        (16, Cause.NORMAL),
        (17, Cause.BUSY),
        (18, Cause.NO_ANSWER),
        (21, Cause.REJECTED),
        (25, Cause.FAILURE),
        (27, Cause.FAILURE),
        (31, Cause.NORMAL),
        (34, Cause.CONGESTION),
        (41, Cause.FAILURE),
        (44, Cause.CONGESTION),
        (57, Cause.REJECTED),
        (58, Cause.CONGESTION),
        (88, Cause.REJECTED),
        (102, Cause.FAILURE),
        (23, Cause.NORMAL),  # reserved: as its class
        (125, Cause.FAILURE),
    ],
)
def test_why_the_exchange_cleared(town: Town, number: int, cause: Cause) -> None:
    call = town.call()
    town.box.heard()

    town.tell(Clear(call, number))

    assert town.box.heard() == [Release(SLOT_17, cause)]
    town.assert_idle()


def test_every_number_of_q850_has_a_word() -> None:
    assert all(isinstance(cause_of_q850(number), Cause) for number in range(256))
    assert all(cause_of_q850(Q850_OF_CAUSE[cause]) in (cause, Cause.FAILURE) for cause in Cause)


@pytest.mark.parametrize(
    ("presentation", "calling", "told"),
    [("restricted", "13800138000", "13800138000"), ("restricted", "", ""), ("unavailable", "", "")],
)
def test_a_withheld_number(town: Town, presentation: str, calling: str, told: str) -> None:
    town.call(presentation=presentation, calling=calling)

    (setup,) = town.box.setups()
    assert (setup.presentation, setup.calling) == (presentation, told)


def test_a_chinese_name() -> None:
    town = Town()

    town.call(calling_name="白石县政府")

    (setup,) = town.box.setups()
    assert setup.calling_name == "白石县政府"


def test_without_a_gateway_calls_are_refused_at_once(town: Town) -> None:
    town.box.leave()
    call = town.call()
    assert town.exchange.said()[-2:] == [Cleared(call, 41), Gone(call)]
    assert town.box.heard() == []
    town.assert_idle()


def test_video_is_no_call_for_a_hotline() -> None:
    lines = PriLines()
    lines.gateway_came(0)

    event = Incoming(call=1, slot=17, exclusive=True, called="12345", complete=True, is_voice=False)

    assert Clear(1, 65) in lines.from_stack(event, 0)
    assert lines.calls == 0


def test_thirty_calls_at_once_and_no_more(town: Town) -> None:
    calls = [town.call(slot) for slot in TIME_SLOTS]
    assert [setup.channel for setup in town.box.setups()] == list(range(30))
    town.exchange.said()

    one_more = town.call(17, exclusive=False)
    assert town.exchange.said() == [Cleared(one_more, 34), Gone(one_more)]
    for call in calls:
        town.tell(Clear(call, 16))
    town.assert_idle()


def test_a_call_that_prefers_a_busy_channel_gets_another(town: Town) -> None:
    town.up(17)

    call = town.call(17, exclusive=False)

    (setup,) = town.box.setups()
    assert setup.channel != SLOT_17
    assert town.exchange.said() == [Progressed(call, Progress.PROCEEDING, TIME_SLOTS[setup.channel])]


def test_a_blocked_channel_takes_no_call_and_another_is_found(town: Town) -> None:
    town.say(Blocked(SLOT_17, True))

    exclusive, preferred = town.call(17), town.call(17, exclusive=False)

    assert Cleared(exclusive, 44) in town.exchange.said()
    (setup,) = town.box.setups()
    assert setup.channel != SLOT_17
    town.tell(Clear(preferred, 16))
    town.say(Blocked(SLOT_17, False))
    town.box.heard()
    town.call(17)
    assert [setup.channel for setup in town.box.setups()] == [SLOT_17]


# ---- numbers that come digit by digit --------------------------------------------------------------------------------


def test_digits_are_collected_until_a_known_number_is_whole() -> None:
    town = Town(overlap=True, numbers=("12345", "12", "1234567"))
    call = town.call(called="1", complete=False)
    assert town.exchange.said() == [DigitsWanted(call, 17)]

    for digit in "2345":
        town.tell(SendDigit(call, digit))
        assert town.box.heard() == []  # each of them may go on: 12, 12345 and 1234567 are numbers
    town.tell(SendDigit(call, "6"), SendDigit(call, "7"))

    (setup,) = town.box.heard()
    assert isinstance(setup, Setup)
    assert setup.called == "1234567"
    assert town.exchange.said() == [Progressed(call, Progress.PROCEEDING, 17)]


def test_digits_that_stop_coming_are_a_number_after_t302() -> None:
    town = Town(overlap=True)
    call = town.call(called="123", complete=False)
    town.line.run(T302_US / 1e6 - 1)
    town.tell(SendDigit(call, "4"))
    town.line.run(T302_US / 1e6 - 1)
    assert town.box.heard() == []

    town.line.run(2)

    assert [setup.called for setup in town.box.setups()] == ["1234"]


def test_no_digit_at_all_ends_the_call() -> None:
    town = Town(overlap=True)
    call = town.call(called="*", complete=False)
    line = town.box.lines.lines[SLOT_17]
    line.digits = ""

    town.line.run(T302_US / 1e6 + 1)

    assert Cleared(call, 28) in town.exchange.said()
    assert town.box.heard() == []
    town.assert_idle()


def test_en_bloc_with_sending_complete_asks_for_nothing() -> None:
    town = Town(overlap=True)
    call = town.call(complete=True)

    assert town.exchange.said() == [Progressed(call, Progress.PROCEEDING, 17)]
    assert len(town.box.setups()) == 1


def test_a_caller_who_gives_up_while_dialling_leaves_nothing() -> None:
    town = Town(overlap=True)
    call = town.call(called="1", complete=False)

    town.tell(Clear(call, 16))

    assert town.box.heard() == []
    town.assert_idle()


def test_keys_pressed_during_a_call_come_as_digits(town: Town) -> None:
    call = town.up()

    town.tell(SendDigit(call, "5"))

    assert town.box.heard() == [Digit(SLOT_17, "5")]


def test_a_gateway_learns_of_layer_two_when_it_comes() -> None:
    box = Box(PriLines())
    box.attach()

    assert box.heard() == [Alarm(ALARM, True, tuple(range(30)))]
    line = IsdnLine(Exchange(PriSettings(network=True)), box)
    line.run(1)
    assert box.heard() == [Alarm(ALARM, False, tuple(range(30)))]
    line.is_cut = True
    line.run(20)
    box.heard()
    box.attach()
    assert box.heard() == [Alarm(ALARM, True, tuple(range(30)))]
