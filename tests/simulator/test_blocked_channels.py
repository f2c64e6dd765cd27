"""The simulated exchange knows which channels the box has taken out of service."""

from __future__ import annotations

from boards.signals import Blocked, Setup
from firmware.simulator.scenario import Citizen, Wait
from firmware.simulator.world import World
from tests.simulator.scripted_box import START, ScriptedBox


def first_channel(*blocked: Blocked, gateway_anew: bool = False) -> int:
    """The channel of the first call after these signals of the box."""
    steps = (Wait(until="answered"),)
    world = World([Citizen(at_seconds=0.1, name="zhang", calling="139", audio=False, steps=steps)], (), START)
    box = ScriptedBox(world, True)
    world.exchange(blocked, START)
    if gateway_anew:
        world.gateway_lost(START)
        world.gateway_arrived(START)
    box.run(0.5)
    (setup,) = [signal for _, signal in box.heard_signals if isinstance(signal, Setup)]
    return setup.channel


def test_a_blocked_channel_gets_no_call_until_it_is_given_back() -> None:
    assert first_channel(Blocked(0, True), Blocked(1, True)) == 2
    assert first_channel(Blocked(0, True), Blocked(0, False)) == 0


def test_another_gateway_says_by_itself_what_is_blocked() -> None:
    assert first_channel(Blocked(0, True), gateway_anew=True) == 0
