"""libspandsp's fax and modem tones, sender and receiver, as peers for tests, through cffi. Never part of the box."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from tests.tones.spandsp_peer import library

CONNECT_TONES = {"cng": 1, "ced": 2, "ced-pr": 3, "ansam": 4, "ansam-pr": 5}
"""As spandsp numbers them, by our names."""

_DECLARATIONS = """
    typedef struct { int codes[64]; int count; ...; } signals_peer_t;
    int signals_peer_say(int type, int16_t *audio, int samples);
    int signals_peer_hear(int type, const int16_t *audio, int samples, signals_peer_t *heard);
    typedef struct modem_connect_tones_rx_state_s modem_connect_tones_rx_state_t;
    modem_connect_tones_rx_state_t *signals_peer_open(int type);
    void signals_peer_close(modem_connect_tones_rx_state_t *state);
    void signals_peer_many(modem_connect_tones_rx_state_t **states, int each, int channels, const int16_t *audio,
                           int samples);
"""
_SOURCE = """
    #include <stdint.h>
    #include <stdlib.h>
    #include <spandsp.h>
    typedef struct { int codes[64]; int count; } signals_peer_t;
    static void took(void *data, int code, int level, int delay) {
        signals_peer_t *heard = data;
        if (heard->count < 64) heard->codes[heard->count++] = code;
    }
    static int signals_peer_say(int type, int16_t *audio, int samples) {
        modem_connect_tones_tx_state_t *state = modem_connect_tones_tx_init(NULL, type);
        int made = modem_connect_tones_tx(state, audio, samples);
        modem_connect_tones_tx_free(state);
        return made;
    }
    static int signals_peer_hear(int type, const int16_t *audio, int samples, signals_peer_t *heard) {
        modem_connect_tones_rx_state_t *state = modem_connect_tones_rx_init(NULL, type, took, heard);
        for (int done = 0; done + 80 <= samples; done += 80) modem_connect_tones_rx(state, audio + done, 80);
        modem_connect_tones_rx_free(state);
        return heard->count;
    }
    static modem_connect_tones_rx_state_t *signals_peer_open(int type) {
        return modem_connect_tones_rx_init(NULL, type, NULL, NULL);
    }
    static void signals_peer_close(modem_connect_tones_rx_state_t *state) { modem_connect_tones_rx_free(state); }
    static void signals_peer_many(modem_connect_tones_rx_state_t **states, int each, int channels,
                                  const int16_t *audio, int samples) {
        for (int channel = 0; channel < channels; channel++)
            for (int kind = 0; kind < each; kind++)
                modem_connect_tones_rx(states[channel * each + kind], audio + channel * samples, samples);
    }
"""


def _library() -> ModuleType:
    return library("signals", _DECLARATIONS, _SOURCE)


def said(name: str, samples: int) -> NDArray[np.int16]:
    """What spandsp sends for one of `CONNECT_TONES`; zeroes after its end. Raises PeerMissing."""
    module = _library()
    audio = np.zeros(samples, dtype=np.int16)
    module.lib.signals_peer_say(CONNECT_TONES[name], module.ffi.from_buffer("int16_t[]", audio), samples)
    return audio


def hears(name: str, audio: NDArray[np.int16]) -> list[str]:
    """Which of `CONNECT_TONES` spandsp's receiver for `name` reports in the audio, in order. Raises PeerMissing."""
    module = _library()
    heard = module.ffi.new("signals_peer_t *")
    pointer = module.ffi.from_buffer("int16_t[]", np.ascontiguousarray(audio))
    module.lib.signals_peer_hear(CONNECT_TONES[name], pointer, audio.size, heard)
    names = {code: name for name, code in CONNECT_TONES.items()}
    return [names[code] for code in heard.codes[0 : heard.count] if code in names]


class SpandspConnectTones:
    """A receiver of CNG and one of CED a channel, to see what they cost. Raises PeerMissing."""

    def __init__(self, channels: int) -> None:
        module = _library()
        self._ffi, self._lib = module.ffi, module.lib
        self._channels = channels
        self._states = [
            self._lib.signals_peer_open(CONNECT_TONES[name]) for _ in range(channels) for name in ("cng", "ced")
        ]
        self._array = self._ffi.new("modem_connect_tones_rx_state_t *[]", self._states)

    def process(self, audio: NDArray[np.int16]) -> None:
        """`audio` [channels, samples], contiguous, 16-bit scale: all channels, one after the other, in C."""
        pointer = self._ffi.from_buffer("int16_t[]", audio)
        self._lib.signals_peer_many(self._array, 2, self._channels, pointer, audio.shape[1])

    def close(self) -> None:
        for state in self._states:
            self._lib.signals_peer_close(state)
        self._states = []
