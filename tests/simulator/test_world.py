"""Simulated citizens and phones behave as the outside of a box does, in virtual time, sample by sample."""

from __future__ import annotations

import time

import numpy as np
import pytest

from boards.signals import Cause, Digit, HookChange, Release, Ring, Setup
from firmware.media.codec import decode, encode, level_of
from firmware.simulator.citizens import Caller, Outcome, own_tone
from firmware.simulator.journal import HeardStretch, JournalEvent, SentStretch
from firmware.simulator.pattern import verify_pattern
from firmware.simulator.phones import PhoneState
from firmware.simulator.scenario import Citizen, Dial, HangUp, Phone, SayNothing, Step, Talk, Wait
from firmware.simulator.world import World
from firmware.tones.generate import dtmf, sine
from tests.simulator.scripted_box import START, ScriptedBox

FXS_1 = 30
ANSWERED = Wait(until="answered")
MANNED = Phone(extension="FXS-1", behaviour="manned", says="pattern")


def box_with(*steps: Step, audio: bool = True, phones: tuple[Phone, ...] = (), answers: bool = True) -> ScriptedBox:
    citizen = Citizen(at_seconds=0.1, name="zhang", calling="13912345678", audio=audio, steps=steps)
    return ScriptedBox(World([citizen], phones, START), answers)


def only_caller(box: ScriptedBox) -> Caller:
    (caller,) = box.world.callers.values()
    return caller


def finished(box: ScriptedBox) -> Caller:
    (caller,) = box.world.take_finished()
    return caller


def events(caller: Caller) -> list[str]:
    return [event.event for event in caller.journal.events]


# ---- trunk signalling ------------------------------------------------------------------------------------------------


def test_a_call_starts_at_its_time_with_its_numbers_and_ends_when_both_sides_released() -> None:
    box = box_with(ANSWERED, Wait(seconds=1.0), HangUp(), audio=False)

    box.run(2.0)

    setup, release = (signal for _, signal in box.heard_signals)
    assert setup == Setup(channel=0, called="12345", calling="13912345678")
    assert release == Release(channel=0, cause=Cause.NORMAL)
    assert [block for block, _ in box.heard_signals] == [10, 111], "answered one block later, then one second"
    assert finished(box).outcome is Outcome.HUNG_UP
    assert box.world.callers == {}


def test_a_release_by_the_box_is_confirmed_and_the_citizen_is_gone() -> None:
    box = box_with(ANSWERED, Wait(until="cleared", at_most_seconds=60))
    box.run(0.5)

    box.to_world.append(Release(channel=0, cause=Cause.CONGESTION))
    box.tick()

    assert box.heard_signals[-1][1] == Release(channel=0)
    caller = finished(box)
    assert caller.outcome is Outcome.RELEASED
    assert [e.detail for e in caller.journal.events if e.event == "released"] == ["congestion"]
    box.to_world.clear()
    box.run(1.0)
    assert len(box.signals(Release)) == 1


def test_when_both_release_in_one_tick_nobody_confirms_twice() -> None:
    box = box_with(ANSWERED, Wait(seconds=1.0), HangUp())
    box.run(5, until=lambda: box.world.block == 111)

    box.answers = False
    box.to_world.append(Release(channel=0))
    box.world.callers[0].hang_up()
    box.tick()
    box.to_world.clear()
    box.run(1.0)

    assert len(box.signals(Release)) == 1
    assert finished(box).outcome is Outcome.HUNG_UP
    assert box.world.totals.unconfirmed_releases == 0


def test_a_release_that_the_box_never_confirms_is_counted_and_keeps_the_channel() -> None:
    box = box_with(ANSWERED, HangUp())
    box.run(0.5, until=lambda: bool(box.signals(Release)))
    box.to_world.clear()

    box.run(11)

    assert box.world.totals.unconfirmed_releases == 1
    assert 0 in box.world.callers


def test_a_citizen_without_patience_hangs_up_before_the_answer() -> None:
    box = box_with(Wait(until="answered", at_most_seconds=2.0), Wait(seconds=60), answers=False)

    box.run(3)

    assert box.heard_signals[-1] == (210, Release(channel=0, cause=Cause.NORMAL))


def test_thirty_calls_fill_the_span_and_the_next_finds_no_channel() -> None:
    citizens = [Citizen(at_seconds=0.0, steps=(Wait(seconds=5.0),)) for _ in range(31)]
    box = ScriptedBox(World(citizens, (), START))

    box.run(1)

    assert [signal.channel for signal in box.signals(Setup)] == list(range(30))
    assert finished(box).outcome is Outcome.NO_CHANNEL
    box.run(6)
    assert len(box.world.take_finished()) == 30


def test_the_next_call_takes_the_channel_that_was_idle_longest() -> None:
    citizens = [Citizen(at_seconds=float(n), steps=(Wait(seconds=0.2),)) for n in range(3)]
    box = ScriptedBox(World(citizens, (), START))

    box.run(4)

    assert [signal.channel for signal in box.signals(Setup)] == [0, 1, 2]


# ---- sound -----------------------------------------------------------------------------------------------------------


def test_citizen_and_agent_hear_every_sample_of_each_other_exactly_once() -> None:
    box = box_with(ANSWERED, Talk(pattern=True), Wait(seconds=6.0), HangUp(), phones=(MANNED,))
    box.run(0.5)
    caller, phone = only_caller(box), box.world.phones[0]
    box.ring(FXS_1)
    box.run(3, until=lambda: phone.off_hook)
    box.join(0, FXS_1)
    box.tick()
    from_sample = box.world.sample

    box.run(2.5)
    to_sample = box.world.sample - 80  # the scripted box holds each block for one tick

    for hearer, speaker in ((caller.journal, phone.speaker), (phone.journal, caller.speaker)):
        entries, heard = hearer.take(box.world.sample)
        samples = np.frombuffer(heard, dtype=np.uint8)
        report = verify_pattern(samples, speaker, from_sample, to_sample)
        assert report.exactly_once, str(report)
        (stretch,) = (entry for entry in entries if isinstance(entry, HeardStretch))
        assert stretch.blocks * 80 == len(samples)
        (said,) = (entry for entry in entries if isinstance(entry, SentStretch))
        assert said.goes_on
        assert said.what == "pattern"
        assert said.last == box.world.sample


def test_digits_are_tones_of_a_tenth_of_a_second_and_then_the_voice_goes_on() -> None:
    box = box_with(ANSWERED, Talk(tone_hz=1000), Wait(seconds=0.5), Dial(digits="1#"), Wait(seconds=0.3))

    box.run(2, until=lambda: not box.world.callers and box.world.block > 20)

    said = np.concatenate([block[0] for block in box.sent])
    pressed = (11 + 50) * 80
    assert np.array_equal(said[pressed : pressed + 800], dtmf("1", 100))
    assert (said[pressed + 800 : pressed + 1600] == 0xD5).all()
    assert np.array_equal(said[pressed + 1600 : pressed + 2400], dtmf("#", 100))
    voice = said[pressed + 3200 : pressed + 3200 + 2400]
    assert np.array_equal(voice, encode(sine(1000.0, -13.0, 2400)))
    assert (said[pressed + 5600 :] == 0xD5).all(), "silent after hanging up"


def test_a_tone_joins_its_own_beginning_without_a_step() -> None:
    box = box_with(ANSWERED, Talk(tone_hz=777), Wait(seconds=5.0))

    box.run(3)

    linear = decode(np.concatenate([block[0] for block in box.sent[20:]]))
    assert np.abs(np.diff(linear)).max() < 1.05 * 2 * np.pi * 777 / 8000 * np.abs(linear).max()
    assert abs(level_of(linear) + 13.0) < 0.2


def test_who_says_nothing_is_silent_to_the_last_sample() -> None:
    box = box_with(ANSWERED, Talk(pattern=True), Wait(seconds=0.2), SayNothing(), Wait(seconds=1.0))

    box.run(0.5)

    assert (box.sent[20][0] != 0xD5).any()
    assert (box.sent[40] == 0xD5).all()


def test_a_citizen_waits_for_a_certain_tone_and_not_for_another() -> None:
    box = box_with(ANSWERED, Wait(until="tone", tone_hz=650, at_most_seconds=30), Dial(digits="5"), Wait(seconds=9))
    box.plays[0] = encode(sine(750.0, -20.0, 80))
    box.run(2)
    assert "digit" not in events(only_caller(box))

    box.plays[0] = encode(sine(650.0, -20.0, 80))
    began = box.world.block
    box.run(1)

    (noticed,) = (e for e in only_caller(box).journal.events if e.event == "noticed" and e.detail == "tone")
    assert noticed.block - began == 4, "five blocks of tone"


def test_whispers_are_no_sound_and_a_second_wait_for_sound_listens_anew() -> None:
    box = box_with(ANSWERED, Wait(until="sound"), Wait(seconds=1), Wait(until="sound"), HangUp())
    box.plays[0] = encode(sine(500.0, -60.0, 80))
    box.run(2)
    assert "noticed" in events(only_caller(box))
    assert [e.detail for e in only_caller(box).journal.events if e.event == "noticed"] == ["answered"]

    box.plays[0] = encode(sine(500.0, -30.0, 80))
    box.run(2, until=lambda: not box.world.callers)

    assert box.world.totals.by_outcome[Outcome.HUNG_UP] == 1


def test_a_citizen_without_audio_says_nothing_and_presses_digits_as_signals() -> None:
    box = box_with(ANSWERED, Dial(digits="20", signalled=True), Wait(seconds=1), audio=False)

    box.run(2)

    assert box.signals(Setup)[0].digits == "events"
    assert [(block, s.digit) for block, s in box.heard_signals if isinstance(s, Digit)] == [(11, "2"), (31, "0")]
    assert all((block == 0xD5).all() for block in box.sent)


def test_what_was_heard_carries_the_senders_block_numbers_over_a_gap() -> None:
    box = box_with(ANSWERED, Wait(seconds=5))
    box.run(0.2)
    journal = only_caller(box).journal
    journal.take(0)

    block = np.zeros((38, 80), dtype=np.uint8)
    for number in (500, 501, 504):
        box.world.hear(number, block)
    entries, heard = journal.take(0)

    assert len(heard) == 240
    stretches = [entry for entry in entries if isinstance(entry, HeardStretch)]
    assert [(s.first_block, s.blocks) for s in stretches] == [(500, 2), (504, 1)]
    assert stretches[1].offset - stretches[0].offset == 160


# ---- phones ----------------------------------------------------------------------------------------------------------


def phone_box(**changes: object) -> ScriptedBox:
    phone = Phone(extension="FXS-1", behaviour="manned", **changes)  # type: ignore[arg-type]
    return ScriptedBox(World([], (phone,), START))


def hooks(box: ScriptedBox) -> list[tuple[int, bool]]:
    return [(block, signal.off_hook) for block, signal in box.heard_signals if isinstance(signal, HookChange)]


def test_a_manned_phone_is_lifted_two_seconds_after_the_first_ring() -> None:
    box = phone_box()
    box.ring(FXS_1, on=True)
    box.run(1)
    box.ring(FXS_1, on=False)

    box.run(2)

    assert hooks(box) == [(200, True)]
    assert np.array_equal(box.sent[250][FXS_1], encode(sine(own_tone(1), -13.0, 8000))[4000:4080])


def test_a_ring_that_stops_is_forgotten_after_the_pause_of_the_cadence() -> None:
    box = phone_box(answer_seconds=20.0)
    box.ring(FXS_1, on=True)
    box.run(1)
    box.ring(FXS_1, on=False)

    box.run(5.9)
    assert box.world.phones[0].state is PhoneState.RINGING
    box.run(20)

    assert box.world.phones[0].state is PhoneState.ON_HOOK
    assert hooks(box) == []


def test_busy_tone_makes_a_person_put_the_handset_down_and_a_steady_tone_does_not() -> None:
    box = phone_box()
    box.ring(FXS_1)
    box.run(2.5)
    tone, silence = encode(sine(450.0, -10.0, 80)), np.full(80, 0xD5, dtype=np.uint8)
    box.plays[FXS_1] = tone
    box.run(5)
    assert box.world.phones[0].off_hook

    for _ in range(5):
        box.plays[FXS_1] = silence
        box.run(0.35)
        box.plays[FXS_1] = tone
        box.run(0.35)

    assert [off for _, off in hooks(box)] == [True, False]


def test_an_agent_who_talks_so_long_hangs_up_first() -> None:
    box = phone_box(talk_seconds=3.0)
    box.ring(FXS_1)

    box.run(6)

    assert hooks(box) == [(200, True), (500, False)]


def test_a_headset_phone_is_off_hook_from_the_start_and_an_empty_one_never() -> None:
    phones = (Phone(extension="FXS-5", behaviour="headset"), Phone(extension="FXS-6", behaviour="empty"))
    box = ScriptedBox(World([], phones, START))
    for channel in (34, 35):
        box.ring(channel)

    box.run(5)

    assert [s for _, s in box.heard_signals] == [HookChange(channel=34, off_hook=True)]


# ---- a gateway that dies, a day that is skipped ----------------------------------------------------------------------


def test_when_the_gateway_dies_calls_are_lost_and_phones_keep_their_hooks() -> None:
    box = box_with(ANSWERED, Wait(seconds=50), phones=(MANNED, Phone(extension="FXS-5", behaviour="headset")))
    box.ring(FXS_1)
    box.run(3)

    box.world.gateway_lost(box.now)
    assert finished(box).outcome is Outcome.LINE_LOST
    assert box.world.callers == {}
    announced = box.world.gateway_arrived(box.now)

    assert announced == [HookChange(channel=30, off_hook=True), HookChange(channel=34, off_hook=True)]
    assert box.world.step(None, [], box.now)[1] == []


def test_nobody_can_call_while_there_is_no_gateway() -> None:
    box = box_with(ANSWERED)
    box.world.gateway_lost(box.now)

    box.run(1)

    assert finished(box).outcome is Outcome.NO_CHANNEL
    assert box.heard_signals == []


def test_a_day_without_audio_is_jumped_through_from_wake_to_wake() -> None:
    citizens = [Citizen(at_seconds=3600.0 * n, steps=(ANSWERED, Wait(seconds=90))) for n in range(8)]
    world = World(citizens, (), START)
    jumps, now, waiting = 0, START, []
    while (wake := world.next_wake()) is not None or waiting:
        jumps += 1
        now = now if waiting else START.later(wake - START.mono_us)
        box = ScriptedBox(world)
        for signal in world.exchange(waiting, now):
            box._handle(signal)
        waiting = box.to_world
        assert world.quiet

    assert jumps < 100
    assert world.totals.by_outcome[Outcome.HUNG_UP] == 8
    assert now.mono_us - START.mono_us == (7 * 3600 + 90) * 1_000_000


def test_quiet_ends_with_the_first_citizen_with_audio_and_begins_after_the_last() -> None:
    box = box_with(ANSWERED, Wait(seconds=1))
    quiet = []
    for _ in range(200):
        box.tick()
        quiet.append(box.world.quiet)

    assert quiet.index(False) == 10
    assert quiet[112:] == [True] * 88
    assert not any(quiet[10:111])


def test_a_box_that_wants_to_call_out_is_told_that_there_is_nobody() -> None:
    box = box_with(ANSWERED)
    box.to_world.append(Setup(channel=20, called="110"))

    box.tick()

    assert box.heard_signals[-1][1] == Release(channel=20, cause=Cause.UNALLOCATED)


def test_signals_on_channels_that_do_not_exist_or_are_idle_do_no_harm() -> None:
    box = box_with(ANSWERED)
    box.to_world += [Release(channel=25), Release(channel=99), Ring(channel=3, on=True), Ring(channel=99, on=True)]

    box.run(0.05)

    assert box.heard_signals == []


def test_a_bigger_board_has_more_phones_each_with_its_own_voice() -> None:
    phones = tuple(Phone(extension=f"FXS-{port}", behaviour="headset", says="tone") for port in range(1, 33))
    world = World([], phones, START, extensions=32)

    block, signals = world.step(None, [], START)

    assert block.shape == (62, 80)
    assert [signal.channel for signal in signals if isinstance(signal, HookChange)] == list(range(30, 62))
    assert len({own_tone(phone.speaker) for phone in world.phones}) == 32
    assert {450, 1100, 1400, 2100}.isdisjoint(own_tone(speaker) for speaker in (*range(1, 33), *range(1001, 1100)))


def test_a_phone_at_a_port_that_the_board_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="8 extension ports, there is no FXS-9"):
        World([], (Phone(extension="FXS-9", behaviour="empty"),), START)


def test_events_carry_the_block_and_the_moment() -> None:
    box = box_with(ANSWERED, HangUp())

    box.run(1)

    first = finished(box).journal.events[0]
    assert first == JournalEvent(block=10, at=START.later(100_000), event="calling", detail="E1-1/1")


@pytest.mark.parametrize("calls", [10])
def test_a_block_with_ten_talking_calls_costs_little(calls: int) -> None:
    citizens = [
        Citizen(at_seconds=0.0, audio=True, steps=(ANSWERED, Talk(pattern=n % 2 == 0), Wait(seconds=60)))
        for n in range(calls)
    ]
    box = ScriptedBox(World(citizens, (MANNED,), START))
    box.ring(FXS_1)
    box.run(3)
    heard = box.last_block
    best = min(_cost(box, heard) for _ in range(5))

    assert best < 400e-6, "target 100 µs; the limit allows for a busy machine"


def _cost(box: ScriptedBox, heard: np.ndarray) -> float:
    began = time.thread_time()
    for _ in range(100):
        box.world.step(heard, [], box.now)
    return (time.thread_time() - began) / 100
