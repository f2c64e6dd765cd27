"""libspandsp's MFC-R2 detector and generator (C) as a peer for tests, through cffi. Never part of the box."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from firmware.tones.mfc import Direction
from tests.tones.spandsp_peer import library

SIGNALS = "1234567890BCDEF"
"""Signal `n` as spandsp names it is `SIGNALS[n - 1]`."""

_DECLARATIONS = """
    typedef struct r2_mf_rx_state_s r2_mf_rx_state_t;
    typedef struct r2_mf_tx_state_s r2_mf_tx_state_t;
    r2_mf_rx_state_t *peer_hear(int forward);
    r2_mf_tx_state_t *r2_mf_tx_init(r2_mf_tx_state_t *s, int forward);
    int r2_mf_rx(r2_mf_rx_state_t *s, const int16_t amp[], int samples);
    int r2_mf_rx_get(r2_mf_rx_state_t *s);
    int r2_mf_rx_free(r2_mf_rx_state_t *s);
    int r2_mf_tx(r2_mf_tx_state_t *s, int16_t amp[], int samples);
    int r2_mf_tx_put(r2_mf_tx_state_t *s, char digit);
    int r2_mf_tx_free(r2_mf_tx_state_t *s);
    void mfc_peer_many(r2_mf_rx_state_t **states, int channels, const int16_t *audio, int samples);
"""
_SOURCE = """
    #include <stdint.h>
    #include <spandsp.h>
    static r2_mf_rx_state_t *peer_hear(int forward) { return r2_mf_rx_init(NULL, forward, NULL, NULL); }
    static void mfc_peer_many(r2_mf_rx_state_t **states, int channels, const int16_t *audio, int samples) {
        for (int channel = 0; channel < channels; channel++)
            r2_mf_rx(states[channel], audio + channel * samples, samples);
    }
"""


def _library() -> ModuleType:
    return library("mfc", _DECLARATIONS, _SOURCE)


def generate(direction: Direction, signal: int, samples: int) -> NDArray[np.int16]:
    """A register tone of spandsp's, 16-bit scale. Raises PeerMissing."""
    module = _library()
    state = module.lib.r2_mf_tx_init(module.ffi.NULL, int(direction == "forward"))
    module.lib.r2_mf_tx_put(state, SIGNALS[signal - 1].encode())
    audio = np.zeros(samples, dtype=np.int16)
    made = module.lib.r2_mf_tx(state, module.ffi.from_buffer("int16_t[]", audio), samples)
    module.lib.r2_mf_tx_free(state)
    assert made == samples
    return audio


def detect(direction: Direction, audio: NDArray[np.int16]) -> list[tuple[int, int]]:
    """(signal, sample) at each change that spandsp hears, in steps of 80 samples; signal 0 is silence."""
    module = _library()
    state = module.lib.peer_hear(int(direction == "forward"))
    found: list[tuple[int, int]] = []
    last = 0
    for begin in range(0, audio.size - 79, 80):
        block = np.ascontiguousarray(audio[begin : begin + 80])
        module.lib.r2_mf_rx(state, module.ffi.from_buffer("int16_t[]", block), 80)
        heard = module.lib.r2_mf_rx_get(state)
        signal = SIGNALS.find(chr(heard)) + 1 if heard > 0 else 0
        if signal != last:
            found.append((signal, begin + 80))
            last = signal
    module.lib.r2_mf_rx_free(state)
    return found


class SpandspMfc:
    """One detector a channel, to see what it costs. Raises PeerMissing."""

    def __init__(self, channels: int, direction: Direction) -> None:
        module = _library()
        self._ffi, self._lib = module.ffi, module.lib
        self._states = [self._lib.peer_hear(int(direction == "forward")) for _ in range(channels)]
        self._array = self._ffi.new("r2_mf_rx_state_t *[]", self._states)

    def process(self, audio: NDArray[np.int16]) -> None:
        """`audio` [channels, samples], contiguous, 16-bit scale: all channels, one after the other, in C."""
        pointer = self._ffi.from_buffer("int16_t[]", audio)
        self._lib.mfc_peer_many(self._array, len(self._states), pointer, audio.shape[1])

    def close(self) -> None:
        for state in self._states:
            self._lib.r2_mf_rx_free(state)
        self._states = []
