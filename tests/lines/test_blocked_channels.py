"""Channels that are out of service by hand 闭塞: by label, from the start on, on every kind of line.

How each kind refuses its calls is tested with that kind.
"""

from __future__ import annotations

import numpy as np
import pytest

from boards.base import ChannelPlace
from boards.signals import Alarm, Bits, Blocked, ChannelKind, HookChange, Loop, RingDetected
from firmware.core.clock import VirtualClock
from firmware.core.faults import fault
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, ClearLeg, ConfigureLines, PlaceCall, RingExtension
from firmware.lines.messages import IncomingCall, LegCleared, PhoneLifted, RingFailed
from firmware.lines.phone_limits import load_phone_limits
from firmware.media.sounds import SoundStore
from tests.lines.bench import BUSY, FIRST_PHONE, HOWLER, Bench
from tests.lines.exchange_bench import FIRST, ExchangeBench
from tests.lines.r2_bench import R2Bench

PHONE = FIRST_PHONE
BLOCKING, IDLE = 0b11, 0b10
"""Bits a and b that the far end is shown (Q.421)."""
BLOCK_PHONE = ConfigureLines(blocked=("P-1",))


def heard(bench: Bench) -> set[int]:
    """The samples that the phone hears in a tenth of a second, after the first tick, which fades."""
    bench.tick()
    return set(np.concatenate([bench.tick()[PHONE] for _ in range(10)]).tolist())


def test_a_gateway_that_starts_shows_no_far_end_a_blocked_channel_as_free() -> None:
    kinds = (ChannelKind.TRUNK, ChannelKind.CAS, ChannelKind.EXCHANGE_LINE, ChannelKind.EXTENSION)
    places = [ChannelPlace(kind, f"{kind.value}/{number}") for kind in kinds for number in (1, 2)]
    clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
    gateway = Gateway([("card", places)], SoundStore({}), boot="b00t", machine_boot="machine")

    blocked = tuple(f"{kind.value}/1" for kind in kinds)
    gateway.handle_command(ConfigureLines(blocked=(*blocked, "no such channel")), clock.now())
    gateway.board_opened("card", clock.now())
    for channel in (2, 3):
        gateway.handle_signal("card", Bits(channel, IDLE << 2 | 1), clock.now())
    while (due := gateway.next_deadline()) is not None:
        clock.advance_to(due)
        gateway.advance(clock.now())

    assert [line.display_state() for line in gateway.lines] == ["blocked", "idle"] * 4
    signals = [signal for _, signal in gateway.take_signals()]
    assert [signal for signal in signals if isinstance(signal, Blocked)] == [Blocked(0, True)]
    shown = {signal.channel: signal.abcd >> 2 for signal in signals if isinstance(signal, Bits)}
    assert shown == {2: BLOCKING, 3: IDLE}
    assert not [signal for signal in signals if isinstance(signal, Loop)]


def test_the_far_end_is_shown_the_blocking_again_by_a_board_that_comes_back() -> None:
    bench = R2Bench()
    bench.command(bench.here, ConfigureLines(blocked=("E1-1/1",)))
    bench.run(0.2)
    bench.here.gateway.board_failed("e1", fault("no_audio"), bench.clock.now())
    bench.here.gateway.board_opened("e1", bench.clock.now())
    bench.run(0.5)

    assert bench.here.shown[-1] == (0, BLOCKING)
    assert (bench.here.state(), bench.there.state()) == ("blocked", "blocked")
    bench.command(bench.there, PlaceCall("seize", 0, "12345"))
    assert bench.there.last(RingFailed).request == "seize"


# ---- phones ----------------------------------------------------------------------------------------------------------


def test_a_phone_at_a_blocked_port_hears_busy_tone_then_the_howler_then_nothing_and_is_no_leg(bench: Bench) -> None:
    limits = load_phone_limits()
    bench.command(BLOCK_PHONE)
    bench.lift()

    assert heard(bench) <= set(BUSY.tolist())
    bench.wait(limits.busy.seconds)
    assert heard(bench) <= set(HOWLER.tolist())
    bench.wait(limits.howler.seconds)
    assert len(heard(bench)) == 1
    assert bench.state(PHONE) == "blocked"
    bench.put_down()
    assert not bench.all(PhoneLifted) and not bench.all(LegCleared)
    assert bench.gateway.next_deadline() is None


def test_a_lifted_phone_whose_port_is_given_back_hears_no_busy_tone_any_more(bench: Bench) -> None:
    bench.command(BLOCK_PHONE)
    bench.lift()
    bench.tick()
    bench.command(ConfigureLines())

    assert len(heard(bench)) == 1
    assert len(bench.all(PhoneLifted)) == 1
    bench.put_down()
    assert bench.state(PHONE) == "idle"


def test_a_phone_in_a_call_is_blocked_when_it_has_been_put_down(bench: Bench) -> None:
    bench.lift()
    bench.command(BLOCK_PHONE, BLOCK_PHONE)
    assert bench.state(PHONE) == "up"
    bench.put_down()

    assert bench.state(PHONE) == "blocked"
    bench.command(RingExtension("ring", PHONE))
    assert bench.last(RingFailed).request == "ring"


@pytest.mark.parametrize("seconds", [0.5, 5.0])
def test_a_phone_that_lies_lifted_at_a_blocked_port_hears_busy_tone_again_after_an_alarm(
    bench: Bench, seconds: float
) -> None:
    bench.command(BLOCK_PHONE)
    bench.lift()
    bench.signal(Alarm("power", True))
    bench.wait(seconds)
    bench.signal(Alarm("power", False))

    assert heard(bench) <= set(BUSY.tolist())
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.open()
    bench.signal(HookChange(PHONE, True))
    assert heard(bench) <= set(BUSY.tolist())
    assert not bench.all(PhoneLifted) and not bench.all(LegCleared)


# ---- analogue trunks -------------------------------------------------------------------------------------------------


def test_a_blocked_exchange_line_keeps_its_loop_open_while_it_rings_and_is_shown_as_blocked() -> None:
    bench = ExchangeBench()
    bench.configure(blocked=True)
    bench.signal(RingDetected(FIRST, True))
    bench.wait(1.0)

    assert bench.state(FIRST) == "blocked"
    assert bench.said() == []
    assert bench.all(IncomingCall) == []


def test_an_exchange_line_is_blocked_when_its_call_is_over() -> None:
    bench = ExchangeBench()
    bench.ring_once()
    bench.silence(4)
    bench.ring_once()
    leg = bench.last(IncomingCall).leg
    bench.configure(blocked=True)
    bench.command(AnswerLeg(leg))
    assert bench.state(FIRST) == "up"
    bench.command(ClearLeg(leg))
    bench.wait(3.0)

    assert bench.state(FIRST) == "blocked"
