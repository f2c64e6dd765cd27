"""Caller ID by FSK: what we send is read by others, what others send by us, also on bad lines."""

from __future__ import annotations

import io
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from firmware.media import codec
from firmware.media.codec import BLOCK, ZERO_DBM0_PEAK, Linear
from firmware.tones.caller_id import CallerId, message_waiting, multiple_data, read_message, single_data
from firmware.tones.fsk import DetectedMessage, FskDetector, modulate, with_check_byte
from firmware.tones.generate import dtmf, sine
from tests.tones import spandsp_adsi

CALLER = CallerId("13800138000", "买买提·王芳", "11220830")
MESSAGE = multiple_data(CALLER)


def on_the_line(cases: list[Linear], *, begin: int = 803) -> Linear:
    """Each case on a channel of its own, beginning a few samples later than the one before, through A-law."""
    longest = max(case.size for case in cases)
    audio = np.zeros((len(cases), -(-(begin + longest + 8 * len(cases) + 800) // BLOCK) * BLOCK), dtype=np.float32)
    for channel, case in enumerate(cases):
        audio[channel, begin + 7 * channel : begin + 7 * channel + case.size] = case
    return codec.decode(codec.encode(audio))


def detect(audio: Linear) -> list[DetectedMessage]:
    detector = FskDetector(audio.shape[0])
    rows = np.arange(audio.shape[0])
    return [
        message
        for at in range(0, audio.shape[1], BLOCK)
        for message in detector.process(np.ascontiguousarray(audio[:, at : at + BLOCK]), rows)
    ]


def noise(dbm0: float, samples: int, seed: int) -> Linear:
    rms = ZERO_DBM0_PEAK / np.sqrt(2) * 10 ** (dbm0 / 20)
    return np.random.default_rng(seed).normal(0.0, rms, samples).astype(np.float32)


def test_the_wave_has_exactly_its_level_and_its_phase_never_jumps() -> None:
    wave = modulate(MESSAGE)

    assert codec.level_of(wave) == pytest.approx(-13.5, abs=0.02)
    steepest = 2 * np.pi * 2200 / 8000 * codec.peak_of(-13.5)
    assert np.abs(np.diff(wave)).max() <= steepest
    assert wave.size == (300 + 180 + 10 * len(MESSAGE) + 10) * 20 // 3


def test_minimodem_reads_what_we_send() -> None:
    if shutil.which("minimodem") is None:
        pytest.skip("minimodem is not installed: scripts/setup --system minimodem")
    line = codec.decode(codec.encode(np.pad(modulate(MESSAGE), 4000))).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, line, 8000, format="WAV")

    run = subprocess.run(
        ["minimodem", "--rx", "-q", "callerid", "-f", "/dev/stdin"],
        input=file.getvalue(),
        capture_output=True,
        check=True,
    )

    said = run.stdout.decode("gb18030").split()
    assert said == ["CALLER-ID", "Time:", "11/22", "08:30", "Phone:", "13800138000", "Name:", "买买提·王芳"]


@pytest.mark.parametrize("message", [MESSAGE, single_data(CallerId("02988888888", date_time="01020304"))])
def test_spandsp_reads_what_we_send(message: bytes) -> None:
    line = codec.decode(codec.encode(np.pad(modulate(message), 2000))).astype(np.int16)

    assert spandsp_adsi.heard(line) == [message[:-1]]


@pytest.mark.parametrize(
    "message",
    [MESSAGE[:-1], single_data(CallerId("02988888888", date_time="01020304"))[:-1], message_waiting(True)[:-1]],
)
def test_we_read_what_spandsp_sends(message: bytes) -> None:
    audio = spandsp_adsi.said(message).astype(np.float32)

    (found,) = detect(on_the_line([audio]))

    assert found.intact
    assert bytes((found.kind, len(found.content))) + found.content == message
    assert found.level_dbm0 == pytest.approx(codec.level_of(audio[400:2400]), abs=0.7)


def test_thirty_lines_are_read_at_once_each_beginning_where_it_likes() -> None:
    callers = [CallerId(f"1390000{channel:04}", "王" * (channel % 12)) for channel in range(30)]

    found = detect(on_the_line([modulate(multiple_data(caller)) for caller in callers]))

    assert {message.channel: read_message(message.kind, message.content) for message in found} == dict(
        enumerate(callers)
    )


@pytest.mark.parametrize(("db", "enough"), [(25, 40), (15, 40), (12, 38)])
def test_messages_are_read_in_noise(db: int, enough: int) -> None:
    wave = modulate(MESSAGE)

    found = detect(on_the_line([wave + noise(-13.5 - db, wave.size, seed) for seed in range(40)]))

    assert sum(message.intact for message in found) >= enough


@pytest.mark.parametrize("level", [-3.0, -13.5, -30.0, -38.0])
@pytest.mark.parametrize("twist", [-8.0, 0.0, 6.0])
def test_loud_and_quiet_lines_that_damp_one_tone_are_read(level: float, twist: float) -> None:
    wave = modulate(MESSAGE, level)
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(wave.size, 1 / 8000)
    spectrum *= 10 ** (twist * np.clip((hz - 1200) / 1000, -1, 1.5) / 20)
    tilted = np.fft.irfft(spectrum, wave.size).astype(np.float32)

    (found,) = detect(on_the_line([tilted * np.float32(10 ** (-max(0.0, twist) / 20))]))

    assert found.intact


@pytest.mark.parametrize("speed", [0.985, 0.995, 1.005, 1.015])
def test_an_exchange_that_is_off_its_frequencies_and_bit_rate_is_read(speed: float) -> None:
    wave = modulate(MESSAGE)
    stretched = np.interp(np.arange(0, wave.size - 1, speed), np.arange(wave.size), wave).astype(np.float32)

    (found,) = detect(on_the_line([stretched]))

    assert found.intact


def test_a_line_that_cuts_off_the_beginning_or_hums_is_read() -> None:
    cut = modulate(MESSAGE, seizure_bits=0, mark_bits=40)
    whole = modulate(MESSAGE)
    hum = sine(50.0, -20.0, whole.size)

    assert [message.intact for message in detect(on_the_line([cut, whole + hum, whole[1900:]]))] == [True] * 3


def test_a_spoilt_byte_is_told_and_not_believed() -> None:
    broken = bytearray(MESSAGE)
    broken[9] ^= 0x04

    (found,) = detect(on_the_line([modulate(bytes(broken))]))

    assert not found.intact


def test_a_message_broken_off_is_forgotten_and_the_next_is_read() -> None:
    wave = modulate(MESSAGE)
    audio = np.concatenate([wave[:5200], np.zeros(4000, dtype=np.float32), wave])

    assert [message.intact for message in detect(on_the_line([audio]))] == [True]


def test_a_reset_channel_forgets_and_other_channels_go_on() -> None:
    audio = on_the_line([modulate(MESSAGE)] * 2)
    detector = FskDetector(2)
    found: list[DetectedMessage] = []
    for at in range(0, audio.shape[1], BLOCK):
        found += detector.process(np.ascontiguousarray(audio[:, at : at + BLOCK]), np.arange(2))
        if at == 4800:
            detector.reset(0)

    assert [message.channel for message in found] == [1]


def test_other_sounds_are_no_message() -> None:
    second = 8000
    digits = np.concatenate([codec.decode(dtmf(digit, 100)) for digit in "0123456789*#" * 5])
    sweep = (5000 * np.sin(np.cumsum(np.linspace(0.1, 2.8, 10 * second)))).astype(np.float32)
    sounds = [
        sine(1200.0, -10.0, 10 * second),
        sine(450.0, -10.0, 10 * second),
        digits,
        sweep,
        noise(-10.0, 10 * second, 1),
        np.sign(noise(-10.0, 10 * second, 2)) * sine(1200.0, -10.0, 10 * second),
    ]

    assert detect(on_the_line(sounds)) == []


def test_a_message_cannot_be_longer_than_its_length_byte_says() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        with_check_byte(0x80, bytes(256))
    (found,) = detect(on_the_line([modulate(with_check_byte(0x80, bytes(255)))]))
    assert (found.content, found.intact) == (bytes(255), True)
