"""Restarts of B channels in both directions, and channels that the exchange takes out of service."""

from __future__ import annotations

import pytest

from boards.signals import Blocked, Cause, Release, Setup
from drivers.pri_stack import (
    TIME_SLOTS,
    Clear,
    Cleared,
    Forget,
    Gone,
    Incoming,
    InService,
    LayerTwo,
    PlaceCall,
    PriSettings,
    Proceed,
    Restart,
    RestartDone,
    Restarted,
)
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.timers import SETTLE_US
from tests.lines.isdn import Box, Exchange, IsdnLine
from tests.lines.isdn_town import SLOT_17, Town


@pytest.fixture(params=[False, True], ids=["user", "network"])
def town(request: pytest.FixtureRequest) -> Town:
    return Town(network=request.param)


def test_a_restart_of_one_channel_ends_its_call_and_no_other(town: Town) -> None:
    town.up(17)
    other = town.up(18)

    town.tell(Restart(17))

    assert town.box.heard() == [Release(SLOT_17, Cause.FAILURE)]
    assert RestartDone(17) in town.exchange.said()
    assert town.box.stack.calls == 1
    town.tell(Clear(other, 16))
    assert town.box.lines.calls == 0


def test_a_restart_of_all_channels_ends_all_calls() -> None:
    lines = PriLines(restart_at_start=())
    lines.gateway_came(0)
    for call, slot in enumerate(TIME_SLOTS, 1):
        lines.from_stack(Incoming(call=call, slot=slot, exclusive=True, called="12345", complete=True), 0)

    effects = lines.from_stack(Restarted(None), 1)

    assert [effect for effect in effects if isinstance(effect, Release)] == [
        Release(channel, Cause.FAILURE) for channel in range(30)
    ]
    assert [effect for effect in effects if isinstance(effect, Forget)] == [Forget(call) for call in range(1, 31)]
    for call in range(1, 31):
        assert lines.from_stack(Gone(call), 1) == []
    assert lines.calls == 0


def test_the_exchange_restarts_all_channels_one_by_one_in_mid_call(town: Town) -> None:
    for slot in TIME_SLOTS:
        town.up(slot)

    for slot in TIME_SLOTS:
        town.tell(Restart(slot))

    assert town.box.heard() == [Release(channel, Cause.FAILURE) for channel in range(30)]
    assert town.box.stack.calls == town.box.lines.calls == 0


def test_the_worker_restarts_all_channels_when_it_starts() -> None:
    exchange = Exchange(PriSettings(network=True))
    box = Box(PriLines())
    line = IsdnLine(exchange, box)
    box.attach()

    line.run(1)

    restarted = [event.slot for event in exchange.said() if isinstance(event, Restarted)]
    assert restarted == list(TIME_SLOTS)
    assert box.next_deadline() is not None
    assert box.lines.next_deadline() is None


def test_an_exchange_that_begins_layer_two_late_has_all_channels_restarted_too() -> None:
    """Its first SABME is lost, so that it sends another when the box's RESTART is already on its way."""
    exchange = Exchange(PriSettings(network=True))
    assert exchange.take_frames()
    box = Box(PriLines())

    IsdnLine(exchange, box).run(5)

    assert [event.slot for event in exchange.said() if isinstance(event, Restarted)] == list(TIME_SLOTS)


def test_an_exchange_that_does_not_acknowledge_a_restart_holds_up_nothing() -> None:
    lines = PriLines()
    lines.gateway_came(0)
    lines.from_stack(LayerTwo(True), -SETTLE_US)
    assert lines.advance(0) == [Restart(1)]

    incoming = Incoming(call=1, slot=2, exclusive=True, called="12345", complete=True)
    assert Proceed(1, 2) in lines.from_stack(incoming, 1)
    deadline = lines.next_deadline()
    assert deadline is not None
    effects = lines.advance(10_000_000)

    assert Restart(3) in effects  # the exchange uses 2, so that it is in order there
    assert lines.from_stack(RestartDone(1), 10_000_001) == []


def test_no_call_is_placed_on_a_channel_that_is_being_restarted() -> None:
    lines = PriLines()
    lines.gateway_came(0)
    lines.from_stack(LayerTwo(True), -SETTLE_US)
    assert lines.advance(0) == [Restart(1)]

    effects = lines.from_gateway(Setup(0, "110"), 1)
    assert effects == [Release(0, Cause.CONGESTION)], "another channel is tried"
    lines.from_gateway(Release(0), 2)

    lines.from_stack(RestartDone(1), 3)
    (placed,) = lines.from_gateway(Setup(0, "110"), 4)
    assert isinstance(placed, PlaceCall)


def test_a_restart_that_is_lost_with_layer_two_is_said_again_when_it_is_back() -> None:
    lines = PriLines()
    lines.gateway_came(0)
    lines.from_stack(LayerTwo(True), 0)
    assert lines.advance(SETTLE_US) == [Restart(1)]
    lines.from_stack(LayerTwo(True), SETTLE_US)  # the far end began anew
    assert lines.advance(2 * SETTLE_US) == [Restart(1)]
    assert Restart(2) in lines.from_stack(RestartDone(1), 2 * SETTLE_US)

    lines.from_stack(LayerTwo(False), 3 * SETTLE_US)
    assert lines.next_deadline() is None
    assert lines.advance(100_000_000) == []

    lines.from_stack(LayerTwo(True), 100_000_000)
    assert lines.next_deadline() == 100_000_000 + SETTLE_US
    assert lines.advance(100_000_000 + SETTLE_US) == [Restart(2)]


def test_a_channel_that_the_exchange_takes_out_of_service(town: Town) -> None:
    lines = town.box.lines
    assert lines.from_stack(InService(17, False), 0) == [Blocked(SLOT_17, True)]
    assert lines.from_stack(InService(17, False), 0) == []

    call = town.call(17)
    assert Cleared(call, 44) in town.exchange.said()
    town.say(Setup(SLOT_17, "110"))
    assert town.box.heard() == [Release(SLOT_17, Cause.CONGESTION)]
    town.box.attach()
    assert Blocked(SLOT_17, True) in town.box.heard()
    assert lines.from_stack(InService(17, True), 0) == [Blocked(SLOT_17, False)]


@pytest.mark.parametrize("cut_seconds", [3.0, 5.0, 8.0, 12.0])
def test_a_call_given_up_in_a_cut_ends_at_the_exchange_as_soon_as_layer_two_is_back(
    town: Town, cut_seconds: float
) -> None:
    """DISCONNECT is lost when layer 2 begins anew; T305 alone would leave the caller in silence for half a minute. A
    restart of the channel is what Q.931 5.5 has for it."""
    town.up()
    town.line.is_cut = True
    town.line.run(2)
    town.say(Release(SLOT_17, Cause.FAILURE))
    town.line.run(cut_seconds - 2)
    town.exchange.said()

    town.line.is_cut = False
    town.line.run(1.5)

    over = [event for event in town.exchange.said() if isinstance(event, Cleared | Restarted)]
    assert over, "the caller knows"
    town.tell(*[Forget(-1) for event in over if isinstance(event, Restarted)])
    town.assert_idle()
    town.exchange.said()
    assert town.place().slot == 17, "and the channel is free at once"


def test_a_call_that_is_up_is_not_restarted_when_layer_two_comes_up_anew(town: Town) -> None:
    town.up()

    town.line.is_cut = True
    town.line.run(20)
    town.line.is_cut = False
    town.line.run(20)

    assert not [event for event in town.exchange.said() if isinstance(event, Restarted)]
    assert town.box.lines.calls == 1
