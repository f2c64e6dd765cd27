"""Gaps of a tick and more are bridged: no step that speech does not make, and as near to it as libspandsp comes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SILENCE, Alaw, Linear
from firmware.media.concealment import HISTORY, Concealment
from firmware.media.sounds import SoundStore

TONES_HZ = (200, 450, 1020, 2000)


def speech() -> Alaw:
    store = SoundStore.load({})
    line = np.concatenate([store.samples(name) for name in store.names if name.startswith("prompt:")])
    return line[: line.size // BLOCK * BLOCK]


def gaps(ticks: int, of: int, every: int = 15) -> set[int]:
    """Which ticks of so many are missing."""
    return {first + tick for first in range(20, of - 10, every) for tick in range(ticks)}


def bridged(lines: Alaw, missing: set[int]) -> Linear:
    """[channels, samples] what is heard of lines without the missing ticks."""
    concealment, heard = Concealment(), [np.full((lines.shape[0], HISTORY), SILENCE, np.uint8)]
    for tick in range(lines.shape[1] // BLOCK):
        if tick in missing:
            heard.append(concealment.bridge(np.concatenate(heard[-5:], axis=1)[:, -HISTORY:]))
        else:
            block = lines[:, tick * BLOCK : (tick + 1) * BLOCK]
            heard.append(concealment.rejoin(block) if concealment.is_bridging else block)
    return codec.decode(np.concatenate(heard[1:], axis=1))


def likeness_db(said: Linear, heard: Linear, missing: set[int]) -> float:
    """What was said, over what is wrong, in the missing ticks."""
    places = np.concatenate([np.arange(tick * BLOCK, (tick + 1) * BLOCK) for tick in sorted(missing)])
    wrong = np.sum((said[places] - heard[places]) ** 2)
    return 10 * float(np.log10(np.sum(said[places] ** 2) / wrong))


@pytest.mark.parametrize("ticks", [1, 3])
def test_a_tone_goes_on_without_a_step_and_every_channel_by_its_own_period(ticks: int) -> None:
    phases = 2 * np.pi * np.array(TONES_HZ)[:, None] / codec.SAMPLE_RATE * np.arange(200 * BLOCK)
    lines = codec.encode(codec.peak_of(-10.0) * np.sin(phases))
    missing = gaps(ticks, 200, 17)
    heard, said = bridged(lines, missing), codec.decode(lines)
    for channel in range(len(TONES_HZ)):
        assert np.abs(np.diff(heard[channel])).max() <= 1.03 * np.abs(np.diff(said[channel])).max()
        for tick in missing:
            level = codec.level_of(heard[channel, tick * BLOCK : (tick + 1) * BLOCK])
            assert -14.0 < level < -9.5


def test_in_speech_no_step_is_larger_than_those_around_it() -> None:
    line = speech()
    missing = gaps(1, line.size // BLOCK)
    said, heard = codec.decode(line), bridged(line[None, :], missing)[0]
    for tick in missing:
        first = tick * BLOCK
        around = np.abs(np.diff(said[first - 200 : first + 2 * BLOCK])).max()
        assert np.abs(np.diff(heard[first - 1 : first + 2 * BLOCK])).max() <= 1.1 * around + 64


def test_one_tick_of_speech_is_bridged_better_than_by_libspandsp() -> None:
    line = speech()
    said = codec.decode(line)
    ours, theirs = [], []
    for begin in range(12):  # so that every tick of it is missing once
        missing = set(range(20 + begin, line.size // BLOCK - 10, 12))
        ours.append(likeness_db(said, bridged(line[None, :], missing)[0], missing))
        theirs.append(likeness_db(said, bridged_by_libspandsp(line, missing), missing))
    assert np.mean(ours) > np.mean(theirs) + 2.0
    assert np.mean(ours) > 2.5  # silence has 0


def bridged_by_libspandsp(line: Alaw, missing: set[int]) -> NDArray[np.float32]:
    try:
        library = ctypes.CDLL("libspandsp.so.2")
    except OSError:
        pytest.skip("libspandsp is not installed: scripts/setup --system libspandsp-dev")
    library.plc_init.restype = ctypes.c_void_p
    library.plc_init.argtypes = [ctypes.c_void_p]
    for call in (library.plc_rx, library.plc_fillin):
        call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    library.plc_free.argtypes = [ctypes.c_void_p]
    state = library.plc_init(None)
    heard = []
    for tick in range(line.size // BLOCK):
        block = codec.decode(line[tick * BLOCK : (tick + 1) * BLOCK]).astype(np.int16)
        (library.plc_fillin if tick in missing else library.plc_rx)(state, block.ctypes.data, BLOCK)
        heard.append(block)
    library.plc_free(state)
    return np.concatenate(heard).astype(np.float32)


def test_a_long_gap_is_silent_after_60_ms_and_speech_comes_back_in_8_ms() -> None:
    line = speech()
    missing = set(range(100, 120))
    said, heard = codec.decode(line), bridged(line[None, :], missing)[0]
    assert np.abs(heard[106 * BLOCK : 120 * BLOCK]).max() <= 8
    assert np.array_equal(heard[120 * BLOCK + 64 :], said[120 * BLOCK + 64 :])
    assert np.abs(np.diff(heard[119 * BLOCK : 120 * BLOCK + 64])).max() <= np.abs(np.diff(said)).max()


def test_silence_and_noise_make_no_trouble() -> None:
    silence = np.full((1, 60 * BLOCK), SILENCE, np.uint8)
    assert np.abs(bridged(silence, gaps(2, 60))).max() <= 8
    noise = np.random.default_rng(1).integers(0, 256, (3, 60 * BLOCK), dtype=np.uint8)
    assert np.isfinite(bridged(noise, gaps(2, 60))).all()
