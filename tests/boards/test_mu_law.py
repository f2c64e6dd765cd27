"""Mu-law as A-law and back, against libspandsp's tables, and that nobody hears a difference."""

from __future__ import annotations

import numpy as np

from boards.base import ALAW_SILENCE
from boards.mu_law import ALAW_OF_MU, MU_LAW_SILENCE, MU_OF_ALAW
from tests.tones.spandsp_peer import library

_DECLARATIONS = """
    uint8_t mu_peer_to_alaw(uint8_t code);
    uint8_t mu_peer_from_alaw(uint8_t code);
    int16_t mu_peer_linear(uint8_t code);
    int16_t mu_peer_alaw_linear(uint8_t code);
    uint8_t mu_peer_code(int linear);
"""
_SOURCE = """
    #include <stdint.h>
    #include <spandsp.h>
    static uint8_t mu_peer_to_alaw(uint8_t code) { return ulaw_to_alaw(code); }
    static uint8_t mu_peer_from_alaw(uint8_t code) { return alaw_to_ulaw(code); }
    static int16_t mu_peer_linear(uint8_t code) { return ulaw_to_linear(code); }
    static int16_t mu_peer_alaw_linear(uint8_t code) { return alaw_to_linear(code); }
    static uint8_t mu_peer_code(int linear) { return linear_to_ulaw(linear); }
"""


def test_every_code_becomes_what_the_recommendation_says() -> None:
    peer = library("mu_law", _DECLARATIONS, _SOURCE).lib
    codes = range(256)

    assert list(ALAW_OF_MU) == [peer.mu_peer_to_alaw(code) for code in codes]
    assert list(MU_OF_ALAW) == [peer.mu_peer_from_alaw(code) for code in codes]


def test_silence_becomes_silence() -> None:
    assert ALAW_OF_MU[MU_LAW_SILENCE] == ALAW_SILENCE
    assert MU_OF_ALAW[ALAW_SILENCE] == 0xFE  # A-law has no zero: its smallest step is mu-law's first


def test_a_tone_spoken_in_mu_law_is_the_same_tone_in_a_law() -> None:
    """What two quantisations put in is 34 dB below it and more; taken for A-law untranslated it would be drowned."""
    peer = library("mu_law", _DECLARATIONS, _SOURCE).lib
    tone = 8000 * np.sin(2 * np.pi * 1000.5 * np.arange(8000) / 8000)
    spoken = np.array([peer.mu_peer_code(int(sample)) for sample in tone], np.uint8)
    alaw = np.array([peer.mu_peer_alaw_linear(code) for code in range(256)], float)

    def ratio_db(codes: np.ndarray) -> float:
        heard = alaw[codes]
        share = heard @ tone / (tone @ tone)
        return float(10 * np.log10(share**2 * (tone @ tone) / np.sum((heard - share * tone) ** 2)))

    assert ratio_db(ALAW_OF_MU[spoken]) > 34
    assert ratio_db(spoken) < 10
    mu = np.array([peer.mu_peer_linear(code) for code in range(256)], float)
    sent = np.array([int(np.abs(alaw - sample).argmin()) for sample in tone], np.uint8)
    assert np.max(np.abs(mu[MU_OF_ALAW[sent]] - tone)) < 600
