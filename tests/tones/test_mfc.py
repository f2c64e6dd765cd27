"""The register tone detector and sender against the figures of Q.454 and Q.455, and against libspandsp."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import Linear
from firmware.tones.generate import sine
from firmware.tones.mfc import (
    FREQUENCIES,
    PAIRS,
    Direction,
    MfcDetector,
    MfcSender,
    RegisterTone,
    register_tone,
)
from tests.tones.spandsp_mfc_peer import detect, generate
from tests.tones.spandsp_peer import PeerMissing

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")
SIGNALS = range(1, 16)
START, LENGTH = 437, 560
"""A tone that begins and ends inside a hop."""


def hear(channels: Linear, direction: Direction) -> list[list[RegisterTone]]:
    """What the detector tells of audio [channels, samples] that went through A-law, by channel."""
    detector = MfcDetector(len(channels))
    for channel in range(len(channels)):
        detector.listen(channel, direction)
    audio = codec.decode(codec.encode(channels))
    found: list[list[RegisterTone]] = [[] for _ in channels]
    for sample in range(0, audio.shape[1], 80):
        for tone in detector.process(audio[:, sample : sample + 80], sample):
            found[tone.channel].append(tone)
    return found


def one_tone(tones: list[RegisterTone], signal: int) -> bool:
    """True if that signal came and went and nothing else did."""
    return [(tone.signal, tone.on) for tone in tones] == [(signal, True), (signal, False)]


def pair(direction: Direction, signal: int, samples: int, dbm0: tuple[float, float], hz: tuple[float, float]) -> Linear:
    """A signal with each tone's level and frequency error given."""
    low, high = (FREQUENCIES[direction][tone] for tone in PAIRS[signal - 1])
    return sine(low + hz[0], dbm0[0], samples, 1.0) + sine(high + hz[1], dbm0[1], samples, 4.0)


def white(dbm0: float, shape: tuple[int, int], seed: int = 1) -> Linear:
    level = codec.peak_of(dbm0) / np.sqrt(2.0)
    return np.random.default_rng(seed).normal(0.0, level, shape).astype(np.float32)


def test_signals_are_the_pairs_of_q_441() -> None:
    named = {1: (1380, 1500), 2: (1380, 1620), 3: (1500, 1620), 6: (1620, 1740), 10: (1740, 1860), 15: (1860, 1980)}
    for signal, hz in named.items():
        assert tuple(FREQUENCIES["forward"][tone] for tone in PAIRS[signal - 1]) == hz
    backward = {1: (1140, 1020), 3: (1020, 900), 4: (1140, 780), 6: (900, 780), 15: (660, 540)}
    for signal, hz in backward.items():
        assert tuple(FREQUENCIES["backward"][tone] for tone in PAIRS[signal - 1]) == hz


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("snr_db", [None, 15.0])
def test_tones_are_heard_at_every_allowed_level_twist_and_frequency(direction: Direction, snr_db: float | None) -> None:
    wanted: list[int] = []
    rows: list[Linear] = []
    for signal, first_hz, second_hz, level, twisted in product(
        SIGNALS, (-10, 0, 10), (-10, 0, 10), (-5, -35), (0, 1, 2)
    ):
        low, high = PAIRS[signal - 1]
        twist = 5.0 if high - low == 1 else 7.0
        quiet = max(level - twist * (level > -20), -35.0)
        loud = quiet if not twisted else quiet + twist
        levels = ((loud, quiet), (loud, quiet), (quiet, loud))[twisted]
        audio = np.zeros(1600, dtype=np.float32)
        begin = START + 7 * len(rows) % 80
        audio[begin : begin + LENGTH] = pair(direction, signal, LENGTH, levels, (first_hz, second_hz))
        if snr_db is not None:
            total = 10 * np.log10(10 ** (levels[0] / 10) + 10 ** (levels[1] / 10))
            audio += white(total - snr_db, (1, 1600), len(rows))[0]
        wanted.append(signal)
        rows.append(audio)

    heard = hear(np.stack(rows), direction)

    assert [place for place, signal in enumerate(wanted) if not one_tone(heard[place], signal)] == []


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_operating_and_releasing_take_less_than_80_ms_together(direction: Direction) -> None:
    rows = np.zeros((15 * 80, 1600), dtype=np.float32)
    for row, (signal, offset) in enumerate(product(SIGNALS, range(80))):
        rows[row, 400 + offset : 400 + offset + LENGTH] = register_tone(direction, signal, LENGTH)
    operate, release = [], []
    for row, tones in enumerate(hear(rows, direction)):
        assert one_tone(tones, row // 80 + 1)
        begin = 400 + row % 80
        operate.append((tones[0].sample - begin) / 8)
        release.append((tones[1].sample - begin - LENGTH) / 8)

    # 32 ms each is what Nortel's XMFC card promises; 80 in all is Q.455.
    assert max(operate) <= 32.0
    assert max(release) <= 24.0


def test_what_is_too_quiet_too_uneven_or_off_the_frequency_is_no_tone() -> None:
    cases = [
        register_tone("forward", 5, LENGTH, -42.0),
        *(pair("forward", signal, LENGTH, (-5.0, -25.0), (0, 0)) for signal in SIGNALS),
        *(pair("forward", signal, LENGTH, (-25.0, -5.0), (0, 0)) for signal in SIGNALS),
        *(pair("forward", signal, LENGTH, (-10.0, -10.0), (60, 60)) for signal in SIGNALS),
        *(sine(hz, -8.0, LENGTH) for hz in FREQUENCIES["forward"]),
        *(register_tone("forward", 1, LENGTH) + sine(1860.0, dbm0, LENGTH) for dbm0 in (-11.5, -13.5)),
        register_tone("backward", 1, LENGTH, -5.0),
        sine(450.0, -5.0, LENGTH),
    ]
    rows = np.zeros((len(cases), 1600), dtype=np.float32)
    rows[:, START : START + LENGTH] = cases
    assert hear(rows, "forward") == [[] for _ in cases]


def test_a_burst_of_7_ms_is_no_tone_and_a_break_of_7_ms_no_end() -> None:
    rows = np.zeros((15 * 80 * 2, 1600), dtype=np.float32)
    for row, (signal, offset) in enumerate(product(SIGNALS, range(80))):
        rows[row, 400 + offset : 456 + offset] = register_tone("forward", signal, 56, -5.0)
        broken = rows[1200 + row]
        broken[200:1200] = register_tone("forward", signal, 1000)
        broken[600 + offset : 656 + offset] = 0.0
    heard = hear(rows, "forward")

    assert heard[:1200] == [[] for _ in range(1200)]
    assert all(one_tone(tones, row // 80 + 1) for row, tones in enumerate(heard[1200:]))


def test_a_burst_of_10_ms_is_no_forward_tone() -> None:
    rows = np.zeros((15 * 80, 1600), dtype=np.float32)
    for row, (signal, offset) in enumerate(product(SIGNALS, range(80))):
        rows[row, 400 + offset : 480 + offset] = register_tone("forward", signal, 80, -5.0)
    assert hear(rows, "forward") == [[] for _ in rows]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_signal_whose_tones_begin_10_ms_apart_is_one_signal(direction: Direction) -> None:
    rows = np.zeros((15 * 20, 1600), dtype=np.float32)
    for row, (signal, offset) in enumerate(product(SIGNALS, range(0, 80, 4))):
        low, high = (FREQUENCIES[direction][tone] for tone in PAIRS[signal - 1])
        rows[row, 400 + offset : 960 + offset] = sine(low, -11.5, 560)
        rows[row, 480 + offset : 960 + offset] += sine(high, -11.5, 480)
    assert all(one_tone(tones, row // 20 + 1) for row, tones in enumerate(hear(rows, direction)))


@pytest.mark.parametrize("echo_db", [-10.0, 0.0, 10.0])
def test_the_echo_of_our_own_tone_hides_nothing(echo_db: float) -> None:
    rows = np.zeros((15 * 6, 1600), dtype=np.float32)
    for row, (signal, own) in enumerate(product(SIGNALS, range(1, 7))):
        rows[row, START : START + LENGTH] = register_tone("forward", signal, LENGTH, -25.0, shift_hz=10.0)
        rows[row, START + 240 :] += register_tone("backward", own, 1600 - START - 240, -25.0 + echo_db)
    assert all(one_tone(tones, row // 6 + 1) for row, tones in enumerate(hear(rows, "forward")))


def test_noise_alone_is_no_tone() -> None:
    assert hear(white(-15.0, (64, 80_000)), "forward") == [[] for _ in range(64)]


def test_only_channels_that_listen_are_heard_and_from_a_blank_memory() -> None:
    detector = MfcDetector(3)
    tone = np.tile(register_tone("forward", 7, 800), (3, 1))
    assert not detector.listening
    assert detector.process(tone[:, :80], 0) == []
    detector.listen(1, "forward")
    found = [
        heard for tick in range(1, 5) for heard in detector.process(tone[:, 80 * tick : 80 * tick + 80], 80 * tick)
    ]
    assert [(heard.channel, heard.signal, heard.on) for heard in found] == [(1, 7, True)]
    detector.listen(1, None)
    assert not detector.listening
    assert detector.process(np.zeros((3, 80), dtype=np.float32), 400) == []
    detector.listen(1, "backward")
    assert [
        heard for tick in range(6, 10) for heard in detector.process(tone[:, 80 * tick : 80 * tick + 80], 80 * tick)
    ] == []


def test_a_tone_that_becomes_another_is_told_as_off_and_on() -> None:
    audio = np.concatenate([register_tone("backward", 1, 800), register_tone("backward", 6, 800), np.zeros(400)])
    heard = hear(audio[None].astype(np.float32), "backward")[0]
    assert [(tone.signal, tone.on) for tone in heard] == [(1, True), (1, False), (6, True), (6, False)]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_sender_sends_exact_levels_without_a_break(direction: Direction) -> None:
    sender = MfcSender()
    for channel, signal in enumerate(SIGNALS):
        sender.start(channel, direction, signal)
    sent = np.full((16, 8000), codec.SILENCE, dtype=np.uint8)
    for sample in range(0, 8000, 80):
        sender.lay_over(sent[:, sample : sample + 80], sample)

    linear = codec.decode(sent)
    assert not linear[15].any() or set(sent[15].tolist()) == {codec.SILENCE}
    for channel, signal in enumerate(SIGNALS):
        spectrum = np.abs(np.fft.rfft(linear[channel].astype(np.float64))) / 4000
        tones = [round(FREQUENCIES[direction][tone]) for tone in PAIRS[signal - 1]]
        levels = 20 * np.log10(spectrum[tones] / codec.ZERO_DBM0_PEAK)
        assert levels == pytest.approx([-11.5, -11.5], abs=0.1)
        spectrum[tones] = 0.0
        assert 20 * np.log10(spectrum.max() / codec.peak_of(-11.5)) < -37.0  # A-law's own distortion, no clicks


def test_a_stopped_sender_leaves_the_channel_alone() -> None:
    sender = MfcSender()
    sender.start(0, "forward", 1)
    sender.start(0, "forward", 2)
    sender.stop(0)
    sender.stop(0)
    sent = np.zeros((1, 80), dtype=np.uint8)
    sender.lay_over(sent, 0)
    assert not sent.any()
    assert not sender.sending


def test_what_is_no_signal_is_refused() -> None:
    for signal in (0, 16, -1):
        with pytest.raises(ValueError, match="no register signal"):
            register_tone("forward", signal, 80)


def test_a_hundred_and_twenty_eight_listening_channels_are_judged_alone() -> None:
    """Each channel's verdict is its own: another signal on each, all at once."""
    rows = np.zeros((128, 1600), dtype=np.float32)
    for channel in range(128):
        rows[channel, 400 + channel : 400 + channel + LENGTH] = register_tone("backward", channel % 15 + 1, LENGTH)
    assert all(one_tone(tones, channel % 15 + 1) for channel, tones in enumerate(hear(rows, "backward")))


# ---- the independent peer --------------------------------------------------------------------------------------------


def through_alaw(linear: Linear | NDArray[np.int16]) -> NDArray[np.int16]:
    return codec.decode(codec.encode(linear.astype(np.float32))).astype(np.int16)


@pytest.fixture(scope="module", autouse=True)
def _peer() -> None:
    try:
        generate("forward", 1, 80)
    except PeerMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_libspandsp_and_we_hear_each_other(direction: Direction, signal: int) -> None:
    theirs = np.concatenate([np.zeros(START), generate(direction, signal, LENGTH), np.zeros(843)])
    assert one_tone(hear(theirs[None].astype(np.float32), direction)[0], signal)

    ours = np.concatenate([np.zeros(START), register_tone(direction, signal, LENGTH), np.zeros(843)])
    heard = detect(direction, through_alaw(ours))
    assert [found for found, _ in heard] == [signal, 0]


def test_we_are_not_slower_than_libspandsp_by_more_than_a_hop() -> None:
    late = []
    for signal in SIGNALS:
        audio = np.concatenate([np.zeros(START), register_tone("forward", signal, LENGTH), np.zeros(843)])
        ours = hear(audio[None].astype(np.float32), "forward")[0]
        theirs = detect("forward", through_alaw(audio))
        late.append((ours[0].sample - theirs[0][1], ours[1].sample - theirs[1][1]))
    assert max(operate for operate, _ in late) <= 80
    assert max(release for _, release in late) <= 80
