"""Calls that the box places on ISDN lines, through libpri at both ends."""

from __future__ import annotations

import pytest

from boards.signals import Alerting, Cause, Connect, Proceeding, Release, Setup
from drivers.pri_stack import Alert, Answer, AskForDigits, Clear, Cleared, Incoming, Proceed
from firmware.lines.isdn.timers import T301_US, T310_US
from tests.lines.isdn_town import SLOT_17, Town


@pytest.fixture(params=[False, True], ids=["user", "network"])
def town(request: pytest.FixtureRequest) -> Town:
    return Town(network=request.param)


def test_the_box_calls_and_is_answered(town: Town) -> None:
    incoming = town.place()
    assert (incoming.slot, incoming.called, incoming.calling, incoming.complete) == (17, "057181234567", "12345", True)

    for step, signal in ((Proceed, Proceeding), (Alert, Alerting), (Answer, Connect)):
        town.tell(step(incoming.call, 17))
        assert town.box.heard() == [signal(SLOT_17)]

    town.tell(Clear(incoming.call, 16))
    assert town.box.heard() == [Release(SLOT_17, Cause.NORMAL)]
    town.assert_idle()


def test_all_that_the_gateway_says_of_numbers_reaches_the_exchange(town: Town) -> None:
    said = Setup(
        SLOT_17,
        "8613800138000",
        "57112345",
        presentation="restricted",
        called_type="international",
        called_plan="isdn",
        calling_type="national",
        calling_plan="isdn",
    )
    town.say(said)

    (incoming,) = town.exchange.said()
    assert isinstance(incoming, Incoming)
    assert (incoming.called, incoming.called_type, incoming.called_plan) == ("8613800138000", "international", "isdn")
    assert (incoming.calling, incoming.calling_type, incoming.calling_plan) == ("57112345", "national", "isdn")
    assert incoming.presentation == "restricted"


def test_numbers_are_said_to_be_what_the_exchange_wants() -> None:
    incoming = Town().place()
    assert (incoming.called_type, incoming.called_plan) == ("unknown", "unknown")

    town = Town(called_plan="isdn", calling_type="subscriber", calling_plan="isdn")
    incoming = town.place()
    assert (incoming.called_type, incoming.called_plan) == ("unknown", "isdn")
    assert (incoming.calling_type, incoming.calling_plan) == ("subscriber", "isdn")


def test_the_far_party_is_busy(town: Town) -> None:
    incoming = town.place()

    town.tell(Clear(incoming.call, 17))

    assert town.box.heard()[-1] == Release(SLOT_17, Cause.BUSY)
    town.assert_idle()


def test_a_far_party_of_whom_the_exchange_says_that_he_does_not_respond_did_not_answer(town: Town) -> None:
    incoming = town.place()

    town.tell(Clear(incoming.call, 18))

    assert town.box.heard()[-1] == Release(SLOT_17, Cause.NO_ANSWER)
    town.assert_idle()


def test_the_box_gives_up_before_the_answer(town: Town) -> None:
    incoming = town.place()
    town.tell(Proceed(incoming.call, 17), Alert(incoming.call, 17))
    town.box.heard()

    town.say(Release(SLOT_17, Cause.NORMAL))

    assert town.box.heard() == [Release(SLOT_17, Cause.NORMAL)]
    assert Cleared(incoming.call, 16) in town.exchange.said()
    town.assert_idle()


@pytest.mark.parametrize(
    ("steps", "seconds", "cause"),
    [
        ((), 8, Cause.FAILURE),  # T303 twice, libpri's: the number was not reached at all, and another trunk is tried
        ((AskForDigits,), 30, Cause.FAILURE),
        ((Proceed,), T310_US / 1e6, Cause.FAILURE),
        ((Proceed, Alert), T301_US / 1e6, Cause.NO_ANSWER),
    ],
)
def test_an_exchange_that_falls_silent_does_not_hold_the_channel(
    town: Town, steps: tuple[type[Proceed], ...], seconds: float, cause: Cause
) -> None:
    incoming = town.place()
    for step in steps:
        town.tell(step(incoming.call, 17))
    town.box.heard()

    town.line.run(seconds - 0.5)
    assert not [signal for signal in town.box.signals if isinstance(signal, Release)]
    town.line.run(1)

    assert [signal for signal in town.box.heard() if isinstance(signal, Release)] == [Release(SLOT_17, cause)]
    town.line.run(60)
    assert town.box.lines.calls == town.box.stack.calls == 0


def test_a_call_on_a_busy_channel_or_without_layer_two_is_refused_at_once(town: Town) -> None:
    town.up(17)
    town.box.answers = lambda signal: []
    town.say(Setup(0, ""))
    assert town.box.heard() == [Release(0, Cause.UNALLOCATED)]
    town.line.is_cut = True
    town.line.run(30)
    town.box.heard()

    town.say(Setup(1, "110"))

    assert town.box.heard() == [Release(1, Cause.FAILURE)]


def test_the_exchange_answers_on_another_channel_than_was_asked_for(town: Town) -> None:
    incoming = town.place()

    town.tell(Proceed(incoming.call, 3))

    assert town.box.heard() == [Release(SLOT_17, Cause.CONGESTION)]
    assert Cleared(incoming.call, 6) in town.exchange.said()
    town.assert_idle()
