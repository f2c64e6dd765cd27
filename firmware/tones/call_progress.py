"""Single tones of exchanges (dial, busy, ringback: 350 to 600 Hz) with their cadence, on chosen channels at once.

It measures: when a tone began, how long it and the silence before it lasted, its frequency and level. Which cadence
means what for whom is asked of `Cadence` (`cadence.py`) and `CadenceCount`; what follows is the line machines'
business. Registers (MFC) and digits have detectors of their own.

Each hop of 10 ms looks at the last 20 ms. A tone is there if one frequency explains most of what is heard: with the
window half full of it, half is explained, so that beginning and end are found alike, to about 2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear
from firmware.tones.cadence import BurstSequence, Cadence, LearnedTone, ToneBurst
from firmware.tones.plan import Tone

LOWEST_HZ, HIGHEST_HZ, STEP_HZ = 350, 600, 25
MINIMUM_DBM0 = -40.0
SHARE = 0.5
"""Share of the energy in the window that one frequency must explain."""
QUIET_DBM0 = -45.0
"""A hop quieter than this is silence."""

_WINDOW = 2 * BLOCK
_HZ = np.arange(LOWEST_HZ, HIGHEST_HZ + 1, STEP_HZ)
_ANGLES = 2.0 * np.pi / SAMPLE_RATE * np.outer(np.arange(_WINDOW), _HZ)
_COLUMNS: Linear = np.concatenate([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1).astype(np.float32)
_MINIMUM = np.float32((codec.peak_of(MINIMUM_DBM0) / 2) ** 2 * _WINDOW / 2)
"""Energy that a tone of the minimum level has in a window half full of it."""
_QUIET = np.float32(codec.peak_of(QUIET_DBM0) ** 2 / 2 * BLOCK)

Indexes = NDArray[np.intp]


class CallProgressDetector:
    """Watches chosen channels of a fixed number. A channel's time is its own: what it is not given does not pass."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._before: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
        self._products: Linear = np.zeros((channels, 2 * _HZ.size), dtype=np.float32)
        self._share: Linear = np.zeros(channels, dtype=np.float32)
        self._on = np.zeros(channels, dtype=np.bool_)
        self._changed = np.zeros(channels, dtype=np.float64)
        """Sample count at which the tone began or ended last."""
        self._pause = np.zeros(channels, dtype=np.float64)
        self._turned: NDArray[np.complex64] = np.zeros(channels, dtype=np.complex64)
        self._power: Linear = np.zeros(channels, dtype=np.float32)
        self._hops = np.zeros(channels, dtype=np.int64)
        self._bin = np.zeros(channels, dtype=np.intp)
        self._loud = np.zeros(channels, dtype=np.int64)
        """Sample count after the last hop that was not silent."""
        self._now = 0

    def reset(self, channel: int) -> None:
        """Begin anew with a channel: nothing has sounded."""
        self._before[channel] = self._products[channel] = 0.0
        self._share[channel] = 0.0
        self._on[channel] = False
        self._changed[channel] = self._loud[channel] = self._now

    def sounding(self, rows: Indexes) -> NDArray[np.int64]:
        """For how many samples a tone has been sounding on these channels; 0: there is none."""
        lasts = np.maximum(1, self._now - self._changed[rows].astype(np.int64))
        return np.where(self._on[rows], lasts, 0)

    def spoken_to(self, rows: Indexes, sent: Linear) -> None:
        """What was sent on these channels [len(rows), 80] since the last tick: who is spoken to may well be silent, so
        that no silence counts which began before."""
        self._loud[rows[np.einsum("ij,ij->i", sent, sent) > _QUIET]] = self._now

    def silent(self, rows: Indexes) -> NDArray[np.int64]:
        """For how many samples nothing was heard on these channels, or said to them."""
        return np.maximum(0, self._now - self._loud[rows])

    def process(self, linear: Linear, sample: int, active: Indexes) -> list[ToneBurst]:
        """One tick: `linear` [channels, 80], whose first sample has the count `sample`; `active`: the channels watched,
        each once. Tones that ended."""
        # Time that passed without audio was neither silence nor tone.
        self._loud += sample - self._now
        self._changed += sample - self._now
        self._now = sample + BLOCK
        if not active.size:
            return []
        hop = linear[active]
        window = np.concatenate([self._before[active], hop], axis=1)
        self._before[active] = hop
        energy_of_hop = np.einsum("ij,ij->i", hop, hop)
        self._loud[active[energy_of_hop > _QUIET]] = self._now
        energy = np.einsum("ij,ij->i", window, window)
        products = window @ _COLUMNS
        squares = np.square(products)
        explained = (squares[:, : _HZ.size] + squares[:, _HZ.size :]) * np.float32(2 / _WINDOW)
        best = explained.argmax(axis=1)
        every = np.arange(active.size)
        strongest = explained[every, best]
        share = np.where(energy > _MINIMUM, strongest / np.maximum(energy, np.float32(1.0)), np.float32(0.0))
        was_on, last_share = self._on[active], self._share[active]
        on = share >= np.float32(SHARE)
        # The moment at which the share went through its limit; the window's middle is 10 ms before its end. In double
        # precision: after three weeks a single one counts samples in steps of 128 ms.
        step = np.where(on != was_on, share - last_share, np.float32(1.0))
        crossing = sample - BLOCK + BLOCK * np.clip((SHARE - last_share) / step, 0.0, 1.0).astype(np.float64)
        found = self._ended(active[was_on & ~on], crossing[was_on & ~on])
        begins = active[on & ~was_on]
        self._pause[begins] = crossing[on & ~was_on] - self._changed[begins]
        self._power[begins] = 0.0
        self._turned[begins] = 0.0
        self._hops[begins] = 0
        self._follow(active, on & was_on, best, products, strongest)
        changed = active[on != was_on]
        self._changed[changed] = crossing[on != was_on]
        self._on[active], self._share[active], self._products[active] = on, share, products
        return found

    def _follow(
        self, active: Indexes, going_on: NDArray[np.bool_], best: Indexes, products: Linear, strongest: Linear
    ) -> None:
        """Gather level and turn of phase of the tones that went on through this hop."""
        at = np.flatnonzero(going_on)
        rows, place = active[at], best[at]
        now = products[at, place] - 1j * products[at, place + _HZ.size]
        last = self._products[rows, place] - 1j * self._products[rows, place + _HZ.size]
        self._turned[rows] += now * last.conj()
        self._power[rows] = np.maximum(self._power[rows], strongest[at])
        self._hops[rows] += 1
        self._bin[rows] = place

    def _ended(self, rows: Indexes, ends: NDArray[np.float64]) -> list[ToneBurst]:
        found: list[ToneBurst] = []
        for channel, end in zip(rows.tolist(), ends.tolist(), strict=True):
            # From hop to hop the phase turns by whole turns and a part; which whole ones, the strongest column knows.
            roughly = float(_HZ[self._bin[channel]])
            turns = float(np.angle(self._turned[channel])) / (2.0 * np.pi)
            whole = round(roughly * BLOCK / SAMPLE_RATE - turns)
            hz = (whole + turns) * SAMPLE_RATE / BLOCK if self._hops[channel] else roughly
            # A column hears a tone beside its own frequency a little weaker than it is.
            heard = float(np.sinc((hz - roughly) * _WINDOW / SAMPLE_RATE)) ** 2
            power = max(float(self._power[channel]), 1e-6) / (_WINDOW * max(heard, 0.25))
            level = 10.0 * float(np.log10(power / (codec.ZERO_DBM0_PEAK**2 / 2)))
            start = self._changed[channel]
            found.append(ToneBurst(channel, round(start), round(end - start), round(self._pause[channel]), hz, level))
        return found


def cadence_of(tone: Tone) -> Cadence | None:
    """The cadence of a plan's tone of two steps, one frequency and silence; None for any other tone."""
    if len(tone.steps) != 2:
        return None
    on, off = tone.steps
    if len(on.hz) != 1 or off.hz or on.ms is None or off.ms is None:
        return None
    return Cadence(float(on.hz[0]), on.ms, off.ms)


def sequence_of(tone: Tone) -> BurstSequence | None:
    """A plan's tone as bursts of one frequency with silence after each; None for any other tone."""
    bursts, pauses = tone.steps[::2], tone.steps[1::2]
    if len(bursts) != len(pauses) or any(len(step.hz) != 1 for step in bursts) or any(step.hz for step in pauses):
        return None
    before = (pauses[-1], *pauses[:-1])
    return BurstSequence(
        tuple(
            Cadence(float(burst.hz[0]), burst.ms or 0.0, pause.ms or 0.0)
            for burst, pause in zip(bursts, before, strict=True)
        )
    )


REGULAR_CYCLES = 8
"""Bursts in a row that make any regular cadence heard that nobody told us of."""
REGULAR_ON_MS = (80.0, 900.0)
REGULAR_OFF_MS = (80.0, 900.0)
"""Ringback (1 s on, 4 s off) is none."""


class CadenceCount:
    """Follows, on one channel, whether a known cadence came often enough; also any regular one, if `regular`."""

    def __init__(self, cadences: Sequence[Cadence | BurstSequence], *, regular: bool = True) -> None:
        self._tones = tuple(BurstSequence((one,)) if isinstance(one, Cadence) else one for one in cadences)
        self._longest = max((tone.enough for tone in self._tones), default=1)
        self._last: list[ToneBurst] = []
        self._regular = regular
        self._run: list[ToneBurst] = []

    def heard(self, burst: ToneBurst) -> bool:
        """True if with this burst a cadence has been heard often enough."""
        self._last = [*self._last, burst][-self._longest :]
        self._run = [*self._run, burst] if _goes_on(self._run, burst) else [burst]
        self._run = self._run[-REGULAR_CYCLES:]
        return any(tone.fits(self._last) for tone in self._tones) or (self._regular and _is_regular(self._run))


def _goes_on(run: Sequence[ToneBurst], burst: ToneBurst) -> bool:
    """The burst is like those before it in frequency, level, length and, from the second on, pause."""
    if not run:
        return False
    like = Cadence(run[0].hz, run[0].duration / 8, (run[1] if len(run) > 1 else burst).pause / 8, 0.08, 8.0)
    return like.fits(burst, first=False) and abs(burst.level_dbm0 - run[0].level_dbm0) <= 4.0


def _is_regular(run: Sequence[ToneBurst]) -> bool:
    return (
        len(run) >= REGULAR_CYCLES
        and REGULAR_ON_MS[0] <= run[-1].duration / 8 <= REGULAR_ON_MS[1]
        and REGULAR_OFF_MS[0] <= run[-1].pause / 8 <= REGULAR_OFF_MS[1]
    )


class LearnError(Exception):
    """No tone could be learnt. Says what was heard instead and what to do."""


LEARN_CYCLES = 5


class ToneLesson:
    """Listens to the bursts of one line for its repeating tone; speech before it does no harm."""

    def __init__(self) -> None:
        self._run: list[ToneBurst] = []

    def heard(self, burst: ToneBurst) -> LearnedTone | None:
        """The tone that goes on with this burst, measured over all of them, when it has come often enough."""
        self._run = [*self._run, burst] if _goes_on(self._run, burst) else [burst]
        return _measured(self._run)


def learn(audio: Alaw) -> LearnedTone:
    """The repeating tone in a recording of one line (A-law, any length; speech before it does no harm).

    The longest run of like bursts counts. Raises LearnError.
    """
    bursts = bursts_of(audio)
    runs: list[list[ToneBurst]] = []
    for burst in bursts:
        if runs and _goes_on(runs[-1], burst):
            runs[-1].append(burst)
        else:
            runs.append([burst])
    best = max(runs, key=len, default=[])
    tone = _measured(best)
    if tone is None:
        seconds = audio.size / SAMPLE_RATE
        longest = max((burst.duration for burst in bursts), default=0) / SAMPLE_RATE
        raise LearnError(
            f"In {seconds:.0f} s no tone repeated {LEARN_CYCLES} times: the best came {len(best)} times, the longest "
            f"tone lasted {longest:.1f} s. Let the far end hang up first, and listen for at least ten seconds more"
        )
    return tone


def _measured(run: Sequence[ToneBurst]) -> LearnedTone | None:
    """What a run of like bursts measures; None for one that is too short or whose bursts are no busy tone's."""
    on = sorted(burst.duration / 8 for burst in run)
    off = sorted(burst.pause / 8 for burst in run[1:])
    if len(run) < LEARN_CYCLES or not REGULAR_ON_MS[0] <= on[0] <= REGULAR_ON_MS[1]:
        return None
    return LearnedTone(
        hz=round(float(np.median([burst.hz for burst in run])), 1),
        on_ms=round(float(np.median(on)), 1),
        off_ms=round(float(np.median(off)), 1),
        level_dbm0=round(float(np.median([burst.level_dbm0 for burst in run])), 1),
        cycles=len(run),
        on_range_ms=(round(on[0], 1), round(on[-1], 1)),
        off_range_ms=(round(off[0], 1), round(off[-1], 1)),
    )


def bursts_of(audio: Alaw) -> list[ToneBurst]:
    """All tones that ended in a recording of one line (A-law), as channel 0."""
    detector = CallProgressDetector(1)
    blocks = codec.decode(audio[: audio.size // BLOCK * BLOCK]).reshape(-1, 1, BLOCK)
    only = np.zeros(1, dtype=np.intp)
    return [burst for number, block in enumerate(blocks) for burst in detector.process(block, number * BLOCK, only)]
