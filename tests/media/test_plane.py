"""The switch, in virtual time: everyone hears exactly whom they should, bit for bit, and no join clicks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.media import codec
from firmware.media.codec import BLOCK, SILENCE, Alaw
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore

ROOT = Path(__file__).resolve().parents[2]
PROMPT = np.arange(200, dtype=np.uint8)
SECOND = np.arange(200, 250, dtype=np.uint8)
MUSIC = (np.arange(1000) % 251).astype(np.uint8)


def store() -> SoundStore:
    tone = np.resize(codec.encode(codec.peak_of(-10) * np.sin(2 * np.pi * 9 / 160 * np.arange(160))), 160)
    return SoundStore({"prompt:one": PROMPT, "prompt:two": SECOND, "music:waiting": MUSIC, "tone:dial": tone})


class Voices:
    """Each channel speaks a tone of its own, 25 Hz apart, so that a spectrum says who is heard."""

    def __init__(self, channels: int, dbm0: float = -20.0) -> None:
        self.channels = channels
        self.peak = codec.peak_of(dbm0)

    def hz(self, channel: int) -> int:
        return 400 + 25 * channel

    def block(self, sample: int) -> Alaw:
        time = (sample + np.arange(BLOCK)) / codec.SAMPLE_RATE
        hz = np.array([self.hz(channel) for channel in range(self.channels)])
        return codec.encode(self.peak * np.sin(2 * np.pi * hz[:, None] * time))

    def heard_in(self, codes: Alaw) -> set[int]:
        """Which voices are in 40 ms of a row, at half their level or more."""
        assert codes.size == 320
        linear = codec.decode(codes)
        time = np.arange(320) / codec.SAMPLE_RATE
        waves = np.exp(-2j * np.pi * np.array([self.hz(c) for c in range(self.channels)])[:, None] * time)
        return set(np.flatnonzero(np.abs(waves @ linear) / 160 > self.peak / 2).tolist())

    def level_of(self, channel: int, codes: Alaw) -> float:
        """Level in dBm0 at which a voice is in a row of whole periods of 40 ms."""
        assert codes.size % 320 == 0
        wave = np.exp(-2j * np.pi * self.hz(channel) / codec.SAMPLE_RATE * np.arange(codes.size))
        peak = float(np.abs(wave @ codec.decode(codes))) * 2 / codes.size
        return 20 * float(np.log10(peak / codec.ZERO_DBM0_PEAK))


def run(plane: MediaPlane, voices: Voices, ticks: int) -> tuple[Alaw, list[int]]:
    """`ticks` ticks on: all that was sent [channels, samples], all that ended."""
    sent, ended = [], []
    for _ in range(ticks):
        tick = plane.tick(voices.block(plane.sample))
        sent.append(tick.sent)
        ended += tick.ended
    return np.concatenate(sent, axis=1), ended


def test_who_is_joined_to_nobody_hears_silence() -> None:
    sent, _ = run(MediaPlane(4, store()), Voices(4), 2)
    assert np.all(sent == SILENCE)


def test_two_in_a_call_hear_each_other_bit_for_bit_in_the_same_tick() -> None:
    # Given every A-law code on the way, not only those of a voice
    plane, random = MediaPlane(6, store()), np.random.default_rng(1)
    plane.join({1: [4], 4: [1]})
    plane.tick(random.integers(0, 256, (6, BLOCK), dtype=np.uint8))
    # When the tick of the fade is over
    for _ in range(20):
        received = random.integers(0, 256, (6, BLOCK), dtype=np.uint8)
        sent = plane.tick(received).sent
        # Then what came in goes out, in the same tick
        assert np.array_equal(sent[1], received[4])
        assert np.array_equal(sent[4], received[1])
        assert np.all(sent[[0, 2, 3, 5]] == SILENCE)


def test_the_decoded_input_of_the_tick_is_there_for_the_detectors() -> None:
    plane = MediaPlane(3, store())
    received = Voices(3).block(0)
    plane.tick(received)
    assert np.array_equal(plane.linear, codec.decode(received))


@settings(max_examples=40)
@given(st.data())
def test_everyone_hears_exactly_whom_they_are_joined_to(data: st.DataObject) -> None:
    # Given any joins, after any joins, with channels forgotten in between
    channels = 9
    plane, voices = MediaPlane(channels, store()), Voices(channels)
    sources = st.lists(st.integers(0, channels - 1), max_size=4)
    hearing = st.dictionaries(st.integers(0, channels - 1), sources, max_size=channels)
    expected: dict[int, set[int]] = {}
    for _ in range(data.draw(st.integers(1, 3))):
        joins = data.draw(hearing)
        plane.join(joins)
        expected |= {channel: set(heard) for channel, heard in joins.items()}
        for gone in data.draw(st.sets(st.integers(0, channels - 1), max_size=2)):
            plane.silence(gone)
            expected = {channel: heard - {gone} for channel, heard in expected.items() if channel != gone}
        run(plane, voices, 1)
    # Then, the fade over, the ear agrees
    sent, _ = run(plane, voices, 4)
    for channel in range(channels):
        assert voices.heard_in(sent[channel]) == expected.get(channel, set()), channel
        assert plane.hears(channel) == tuple(sorted(expected.get(channel, set())))


def test_a_conference_is_the_sum_of_the_others_exactly() -> None:
    plane, voices = MediaPlane(5, store()), Voices(5, dbm0=-12.0)
    plane.join({channel: [other for other in range(5) if other != channel] for channel in range(5)})
    plane.tick(voices.block(0))
    for _ in range(10):
        received = voices.block(plane.sample)
        sent = plane.tick(received).sent
        total = codec.decode(received).sum(axis=0)
        assert np.abs(total).max() < codec.OVERLOAD
        assert np.array_equal(sent, codec.encode(total - codec.decode(received)))


def test_each_is_heard_at_the_level_that_was_said() -> None:
    plane, voices = MediaPlane(5, store()), Voices(5)
    plane.join({0: {1: -6.0, 2: 3.5}, 3: {1: -20.0}, 4: [1]})
    run(plane, voices, 1)
    sent, _ = run(plane, voices, 40)
    heard = {(row, source): voices.level_of(source, sent[row]) for row in (0, 3, 4) for source in (1, 2)}
    assert heard[0, 1] == pytest.approx(-26.0, abs=0.1)
    assert heard[0, 2] == pytest.approx(-16.5, abs=0.1)
    assert heard[3, 1] == pytest.approx(-40.0, abs=0.4)  # A-law's steps
    assert heard[4, 1] == pytest.approx(-20.0, abs=0.1)


def test_a_level_out_of_range_is_refused_and_nothing_has_changed() -> None:
    plane = MediaPlane(3, store())
    for level in (24.1, -61.0, float("nan")):
        with pytest.raises(ValueError, match="level"):
            plane.join({0: [1], 1: {2: level}})
    assert plane.hears(0) == ()


def test_a_whisper_is_heard_over_speech_and_plays_and_is_not_recorded() -> None:
    plane, voices = MediaPlane(4, store()), Voices(4)
    plane.join({0: [1], 1: [0]})
    plane.play(2, ["tone:dial"], True)
    run(plane, voices, 2)
    # When the last channel whispers to a conversation and over a tone
    plane.whisper(0, [3])
    plane.whisper(2, {3: -3.0})
    first = plane.tick(voices.block(plane.sample))
    ticks = [plane.tick(voices.block(plane.sample)) for _ in range(40)]
    sent = np.concatenate([tick.sent for tick in ticks], axis=1)
    recorded = np.concatenate([tick.recorded() for tick in ticks], axis=1)
    # Then it is heard by those two
    assert voices.level_of(3, sent[0]) == pytest.approx(-20.0, abs=0.1)
    assert voices.level_of(1, sent[0]) == pytest.approx(-20.0, abs=0.1)
    assert voices.level_of(3, sent[2]) == pytest.approx(-23.0, abs=0.3)
    assert voices.heard_in(sent[1, :320]) == {0}
    # and what may be recorded is, bit for bit, what was heard without it, from the first moment
    quiet = MediaPlane(4, store())
    quiet.join({0: [1], 1: [0]})
    quiet.play(2, ["tone:dial"], True)
    run(quiet, voices, 2)
    assert np.array_equal(first.recorded(), quiet.tick(voices.block(quiet.sample)).sent)
    assert np.array_equal(recorded, run(quiet, voices, 40)[0])
    # When the whisper ends
    plane.whisper(0, [])
    plane.silence(3)
    run(plane, voices, 1), run(quiet, voices, 1)
    tick = plane.tick(voices.block(plane.sample))
    assert np.array_equal(tick.sent, quiet.tick(voices.block(quiet.sample)).sent)
    assert tick.recorded() is tick.sent


def test_whom_a_play_covers_may_change_and_the_play_goes_on() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3)
    plane.play(0, ["tone:dial"], True)
    run(plane, voices, 1)
    plane.join({0: [1]}, under_plays=True)
    sent, _ = run(plane, voices, 4)
    assert 1 not in voices.heard_in(sent[0])
    plane.stop_play(0)
    run(plane, voices, 1)
    assert voices.heard_in(run(plane, voices, 4)[0][0]) == {1}


def test_a_join_fades_over_one_tick_and_does_not_click() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3, dbm0=0.0)
    plane.join({0: [1]})
    run(plane, voices, 4)
    before, _ = run(plane, voices, 1)
    # Given a join at a moment at which the one voice is at its peak and the other at zero
    plane.join({0: [2]})
    after, _ = run(plane, voices, 2)
    heard = codec.decode(np.concatenate([before[0], after[0]]))
    # No step is bigger than the fastest that the two voices themselves can make (and a coarse A-law step)
    fastest = 2 * np.pi * voices.hz(2) / 8000 * voices.peak
    assert np.abs(np.diff(heard)).max() < fastest + 1024
    # and in the fade both are there: the old at its beginning, the new at its end
    received = codec.decode(voices.block(5 * BLOCK))
    assert abs(received[1, 0] - received[2, 0]) > 0.9 * voices.peak
    assert abs(heard[80] - received[1, 0]) < 1024
    assert abs(heard[159] - received[2, 79]) < 1024


def test_the_same_join_said_again_changes_not_one_sample() -> None:
    plane, random = MediaPlane(4, store()), np.random.default_rng(2)
    plane.join({0: [1], 1: [0]})
    plane.tick(random.integers(0, 256, (4, BLOCK), dtype=np.uint8))
    for _ in range(5):
        plane.join({0: [1], 1: [0]})
        received = random.integers(0, 256, (4, BLOCK), dtype=np.uint8)
        sent = plane.tick(received).sent
        assert np.array_equal(sent[[0, 1]], received[[1, 0]])


def test_joined_and_parted_within_one_tick_nobody_hears_anything() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3)
    plane.join({0: [1]})
    plane.silence(0)
    sent, _ = run(plane, voices, 2)
    assert np.all(sent == SILENCE)


def test_a_channel_that_is_silenced_is_heard_by_nobody_any_more() -> None:
    plane, voices = MediaPlane(4, store()), Voices(4)
    plane.join({0: [1, 2], 1: [0], 2: [0], 3: [2]})
    plane.play(2, ["tone:dial"], True)
    run(plane, voices, 2)
    plane.silence(2)
    run(plane, voices, 1)
    sent, _ = run(plane, voices, 4)
    assert [voices.heard_in(sent[channel]) for channel in range(4)] == [{1}, {0}, set(), set()]
    assert not plane.playing(2)


def test_a_prompt_plays_to_its_end_and_says_so_in_that_tick() -> None:
    # Given two prompts of 200 and 50 samples, one after the other
    plane, voices = MediaPlane(2, store()), Voices(2)
    plane.play(1, ["prompt:one", "prompt:unknown", "prompt:two"], False)
    assert plane.next_end() == 320
    ended = [plane.tick(voices.block(0)) for _ in range(5)]
    sent = np.concatenate([tick.sent[1] for tick in ended])
    # Then it is heard sample for sample (but for the fade), and then silence
    assert np.array_equal(sent[80:250], np.concatenate([PROMPT, SECOND])[80:])
    assert np.all(sent[250:] == SILENCE)
    assert [tick.ended for tick in ended] == [[], [], [], [1], []]
    assert not plane.playing(1)
    assert plane.next_end() is None


def test_a_prompt_that_fills_its_last_block_ends_with_that_block() -> None:
    plane = MediaPlane(1, SoundStore({"prompt:it": np.zeros(160, dtype=np.uint8)}))
    plane.play(0, ["prompt:it"], False)
    assert plane.next_end() == 160
    assert [plane.tick(Voices(1).block(0)).ended for _ in range(3)] == [[], [0], []]


def test_after_a_prompt_the_channel_hears_whom_it_is_joined_to() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3)
    plane.join({0: [2]})
    plane.play(0, ["prompt:one"], False)
    run(plane, voices, 4)
    sent, _ = run(plane, voices, 4)
    assert voices.heard_in(sent[0]) == {2}
    plane.play(0, ["tone:dial"], True)
    run(plane, voices, 1)
    plane.stop_play(0)
    run(plane, voices, 1)
    received = voices.block(plane.sample)
    assert np.array_equal(plane.tick(received).sent[0], received[2])


def test_a_join_stops_the_play_and_tells_no_end() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3)
    plane.play(0, ["prompt:one"], False)
    run(plane, voices, 1)
    plane.join({0: [1]})
    _, ended = run(plane, voices, 5)
    assert ended == []
    assert not plane.playing(0)


def test_a_loop_has_no_seam_and_never_ends() -> None:
    plane, voices = MediaPlane(2, store()), Voices(2)
    plane.play(0, ["tone:dial"], True)
    plane.play(1, ["prompt:one", "prompt:two"], True)
    assert plane.next_end() is None
    sent, ended = run(plane, voices, 60)
    assert ended == []
    assert np.array_equal(sent[0, 80:], np.resize(store().samples("tone:dial"), 4800)[80:])
    assert np.array_equal(sent[1, 80:], np.resize(np.concatenate([PROMPT, SECOND]), 4800)[80:])


def test_music_runs_on_for_itself_whoever_joins_hears_where_it_is() -> None:
    plane, voices = MediaPlane(3, store()), Voices(3)
    plane.play(0, ["music:waiting"], True)
    run(plane, voices, 17)
    start = plane.sample
    plane.play(1, ["music:waiting"], True)
    # after a prompt that ends inside a block, too
    plane.play(2, ["prompt:one", "music:waiting"], True)
    sent, _ = run(plane, voices, 14)
    running = MUSIC[(start + np.arange(sent.shape[1])) % MUSIC.size]
    assert np.array_equal(sent[0], running)
    assert np.array_equal(sent[1, 80:], running[80:])
    assert np.array_equal(sent[2, 80:1120], np.concatenate([PROMPT[80:], running[200:1120]]))


def test_a_play_of_nothing_ends_at_once_or_loops_as_silence() -> None:
    plane, voices = MediaPlane(2, store()), Voices(2)
    plane.play(0, ["prompt:unknown"], False)
    plane.play(1, [], True)
    assert plane.next_end() == BLOCK
    sent, ended = run(plane, voices, 3)
    assert ended == [0]
    assert np.all(sent == SILENCE)
    assert plane.playing(1)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(["prompt:one", "prompt:two", "music:waiting"]), max_size=3), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 40),
)
def test_time_without_audio_ends_the_same_plays_at_the_same_moment(
    plays: list[tuple[list[str], bool]], before: int
) -> None:
    voices = Voices(4)
    heard, skipped = MediaPlane(4, store()), MediaPlane(4, store())
    for plane in (heard, skipped):
        plane.skip(before * BLOCK)
        for channel, (sounds, loop) in enumerate(plays):
            plane.play(channel, sounds, loop)
    ends: list[tuple[int, list[int]]] = []
    for _ in range(60):
        ended = heard.tick(voices.block(0)).ended
        if ended:
            ends.append((heard.sample, ended))
    jumps: list[tuple[int, list[int]]] = []
    while (end := skipped.next_end()) is not None:
        ended = skipped.skip(end - skipped.sample)
        jumps.append((skipped.sample, ended))
    assert jumps == ends
    # and from there on they sound the same
    skipped.skip(heard.sample - skipped.sample)
    block = voices.block(0)
    heard.tick(block), skipped.tick(block)
    assert np.array_equal(heard.tick(block).sent, skipped.tick(block).sent)


def test_time_moves_by_whole_blocks() -> None:
    with pytest.raises(ValueError, match="whole blocks"):
        MediaPlane(1, store()).skip(81)


def test_a_channel_that_is_not_there_is_refused_and_nothing_has_changed() -> None:
    plane = MediaPlane(2, store())
    with pytest.raises(IndexError):
        plane.join({0: [1], 1: [2]})
    assert plane.hears(0) == ()
    with pytest.raises(IndexError):
        plane.play(-1, ["tone:dial"], True)


def test_what_a_tick_sent_is_not_changed_by_the_next() -> None:
    plane, voices = MediaPlane(2, store()), Voices(2)
    plane.join({0: [1]})
    run(plane, voices, 1)
    sent = plane.tick(voices.block(80)).sent
    kept = sent.copy()
    run(plane, voices, 2)
    assert np.array_equal(sent, kept)


_DIGEST = """
import hashlib, numpy as np
from firmware.media.plane import MediaPlane
from firmware.media.sounds import SoundStore
plane, random, digest = MediaPlane(40, SoundStore({})), np.random.default_rng(5), hashlib.sha256()
for tick in range(60):
    if tick % 6 == 0:
        plane.join({channel: random.integers(0, 40, 1 + channel % 7).tolist() for channel in range(0, 40, 2)})
        plane.join({channel: {(channel + 1) % 40: -2.5, (channel + 7) % 40: 1.25} for channel in range(1, 40, 2)})
        plane.whisper(tick % 40, {3: -1.5, 39: 0.0})
    digest.update(plane.tick(random.integers(0, 256, (40, 80), dtype=np.uint8)).sent)
print(digest.hexdigest())
"""


def test_conferences_and_fades_are_the_same_bits_with_every_blas_kernel() -> None:
    digests = {}
    for kernel in ("Prescott", "Haswell"):
        environment = os.environ | {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_VERBOSE": "2"}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
        )
        *core, digest = done.stdout.split()
        digests[" ".join(core) + done.stderr] = digest
    if len(digests) < 2:
        pytest.skip(f"this machine's numpy has no choice of BLAS kernels: {list(digests)}")
    assert len(set(digests.values())) == 1


def test_what_was_made_for_a_channel_is_heard_once_and_its_place_is_free_again() -> None:
    plane, voices = MediaPlane(2, store()), Voices(2)
    made = np.resize(np.arange(100, dtype=np.uint8), 300)
    for _ in range(100):
        assert plane.play_samples(1, made)
        sent, ended = run(plane, voices, 5)
        assert np.array_equal(sent[1, BLOCK:300], made[BLOCK:])
        assert (ended, set(sent[1, 300:].tolist())) == ([1], {SILENCE})
    with pytest.raises(IndexError):
        plane.play_samples(2, made)
    assert not plane.play_samples(1, np.resize(made, 480_001))


def test_a_made_sound_that_is_replaced_gives_its_place_back() -> None:
    plane = MediaPlane(2, store())
    for number in range(100):
        assert plane.play_samples(1, np.full(500, number, dtype=np.uint8))
    plane.stop_play(1)
    run(plane, Voices(2), 2)
    assert not plane.playing(1)
