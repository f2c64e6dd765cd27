"""MFC register tones (R2, China No.1) in the audio of the channels that listen for them, and as sound.

It finds that a pair of tones came or went, on all listening channels at once; what a signal means, and what is to be
said in return, is firmware/lines/r2/registers.py. Each tick looks at the last 20 ms of every listening channel by one
product: least squares of all twelve frequencies, so that the far end's tones are told from the echo of our own, which
lie in the other half of the band. A pair counts when two looks 10 ms apart agree (one would do on a quiet line; two are
imitated less often), so a tone is told 16 to 30 ms after it began (38 in noise) and 10 to 23 ms after it ended:
together less than the 80 ms that compelled signalling allows.

Sources: frequencies and numbers Q.441; sending level -11.5 dBm0 a tone Q.454; receiver -5 to -35 dBm0, ±10 Hz, 5 dB
between neighbours and 7 dB between others, 20 dB not accepted, 7 ms neither recognised nor released, operate and
release within 80 ms Q.455 (figures as in spandsp's bell_r2_mf.h, and Nortel's XMFC data sheet, which is stricter with
32 ms each). China sends the same forward frequencies and the upper four of the backward ones (GF 002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear
from firmware.tones.generate import sine

Direction = Literal["forward", "backward"]

FREQUENCIES: dict[Direction, tuple[float, ...]] = {
    "forward": (1380.0, 1500.0, 1620.0, 1740.0, 1860.0, 1980.0),
    "backward": (1140.0, 1020.0, 900.0, 780.0, 660.0, 540.0),
}
"""The six frequencies of each direction in the order in which Q.441 numbers them."""

PAIRS: tuple[tuple[int, int], ...] = tuple((low, high) for high in range(1, 6) for low in range(high))
"""Signal `n` (1 to 15) is the tones `PAIRS[n - 1]` of its direction: 1 is (0, 1), 2 (0, 2), 3 (1, 2), 4 (0, 3) …"""

SEND_DBM0 = -11.5
"""Level of each of the two tones."""

WINDOW = 2 * BLOCK
"""Samples of one look: 20 ms, enough to tell tones 120 Hz apart."""
MINIMUM_DBM0 = -38.0
"""The weaker tone must be as strong as this. -35 must be heard, and one that is 10 Hz off looks 0.6 dB weaker."""
TWIST_DB = 11.0
"""One tone may be this much stronger than the other. 7 must be accepted, 20 must not."""
PAIR_SHARE = 0.6
"""Share that the pair must have of all that is not our own echo. A burst of 7 ms has 0.35 of a look of 20 ms."""
THIRD_SHARE = 0.5
"""A third tone of the direction may have this share of the weaker one's power: two and only two make a signal. The
skirts of a tone 10 Hz off that is 7 dB stronger have less than 0.2 of the weaker one's."""
FIRST_PAIR_SHARE = 0.4
"""What suffices for the first of the two looks, which the tone may fill by half."""
HOLD_SHARE = 0.22
"""What is left of a pair's power when it counts as gone. An interruption of 7 ms leaves 0.42 of a look,
less what leaks into other tones."""

_ECHO = np.concatenate([FREQUENCIES["forward"], FREQUENCIES["backward"]])
_MINIMUM_POWER = codec.peak_of(MINIMUM_DBM0) ** 2

Rows = NDArray[np.intp]


def _fitting_matrix() -> tuple[Linear, Linear]:
    """What gives the amplitudes of the twelve frequencies in a window, and the Gram matrix that gives their energy."""
    angle = 2.0 * np.pi / SAMPLE_RATE * np.outer(np.arange(WINDOW), _ECHO)
    columns = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return np.linalg.pinv(columns).T.astype(np.float32), (columns.T @ columns).astype(np.float32)


_FIT, _GRAM = _fitting_matrix()
"""[160, 24] and [24, 24]: cosines of the forward and backward frequencies, then their sines."""


def _pair_numbers() -> NDArray[np.int8]:
    table = np.zeros((6, 6), dtype=np.int8)
    for number, (low, high) in enumerate(PAIRS, 1):
        table[low, high] = table[high, low] = number
    return table


_PAIR_NUMBER = _pair_numbers()
_PAIR_TONES: Rows = np.array([(0, 1), *PAIRS], dtype=np.intp)
"""[16, 2]: the tones of each signal; the first row stands for none."""


@dataclass(frozen=True, slots=True)
class RegisterTone:
    """A register tone came (`on`) or went, on a channel. `sample`: count of the first sample after the look."""

    channel: int
    signal: int
    on: bool
    sample: int


class MfcDetector:
    """Detector for a fixed number of channels, of which only those do any work that were told to listen."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._direction: NDArray[np.int8] = np.full(channels, -1, dtype=np.int8)
        self._rows: Rows = np.zeros(0, dtype=np.intp)
        self._own: Rows = np.zeros((0, 6), dtype=np.intp)
        self._window: Linear = np.zeros((channels, WINDOW), dtype=np.float32)
        self._candidate: NDArray[np.int8] = np.zeros(channels, dtype=np.int8)
        self._sounding: NDArray[np.int8] = np.zeros(channels, dtype=np.int8)
        self._power: Linear = np.zeros(channels, dtype=np.float32)
        """Power of the sounding pair at its strongest."""

    @property
    def listening(self) -> bool:
        """True if any channel listens."""
        return bool(self._rows.size)

    def listen(self, channel: int, direction: Direction | None) -> None:
        """Listen on a channel for the tones of a direction, from now on and from a blank memory; None: no more."""
        self._direction[channel] = -1 if direction is None else list(FREQUENCIES).index(direction)
        self._window[channel] = 0.0
        self._candidate[channel] = self._sounding[channel] = 0
        self._rows = np.flatnonzero(self._direction >= 0)
        # Which of the twelve frequencies are the listened-for six of each row.
        self._own = self._direction[self._rows, None].astype(np.intp) * 6 + np.arange(6)

    def process(self, linear: Linear, sample: int) -> list[RegisterTone]:
        """One tick: `linear` [channels, 80] whose first sample has the count `sample`. Tones that came or went, by
        channel; a change from one tone to another without a gap is both, in this order."""
        rows = self._rows
        if not rows.size:
            return []
        window = self._window
        window[rows, :BLOCK] = window[rows, BLOCK:]
        window[rows, BLOCK:] = linear[rows]
        looked = window[rows]
        weights = looked @ _FIT
        squares = np.square(weights)
        powers = squares[:, :12] + squares[:, 12:]
        own = np.take_along_axis(powers, self._own, axis=1)
        order = np.argsort(own, axis=1)
        at = np.arange(rows.size)
        strongest, second, third = (own[at, order[:, place]] for place in (5, 4, 3))
        echo = weights.copy()
        np.put_along_axis(echo, self._own, 0.0, axis=1)
        np.put_along_axis(echo, self._own + 12, 0.0, axis=1)
        heard = np.einsum("ij,ij->i", looked, looked) - np.einsum("ij,jk,ik->i", echo, _GRAM, echo)
        pair_energy = (strongest + second) * np.float32(WINDOW / 2)
        maybe = (
            (second >= np.float32(_MINIMUM_POWER))
            & (strongest <= np.float32(10 ** (TWIST_DB / 10)) * second)
            & (third <= np.float32(THIRD_SHARE) * second)
            & (pair_energy >= np.float32(FIRST_PAIR_SHARE) * heard)
        )
        good = pair_energy >= np.float32(PAIR_SHARE) * heard
        number = np.where(maybe, _PAIR_NUMBER[order[:, 5], order[:, 4]], 0).astype(np.int8)

        sounding = self._sounding[rows]
        tones = _PAIR_TONES[sounding]
        left = own[at, tones[:, 0]] + own[at, tones[:, 1]]
        self._power[rows] = np.maximum(self._power[rows], left)
        other = good & (number > 0) & (number != sounding) & (number == self._candidate[rows])
        gone = (sounding > 0) & ((left < np.float32(HOLD_SHARE) * self._power[rows]) | other)
        came = other & ((sounding == 0) | gone)
        self._candidate[rows] = number
        if not (gone.any() or came.any()):
            return []
        found: list[RegisterTone] = []
        for place in np.flatnonzero(gone | came).tolist():
            channel = int(rows[place])
            if gone[place]:
                found.append(RegisterTone(channel, int(sounding[place]), False, sample + BLOCK))
                self._sounding[channel] = 0
            if came[place]:
                found.append(RegisterTone(channel, int(number[place]), True, sample + BLOCK))
                self._sounding[channel] = number[place]
                self._power[channel] = strongest[place] + second[place]
        return found


def register_tone(
    direction: Direction, signal: int, samples: int, dbm0: float = SEND_DBM0, *, shift_hz: float = 0.0
) -> Linear:
    """Samples on the linear scale of the signal (1 to 15), each tone at `dbm0`; `shift_hz` moves both. Raises
    ValueError for what is no signal."""
    if not 1 <= signal <= len(PAIRS):
        raise ValueError(f"no register signal: {signal}, only 1 to {len(PAIRS)}")
    low, high = (FREQUENCIES[direction][tone] + shift_hz for tone in PAIRS[signal - 1])
    return sine(low, dbm0, samples) + sine(high, dbm0, samples, start_phase=np.pi / 2)


class MfcSender:
    """Lays register tones over what channels send. A tone lasts until it is stopped, phase-continuous from tick to
    tick: all frequencies are multiples of 20 Hz, and those of a test sender that is off by 10 Hz are of 10 Hz."""

    PERIOD = 800
    """Samples in which a whole number of periods of every frequency fits."""

    def __init__(self, dbm0: float = SEND_DBM0, *, shift_hz: float = 0.0) -> None:
        """`shift_hz`: how far off all frequencies are, a multiple of 10; for tests."""
        period = self.PERIOD + BLOCK
        self._bank: Alaw = np.stack(
            [
                codec.encode(register_tone(direction, signal, period, dbm0, shift_hz=shift_hz))
                for direction in FREQUENCIES
                for signal in range(1, len(PAIRS) + 1)
            ]
        )
        self._tones: dict[int, int] = {}
        self._rows: Rows = np.zeros(0, dtype=np.intp)
        self._chosen: Rows = np.zeros(0, dtype=np.intp)

    def start(self, channel: int, direction: Direction, signal: int) -> None:
        """Send a signal (1 to 15) instead of all else from the next tick on."""
        self._tones[channel] = list(FREQUENCIES).index(direction) * len(PAIRS) + signal - 1
        self._changed()

    def stop(self, channel: int) -> None:
        """Send what the channel would send without. Harmless if said twice."""
        if self._tones.pop(channel, None) is not None:
            self._changed()

    @property
    def sending(self) -> bool:
        """True if any channel sends a tone."""
        return bool(self._tones)

    def _changed(self) -> None:
        self._rows = np.array(list(self._tones), dtype=np.intp)
        self._chosen = np.array(list(self._tones.values()), dtype=np.intp)

    def lay_over(self, sent: Alaw, sample: int) -> None:
        """Replace the rows of `sent` [channels, 80], whose first sample has the count `sample`."""
        if self._rows.size:
            begin = sample % self.PERIOD
            sent[self._rows] = self._bank[self._chosen, begin : begin + BLOCK]
