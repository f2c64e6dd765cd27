"""A D channel in a loop hears itself: calls neither come nor stick, and layer 2 is back by itself afterwards.

While nothing but layer 2's own polls goes round, each comes back as if it were the far end's answer (Q.921: the C/R bit
of a command of one side is that of a response of the other), so the box does not see the loop there.
"""

from __future__ import annotations

import pytest

from boards.signals import Alarm, Blocked, Setup
from drivers.pri_stack import LayerTwo
from firmware.core.clock import MICROSECONDS
from firmware.lines.isdn.channels import ALARM
from tests.lines.isdn_town import SLOT_17, Town

ROUND_US = 5_000
"""How long a frame takes through the loop."""


def loop(town: Town, seconds: float) -> None:
    """The line is looped towards the box for so long, and the exchange hears nothing."""
    came = 0
    coming: list[bytes] = []
    box, line = town.box, town.line
    end_us = line.now_us + round(seconds * MICROSECONDS)
    while line.now_us < end_us:
        line.now_us += ROUND_US
        town.exchange.run_timers(line.now_us)
        town.exchange.take_frames()
        box.run_timers(line.now_us)
        for frame in coming:
            box.frame(frame, line.now_us)
        coming = box.take_frames()
        came += len(coming)
    assert came <= 10 * seconds, "frames multiply in the loop"


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize(("seconds", "was_cut"), [(3, 0), (12, 0), (130, 0), (20, 130)])
def test_after_a_loop_layer_two_is_back_by_itself_and_all_channels_are_idle(
    network: bool, seconds: float, was_cut: float
) -> None:
    town = Town(network=network)
    town.line.is_cut = True
    town.line.run(was_cut)
    town.say(*(Blocked(channel, True) for channel in range(30)))
    town.line.is_cut = False
    town.exchange.said()

    loop(town, seconds)
    assert not any(isinstance(signal, Setup) for signal in town.box.signals)

    town.say(*(Blocked(channel, False) for channel in range(30)))
    town.line.run(5)
    alarms = [signal for signal in town.box.heard() if isinstance(signal, Alarm) and signal.alarm == ALARM]
    changes = [event for event in town.exchange.said() if isinstance(event, LayerTwo)]
    assert not alarms or not alarms[-1].raised
    assert not changes or changes[-1].up
    assert town.box.lines.layer_two
    town.assert_idle()
    town.up()
    town.place(SLOT_17 + 1)
