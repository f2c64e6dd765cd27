"""What may not happen on ISDN lines and does: collisions, lost layer 2, far ends and gateways that forget."""

from __future__ import annotations

import random

import pytest

from boards.signals import Alarm, Alerting, Cause, Connect, FromBoard, Proceeding, Release, Setup, ToBoard
from drivers.pri_stack import (
    TIME_SLOTS,
    Answer,
    Clear,
    Cleared,
    Forget,
    Gone,
    Incoming,
    LayerTwo,
    Proceed,
    Progress,
    Progressed,
    Restart,
    Restarted,
)
from firmware.lines.isdn.channels import ALARM, PriLines
from firmware.lines.isdn.timers import ATTEND_US, AUDIT_US, GONE_US, RELEASE_US
from tests.lines.isdn_town import SLOT_17, Town


@pytest.fixture(params=[False, True], ids=["user", "network"])
def town(request: pytest.FixtureRequest) -> Town:
    return Town(network=request.param)


# ---- both seize one channel ------------------------------------------------------------------------------------------


def seize_both(town: Town) -> int:
    """The exchange and the box send SETUP for one channel before either has heard the other's."""
    town.box.say(Setup(SLOT_17, "110"))
    return town.call(17)


def test_glare_as_user_the_call_of_the_network_goes_through() -> None:
    town = Town()

    call = seize_both(town)
    town.line.run(60)

    heard = [signal for signal in town.box.heard() if not isinstance(signal, Alarm)]
    assert heard[0] == Release(SLOT_17, Cause.CONGESTION)
    assert isinstance(heard[1], Setup)
    assert (heard[1].channel, heard[1].called) == (SLOT_17, "12345")
    assert Progressed(call, Progress.PROCEEDING, 17) in town.exchange.said()
    town.say(Connect(SLOT_17))
    assert Progressed(call, Progress.ANSWERED, 17) in town.exchange.said()
    town.tell(Clear(call, 16))
    town.line.run(60)
    town.assert_idle()


def test_glare_as_network_our_call_goes_through() -> None:
    town = Town(network=True)

    call = seize_both(town)

    events = town.exchange.said()
    assert Cleared(call, 44) in events
    (incoming,) = [event for event in events if isinstance(event, Incoming)]
    town.tell(Proceed(incoming.call, 17), Answer(incoming.call, 17))
    assert town.box.heard() == [Proceeding(SLOT_17), Connect(SLOT_17)]
    town.tell(Clear(incoming.call, 16))
    town.assert_idle()


def test_a_setup_for_the_channel_of_our_call_that_the_network_has_taken_is_no_glare() -> None:
    town = Town()
    ours = town.place()
    town.tell(Proceed(ours.call, 17))
    town.box.heard()

    call = town.call(17)

    assert Cleared(call, 44) in town.exchange.said()
    assert town.box.heard() == [], "our call goes on"
    town.tell(Answer(ours.call, 17))
    assert town.box.heard() == [Connect(SLOT_17)]


def test_glare_on_the_link_the_call_that_came_in_counts(town: Town) -> None:
    town.box.answers = lambda signal: []
    call = town.call()

    town.say(Setup(SLOT_17, "110"))  # the gateway's crossed ours

    assert not [event for event in town.exchange.said() if isinstance(event, Incoming)]
    town.say(Proceeding(SLOT_17), Connect(SLOT_17))
    assert Progressed(call, Progress.ANSWERED, 17) in town.exchange.said()


def test_both_sides_clear_at_once(town: Town) -> None:
    call = town.up()
    town.box.answers = lambda signal: []

    town.exchange.do(Clear(call, 17))
    town.say(Release(SLOT_17))
    town.line.run(60)

    assert town.box.heard() == [Release(SLOT_17)]
    assert Gone(call) in town.exchange.said()
    town.assert_idle()


def test_releases_that_cross_on_the_link_are_both_confirmations(town: Town) -> None:
    call = town.up()
    town.box.answers = lambda signal: []
    town.tell(Clear(call, 16))
    assert town.box.heard() == [Release(SLOT_17)]

    town.say(Release(SLOT_17, Cause.FAILURE))

    assert town.box.heard() == []
    town.assert_idle()


def test_a_new_call_waits_until_the_gateway_has_let_go_of_the_old_one(town: Town) -> None:
    call = town.up()
    town.box.answers = lambda signal: []
    town.tell(Clear(call, 16))
    town.box.heard()

    second = town.call(17)
    assert Progressed(second, Progress.PROCEEDING, 17) in town.exchange.said()
    assert town.box.heard() == []
    town.say(Release(SLOT_17))

    (setup,) = town.box.heard()
    assert isinstance(setup, Setup)


def test_a_gateway_that_never_confirms_does_not_hold_the_channel(town: Town) -> None:
    call = town.up()
    town.box.answers = lambda signal: []
    town.tell(Clear(call, 16))
    town.call(17)
    town.box.heard()

    town.line.run(RELEASE_US / 1e6 + 0.1)

    assert len(town.box.setups()) == 1


# ---- layer 2 lost ----------------------------------------------------------------------------------------------------


def test_calls_outlive_a_loss_of_layer_two_of_less_than_90_seconds(town: Town) -> None:
    call = town.up()

    town.line.is_cut = True
    town.line.run(80)
    assert town.box.heard() == []
    assert not town.box.lines.layer_two
    town.line.is_cut = False
    town.line.run(20)

    assert town.box.lines.layer_two
    assert town.box.heard() == []
    town.tell(Clear(call, 16))
    assert town.box.heard() == [Release(SLOT_17)]
    town.assert_idle()


def test_a_longer_loss_of_layer_two_ends_the_calls_and_is_an_alarm(town: Town) -> None:
    town.up()

    town.line.is_cut = True
    town.line.run(120)

    assert town.box.heard() == [Release(SLOT_17, Cause.FAILURE), Alarm(ALARM, True, tuple(range(30)))]
    town.line.is_cut = False
    town.line.run(20)
    assert town.box.heard() == [Alarm(ALARM, False, tuple(range(30)))]
    town.assert_idle()


def test_a_call_that_was_not_up_ends_with_layer_two(town: Town) -> None:
    town.call()
    town.box.heard()

    town.line.is_cut = True
    town.line.run(30)

    assert [signal for signal in town.box.heard() if isinstance(signal, Release)] == [Release(SLOT_17, Cause.FAILURE)]
    assert town.box.stack.calls == 0


def test_a_hang_up_while_layer_two_is_down_is_made_good_when_it_is_back(town: Town) -> None:
    town.up()
    town.line.is_cut = True
    town.line.run(10)

    town.say(Release(SLOT_17))
    town.line.run(20)
    town.line.is_cut = False
    town.line.run(120)

    town.assert_idle()


# ---- calls that one side has forgotten -------------------------------------------------------------------------------


def test_a_call_that_the_exchange_has_forgotten_is_found_by_the_audit(town: Town) -> None:
    call = town.up()
    town.tell(Forget(call))
    assert town.box.heard() == []

    town.line.run(AUDIT_US / 1e6 + 1)

    assert [type(signal) for signal in town.box.heard()] == [Release]
    town.assert_idle()


def test_the_audit_leaves_living_calls_alone(town: Town) -> None:
    town.up()

    town.line.run(3 * AUDIT_US / 1e6)

    assert town.box.heard() == []
    assert town.box.lines.calls == town.exchange.stack.calls == 1


@pytest.mark.parametrize("state", ["offered", "ringing", "up"])
def test_a_setup_for_a_channel_that_is_busy_here_asks_whether_the_old_call_lives(town: Town, state: str) -> None:
    """One that is not answered yet may wait for an agent for minutes, and each new call would be refused meanwhile."""
    old = town.up() if state == "up" else town.call(17)
    if state == "ringing":
        town.say(Alerting(SLOT_17))
    town.box.heard()
    town.tell(Forget(old))

    refused = town.call(17)

    assert Cleared(refused, 44) in town.exchange.said()
    assert [type(signal) for signal in town.box.heard()] == [Release]
    town.assert_idle()
    town.call(17)
    assert len(town.box.setups()) == 1


def test_a_setup_for_the_channel_of_a_call_that_lives_ends_nothing(town: Town) -> None:
    first = town.call(17)
    town.box.heard()

    refused = town.call(17)

    assert Cleared(refused, 44) in town.exchange.said()
    assert town.box.heard() == []
    town.say(Connect(SLOT_17))
    assert Progressed(first, Progress.ANSWERED, 17) in town.exchange.said()


def test_an_exchange_that_takes_its_time_to_clear_is_waited_for() -> None:
    """T305 (30 s), then T308 (4 s) twice: Q.931 table 9-2."""
    assert GONE_US > (30 + 2 * 4) * 1_000_000


def test_an_exchange_that_never_finishes_clearing_does_not_hold_the_channel() -> None:
    lines = PriLines(restart_at_start=())
    lines.gateway_came(0)
    lines.from_stack(LayerTwo(True), 0)
    lines.from_stack(Incoming(call=1, slot=17, exclusive=True, called="12345", complete=True), 0)
    assert Clear(1, 16) in lines.from_gateway(Release(SLOT_17), 1)
    assert lines.advance(GONE_US) == []

    effects = lines.advance(GONE_US + 1)

    assert effects == [Forget(1), Restart(17)]
    lines.from_stack(Gone(1), GONE_US + 2)
    assert lines.calls == 0
    assert lines.stuck_channels == 1


def test_a_channel_whose_release_the_exchange_never_confirms_is_restarted(town: Town) -> None:
    """T305, then T308 twice: the call reference is given up, and the channel is restarted (Q.931 5.5)."""

    def deaf(frame: bytes) -> list[bytes]:
        """DISCONNECT and RELEASE become NOTIFY, which changes nothing."""
        is_end = len(frame) > 8 and not frame[2] & 1 and frame[8] in (0x45, 0x4D)
        return [frame[:8] + b"\x6e" + frame[9:] if is_end else frame]

    call = town.up()
    town.line.disturb, town.line.disturbed = deaf, town.exchange
    town.say(Release(SLOT_17))
    town.line.run(30 + 2 * 4 - 0.1)
    assert Restarted(17) not in town.exchange.said()
    assert town.box.lines.held_slots == {17}

    town.line.run(0.2)

    assert Restarted(17) in town.exchange.said()
    assert town.box.lines.stuck_channels == 1
    town.tell(Forget(call))
    town.line.disturb = None
    town.assert_idle()
    town.call()
    assert len(town.box.setups()) == 1


def test_a_call_that_the_stack_drops_without_a_word_ends_for_the_gateway_too(town: Town) -> None:
    town.up()
    (line,) = [line for line in town.box.lines.lines if line.call is not None]
    assert line.call is not None

    town.box.span._perform([Forget(line.call)], town.line.now_us)
    town.line.run()

    assert town.box.heard() == [Release(SLOT_17, Cause.FAILURE)]
    assert town.box.lines.calls == 0


# ---- gateways --------------------------------------------------------------------------------------------------------


def test_when_the_gateway_goes_its_calls_are_cleared_with_temporary_failure_and_layer_two_stays(town: Town) -> None:
    calls = [town.up(17), town.up(18), town.call(19)]
    town.exchange.said()

    town.box.leave()
    town.line.run()

    events = town.exchange.said()
    assert [Cleared(call, 41) in events for call in calls] == [True, True, True]
    assert LayerTwo(False) not in events
    town.box.heard()
    town.assert_idle()
    town.box.attach()
    town.call(17)
    assert len(town.box.setups()) == 1


def test_a_gateway_that_hangs_is_let_go(town: Town) -> None:
    town.box.answers = lambda signal: []
    call = town.call()

    town.line.run(ATTEND_US / 1e6 + 0.1)

    assert "time slot 17" in (town.box.span.take_drop() or "")
    town.box.leave()
    town.line.run()
    assert Cleared(call, 41) in town.exchange.said()
    town.assert_idle()


def test_a_gateway_that_attends_is_not(town: Town) -> None:
    town.call()

    town.line.run(ATTEND_US / 1e6 + 0.1)

    assert town.box.span.take_drop() is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_gateway_says_no_channel_stays_busy(seed: int) -> None:
    choose = random.Random(seed)
    town = Town(network=bool(seed % 2))

    def any_answer(signal: FromBoard) -> list[ToBoard]:
        if isinstance(signal, Release) and choose.random() < 0.7:
            return [Release(signal.channel)]
        return [Proceeding(signal.channel)] if isinstance(signal, Setup) and choose.random() < 0.8 else []

    town.box.answers = any_answer
    placed: list[int] = []
    for _ in range(300):
        slot = choose.choice(TIME_SLOTS[:4])
        channel = TIME_SLOTS.index(slot)
        match choose.randrange(7):
            case 0 | 1:
                placed.append(town.call(slot, exclusive=choose.random() < 0.5))
            case 2 if placed:
                town.tell(Clear(choose.choice(placed), choose.choice([16, 17, 34, 41])))
            case 3:
                town.say(choose.choice([Proceeding(channel), Connect(channel)]))
            case 4:
                town.say(Release(channel, choose.choice(list(Cause))))
            case 5:
                town.say(Setup(channel, "110"))
            case 6:
                if choose.random() < 0.2:
                    town.tell(Restart(slot))
                town.line.run(choose.random() * 3)
    for call in placed:
        town.tell(Clear(call, 16))
    town.box.leave()
    town.line.run(400)

    town.assert_box_idle()
