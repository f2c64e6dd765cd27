"""Fax and modem tones (CNG, CED, answer tones) and special information tones, on all channels at once.

Which there are is data (signals.toml). Not exchange tones with their cadence (call_progress.py), nor digits.

Each tick is one hop of 10 ms: one product with all frequencies, two columns for each, so that a tone within its
tolerance is heard nearly as strong as it is. A tone goes on while one frequency explains most of what is heard; up to
two hops may be missing (a reversal of its phase, a click). When it has ended, its length, its frequency (by the turn of
phase from hop to hop) and how steady it was say what it was.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Linear
from firmware.tones.signal_plan import Kind, Signal, SignalPlan, load_signals

SHARE = 0.6
"""Of the energy of a hop, for one frequency: a tone at the edge of its tolerance, in 6 dB of noise."""
GAP = 2
"""Hops that may be missing."""
FREQUENCY_MARGIN_HZ = 3.0
"""How exactly the frequency is measured, and more."""
STEADY = 0.9
"""Of the steps from hop to hop, as vectors of length 1, the length of their mean: 1 for a tone, little for a voice."""
PRESENT = 0.85
"""Share of the hops of a tone in which it was heard."""
MODULATION = 0.09
"""Spread of the amplitude over its mean, above which it is modulated: V.8's ANSam (20 % at 15 Hz) has 0.14."""
LONGEST = 600
"""Hops after which a tone that does not end is told all the same, and begins anew."""

Indexes = NDArray[np.intp]


class DetectedSignal(NamedTuple):
    """A signal that has ended."""

    channel: int
    kind: Kind
    value: str
    """Its name in the file; of an answer tone with reversed phases `ced-pr`, modulated `ansam` or `ansam-pr`; of a
    special information tone its measured frequencies."""
    start: int
    """Sample count, to 5 ms."""
    duration: int
    """Samples."""
    level_dbm0: float


class _Run(NamedTuple):
    """One tone that has ended; times are hops."""

    tone: int
    start: int
    end: int
    hz: float
    level_dbm0: float
    reversed: bool
    modulated: bool


class SignalDetector:
    """Detector for a fixed number of channels. Time is the sample count; a jump of it forgets what was sounding."""

    def __init__(self, channels: int, plan: SignalPlan | None = None) -> None:
        """`plan`: None is the one that is shipped. Raises PlanError."""
        plan = plan or load_signals()
        self.channels = channels
        self._signals = plan.signals
        tolerance: dict[float, float] = {}
        for step in itertools.chain.from_iterable(signal.steps for signal in plan.signals.values()):
            tolerance[step.hz] = max(step.tolerance_hz, tolerance.get(step.hz, 0.0))
        self._hz = list(tolerance)
        """Of each tone; tone 0 is none."""
        self._tolerance = list(tolerance.values())
        self._shortest = min(step.ms[0] for signal in plan.signals.values() for step in signal.steps) / 10.0
        self._columns = _columns(tolerance)
        self._turn = np.exp(-2j * np.pi * np.array([0.0, *self._hz]) * BLOCK / SAMPLE_RATE).astype(np.complex64)
        self._least = np.float32(codec.peak_of(plan.minimum_dbm0) ** 2 / 2 * BLOCK)

        count = len(self._hz)
        self._products: Linear = np.zeros((channels, 4 * count), dtype=np.float32)
        self._squares: Linear = np.zeros((4 * count, channels), dtype=np.float32)
        self._powers: Linear = np.zeros((2 * count, channels), dtype=np.float32)
        self._explained: Linear = np.zeros((count, channels), dtype=np.float32)
        self.energy: Linear = np.zeros(channels, dtype=np.float32)
        """Of the last hop of each channel: sum of its squares. For presence.py."""

        self._next_sample = 0
        self._hop = 0
        self._origin = 0
        self._code: NDArray[np.uint8] = np.zeros(channels, dtype=np.uint8)
        """Tone heard in the last hop."""
        self._tone: NDArray[np.uint8] = np.zeros(channels, dtype=np.uint8)
        """Tone that goes on."""
        self._start: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        self._last: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        """Last hop in which it was heard."""
        self._hops: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        self._steps: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        self._turned: NDArray[np.complex64] = np.zeros(channels, dtype=np.complex64)
        self._phase: NDArray[np.complex64] = np.zeros(channels, dtype=np.complex64)
        self._power: Linear = np.zeros(channels, dtype=np.float32)
        self._amplitude: Linear = np.zeros(channels, dtype=np.float32)
        self._reversals: NDArray[np.int64] = np.zeros(channels, dtype=np.int64)
        self._runs: dict[int, list[_Run]] = {}
        """By channel the last tones, where one may be the first of a signal of several."""

    def reset(self, channel: int) -> None:
        """Forget what is sounding on a channel (its line was taken or given up)."""
        self._code[channel] = self._tone[channel] = 0
        self._runs.pop(channel, None)

    def process(self, linear: Linear, sample: int) -> list[DetectedSignal]:
        """One tick: `linear` [channels, 80], whose first sample has the count `sample`. Signals that ended, at most
        40 ms after their end; a tone without end after six seconds."""
        if sample != self._next_sample:
            self._code.fill(0)
            self._tone.fill(0)
            self._runs.clear()
            self._origin = sample - BLOCK * self._hop
        self._next_sample = sample + BLOCK
        hop = self._hop
        self._hop = hop + 1

        count = len(self._hz)
        np.dot(linear, self._columns, out=self._products)
        np.einsum("ij,ij->i", linear, linear, out=self.energy)
        np.square(self._products.T, out=self._squares)
        np.add(self._squares[: 2 * count], self._squares[2 * count :], out=self._powers)
        np.maximum(self._powers[:count], self._powers[count:], out=self._explained)
        best = np.maximum.reduce(self._explained, axis=0)
        # A tone of energy e has products whose squares sum up to e * 40.
        heard = best >= np.maximum(self.energy, self._least) * np.float32(SHARE * BLOCK / 2)
        before = self._code
        self._code = ((self._explained.argmax(axis=0) + 1) * heard).astype(np.uint8)
        rows = (self._code | self._tone).nonzero()[0]
        return self._follow(rows, before, best, hop) if rows.size else []

    def _follow(self, rows: Indexes, before: NDArray[np.uint8], best: Linear, hop: int) -> list[DetectedSignal]:
        """Tones begin, go on and end on these channels."""
        code, tone = self._code[rows], self._tone[rows]
        sounds = tone != 0
        goes_on = sounds & (code == tone)
        begins = (code != 0) & ~goes_on & (~sounds | (code == before[rows]))
        lost = ~goes_on & (hop - self._last[rows] > GAP)
        ends = sounds & (begins | lost | (hop - self._start[rows] >= LONGEST))
        found = self._ended(rows[ends]) if ends.any() else []
        self._tone[rows[ends]] = 0
        self._go_on(rows[goes_on & ~ends], best, hop)
        self._begin(rows[begins], before, best, hop)
        return found

    def _begin(self, rows: Indexes, before: NDArray[np.uint8], best: Linear, hop: int) -> None:
        if not rows.size:
            return
        self._tone[rows] = self._code[rows]
        hops = 1 + (self._code[rows] == before[rows])  # what takes the place of another tone was heard twice
        self._start[rows] = hop + 1 - hops
        self._last[rows] = hop
        self._hops[rows] = hops
        self._steps[rows] = self._reversals[rows] = 0
        self._turned[rows] = 0.0
        self._phase[rows] = self._phases(rows)
        self._power[rows] = best[rows] * hops
        self._amplitude[rows] = np.sqrt(best[rows]) * hops

    def _go_on(self, rows: Indexes, best: Linear, hop: int) -> None:
        if not rows.size:
            return
        phase = self._phases(rows)
        steps = hop - self._last[rows]
        turn = phase * self._phase[rows].conj() * self._turn[self._tone[rows]] ** steps
        # What the tone turned so far from hop to hop, beyond what its nominal frequency does.
        known = self._turned[rows]
        length = np.abs(known)
        usual = np.where(length > 0.0, known / np.maximum(length, np.float32(1e-6)), np.complex64(1.0))
        reversed_ = ((turn * usual.conj() ** steps).real < 0.0) & (self._steps[rows] >= GAP)
        self._reversals[rows] += reversed_
        plain = ~reversed_ & (steps == 1)
        self._turned[rows] += turn * plain
        self._steps[rows] += plain
        self._phase[rows] = phase
        self._last[rows] = hop
        self._hops[rows] += 1
        self._power[rows] += best[rows]
        self._amplitude[rows] += np.sqrt(best[rows])

    def _phases(self, rows: Indexes) -> NDArray[np.complex64]:
        """Of the tone that goes on, in the middle of the hop, as vectors of length 1."""
        count, place = len(self._hz), self._tone[rows].astype(np.intp) - 1
        heard = self._products
        cosine = heard[rows, place] + heard[rows, place + count]
        sine = heard[rows, place + 2 * count] + heard[rows, place + 3 * count]
        phase: NDArray[np.complex64] = (cosine - 1j * sine).astype(np.complex64)
        phase /= np.maximum(np.abs(phase), np.float32(1e-6))
        return phase

    def _ended(self, rows: Indexes) -> list[DetectedSignal]:
        """The signals that are complete with the tones that ended on these channels."""
        long_enough = self._last[rows] + 1 - self._start[rows] >= self._shortest - 1
        found: list[DetectedSignal] = []
        for channel in rows[long_enough].tolist():
            run = self._run(channel)
            if run is None:
                continue
            runs = [*self._runs.get(channel, []), run][-3:]
            self._runs[channel] = runs
            for name, signal in self._signals.items():
                if self._is(signal, runs[-len(signal.steps) :]):
                    found.append(self._detected(channel, name, signal, runs[-len(signal.steps) :]))
        return found

    def _run(self, channel: int) -> _Run | None:
        """What ended on the channel, if it was a tone."""
        tone, hops, steps = int(self._tone[channel]) - 1, int(self._hops[channel]), int(self._steps[channel])
        start, end = int(self._start[channel]), int(self._last[channel]) + 1
        turned = complex(self._turned[channel])
        off = float(np.angle(turned)) / (2.0 * np.pi) * SAMPLE_RATE / BLOCK
        if hops < PRESENT * (end - start) or abs(turned) < STEADY * max(steps, 1):
            return None
        if abs(off) > self._tolerance[tone] + FREQUENCY_MARGIN_HZ:
            return None
        mean, square = float(self._amplitude[channel]) / hops, float(self._power[channel]) / hops
        spread = float(np.sqrt(max(square - mean**2, 0.0))) / mean
        # A column hears a tone beside its own frequency a little weaker than it is.
        beside = abs(abs(off) - self._tolerance[tone] / 2.0)
        heard = float(np.sinc(beside * BLOCK / SAMPLE_RATE)) * BLOCK / 2.0
        level = 10.0 * float(np.log10(square / (heard * codec.ZERO_DBM0_PEAK) ** 2))
        return _Run(tone, start, end, self._hz[tone] + off, level, bool(self._reversals[channel]), spread > MODULATION)

    def _is(self, signal: Signal, runs: list[_Run]) -> bool:
        if len(runs) != len(signal.steps):
            return False
        for step, run in zip(signal.steps, runs, strict=True):
            milliseconds = (run.end - run.start) * BLOCK * 1000 / SAMPLE_RATE
            if self._hz[run.tone] != step.hz or not step.ms[0] <= milliseconds <= step.ms[1]:
                return False
        gaps = ((then.start - first.end) * BLOCK * 1000 / SAMPLE_RATE for first, then in itertools.pairwise(runs))
        return all(gap <= signal.gap_ms for gap in gaps)

    def _detected(self, channel: int, name: str, signal: Signal, runs: list[_Run]) -> DetectedSignal:
        value = name
        if len(runs) > 1:
            value = "/".join(f"{run.hz:.0f}" for run in runs)
        elif signal.modulated:
            value = (signal.modulated if runs[0].modulated else name) + ("-pr" if runs[0].reversed else "")
        start, end = runs[0].start * BLOCK, runs[-1].end * BLOCK
        level = max(run.level_dbm0 for run in runs)
        return DetectedSignal(channel, signal.kind, value, self._origin + start, end - start, level)


def _columns(tolerance: dict[float, float]) -> Linear:
    """[80, 4 × tones]: cosines half a tolerance below each frequency, then above, then the sines. Time runs from the
    middle of the hop, so that both columns of a tone have its phase."""
    time = (np.arange(BLOCK) - (BLOCK - 1) / 2) * 2.0 * np.pi / SAMPLE_RATE
    angle = np.outer(time, [hz + side * off / 2.0 for side in (-1, 1) for hz, off in tolerance.items()])
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
