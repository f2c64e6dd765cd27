"""What the callserver is told and what parties hear: the gateway's core as a whole, in virtual time."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from boards.base import ALAW_SILENCE, BLOCK, BoardCounters
from boards.signals import Alarm, Blocked, Cause, Digit, HookChange, Release, Setup
from firmware.core.faults import fault
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnswerLeg, ClearLeg, ConfigureLines, Hear, Join, Play, RingExtension, StopPlay
from firmware.lines.messages import BoardChanged, ChannelChanged, DigitReceived, LegCleared, PhoneLifted, PlayEnded
from firmware.lines.trunk import TrunkLine
from firmware.media import codec
from firmware.media.sounds import SoundStore
from tests.lines.bench import CHANNELS, FIRST_PHONE, MUSIC, PROMPT, Bench, speech

PHONE = FIRST_PHONE


def conversation(bench: Bench) -> tuple[str, str]:
    """A caller on channel 0 and an agent's phone, joined."""
    caller = bench.call()
    bench.lift()
    agent = bench.last(PhoneLifted).leg
    bench.command(AnswerLeg(caller), Join((Hear(caller, (agent,)), Hear(agent, (caller,)))))
    return caller, agent


# ---- hearing ---------------------------------------------------------------------------------------------------------


def test_joined_legs_hear_each_other_to_the_sample(bench: Bench) -> None:
    conversation(bench)
    bench.tick(speech(0))  # fades in
    spoken = speech(1)
    heard = bench.tick(spoken)

    assert heard[0].tolist() == spoken[PHONE].tolist()
    assert heard[PHONE].tolist() == spoken[0].tolist()
    assert set(heard[1]) == {ALAW_SILENCE}


def test_when_one_leg_goes_those_who_heard_it_hear_silence(bench: Bench) -> None:
    conversation(bench)
    bench.tick(speech(0))
    bench.signal(Release(0))
    bench.tick(speech(1))  # fades out

    assert set(bench.tick(speech(2))[PHONE]) == {ALAW_SILENCE}


def test_the_next_caller_on_a_channel_is_not_heard_by_the_last_one_s_agent(bench: Bench) -> None:
    _, agent = conversation(bench)
    bench.signal(Release(0))
    second = bench.call()
    bench.tick(speech(0))

    heard = bench.tick(speech(1))

    assert set(heard[PHONE]) == {ALAW_SILENCE}
    assert set(heard[0]) == {ALAW_SILENCE}
    hearing = {leg.leg: leg.hearing for leg in bench.gateway.snapshot(False, bench.clock.now()).legs}
    assert hearing == {agent: (), second: ()}


def test_a_leg_given_up_is_heard_no_more_even_before_the_exchange_confirms(bench: Bench) -> None:
    caller, _ = conversation(bench)
    bench.tick(speech(0))
    bench.command(ClearLeg(caller))
    bench.tick(speech(1))

    heard = bench.tick(speech(2))

    assert bench.state(0) == "releasing"
    assert set(heard[PHONE]) == {ALAW_SILENCE}
    assert set(heard[0]) == {ALAW_SILENCE}


def test_commands_for_legs_that_are_gone_do_nothing(bench: Bench) -> None:
    caller, agent = conversation(bench)
    bench.command(ClearLeg(agent))
    bench.put_down()
    bench.signal(Release(0))
    bench.said()
    events = len(bench.events)

    bench.command(
        AnswerLeg(caller),
        ClearLeg(caller),
        Play(caller, "p", ("prompt:welcome",)),
        StopPlay(caller),
        Join((Hear(caller, (agent,)), Hear(agent, (caller,)))),
        ClearLeg("other-boot.0.1"),
        ConfigureLines(blocked=("T-99",)),
    )

    assert bench.said() == []
    assert len(bench.events) == events
    assert set(bench.tick(speech(0)).ravel().tolist()) == {ALAW_SILENCE}


def test_a_phone_that_hears_busy_tone_cannot_be_joined_or_played_to(bench: Bench) -> None:
    caller, agent = conversation(bench)
    bench.command(ClearLeg(agent))
    bench.tick(speech(0))
    before = bench.tick(speech(1))[PHONE]

    bench.command(Join((Hear(agent, (caller,)),)), Play(agent, "p", ("music:waiting",), True))
    bench.tick(speech(2))
    spoken = speech(3)

    assert bench.tick(spoken)[PHONE].tolist() != spoken[0].tolist()
    assert before.tolist() != [ALAW_SILENCE] * BLOCK


# ---- plays -----------------------------------------------------------------------------------------------------------


def test_a_prompt_is_heard_to_its_last_sample_and_its_end_is_told(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg), Play(leg, "greeting", ("prompt:welcome",)))

    heard = np.concatenate([bench.tick()[0] for _ in range(6)])

    assert heard[80:400].tolist() == PROMPT[80:].tolist()  # the first block fades in
    assert set(heard[400:]) == {ALAW_SILENCE}
    assert [(event.leg, event.play, event.sample) for event in bench.all(PlayEnded)] == [(leg, "greeting", 400)]


def test_a_play_said_twice_is_heard_once(bench: Bench) -> None:
    leg = bench.call()
    play = Play(leg, "greeting", ("prompt:welcome",))
    bench.command(play)
    bench.tick()
    bench.command(play)
    for _ in range(5):
        bench.tick()
    bench.command(play)
    bench.tick()

    assert set(bench.tick()[0]) == {ALAW_SILENCE}
    assert len(bench.all(PlayEnded)) == 1


def test_the_same_name_plays_anew_after_something_else_was_heard(bench: Bench) -> None:
    caller, agent = conversation(bench)
    music = Play(caller, "hold", ("music:waiting",), True)
    bench.command(music, Join((Hear(caller, (agent,)),)), music)
    bench.tick()

    assert bench.tick()[0].tolist() == MUSIC[80:160].tolist()


def test_a_play_that_is_replaced_or_stopped_does_not_say_that_it_ended(bench: Bench) -> None:
    caller, _ = conversation(bench)
    bench.command(Play(caller, "one", ("prompt:welcome",)), Play(caller, "two", ("prompt:welcome",)))
    bench.tick()
    bench.command(StopPlay(caller))
    bench.tick(speech(0))
    spoken = speech(1)

    assert bench.tick(spoken)[0].tolist() == spoken[PHONE].tolist()
    for _ in range(6):
        bench.tick()
    assert bench.all(PlayEnded) == []


def test_a_sound_that_is_not_there_ends_at_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    leg = bench.call()
    bench.command(Play(leg, "p", ("prompt:missing",)))
    bench.tick()

    assert bench.last(PlayEnded).play == "p"
    assert "prompt:missing" in caplog.text


# ---- digits ----------------------------------------------------------------------------------------------------------


def dial(
    bench: Bench, channel: int, low: float = 770.0, high: float = 1336.0, milliseconds: tuple[int, int] = (100, 100)
) -> None:
    """Press 5 on a channel, then wait; 100 ms each."""
    on, off = (8 * each for each in milliseconds)
    time = np.arange(on) / 8000
    tone = 4000 * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
    codes = np.concatenate([codec.encode(tone.astype(np.float32)), np.full(off, ALAW_SILENCE, np.uint8)])
    for part in codes.reshape(-1, BLOCK):
        block = np.full((len(CHANNELS), BLOCK), ALAW_SILENCE, np.uint8)
        block[channel] = part
        bench.tick(block)


@pytest.mark.parametrize("channel", [0, PHONE])
def test_a_digit_pressed_as_a_tone_is_told_with_its_place(bench: Bench, channel: int) -> None:
    if channel == PHONE:
        bench.lift()
    else:
        bench.call()
    for _ in range(10):
        bench.tick()

    dial(bench, channel)

    digit = bench.last(DigitReceived)
    assert len(bench.all(DigitReceived)) == 1
    assert (digit.digit, digit.source) == ("5", "inband")
    assert abs(digit.start - 800) <= 40
    assert abs(digit.duration - 800) <= 80
    assert digit.level_dbm0 is not None
    assert -18 < digit.level_dbm0 < -12


def test_what_the_caller_before_pressed_is_not_the_next_one_s(bench: Bench) -> None:
    # Given a caller who hangs up while a key is pressed, and the next one on the same channel at once
    bench.call()
    dial(bench, 0, milliseconds=(80, 0))
    bench.signal(Release(0))
    second = bench.call()
    # When the tone ends, and much later the second caller presses the same key
    dial(bench, 0, milliseconds=(20, 300))
    assert bench.all(DigitReceived) == []
    dial(bench, 0)
    # Then only that is told
    assert [(event.leg, event.digit) for event in bench.all(DigitReceived)] == [(second, "5")]


def test_tones_do_not_count_where_digits_come_as_signals(bench: Bench) -> None:
    bench.call(digits="events")
    for _ in range(100):
        bench.tick()
    dial(bench, 0)
    assert bench.all(DigitReceived) == []

    bench.signal(Digit(0, "7", 90), Digit(0, "x", 90), Digit(1, "8", 90))

    assert [(event.digit, event.source, event.duration) for event in bench.all(DigitReceived)] == [("7", "events", 720)]


def test_tones_without_a_party_or_after_its_end_do_not_count(bench: Bench) -> None:
    dial(bench, 1)
    dial(bench, PHONE)
    leg = bench.call()
    bench.command(ClearLeg(leg))
    dial(bench, 0)
    bench.lift()
    bench.command(ClearLeg(bench.last(PhoneLifted).leg))
    dial(bench, PHONE)

    assert bench.all(DigitReceived) == []


# ---- boards ----------------------------------------------------------------------------------------------------------


def test_a_board_that_fails_ends_its_calls_and_comes_back_idle(bench: Bench) -> None:
    caller, agent = conversation(bench)
    bench.command(RingExtension("r", PHONE + 1))
    ringing = bench.gateway.lines[PHONE + 1].leg
    bench.said()

    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.look()

    assert {(event.leg, event.cause, event.by) for event in bench.all(LegCleared)} == {
        (leg, Cause.FAILURE, "line") for leg in (caller, agent, ringing)
    }
    assert bench.said() == []
    assert {bench.state(channel) for channel in range(len(CHANNELS))} == {"out_of_service"}
    state = bench.last(BoardChanged).state
    assert (state.working, state.faults) == (False, (fault("no_audio"),))
    bench.wait(20)
    assert bench.said() == []

    bench.open()
    assert {bench.state(channel) for channel in range(len(CHANNELS))} == {"idle"}
    assert bench.gateway.next_deadline() is None


def test_a_board_that_fails_again_for_the_same_reason_is_told_once(bench: Bench) -> None:
    for _ in range(3):
        bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.look()

    assert [event.state.working for event in bench.all(BoardChanged)] == [True, False]


def test_a_block_outlasts_the_board(bench: Bench) -> None:
    bench.command(ConfigureLines(blocked=("T-1",)))
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.look()
    bench.said()
    bench.open()
    bench.look()

    assert bench.said() == [Blocked(0, True)]
    assert bench.state(0) == "blocked"


def test_a_board_that_is_not_there_does_not_move_the_channels_of_the_next() -> None:
    bench = Bench()
    gateway = Gateway([("a", CHANNELS), ("b", CHANNELS)], SoundStore({}), "boot", "machine")
    now = bench.clock.now()
    gateway.board_opened("b", now)
    gateway.handle_signal("b", Setup(1, "1"), now)

    assert gateway.lines[len(CHANNELS) + 1].leg == f"boot.{len(CHANNELS) + 1}.1"
    assert [(board, signal.channel) for board, signal in gateway.take_signals()] == [("b", 1)]
    blocks = gateway.tick({"b": speech(1)}, now)
    assert {name: block.shape for name, block in blocks.items()} == {"a": (6, 80), "b": (6, 80)}
    assert gateway.received[len(CHANNELS) :].tolist() == speech(1).tolist()
    assert set(gateway.received[: len(CHANNELS)].ravel().tolist()) == {ALAW_SILENCE}


def test_lines_of_two_boards_have_labels_of_their_own() -> None:
    gateway = Gateway([("a", CHANNELS), ("b", CHANNELS)], SoundStore({}), "boot", "machine")
    labels = [state.label for state in gateway.snapshot(True, Bench().clock.now()).channels]

    assert labels == [place.label for place in CHANNELS] + [f"b-{place.label}" for place in CHANNELS]


def test_two_boards_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two boards are called a"):
        Gateway([("a", CHANNELS), ("a", CHANNELS)], SoundStore({}), "boot", "machine")


def test_lost_blocks_and_alarms_are_shown(bench: Bench) -> None:
    bench.signal(Alarm("LOS", True))
    bench.gateway.board_counters(
        "card",
        BoardCounters(lost_inward=3, lost_outward=4, slips=5, crc_errors=6, extra={"stalls": 2, "holes": 0}),
        bench.clock.now(),
    )
    bench.look()

    state = bench.last(BoardChanged).state
    assert (state.lost_inward, state.lost_outward, state.faults, state.working) == (3, 4, (fault("LOS"),), True)
    assert state.counters == {"slips": 5, "crc_errors": 6, "stalls": 2}
    bench.signal(Alarm("LOS", False))
    assert bench.last(BoardChanged).state.faults == ()


def test_an_alarm_names_the_channels_that_it_covers(bench: Bench) -> None:
    """Each port has its own chip: one that comes back does not take the other's alarm with it."""
    for channel in (PHONE, PHONE + 1):
        bench.signal(Alarm("chip_silent", True, (channel,), (("level", "high"),)))
    silent = fault("chip_silent", level="high")
    labels = [CHANNELS[channel].label for channel in (PHONE, PHONE + 1)]
    assert bench.last(BoardChanged).state.faults == (silent.at(", ".join(labels)),)

    bench.signal(Alarm("chip_silent", False, (PHONE,), (("level", "high"),)))

    assert bench.last(BoardChanged).state.faults == (silent.at(labels[1]),)
    assert [bench.state(channel) for channel in (PHONE, PHONE + 1)] == ["idle", "out_of_service"]
    bench.signal(Alarm("LOS", True))
    assert [(one.code, one.place) for one in bench.last(BoardChanged).state.faults] == [
        ("LOS", ""),
        ("chip_silent", labels[1]),
    ]


def test_signals_for_the_wrong_kind_of_line_are_passed_over(bench: Bench) -> None:
    events = len(bench.events)

    bench.signal(Setup(PHONE, "1"), Release(PHONE), HookChange(0, True), Setup(99, "1"))

    assert len(bench.events) == events
    assert bench.said() == []


# ---- channels and state ----------------------------------------------------------------------------------------------


def test_every_change_of_a_channel_is_told(bench: Bench) -> None:
    start = len(bench.all(ChannelChanged))
    leg = bench.call()
    bench.command(AnswerLeg(leg), ClearLeg(leg))
    bench.signal(Release(0))

    changes = [(event.state.label, event.state.state, event.state.leg) for event in bench.all(ChannelChanged)[start:]]
    assert changes == [("T-1", "seized", leg), ("T-1", "up", leg), ("T-1", "releasing", leg), ("T-1", "idle", "")]
    assert {event.leg for event in bench.all(ChannelChanged)} == {""}


def test_a_line_can_be_written_down_and_read_back(bench: Bench) -> None:
    bench.call()
    line = bench.gateway.lines[0]
    assert line.timers

    assert msgspec.json.decode(msgspec.json.encode(line), type=TrunkLine) == line


def test_time_can_jump_to_the_next_thing_that_happens(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg), Play(leg, "greeting", ("prompt:welcome", "prompt:welcome")))
    bench.command(RingExtension("r", PHONE))
    start = bench.clock.now()
    bench.said()

    assert bench.gateway.idle_until(start) == start.mono_us + 100_000  # 800 samples
    ended = bench.gateway.skip_to(48_000, start.later(6_000_000))

    assert [(event.play, event.sample, event.at) for event in ended] == [("greeting", 800, start.later(100_000))]
    assert bench.gateway.sample == 48_000
    bench.look()
    # The due timer; the next, when the phone is told who calls, runs from the moment it fired.
    assert [signal.on for signal in bench.said()] == [False]
    assert bench.gateway.idle_until(start.later(6_000_000)) == start.mono_us + 6_600_000
    with pytest.raises(ValueError, match="whole blocks"):
        bench.gateway.skip_to(47_920, bench.clock.now())


def test_an_idle_gateway_never_wakes(bench: Bench) -> None:
    assert bench.gateway.idle_until(bench.clock.now()) is None
