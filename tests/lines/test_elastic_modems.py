"""Fax through the elastic buffer: libspandsp's modems, which know nothing of us, keep every bit while clocks drift."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.base import BLOCK
from firmware.media import codec
from tests.lines.test_elastic import Drifting

SETTLE_SECONDS = 100
"""Silence before the page, so that the buffer is slipping when it begins."""
PAGE_SECONDS = 20
PIECE = 400
"""Bits that are looked at together."""

GetBit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
PutBit = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)

Samples = NDArray[np.int16]


def library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libspandsp.so.2")
    except OSError:
        pytest.skip("libspandsp is not installed: scripts/setup --system libspandsp-dev")


def sent_by(modem: str, rate: int) -> tuple[Samples, list[int]]:
    """A page of random bits as `v29` or `v17` sends it, 8000 samples a second; and the bits."""
    spandsp = library()
    bits = np.random.default_rng(1).integers(0, 2, rate * (PAGE_SECONDS + 2)).tolist()
    waiting = iter(bits)
    get_bit = GetBit(lambda user: next(waiting))
    make, send, free = (getattr(spandsp, f"{modem}_tx{what}") for what in ("_init", "", "_free"))
    make.restype = ctypes.c_void_p
    make.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, GetBit, ctypes.c_void_p]
    send.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    free.argtypes = [ctypes.c_void_p]
    state = make(None, rate, 0, get_bit, None)
    page = np.zeros(PAGE_SECONDS * codec.SAMPLE_RATE, np.int16)
    for begin in range(0, page.size, BLOCK):
        send(state, page[begin:].ctypes.data, BLOCK)
    free(state)
    return page, bits


def received_by(modem: str, rate: int, line: Samples) -> list[int]:
    """The bits that such a modem gets from a line."""
    spandsp = library()
    bits: list[int] = []
    put_bit = PutBit(lambda user, bit: bits.append(bit) if bit >= 0 else None)
    make, receive, free = (getattr(spandsp, f"{modem}_rx{what}") for what in ("_init", "", "_free"))
    make.restype = ctypes.c_void_p
    make.argtypes = [ctypes.c_void_p, ctypes.c_int, PutBit, ctypes.c_void_p]
    receive.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    free.argtypes = [ctypes.c_void_p]
    state = make(None, rate, put_bit, None)
    for begin in range(0, line.size // BLOCK * BLOCK, BLOCK):
        receive(state, line[begin:].ctypes.data, BLOCK)
    free(state)
    return bits


def good_pieces(sent: list[int], received: list[int]) -> tuple[int, int]:
    """Of how many pieces of 400 received bits, how many were sent just so, in their order."""
    said = "".join(map(str, sent))
    place = good = 0
    pieces = range(PIECE, len(received) - 2 * PIECE, PIECE)  # the ends are training and what the cut leaves
    for begin in pieces:
        found = said.find("".join(map(str, received[begin : begin + PIECE])), place, place + 10 * PIECE)
        if found >= 0:
            good, place = good + 1, found
    return len(pieces), good


def through(line: Samples, ppm: float) -> Samples:
    """What comes out of the elastic buffer when the line's clock is off by so many millionths."""
    silence = np.zeros(SETTLE_SECONDS * codec.SAMPLE_RATE, np.int16)
    board = Drifting(ppm, jitter_us=100.0)
    heard = board.run(codec.encode(np.concatenate([silence, line]))[None, :])[0]
    assert board.buffer.slips > 10
    assert board.buffer.underruns == 0
    return codec.decode(heard[-line.size - 2000 :]).astype(np.int16)


@pytest.mark.parametrize(
    ("modem", "rate", "ppm"), [("v29", 9600, 50), ("v29", 9600, -200), ("v17", 14400, 50), ("v17", 14400, -50)]
)
def test_a_page_of_fax_gets_through_bit_by_bit_while_the_clocks_drift(modem: str, rate: int, ppm: float) -> None:
    page, bits = sent_by(modem, rate)
    pieces, good = good_pieces(bits, received_by(modem, rate, through(page, ppm)))
    assert pieces > 0.9 * PAGE_SECONDS * rate / PIECE
    assert good >= pieces - 1  # now and then A-law alone costs a bit


def test_samples_left_out_at_once_cost_fax_its_page() -> None:
    page, bits = sent_by("v17", 14400)
    line = codec.decode(codec.encode(page)).astype(np.int16)
    pieces, good = good_pieces(bits, received_by("v17", 14400, line))
    assert good >= pieces - 1
    slipped = np.delete(line, [40_000, 60_000, 80_000])
    pieces, good = good_pieces(bits, received_by("v17", 14400, slipped))
    assert good < 0.5 * pieces
