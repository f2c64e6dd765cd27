"""A RESTART and a call that cross each other on the D channel: no channel stays stuck at either end, and where Q.931
5.5 leaves the call alive it goes on. The far end is libpri with an exchange's own book of channels.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from boards.signals import Alerting, Blocked, Cause, Connect, Proceeding, Release, Setup
from drivers.pri_stack import (
    TIME_SLOTS,
    Answer,
    Clear,
    Forget,
    PlaceCall,
    Progress,
    Progressed,
    Restart,
    RestartDone,
    Restarted,
    SendDigit,
)
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.timers import DISAGREED_US
from tests.lines.isdn import Box
from tests.lines.isdn_exchange import SwitchingExchange
from tests.lines.isdn_town import SLOT_17, Town, release_back

ANY = 0xFF


class CrossingTown(Town):
    """A town in which both ends may speak before either hears the other."""

    exchange: SwitchingExchange

    def __init__(self, network: bool = False, **settings: object) -> None:
        super().__init__(network=network, exchange=SwitchingExchange, **settings)  # type: ignore[arg-type]

    def box_restarts(self, slot: int = 17) -> None:
        """RESTART of ours; what the exchange does next crosses it, until the line runs."""
        restarts = self.box.lines._restarts.ask([slot], self.line.now_us)
        assert restarts == [Restart(slot)]
        self.box.span._perform(list(restarts), self.line.now_us)

    def exchange_calls(self, call: int, slot: int = 17, exclusive: bool = True) -> None:
        self.exchange.do(PlaceCall(call=call, slot=slot, exclusive=exclusive, called="12345"))

    def assert_channel_works(self, slot: int = 17) -> None:
        """In both directions."""
        self.box.heard()
        call = self.up(slot)
        self.tell(Clear(call, 16))
        self.box.heard()
        self.say(Setup(TIME_SLOTS.index(slot), "110"))
        assert self.box.heard() == [Proceeding(TIME_SLOTS.index(slot)), Alerting(TIME_SLOTS.index(slot))]
        self.say(Release(TIME_SLOTS.index(slot)))
        self.assert_idle()
        assert self.exchange.slots == {}


@pytest.fixture(params=[False, True], ids=["user", "network"])
def town(request: pytest.FixtureRequest) -> CrossingTown:
    return CrossingTown(network=request.param)


# ---- our RESTART, their SETUP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_exchange_that_drops_its_call_for_our_restart_has_the_channel_back_at_once(
    town: CrossingTown, exclusive: bool
) -> None:
    town.box_restarts()
    town.exchange_calls(-1, exclusive=exclusive)
    town.line.run()

    assert town.exchange.dropped == [-1], "nothing can be done for it any more"
    kinds = [type(signal) for signal in town.box.heard()]
    assert kinds == [Setup, Release], "who called is known, so that he can be called back"
    town.assert_idle()
    town.assert_channel_works()


def test_an_exchange_that_keeps_its_call_in_our_restart_gets_it_answered(town: CrossingTown) -> None:
    town.exchange.keeps_calls = True
    town.box_restarts()
    town.exchange_calls(-1)
    town.line.run()

    town.say(Connect(SLOT_17))

    assert Progressed(-1, Progress.ANSWERED, 17) in town.exchange.said()
    town.tell(Clear(-1, 16))
    town.assert_channel_works()


@pytest.mark.parametrize("slot", [17, ANY])
def test_a_call_that_may_have_another_channel_gets_one_that_is_not_being_restarted(
    town: CrossingTown, slot: int
) -> None:
    """All others are blocked but 3: the only other one."""
    for channel, other in enumerate(TIME_SLOTS):
        town.say(Blocked(channel, other not in (3, 17)))
    town.exchange.keeps_calls = slot != ANY  # one that is bound to no channel yet outlives the RESTART in any case
    town.box_restarts()
    town.exchange_calls(-1, slot, exclusive=False)
    town.line.run()

    town.say(Connect(TIME_SLOTS.index(3)))

    assert Progressed(-1, Progress.ANSWERED, 3) in town.exchange.said()
    assert town.exchange.dropped == []
    town.tell(Clear(-1, 16))
    for channel in range(30):
        town.say(Blocked(channel, False))
    town.assert_channel_works()


def test_the_channel_that_is_being_restarted_is_better_than_none(town: CrossingTown) -> None:
    for channel, slot in enumerate(TIME_SLOTS):
        town.say(Blocked(channel, slot != 17))
    town.exchange.keeps_calls = True
    town.box_restarts()
    town.exchange_calls(-1, exclusive=False)
    town.line.run()

    town.say(Connect(SLOT_17))

    assert Progressed(-1, Progress.ANSWERED, 17) in town.exchange.said()


def test_calls_that_waited_at_the_exchange_for_layer_two_are_not_met_by_a_restart(town: CrossingTown) -> None:
    """The call before was given up by both ends in the cut, each for itself; the next waits for layer 2."""
    town.up()
    town.line.is_cut = True
    town.say(Release(SLOT_17, Cause.FAILURE))
    town.line.run(20)
    town.exchange.do(Forget(-1))
    town.exchange.said()
    town.exchange_calls(-2)

    town.line.is_cut = False
    town.line.run(3)

    assert town.exchange.dropped == []
    assert town.exchange.restarted_by_box == []
    town.say(Connect(SLOT_17))
    assert Progressed(-2, Progress.ANSWERED, 17) in town.exchange.said()
    town.tell(Clear(-2, 16))
    town.line.run(60)
    town.assert_idle()


# ---- their RESTART, our SETUP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", [True, False])
def test_our_call_that_crosses_their_restart_is_to_try_another_channel(town: CrossingTown, refuses: bool) -> None:
    town.exchange.refuses_restarting = refuses
    town.box.say(Setup(SLOT_17, "110"))
    town.exchange.do(Restart(17))
    town.line.run()

    assert town.box.heard() == [Release(SLOT_17, Cause.CONGESTION)]
    assert RestartDone(17) in town.exchange.said()
    assert town.exchange.restarted_by_box == [], "both ends have the channel idle"
    town.assert_idle()
    town.assert_channel_works()


Stage = Callable[[CrossingTown], None]


def placed(town: CrossingTown) -> None:
    town.exchange.refuses_restarting = False
    town.box.say(Setup(SLOT_17, "110"))


def rings(town: CrossingTown) -> None:
    town.say(Setup(SLOT_17, "110"))


def answers(town: CrossingTown) -> None:
    rings(town)
    (call,) = town.exchange.slots
    town.tell(Answer(call, 17))


def offered(town: CrossingTown) -> None:
    town.exchange_calls(-1)
    town.line.run()


def alerted(town: CrossingTown) -> None:
    offered(town)
    town.say(Alerting(SLOT_17))


def up(town: CrossingTown) -> None:
    offered(town)
    town.say(Connect(SLOT_17))


def box_clears(town: CrossingTown) -> None:
    up(town)
    town.box.say(Release(SLOT_17))


def exchange_clears(town: CrossingTown) -> None:
    up(town)
    town.exchange.do(Clear(-1, 16))


def both_clear(town: CrossingTown) -> None:
    up(town)
    town.box.say(Release(SLOT_17))
    town.exchange.do(Clear(-1, 16))


def box_answers(town: CrossingTown) -> None:
    offered(town)
    town.box.say(Connect(SLOT_17))


def gateway_slow(town: CrossingTown) -> None:
    """The next call waits in the worker for the gateway's confirmation of the one before."""
    up(town)
    town.box.answers = lambda signal: []
    town.tell(Clear(-1, 16))
    town.exchange_calls(-2)
    town.line.run()
    town.box.answers = release_back


STAGES: list[Stage] = [
    placed,
    rings,
    answers,
    offered,
    alerted,
    up,
    box_clears,
    exchange_clears,
    both_clear,
    box_answers,
    gateway_slow,
]


@pytest.mark.parametrize("both", [False, True], ids=["theirs", "both"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_restart_of_theirs_ends_a_call_in_any_state_and_frees_the_channel(
    town: CrossingTown, stage: Stage, both: bool
) -> None:
    """`both`: a RESTART of ours, for an end of the call before that nobody confirmed, crosses theirs."""
    stage(town)
    town.exchange.do(Restart(17))
    if both:
        town.box.span._perform([Restart(17)], town.line.now_us)
    town.line.run()

    town.line.run(6)  # the gateway's confirmations that never came
    assert RestartDone(17) in town.exchange.said()
    town.assert_idle()
    town.assert_channel_works()


def test_a_restart_of_theirs_ends_a_call_whose_digits_are_still_coming() -> None:
    town = CrossingTown(overlap=True, numbers=("12345",))
    town.exchange.do(PlaceCall(call=-1, slot=17, called="1", complete=False))
    town.line.run()
    town.exchange.do(SendDigit(-1, "2"))
    town.exchange.do(Restart(17))
    town.line.run()

    assert town.box.heard() == []
    town.assert_idle()


WHOLE_INTERFACE = {
    "all interfaces": "79 01 87",
    "single interface": "79 01 86",
    "single interface, implicit, no channel": "18 01 a8 79 01 86",
    "single interface, by its number": "18 02 e8 80 79 01 86",
    "single interface, any channel": "18 01 ab 79 01 86",
    "all interfaces, and a channel that means nothing then": "18 03 a9 83 91 79 01 87",
}


@pytest.mark.parametrize("elements", WHOLE_INTERFACE.values(), ids=WHOLE_INTERFACE)
def test_a_restart_of_the_interface_ends_all_calls_in_whatever_state(town: CrossingTown, elements: str) -> None:
    """libpri restarts single channels only, so that its RESTART is rewritten on the wire."""

    def rewritten(frame: bytes) -> list[bytes]:
        is_restart = len(frame) > 8 and not frame[2] & 1 and frame[4:9] == bytes.fromhex("0802000046")
        return [frame[:9] + bytes.fromhex(elements) if is_restart else frame]

    town.line.disturb, town.line.disturbed = rewritten, town.box
    calls = [town.up(1), town.call(2)]
    town.say(Setup(TIME_SLOTS.index(3), "110"))
    town.up(4)
    town.box.say(Release(TIME_SLOTS.index(4)), Setup(TIME_SLOTS.index(5), "110"))
    town.exchange.refuses_restarting = False
    town.exchange.do(Restart(31))
    for call in [*calls, *town.exchange.slots]:
        town.exchange._end(town.exchange.slots.get(call, 0), everything=True)
    town.line.run()

    assert [event for event in town.exchange.said() if isinstance(event, RestartDone)]
    town.assert_idle()
    town.line.disturb = None
    for slot in range(1, 6):
        town.assert_channel_works(slot)


def test_what_the_exchange_has_restarted_needs_no_restart_of_ours() -> None:
    lines = PriLines(restart_at_start=(1, 2, 3))
    lines.gateway_came(0)

    lines.from_stack(Restarted(2), 0)

    assert lines.held_slots == {1, 3}
    lines.from_stack(Restarted(None), 0)
    assert lines.held_slots == frozenset()


# ---- a channel that only the exchange still has busy -----------------------------------------------------------------


def test_a_channel_that_is_stuck_at_the_exchange_is_restarted_when_it_refuses_a_call_there(town: CrossingTown) -> None:
    town.exchange.slots[-99] = 17  # a call that the box never heard of, or has long forgotten
    town.say(Setup(SLOT_17, "110"))

    assert town.box.heard() == [Release(SLOT_17, Cause.CONGESTION)], "the caller tries another channel at once"
    assert town.exchange.restarted_by_box == [17]
    del town.exchange.slots[-99]
    town.assert_idle()
    town.assert_channel_works()


def test_an_exchange_that_keeps_a_channel_for_itself_is_not_restarted_for_each_call(town: CrossingTown) -> None:
    town.exchange.keeps_calls = True
    town.exchange.slots[-99] = 17
    town.exchange.fresh.add(-99)
    for _ in range(3):
        town.say(Setup(SLOT_17, "110"))
        town.line.run(60)
    assert town.exchange.restarted_by_box == [17]

    town.line.run(DISAGREED_US / 1e6)
    town.say(Setup(SLOT_17, "110"))

    assert town.exchange.restarted_by_box == [17, 17]


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_refusal_because_both_seized_the_channel_restarts_nothing(town: CrossingTown, exclusive: bool) -> None:
    town.box.say(Setup(SLOT_17, "110"))
    town.exchange_calls(-1, exclusive=exclusive)
    town.line.run(60)

    assert town.exchange.restarted_by_box == []


# ---- only what needs it ----------------------------------------------------------------------------------------------


def test_only_channels_on_which_the_far_end_may_have_a_call_are_held(town: CrossingTown) -> None:
    lines = town.box.lines
    assert lines.held_slots == frozenset()
    town.up(17)
    town.say(Setup(TIME_SLOTS.index(3), "110"))
    assert lines.held_slots == {3, 17}
    town.say(Release(TIME_SLOTS.index(3)))
    assert lines.held_slots == {17}

    town.line.is_cut = True
    town.say(Release(SLOT_17))
    town.line.run(100)

    assert lines.held_slots == {17}, "the far end was not told"
    assert town.box.stack.calls == 0
    town.line.is_cut = False
    town.line.run(5)
    assert lines.held_slots == frozenset()


def test_a_worker_that_begins_restarts_what_the_life_before_may_have_left_and_no_other_channel() -> None:
    town = CrossingTown()
    town.exchange.said()
    town.line.user = town.box = Box(PriLines(restart_at_start=(3, 17)), now_us=town.line.now_us)
    town.box.answers = release_back
    town.box.attach()
    town.line.run(5)

    assert town.exchange.restarted_by_box == [3, 17]
    town.assert_channel_works()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_crosses_no_channel_stays_stuck(seed: int) -> None:
    """Both ends call, clear, answer and restart on four channels at once; whatever they said crosses."""
    choose = random.Random(seed)
    town = CrossingTown(network=bool(seed % 2))
    town.exchange.keeps_calls = bool(seed & 2)
    town.exchange.refuses_restarting = bool(seed & 4)
    calls = 0
    for _ in range(150):
        for _ in range(choose.randrange(1, 6)):
            slot = choose.choice([3, 4, 17, 31])
            channel = TIME_SLOTS.index(slot)
            match choose.randrange(9):
                case 0 | 1 if slot not in town.exchange.slots.values():
                    calls -= 1
                    town.exchange_calls(calls, slot, exclusive=choose.random() < 0.6)
                case 2 if town.exchange.slots:
                    town.exchange.do(Clear(choose.choice(list(town.exchange.slots)), 16))
                case 3 if town.exchange.slots:
                    town.exchange.do(Answer(choose.choice(list(town.exchange.slots)), slot))
                case 4:
                    town.exchange.do(Restart(slot))
                case 5:
                    town.box.span._perform(
                        list(town.box.lines._restarts.ask([slot], town.line.now_us)), town.line.now_us
                    )
                case 6:
                    town.box.say(Setup(channel, "110"))
                case 7:
                    town.box.say(choose.choice([Connect, Alerting])(channel))
                case 8:
                    town.box.say(Release(channel))
        if choose.random() < 0.9:
            town.line.run()
        else:
            town.line.run(choose.random() * 20)
    town.line.run(1)
    for call in list(town.exchange.slots):
        town.exchange.do(Clear(call, 16))
    for channel in range(30):
        town.say(Release(channel))
    town.line.run(200)

    town.assert_idle()
    assert town.box.lines.stuck_channels == 0
    for slot in (3, 4, 17, 31):
        town.assert_channel_works(slot)
