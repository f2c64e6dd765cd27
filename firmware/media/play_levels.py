"""Plays at the level of their line: what runs is made louder or quieter as it is sent, code by code. No switching here.

A level is a table of 256 A-law codes, clipped where A-law ends; a play without one is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.media.mixing import factor_of

_CODES = np.arange(256, dtype=np.uint8)
_LEAST = np.abs(codec.DECODE) <= codec.DECODE[codec.SILENCE]
"""The two codes that are silence stay silence."""

_NO_ROWS = (np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))


class PlayLevels:
    """The level of each channel's plays."""

    def __init__(self, channels: int) -> None:
        self._tables: Alaw = _CODES[None].copy()
        self._of_channel = np.zeros(channels, dtype=np.intp)
        self._levelled = np.zeros(channels, dtype=bool)
        """The channel's play is one that has the level of its line."""
        self._of_play = np.zeros(channels, dtype=np.intp)
        """Table of the play that runs; 0: it is sent as it is."""

    def set(self, levels: Mapping[int, float]) -> None:
        """From the next tick on the channels have these levels in dB, all others 0. Raises ValueError for one out of
        range, before anything is changed."""
        factors = {channel: factor_of(level) for channel, level in levels.items() if level}
        chosen = sorted(set(factors.values()))
        tables = codec.encode(codec.DECODE * np.array([1.0, *chosen])[:, None])
        self._tables = np.where(_LEAST, _CODES, tables)
        self._of_channel[:] = 0
        for channel, factor in factors.items():
            self._of_channel[channel] = 1 + chosen.index(factor)
        self._of_play = np.where(self._levelled, self._of_channel, 0)

    def begin(self, channel: int, levelled: bool) -> None:
        """A play begins on the channel; not `levelled`: its samples are sent as they are."""
        self._levelled[channel] = levelled
        self._of_play[channel] = self._of_channel[channel] if levelled else 0

    def end(self, channel: int) -> None:
        """Nothing is played to the channel."""
        self.begin(channel, False)

    def table_of(self, channel: int) -> Alaw | None:
        """The codes that the channel's play becomes now, by code; None: itself."""
        table = int(self._of_play[channel])
        return self._tables[table] if table else None

    def rows_of(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which of `rows` are played to at a level, and the table of each: for `apply`, when their blocks are whole."""
        if len(self._tables) == 1:
            return _NO_ROWS
        tables = self._of_play[rows]
        levelled = np.flatnonzero(tables)
        return rows[levelled], tables[levelled]

    def apply(self, sent: Alaw, rows: NDArray[np.intp], tables: NDArray[np.intp]) -> None:
        """Bring these rows of `sent` [channels, 80] to their levels, in place."""
        if rows.size:
            sent[rows] = self._tables[tables[:, None], sent[rows]]
