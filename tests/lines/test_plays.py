"""Plays at the gateway: pieces follow each other to the sample, texts that were spoken for them too, with one end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, BLOCK
from boards.signals import Digit
from firmware.core.messages import encode_json
from firmware.lines.line_commands import AnswerLeg, Attach, Play, StopPlay, decode_command
from firmware.lines.messages import DigitReceived, PlayEnded
from firmware.lines.sound_parts import PART_SAMPLES, SoundParts, parts_of
from firmware.media.sounds import LONGEST_SAMPLES, REPLACED_SAMPLES, ROOM_SAMPLES
from firmware.tones.generate import dtmf, pause
from tests.lines.bench import MUSIC, PROMPT, Bench, speech

SPOKEN = np.resize(np.arange(1, 200, 3, dtype=np.uint8), 1237)
"""What a text became: no whole number of blocks."""


def answered(bench: Bench, channel: int = 0) -> str:
    leg = bench.call(channel)
    bench.command(AnswerLeg(leg))
    return leg


def heard(bench: Bench, ticks: int, channel: int = 0) -> np.ndarray:
    return np.concatenate([bench.tick()[channel] for _ in range(ticks)])


def play(bench: Bench, leg: str, sounds: Sequence[str], **spoken: np.ndarray) -> None:
    made = {f"text:{name}": samples.tobytes() for name, samples in spoken.items()}
    # As it comes over the socket.
    bench.command(decode_command(encode_json(Play(leg, "p", tuple(sounds), spoken=made))))


def test_pieces_follow_each_other_to_the_sample_and_end_once() -> None:
    bench = Bench()
    leg = answered(bench)

    play(bench, leg, ("prompt:welcome", "text:a", "prompt:welcome", "text:a"), a=SPOKEN)
    whole = np.concatenate([PROMPT, SPOKEN, PROMPT, SPOKEN])
    ticks = -(-len(whole) // BLOCK)
    sent = heard(bench, ticks)

    assert np.array_equal(sent[BLOCK : len(whole)], whole[BLOCK:]), "the first block fades in"
    assert set(sent[len(whole) :].tolist()) <= {ALAW_SILENCE}
    assert [(event.play, event.sample) for event in bench.all(PlayEnded)] == [("p", ticks * BLOCK)]


def test_a_spoken_text_hides_no_sound_of_the_store_for_others() -> None:
    bench = Bench()
    leg, other = answered(bench, 0), answered(bench, 1)
    bench.command(Play(leg, "p", ("prompt:welcome",), spoken={"prompt:welcome": SPOKEN.tobytes()}))
    bench.command(Play(other, "p", ("prompt:welcome",)))

    sent = np.concatenate([bench.tick() for _ in range(3)], axis=1)

    assert np.array_equal(sent[0, BLOCK:], SPOKEN[BLOCK : 3 * BLOCK])
    assert np.array_equal(sent[1, BLOCK:], PROMPT[BLOCK : 3 * BLOCK])


def test_a_sound_that_is_nowhere_is_told_and_the_rest_is_played(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    leg = answered(bench)

    play(bench, leg, ("text:nowhere", "prompt:welcome"))
    sent = heard(bench, 5)

    assert "text:nowhere cannot be played" in caplog.text
    assert np.array_equal(sent[BLOCK:400], PROMPT[BLOCK:])


def test_texts_without_room_are_told_and_room_comes_back_with_their_end(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    leg, other = answered(bench, 0), answered(bench, 1)
    longest = np.full(LONGEST_SAMPLES, 7, np.uint8)
    texts = {chr(ord("a") + number): longest for number in range(ROOM_SAMPLES // LONGEST_SAMPLES)}

    play(bench, leg, [f"text:{name}" for name in texts], **texts)
    assert caplog.text.count("no room") == 1, "each has its guard, so one does not fit"
    play(bench, other, ("text:z", "prompt:welcome"), z=longest)
    assert caplog.text.count("no room") == 2
    bench.command(StopPlay(leg), Play(other, "q", ("text:z",), spoken={"text:z": longest.tobytes()}))

    assert caplog.text.count("no room") == 2
    assert set(heard(bench, 3, 1)[BLOCK:].tolist()) == {7}


def test_music_is_one_stream_for_all_and_runs_on_while_something_else_is_played() -> None:
    bench = Bench()
    leg, other = answered(bench, 0), answered(bench, 1)
    bench.command(Play(leg, "music", ("music:waiting",), loop=True))
    heard(bench, 3)
    bench.command(Play(other, "music", ("music:waiting",), loop=True))
    together = np.concatenate([bench.tick() for _ in range(4)], axis=1)
    assert np.array_equal(together[0, BLOCK:], together[1, BLOCK:])

    bench.command(Play(leg, "announcement", ("prompt:welcome",)))
    heard(bench, 5)
    assert bench.last(PlayEnded).play == "announcement"
    bench.command(Play(leg, "music again", ("music:waiting",), loop=True))
    again = np.concatenate([bench.tick() for _ in range(4)], axis=1)

    assert np.array_equal(again[0, BLOCK:], again[1, BLOCK:]), "it goes on where it is by now"
    place = np.arange(BLOCK, 4 * BLOCK) + 12 * BLOCK
    assert np.array_equal(again[1, BLOCK:], MUSIC[place % MUSIC.size])


def test_a_digit_stops_a_play_that_may_be_interrupted_within_a_tick() -> None:
    bench = Bench()
    leg, other = answered(bench, 0), answered(bench, 1)
    bench.command(*(Play(one, "menu", ("music:waiting",), interruptible=True) for one in (leg, other)))
    heard(bench, 3)

    bench.signal(Digit(0, "1", 80))
    assert bench.last(DigitReceived).digit == "1"
    sent = np.concatenate([bench.tick() for _ in range(3)], axis=1)

    assert set(sent[0, BLOCK:].tolist()) == {ALAW_SILENCE}, "after a fade of one tick"
    assert ALAW_SILENCE not in sent[1].tolist(), "nobody else's play stops"
    heard(bench, 20)
    assert [event.leg for event in bench.all(PlayEnded)] == [other]
    bench.command(Play(leg, "menu", ("music:waiting",), interruptible=True))
    assert set(heard(bench, 2).tolist()) == {ALAW_SILENCE}, "said again, it is not begun again"


def test_a_digit_in_the_audio_stops_the_play_in_the_tick_in_which_it_is_detected() -> None:
    bench = Bench()
    leg = bench.call(0, digits="inband")
    bench.command(AnswerLeg(leg), Play(leg, "menu", ("music:waiting",), loop=True, interruptible=True))
    tone = np.concatenate([dtmf("5", 200), pause(200)])
    said = speech(0)
    said[:] = ALAW_SILENCE
    for place in range(len(tone) // BLOCK):
        said[0] = tone[place * BLOCK : (place + 1) * BLOCK]
        bench.tick(said)
        if bench.all(DigitReceived):
            break

    assert place * BLOCK < dtmf("5", 200).size + 5 * BLOCK, "a digit is one when its tone has ended"
    bench.tick(said)
    assert set(heard(bench, 2).tolist()) == {ALAW_SILENCE}


def test_a_digit_does_not_stop_what_may_not_be_interrupted() -> None:
    bench = Bench()
    leg = answered(bench)
    bench.command(Play(leg, "menu", ("music:waiting",), interruptible=True))
    bench.command(Play(leg, "law", ("prompt:welcome",)))

    bench.signal(Digit(0, "1", 80))
    sent = heard(bench, 5)

    assert np.array_equal(sent[BLOCK:400], PROMPT[BLOCK:])
    assert bench.last(PlayEnded).play == "law"


def test_the_gateway_tells_what_it_can_play() -> None:
    bench = Bench()

    snapshot, _ = bench.gateway.attach(Attach("", 0), bench.clock.now())

    assert set(snapshot.sounds) == {"tone:busy", "tone:howler", "prompt:welcome", "music:waiting"}


def load(bench: Bench, sound: str, samples: np.ndarray) -> None:
    # As it comes over the socket.
    bench.command(*(decode_command(encode_json(part)) for part in parts_of(sound, samples)))


def test_a_recording_that_was_replaced_is_heard_by_the_next_play_and_the_one_that_runs_goes_on() -> None:
    bench = Bench()
    leg, other = answered(bench, 0), answered(bench, 1)
    play(bench, leg, ("prompt:welcome",))
    before = bench.tick()[0]

    load(bench, "prompt:welcome", SPOKEN)
    play(bench, other, ("prompt:welcome",))
    sent = np.concatenate([bench.tick() for _ in range(3)], axis=1)

    assert np.array_equal(sent[0], PROMPT[before.size : before.size + 240]), "who hears the old one hears it to its end"
    assert np.array_equal(sent[1, BLOCK:], SPOKEN[BLOCK:240])


def test_a_long_recording_comes_in_parts_and_is_in_force_with_the_last(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    leg = answered(bench)
    music = np.resize(np.arange(251, dtype=np.uint8), 2 * PART_SAMPLES + 7)
    parts = parts_of("music:new", music)

    bench.command(*parts[:-1], Play(leg, "p", ("music:new",)))
    assert "music:new cannot be played" in caplog.text
    bench.command(*parts, Play(leg, "q", ("music:new",), loop=True))

    assert [part.at for part in parts] == [0, PART_SAMPLES, 2 * PART_SAMPLES]
    at = bench.gateway.sample
    assert np.array_equal(heard(bench, 3)[BLOCK:], music[at + BLOCK : at + 240])
    assert "music:new" in bench.gateway.snapshot(True, bench.clock.now()).sounds


def test_parts_that_do_not_fit_together_are_no_recording() -> None:
    first, _, last = parts_of("prompt:welcome", np.full(2 * PART_SAMPLES + 1, 3, np.uint8))
    (other,) = parts_of("prompt:menu", SPOKEN)
    parts = SoundParts()

    assert parts.take(first) is None and parts.take(last) is None, "one is missing"
    assert parts.take(first) is None
    whole = parts.take(other)
    assert whole is not None and np.array_equal(whole, SPOKEN), "who was cut off is forgotten"
    assert parts.take(last) is None


def test_without_room_for_a_recording_the_one_before_stays(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    leg = answered(bench)

    load(bench, "prompt:welcome", np.full(REPLACED_SAMPLES, 3, np.uint8))
    play(bench, leg, ("prompt:welcome",))

    assert "no room for the new recording of prompt:welcome" in caplog.text
    assert np.array_equal(heard(bench, 3)[BLOCK:], PROMPT[BLOCK:240])
