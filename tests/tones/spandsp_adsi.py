"""libspandsp's caller ID (ADSI) as a peer for tests, sender and receiver, through cffi. Never part of the box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.tones.spandsp_peer import library

_DECLARATIONS = """
    typedef struct { uint8_t message[256]; int length; int count; ...; } adsi_peer_t;
    adsi_peer_t *adsi_peer_open(void);
    void adsi_peer_close(adsi_peer_t *peer);
    void adsi_peer_hear(adsi_peer_t *peer, const int16_t *audio, int samples);
    int adsi_peer_say(const uint8_t *message, int length, int16_t *audio, int samples);
"""
_SOURCE = """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #include <spandsp.h>
    typedef struct { uint8_t message[256]; int length; int count; adsi_rx_state_t *state; } adsi_peer_t;
    static void took(void *data, const uint8_t *message, int length) {
        adsi_peer_t *peer = data;
        peer->length = length > 256 ? 256 : length;
        memcpy(peer->message, message, peer->length);
        peer->count++;
    }
    static adsi_peer_t *adsi_peer_open(void) {
        adsi_peer_t *peer = calloc(1, sizeof *peer);
        peer->state = adsi_rx_init(NULL, ADSI_STANDARD_CLASS, took, peer);
        return peer;
    }
    static void adsi_peer_close(adsi_peer_t *peer) { adsi_rx_free(peer->state); free(peer); }
    static void adsi_peer_hear(adsi_peer_t *peer, const int16_t *audio, int samples) {
        adsi_rx(peer->state, audio, samples);
    }
    static int adsi_peer_say(const uint8_t *message, int length, int16_t *audio, int samples) {
        adsi_tx_state_t *state = adsi_tx_init(NULL, ADSI_STANDARD_CLASS);
        int taken = adsi_tx_put_message(state, message, length);
        int made = taken <= 0 ? -1 : adsi_tx(state, audio, samples);
        adsi_tx_free(state);
        return made;
    }
"""


def heard(audio: NDArray[np.int16]) -> list[bytes]:
    """The last message that spandsp hears in the audio, as it hands it over; empty if there was none."""
    module = library("adsi", _DECLARATIONS, _SOURCE)
    peer = module.lib.adsi_peer_open()
    module.lib.adsi_peer_hear(peer, module.ffi.from_buffer("int16_t[]", np.ascontiguousarray(audio)), audio.size)
    messages = [bytes(module.ffi.buffer(peer.message, peer.length))] if peer.count else []
    module.lib.adsi_peer_close(peer)
    return messages


def said(message: bytes) -> NDArray[np.int16]:
    """What spandsp sends for a message of kind, length and content (it sets length and check byte itself)."""
    module = library("adsi", _DECLARATIONS, _SOURCE)
    audio = np.zeros(24000, dtype=np.int16)
    made = module.lib.adsi_peer_say(message, len(message), module.ffi.from_buffer("int16_t[]", audio), audio.size)
    assert made > 0, f"spandsp does not send {message!r}"
    return audio
