"""What a caller hears of announcements, measured: level, clipping, gaps and clicks. Whether it is understood, only ears
can tell; nothing here claims it.

Every word and prompt is heard through the whole box (switch, A-law), put together in an order that nobody recorded.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from boards.base import BLOCK
from firmware.ivr.announcements import PHRASES
from firmware.ivr.spoken_mandarin import PAUSE, WORDS
from firmware.media import codec
from firmware.media.codec import Linear
from firmware.media.prompts import prompt_texts
from firmware.simulator.scenario import HangUp, Scenario, Wait
from tests.box.listening_callers import STORE, citizen, greeting, place_of, run, sounds_like

PIECES = (
    *(f"word:{word}" for word in sorted({*WORDS, *PHRASES} - {PAUSE})),
    *(f"prompt:{name}" for name in prompt_texts("zh_CN")),
)
SPEECH_DBM0 = -15.0
WINDOW_DB = 1.0
"""How far a piece may be from the level of all speech: a step of less than 1 dB between words is not noticed."""
QUIET_DBM0 = -45.0
LONGEST_GAP_MS = 80
"""Between two words; the stop before a 工 or 大 inside a word is 50 ms as espeak-ng speaks."""
LARGEST_STEP = codec.peak_of(-40.0)
"""From the last sample of a piece to the first of the next: as small as a tone of -40 dBm0 makes it."""


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[Linear]:
    """Each piece as the caller heard it, linear."""
    whole = sounds_like(*PIECES)
    listens = citizen(Wait(until="answered"), Wait(seconds=whole.size / 8000 + 2.0), HangUp())
    _, (codes,) = run(tmp_path_factory.mktemp("box"), greeting(*PIECES), Scenario(citizens=(listens,), phones=()))
    begins = place_of(whole, codes) - BLOCK
    assert begins >= 0
    ends = np.cumsum([STORE.samples(piece).size for piece in PIECES])
    parts: list[Linear] = np.split(codec.decode(codes[begins : begins + whole.size]), ends[:-1])
    return parts


def active(part: Linear) -> Linear:
    """The stretches of 20 ms that are not pauses."""
    blocks = part[: part.size // 160 * 160].reshape(-1, 160)
    power = np.square(blocks).mean(axis=1)
    speech: Linear = blocks[power > power.mean() / 30]
    return speech


def test_all_pieces_are_alike_loud(heard: list[Linear]) -> None:
    levels = {piece: codec.level_of(active(part)) for piece, part in zip(PIECES, heard, strict=True)}

    assert {piece: level for piece, level in levels.items() if abs(level - SPEECH_DBM0) > WINDOW_DB} == {}


def test_no_piece_is_clipped(heard: list[Linear]) -> None:
    largest = codec.DECODE.max()

    assert [piece for piece, part in zip(PIECES, heard, strict=True) if np.abs(part).max() >= largest] == []


def test_words_follow_each_other_without_a_gap_and_none_is_cut(heard: list[Linear]) -> None:
    """A word that begins or ends in full voice was cut; one that takes long to begin makes a gap."""
    words = [part for piece, part in zip(PIECES, heard, strict=True) if piece.startswith("word:")]
    quiet = np.square(codec.peak_of(QUIET_DBM0)) / 2
    blocks = [np.square(word[: word.size // 40 * 40].reshape(-1, 40)).mean(axis=1) < quiet for word in words]
    before = np.array([int(np.argmin(one)) * 5 for one in blocks])
    after = np.array([int(np.argmin(one[::-1])) * 5 for one in blocks])

    assert before.min() >= 5 and after.min() >= 5, "a word is cut"
    assert before.max() + after.max() <= LONGEST_GAP_MS


def test_no_join_clicks(heard: list[Linear]) -> None:
    steps = [float(abs(after[0] - before[-1])) for before, after in itertools.pairwise(heard)]

    assert max(steps) <= LARGEST_STEP
    # A click is wide-band: 1 ms around a join holds less than the quietest stretch of speech does.
    joins = [np.concatenate([before[-4:], after[:4]]) for before, after in itertools.pairwise(heard)]
    assert max(codec.level_of(join) for join in joins) < QUIET_DBM0
