"""Every row of `conditions.toml`, all sixteen digits at several places within a hop, through A-law: ours must pass it.
libspandsp's detector hears the same audio in the same run; the table that is printed shows both."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.media.sounds import SoundStore
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.generate import DIGITS, HIGH_HZ, LOW_HZ, sine
from tests.tones.spandsp_peer import SpandspDtmf

OFFSETS = (0, 13, 27, 40, 55, 71)
"""Samples by which the first tone begins after a hop does."""
BEFORE, AFTER = 10 * BLOCK, 30 * BLOCK
NO_TONE = float("-inf")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One condition, as the head of the file says."""

    name: str
    source: str
    digits: int = 1
    pulses: tuple[float, ...] = (60.0,)
    low_dbm0: float = -10.0
    high_dbm0: float = -10.0
    low_off: float = 0.0
    high_off: float = 0.0
    snr_db: float | None = None
    behind_hz: tuple[float, ...] = ()
    behind_dbm0: float = NO_TONE
    echo_ms: float = 0.0
    echo_db: float = NO_TONE
    prompt_echo_db: float = NO_TONE


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    row: tuple[Row, ...]


ROWS = msgspec.toml.decode((Path(__file__).parent / "conditions.toml").read_bytes(), type=Table).row
CASES = [(digit, offset) for digit in DIGITS for offset in OFFSETS]
"""What each row is played with; a case is a channel."""


def tone(hz: float, dbm0: float, samples: int, phase: float = 0.0) -> Linear:
    return np.zeros(samples, dtype=np.float32) if dbm0 == NO_TONE else sine(hz, dbm0, samples, phase)


def wave_of(row: Row, digit: str, offset: int) -> Linear:
    """One channel: silence, the pulses of the row, silence; without what is behind them."""
    place = DIGITS.index(digit)
    samples = [round(pulse * 8) for pulse in row.pulses]
    gate = np.concatenate([np.full(count, number % 2 == 0) for number, count in enumerate(samples)])
    both = tone(LOW_HZ[place // 4] * (1 + row.low_off / 100), row.low_dbm0, gate.size)
    both += tone(HIGH_HZ[place % 4] * (1 + row.high_off / 100), row.high_dbm0, gate.size, 1.0)
    whole = -(-(BEFORE + OFFSETS[-1] + gate.size + AFTER) // BLOCK) * BLOCK
    wave = np.zeros(whole, dtype=np.float32)
    wave[BEFORE + offset :][: gate.size] = both * gate
    return wave


@functools.cache
def prompts() -> Linear:
    store = SoundStore.load({})
    return codec.decode(
        np.concatenate([store.samples(name) for name in store.names if name.startswith("prompt:")])
    ).astype(np.float32)


def on_the_line(row: Row) -> Linear:
    """[cases, samples] of a row, as it comes out of A-law."""
    clean = np.stack([wave_of(row, digit, offset) for digit, offset in CASES])
    audio = clean.copy()
    if row.echo_ms:
        delay = round(row.echo_ms * 8)
        audio[:, delay:] += np.float32(10 ** (row.echo_db / 20)) * clean[:, :-delay]
    for hz in row.behind_hz:
        audio += tone(hz, row.behind_dbm0, clean.shape[1], 0.3)
    if row.prompt_echo_db != NO_TONE:
        said = prompts()
        for channel in range(len(CASES)):
            audio[channel] += 10 ** (row.prompt_echo_db / 20) * np.resize(
                np.roll(said, -7919 * channel), clean.shape[1]
            )
    if row.snr_db is not None:
        power = sum(codec.peak_of(level) ** 2 / 2 for level in (row.low_dbm0, row.high_dbm0))
        noise = np.random.default_rng(7).standard_normal(audio.shape, dtype=np.float32)
        audio += np.float32(np.sqrt(power / 10 ** (row.snr_db / 10))) * noise
    return codec.decode(codec.encode(audio))


def our_digits(audio: Linear) -> list[str]:
    detector, heard = DtmfDetector(audio.shape[0]), [""] * audio.shape[0]
    for sample in range(0, audio.shape[1], BLOCK):
        for found in detector.process(np.ascontiguousarray(audio[:, sample : sample + BLOCK]), sample):
            heard[found.channel] += found.digit
    return heard


def their_digits(audio: Linear) -> list[str]:
    peer = SpandspDtmf(audio.shape[0])
    peer.process(np.ascontiguousarray(audio.astype(np.int16)))
    heard = [peer.digits(channel) for channel in range(audio.shape[0])]
    peer.close()
    return heard


@functools.cache
def heard_in(row: Row) -> tuple[list[str], list[str]]:
    """What we and the peer heard in each case of a row."""
    audio = on_the_line(row)
    return our_digits(audio), their_digits(audio)


def wrong(row: Row, heard: list[str]) -> dict[str, list[str]]:
    """By digit what was heard in the cases that went wrong."""
    found: dict[str, list[str]] = {}
    for (digit, _), text in zip(CASES, heard, strict=True):
        if text != digit * row.digits:
            found.setdefault(digit, []).append(text)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_condition(row: Row) -> None:
    assert wrong(row, heard_in(row)[0]) == {}


def test_the_table_of_all_conditions_beside_libspandsp(capsys: pytest.CaptureFixture[str]) -> None:
    lines, passed, peer_passed = [], 0, 0
    for row in ROWS:
        ours, theirs = (len(CASES) - sum(map(len, wrong(row, heard).values())) for heard in heard_in(row))
        passed += ours == len(CASES)
        peer_passed += theirs == len(CASES)
        lines.append(f"{row.name:56} {ours:4} {theirs:11}  {row.source}")
    with capsys.disabled():
        print(f"\n{f'DTMF, cases passed of {len(CASES)}':56} {'ours':>4} {'libspandsp':>11}  source", *lines, sep="\n")
        print(f"rows passed by every case: ours {passed} of {len(ROWS)}, libspandsp {peer_passed}")
    # The peer is real and listening.
    assert peer_passed > len(ROWS) / 3
    assert passed == len(ROWS)
