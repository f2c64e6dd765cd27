"""Every row of `signal_conditions.toml` at several places within a hop, through A-law; libspandsp both ways; voices."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear
from firmware.tones.generate import sine
from firmware.tones.plan import PlanError, load_plan
from firmware.tones.signal_plan import FILE, load_signals
from firmware.tones.signals import DetectedSignal, SignalDetector
from tests.tones import talk_off
from tests.tones.spandsp_peer import PeerMissing
from tests.tones.spandsp_signals_peer import CONNECT_TONES, hears, said
from tests.tones.test_conditions import prompts

OFFSETS = (0, 13, 27, 40, 55, 71)
BEFORE, AFTER = 20 * BLOCK, 50 * BLOCK


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One condition, as the head of the file says."""

    name: str
    source: str
    heard: tuple[str, ...] = ()
    steps: tuple[tuple[float, float], ...]
    off_hz: float = 0.0
    dbm0: float = -12.0
    reversals_ms: float | None = None
    modulation: float = 0.0
    snr_db: float | None = None
    prompt_echo_db: float | None = None
    peer: str | None = None


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    row: tuple[Row, ...]


ROWS = msgspec.toml.decode((Path(__file__).parent / "signal_conditions.toml").read_bytes(), type=Table).row


def tone(row: Row, hz: float, ms: float) -> Linear:
    samples = round(ms * 8)
    if not hz:
        return np.zeros(samples, dtype=np.float32)
    audio = sine(hz + row.off_hz, row.dbm0, samples, 0.7)
    at = np.arange(samples)
    if row.reversals_ms is not None:
        audio *= np.where(at // round(row.reversals_ms * 8) % 2, np.float32(-1.0), np.float32(1.0))
    if row.modulation:
        audio *= (1.0 + row.modulation * np.sin(2 * np.pi * 15.0 * at / SAMPLE_RATE)).astype(np.float32)
    return audio


def on_the_line(row: Row) -> Linear:
    """[places, samples] as it comes out of A-law."""
    played = np.concatenate([tone(row, hz, ms) for hz, ms in row.steps])
    whole = -(-(BEFORE + OFFSETS[-1] + played.size + AFTER) // BLOCK) * BLOCK
    audio = np.zeros((len(OFFSETS), whole), dtype=np.float32)
    for channel, offset in enumerate(OFFSETS):
        audio[channel, BEFORE + offset :][: played.size] = played
    if row.prompt_echo_db is not None:
        for channel in range(len(OFFSETS)):
            echo = np.resize(np.roll(prompts(), -7919 * channel), whole)
            audio[channel] += 10 ** (row.prompt_echo_db / 20) * echo
    if row.snr_db is not None:
        noise = np.random.default_rng(3).standard_normal(audio.shape, dtype=np.float32)
        audio += np.float32(codec.peak_of(row.dbm0 - row.snr_db) / np.sqrt(2.0)) * noise
    return codec.decode(codec.encode(audio))


def detect(audio: Linear) -> list[list[DetectedSignal]]:
    detector = SignalDetector(len(audio))
    found: list[list[DetectedSignal]] = [[] for _ in audio]
    for sample in range(0, audio.shape[1] // BLOCK * BLOCK, BLOCK):
        for signal in detector.process(np.ascontiguousarray(audio[:, sample : sample + BLOCK]), sample):
            found[signal.channel].append(signal)
    return found


def value_of(signal: DetectedSignal) -> str:
    return "sit" if signal.kind == "sit" else signal.value


@functools.cache
def heard_in(row: Row) -> tuple[list[list[str]], list[list[str]] | None]:
    """By place what we told, and what the peer did if it has a receiver for it."""
    audio = on_the_line(row)
    ours = [[value_of(signal) for signal in signals] for signals in detect(audio)]
    if row.peer is None:
        return ours, None
    return ours, [hears(row.peer, each.astype(np.int16)) for each in audio]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_condition(row: Row) -> None:
    assert heard_in(row)[0] == [list(row.heard)] * len(OFFSETS)


def test_the_table_of_all_conditions_beside_libspandsp(capsys: pytest.CaptureFixture[str]) -> None:
    lines, passed, peer_passed = [], 0, 0
    for row in ROWS:
        ours, theirs = (
            None if heard is None else sum(each == list(row.heard) for each in heard) for heard in heard_in(row)
        )
        passed += ours == len(OFFSETS)
        peer_passed += theirs == len(OFFSETS)
        lines.append(f"{row.name:56} {ours:4} {'-' if theirs is None else theirs:>11}  {row.source}")
    with capsys.disabled():
        head = f"fax, modem, information tones: cases of {len(OFFSETS)}"
        print(f"\n{head:56} {'ours':>4} {'libspandsp':>11}  source", *lines, sep="\n")
        has_peer = sum(row.peer is not None for row in ROWS)
        print(f"rows passed by every case: ours {passed} of {len(ROWS)}, libspandsp {peer_passed} of {has_peer}")
    # The peer is real and listening.
    assert peer_passed > has_peer / 3
    assert passed == len(ROWS)


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_start_length_and_level_of_a_signal_are_told() -> None:
    for step, dbm0 in ((425, -3.0), (500, -12.0), (570, -30.0)):
        row = Row(name="", source="", steps=((1100, step),), dbm0=dbm0)
        for offset, (signal,) in zip(OFFSETS, detect(on_the_line(row)), strict=True):
            assert abs(signal.start - BEFORE - offset) <= 48
            assert abs(signal.duration - 8 * step) <= 80
            assert signal.level_dbm0 == pytest.approx(dbm0, abs=0.3)


def test_the_frequencies_of_a_special_information_tone_are_told() -> None:
    row = Row(name="", source="", steps=((914, 274), (1371, 274), (1777, 380)))
    assert [signal.value for signals in detect(on_the_line(row)) for signal in signals] == ["914/1371/1777"] * 6


def test_an_answer_tone_that_does_not_end_is_told_after_six_seconds() -> None:
    row = Row(name="", source="", steps=((2100, 20_000),))
    assert [signal.value for signal in detect(on_the_line(row))[0]] == ["ced"] * 4


def test_a_signal_begun_before_the_line_changed_hands_is_forgotten_and_so_is_one_before_a_jump_of_time() -> None:
    audio = on_the_line(Row(name="", source="", steps=((1100, 500),)))[:2]
    for jump in (0, 80_000):
        detector, found = SignalDetector(2), []
        for sample in range(0, audio.shape[1], BLOCK):
            if sample == BEFORE + 30 * BLOCK:
                detector.reset(0)
            later = jump if sample >= BEFORE + 30 * BLOCK else 0
            found += detector.process(np.ascontiguousarray(audio[:, sample : sample + BLOCK]), sample + later)
        assert [signal.channel for signal in found] == ([] if jump else [1])


def test_the_special_information_tone_that_we_play_is_one() -> None:
    loop = load_plan().samples()["special_information"]
    heard = detect(codec.decode(np.concatenate([loop, loop]))[None])[0]
    assert [(signal.kind, signal.value, round(signal.duration / 80)) for signal in heard] == [
        ("sit", "950/1400/1800", 99)
    ] * 2
    assert heard[1].start - heard[0].start == pytest.approx(8 * 1990, abs=80)


# ---- voices and music ------------------------------------------------------------------------------------------------


def signals_in(recordings: list[tuple[str, Alaw]]) -> list[tuple[str, str]]:
    """What was told, by recording, at both levels."""
    found: list[tuple[str, str]] = []
    for codes_of in (lambda codes: codes, talk_off.at_second_level):
        heard = detect(talk_off.together(codes_of(codes) for _, codes in recordings))
        found += [
            (what, signal.value) for (what, _), signals in zip(recordings, heard, strict=True) for signal in signals
        ]
    return found


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng")
def test_no_signal_in_ten_minutes_of_voices() -> None:
    assert signals_in(list(talk_off.speech(12))) == []


def test_no_signal_in_music() -> None:
    assert signals_in(list(talk_off.music(4))) == []


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_what_is_wrong_in_the_file_is_said_all_at_once(tmp_path: Path) -> None:
    assert load_signals(FILE).signals["cng"].source.startswith("T.30")
    broken = FILE.read_text().replace("hz = 1100", "hz = 3900").replace("voice_dbm0 = -40.0", "voice_dbm0 = -50.0")
    (tmp_path / "signals.toml").write_text(broken)
    with pytest.raises(PlanError, match=r"signals\.cng\.steps\[0\]: hz is 3900.*presence: silence_dbm0"):
        load_signals(tmp_path / "signals.toml")
    (tmp_path / "signals.toml").write_text(broken.replace("kind", "sort"))
    with pytest.raises(PlanError, match="signals"):
        load_signals(tmp_path / "signals.toml")


# ---- the independent peer --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _peer() -> None:
    try:
        said("cng", 80)
    except PeerMissing as missing:
        pytest.skip(str(missing))


def through_alaw(audio: NDArray[np.int16] | Linear) -> Linear:
    return codec.decode(codec.encode(audio.astype(np.float32)))


@pytest.mark.usefixtures("_peer")
@pytest.mark.parametrize("name", CONNECT_TONES)
def test_we_hear_what_libspandsp_sends(name: str) -> None:
    sent = said(name, 40_000)
    assert {signal.value for signal in detect(through_alaw(np.concatenate([sent, np.zeros(800)]))[None])[0]} == {name}


@pytest.mark.usefixtures("_peer")
def test_libspandsp_hears_the_calling_tone_that_we_play() -> None:
    loop = codec.decode(load_plan().samples()["cng"])
    assert hears("cng", np.concatenate([loop, loop]).astype(np.int16)) == ["cng", "cng"]
