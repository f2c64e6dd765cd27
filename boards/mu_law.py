"""Mu-law codes as A-law codes and back, by one table look-up: for lines whose card speaks mu-law. Nothing linear.

Source: ITU-T G.711 (11/88), tables 3 (mu to A) and 4 (A to mu). They give values by their number from the middle of the
scale outward, 1 to 128 (here 0 to 127), the same for both signs; a code is that number, inverted as its law has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MU_LAW_SILENCE = 0xFF
"""The mu-law code of zero."""

Codes = NDArray[np.uint8]

_A_OF_MU = np.concatenate(
    (
        np.arange(16) // 2,
        np.arange(8, 25),
        (26, 28, 30),
        np.arange(32, 44),
        (45,),
        np.arange(47, 62),
        np.arange(63, 80),
        np.arange(81, 128),
    )
)
_MU_OF_A = np.concatenate(
    (
        np.arange(1, 16, 2),
        np.arange(16, 32),
        np.repeat(np.arange(32, 36), 2),
        np.arange(36, 48),
        (48, 48, 49, 49),
        np.arange(50, 64),
        (64, 64),
        np.arange(65, 80),
        (80, 80),
        np.arange(81, 128),
    )
)


def _table(numbers: NDArray[np.int_], inverted: int, inverts: int) -> Codes:
    """Both signs: `inverted` and `inverts` are the bits that turn a number into a code of the one law and the other."""
    table = np.zeros(256, np.uint8)
    for sign in (0, 0x80):
        table[np.arange(128) ^ inverted | sign] = numbers ^ inverts | sign
    return table


ALAW_OF_MU = _table(_A_OF_MU, 0x7F, 0x55)
MU_OF_ALAW = _table(_MU_OF_A, 0x55, 0x7F)
"""`ALAW_OF_MU[block]` is a block of mu-law codes in A-law, `MU_OF_ALAW[block]` the other way."""
