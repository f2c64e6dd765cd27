"""Made-up citizens: a short county day for `linebox simulate`, and calls now and then for the demonstration.

Everything comes from `random.Random(seed)`: one seed, one day, on every machine. The numbers are of the forms that are
in use in China and belong to nobody in particular.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from firmware.simulator.scenario import Citizen, Dial, HangUp, Phone, Scenario, Step, Talk, Wait, demonstration_phones

MOBILE_PREFIXES = ("130", "131", "135", "136", "138", "139", "150", "151", "158", "159", "180", "182", "186", "188")
AREA_CODE = "029"
NEIGHBOUR_AREA_CODES = ("0910", "0917", "0913")
STRAIGHT_NUMBER = "12345"
"""Reaches a person without a menu."""
MENU_NUMBER = "12346"
"""Asks for a digit first."""
MENU_DIGITS = "120"

BRIEF_AGENT_SECONDS = 30.0

PEAK_AT = 0.3
"""Where in the day the morning peak lies, as a share of the day; it is a fifth of the day wide."""
PEAK_WIDTH = 0.2
PEAK_FACTOR = 3.0
"""How much more often people call in the peak."""


def _number(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.7:
        return rng.choice(MOBILE_PREFIXES) + f"{rng.randrange(10**8):08d}"
    if kind < 0.93:
        return AREA_CODE + rng.choice("68") + f"{rng.randrange(10**7):07d}"
    return rng.choice(NEIGHBOUR_AREA_CODES) + rng.choice("2356") + f"{rng.randrange(10**6):06d}"


def _arrivals(rng: random.Random, calls: int, day_seconds: float) -> list[float]:
    """Times of a Poisson stream with a peak: given their count, they are independent draws from the day's profile."""
    begin, end = (PEAK_AT - PEAK_WIDTH / 2) * day_seconds, (PEAK_AT + PEAK_WIDTH / 2) * day_seconds
    times: list[float] = []
    while len(times) < calls:
        at = rng.random() * day_seconds
        if begin <= at < end or rng.random() < 1.0 / PEAK_FACTOR:
            times.append(round(at, 2))
    return sorted(times)


def _talk_seconds(rng: random.Random, mean: float) -> float:
    """Conversations: most near the mean, some long."""
    seconds = rng.lognormvariate(0.0, 0.5) * mean
    if rng.random() < 0.08:
        seconds *= 3.0
    return round(min(max(seconds, 3.0), 8 * mean), 2)


def _presentation(rng: random.Random) -> Literal["allowed", "restricted", "unavailable"]:
    chance = rng.random()
    return "restricted" if chance < 0.05 else "unavailable" if chance < 0.07 else "allowed"


def citizen_of_the_day(rng: random.Random, at_seconds: float, audio: bool, talk_seconds: float) -> Citizen:
    """One citizen: who calls, which service, and with which temper. `talk_seconds` is the mean conversation."""
    menu = rng.random() < 0.4
    presentation = _presentation(rng)
    digit = rng.choice(MENU_DIGITS) if rng.random() < 0.9 else ""
    temper = rng.random()
    talk = _talk_seconds(rng, talk_seconds)
    steps: list[Step] = [Wait(until="answered", at_most_seconds=20.0)]
    if menu and digit:
        think = round(rng.uniform(2.0, 6.0), 2)
        steps += [Wait(seconds=think), Dial(digits=digit, signalled=not audio)]
    # Call events do not say a withheld number, so they cannot tell this citizen that an agent is there: it just talks.
    known = presentation == "allowed"
    if temper < 0.08:
        steps += [Wait(seconds=round(rng.uniform(1.0, 15.0), 2))]  # thinks better of it in greeting, menu or queue
    elif temper < 0.14 and known:
        ringing = Wait(until="offered", at_most_seconds=round(rng.uniform(30.0, 90.0), 2))
        steps += [ringing, Wait(seconds=round(rng.uniform(0.1, 1.8), 2))]  # while the phone rings
    else:
        patience = round(rng.uniform(25.0, 150.0), 2)
        steps += [Wait(until="agent", at_most_seconds=patience)] if known else [Wait(seconds=20.0)]
        if audio:
            steps.append(Talk(pattern=True))
        # Most say goodbye and hang up; some let the agent do it and wait.
        if rng.random() < 0.85:
            steps.append(Wait(seconds=talk))
        else:
            steps.append(Wait(until="cleared", at_most_seconds=round(talk * 1.5, 2)))
    steps.append(HangUp())
    return Citizen(
        at_seconds=at_seconds,
        calling=_number(rng),
        called=MENU_NUMBER if menu else STRAIGHT_NUMBER,
        presentation=presentation,
        audio=audio,
        steps=tuple(steps),
    )


def county_day(
    seed: int,
    calls: int = 100,
    *,
    day_seconds: float = 3600.0,
    audio_share: float = 0.1,
    talk_seconds: float = 40.0,
    audio_talk_seconds: float = 12.0,
    phones: tuple[Phone, ...] | None = None,
) -> Scenario:
    """A day of `calls` calls pressed into `day_seconds`, of which `audio_share` (rounded) have sound.

    With the demonstration's four simulated agents the peak fills the queue. Calls with audio are short, because a
    virtual day must play them block by block.
    """
    rng = random.Random(seed)
    times = _arrivals(rng, calls, day_seconds)
    with_audio = set(rng.sample(range(calls), round(calls * audio_share)))
    citizens = tuple(
        citizen_of_the_day(rng, at, index in with_audio, audio_talk_seconds if index in with_audio else talk_seconds)
        for index, at in enumerate(times)
    )
    return Scenario(citizens=citizens, phones=_phones_of_the_day() if phones is None else phones)


def _phones_of_the_day() -> tuple[Phone, ...]:
    """The demonstration's, speaking the pattern. The agent at seat 4 is brief and hangs up first."""
    return tuple(
        msgspec.structs.replace(phone, talk_seconds=BRIEF_AGENT_SECONDS if phone.seat == "4" else None)
        for phone in demonstration_phones("pattern")
    )


def demonstration(seed: int = 1, quiet: bool = False, analogue: bool = False) -> Iterator[Citizen]:
    """Endless calls, one every 20 to 60 seconds, all with sound; none at all when `quiet`. With `analogue`, every third
    comes by an analogue trunk."""
    if quiet:
        return
    rng = random.Random(seed)
    at = 5.0
    for number in itertools.count(1):
        citizen = _spoken(citizen_of_the_day(rng, round(at, 2), True, 25.0))
        yield msgspec.structs.replace(citizen, trunk="exchange_line") if analogue and number % 3 == 0 else citizen
        at += rng.uniform(20.0, 60.0)


def _spoken(citizen: Citizen) -> Citizen:
    """The same citizen with a tone in place of the pattern, which nobody likes to listen to at the page."""
    steps = tuple(Talk() if isinstance(step, Talk) else step for step in citizen.steps)
    return msgspec.structs.replace(citizen, steps=steps)
