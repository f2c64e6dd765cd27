"""A handset that is lifted and not used, or not put down: dial tone, busy tone, howler, silence, as a person hears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boards.signals import Cause, Digit
from firmware.lines.line_commands import (
    AnyLineCommand,
    ClearLeg,
    Conference,
    GiveDialTone,
    Hear,
    Join,
    Play,
    RingExtension,
    Supervise,
    TellPhone,
)
from firmware.lines.messages import LegAlerting, LegCleared, LegReleasing, PhoneLifted
from firmware.lines.phone_limits import PhoneLimitsError, load_phone_limits
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.generate import dtmf
from firmware.tones.plan import load_plan
from tests.lines.bench import CHANNELS, FIRST_PHONE, Bench

PHONE = FIRST_PHONE
LIMITS = load_phone_limits()
SILENCE = "silence"


@pytest.fixture
def bench() -> Bench:
    """With the tones of the country."""
    return Bench(load_plan().samples())


def listen(bench: Bench, seconds: float) -> Alaw:
    return np.concatenate([bench.tick()[PHONE] for _ in range(round(seconds * 100))])


def tone(audio: Alaw) -> str:
    """Frequency and cadence that a person hears: `450 Hz`, `450 Hz 0.35/0.35`, or silence."""
    linear = codec.decode(audio)
    blocks = np.sqrt(np.mean(linear.reshape(-1, 80) ** 2, axis=1))
    loud = blocks > 100
    if not loud.any():
        return SILENCE
    spectrum = np.abs(np.fft.rfft(linear))
    hz = round(float(np.argmax(spectrum)) * 8000 / linear.size / 50) * 50
    edges = np.flatnonzero(np.diff(loud))
    if not edges.size:
        return f"{hz} Hz"
    lengths = np.diff(edges) / 100
    on = lengths[::2] if not loud[edges[0]] else lengths[1::2]
    off = lengths[1::2] if not loud[edges[0]] else lengths[::2]
    return f"{hz} Hz {np.median(on):.2f}/{np.median(off):.2f}"


def lift(bench: Bench, *, barred: bool = False) -> str:
    bench.lift()
    leg = bench.last(PhoneLifted).leg
    bench.command(GiveDialTone(leg, barred))
    bench.tick()
    return leg


def howls_then_is_parked(bench: Bench, leg: str) -> None:
    """From busy tone on, until the handset is down."""
    bench.wait(LIMITS.busy.seconds - 3.5)
    bench.tick()
    howler = listen(bench, 12)
    assert tone(howler) == "950 Hz"
    early, late = codec.decode(howler[:8000]), codec.decode(howler[-8000:])
    assert codec.level_of(late) > codec.level_of(early) + 6, "the howler rises"
    bench.wait(LIMITS.howler.seconds)
    bench.tick()
    assert tone(listen(bench, 2)) == SILENCE
    bench.wait(600)
    assert bench.state(PHONE) == "releasing"
    assert bench.all(LegCleared) == []
    bench.put_down()
    assert (bench.last(LegCleared).leg, bench.state(PHONE)) == (leg, "idle")


def test_a_lifted_phone_hears_nothing_until_the_callserver_gives_it_dial_tone(bench: Bench) -> None:
    bench.lift()
    assert tone(listen(bench, 1)) == SILENCE
    bench.command(GiveDialTone(bench.last(PhoneLifted).leg))
    bench.tick()

    assert tone(listen(bench, 2)) == "450 Hz"


def test_an_unused_handset_hears_dial_tone_busy_tone_howler_and_silence(bench: Bench) -> None:
    leg = lift(bench)
    bench.wait(LIMITS.dial.seconds - 1)
    assert tone(listen(bench, 0.5)) == "450 Hz"
    assert bench.all(LegReleasing) == []
    bench.wait(1)
    assert [event.leg for event in bench.all(LegReleasing)] == [leg]
    bench.tick()
    assert tone(listen(bench, 4)) == "450 Hz 0.35/0.35"

    howls_then_is_parked(bench, leg)
    assert (bench.last(LegCleared).by, bench.last(LegCleared).cause) == ("box", Cause.NO_ANSWER)


def test_a_handset_left_lying_after_its_call_goes_the_same_way(bench: Bench) -> None:
    bench.command(RingExtension("offer-1", PHONE))
    leg = bench.last(LegAlerting).leg
    bench.lift()
    bench.command(ClearLeg(leg))
    bench.tick()
    assert tone(listen(bench, 4)) == "450 Hz 0.35/0.35"

    howls_then_is_parked(bench, leg)


def test_a_phone_put_down_in_time_never_howls(bench: Bench) -> None:
    lift(bench)
    bench.wait(LIMITS.dial.seconds + LIMITS.busy.seconds - 1)
    bench.put_down()
    bench.wait(600)
    bench.tick()

    assert tone(listen(bench, 1)) == SILENCE
    assert bench.state(PHONE) == "idle"


def test_a_phone_of_no_seat_hears_congestion_tone(bench: Bench) -> None:
    leg = lift(bench, barred=True)
    assert tone(listen(bench, 6)) == "450 Hz 0.70/0.70"
    bench.wait(LIMITS.dial.seconds)

    assert [event.leg for event in bench.all(LegReleasing)] == [leg]


def test_while_messages_wait_dial_tone_is_the_special_one(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, messages=True))
    lift(bench)
    assert tone(listen(bench, 4)) == "450 Hz 0.40/0.04"
    bench.put_down()
    bench.command(TellPhone(PHONE, messages=False))
    lift(bench)

    assert tone(listen(bench, 2)) == "450 Hz"


def test_a_headset_phone_that_stays_off_hook_is_left_in_peace(bench: Bench) -> None:
    bench.lift()
    bench.wait(24 * 3600)
    bench.tick()

    assert tone(listen(bench, 1)) == SILENCE
    assert (bench.state(PHONE), bench.all(LegReleasing)) == ("up", [])


USES: dict[str, Callable[[str], AnyLineCommand]] = {
    "play": lambda leg: Play(leg, "a", ("tone:ringback",), loop=True),
    "join": lambda leg: Join((Hear(leg, ()),)),
    "conference": lambda leg: Conference("c", (leg,)),
    "supervise": lambda leg: Supervise(leg, leg, "monitor"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_leg_that_is_used_is_not_given_up(bench: Bench, use: Callable[[str], AnyLineCommand]) -> None:
    leg = lift(bench)
    bench.command(use(leg))
    bench.wait(3600)

    assert bench.all(LegReleasing) == []


@pytest.mark.parametrize("how", ["heard", "told"])
def test_the_first_digit_ends_dial_tone_and_who_stops_dialling_hears_busy_tone(bench: Bench, how: str) -> None:
    leg = lift(bench)

    def press() -> None:
        if how == "told":
            bench.signal(Digit(PHONE, "1", 100))
            return
        silence = np.full((len(CHANNELS), 80), 0xD5, np.uint8)
        key = dtmf("1", 100).reshape(-1, 80)
        for block in key:
            received = silence.copy()
            received[PHONE] = block
            bench.tick(received)
        for _ in range(10):
            bench.tick(silence)

    press()
    bench.tick()
    assert tone(listen(bench, 1)) == SILENCE
    bench.wait(LIMITS.digits.seconds - 2)
    press()
    bench.wait(LIMITS.digits.seconds - 1)
    assert bench.all(LegReleasing) == []
    bench.wait(1)

    assert [event.leg for event in bench.all(LegReleasing)] == [leg]


def test_dial_tone_said_twice_begins_nothing_anew(bench: Bench) -> None:
    leg = lift(bench)
    bench.wait(LIMITS.dial.seconds / 2)
    bench.command(GiveDialTone(leg))
    bench.wait(LIMITS.dial.seconds / 2)
    assert len(bench.all(LegReleasing)) == 1
    bench.command(GiveDialTone(leg))
    bench.tick()

    assert tone(listen(bench, 4)) == "450 Hz 0.35/0.35"


def test_dial_tone_is_for_lifted_phones(bench: Bench) -> None:
    citizen = bench.call()
    bench.command(RingExtension("offer-1", PHONE))
    bench.command(GiveDialTone(citizen), GiveDialTone(bench.last(LegAlerting).leg), GiveDialTone("nobody"))
    bench.tick()

    assert tone(listen(bench, 0.5)) == SILENCE


def test_each_limit_says_where_it_is_from() -> None:
    for limit in (LIMITS.dial, LIMITS.digits, LIMITS.busy, LIMITS.howler):
        assert limit.chinese and limit.source, limit


def test_limits_that_are_wrong_say_where(tmp_path: Path) -> None:
    wrong = tmp_path / "phone_limits.toml"
    wrong.write_text('[dial]\nseconds = 0\nsource = "none"\n')
    with pytest.raises(PhoneLimitsError, match=r"phone_limits\.toml.*dial\.seconds"):
        load_phone_limits(wrong)
    with pytest.raises(PhoneLimitsError, match=r"nothing\.toml"):
        load_phone_limits(tmp_path / "nothing.toml")
