"""A country's tones: read from `plans/<country>.toml`, turned into loops of samples. Not who hears them, nor detection.

A loop closes without a click: a tone without end is a whole number of periods of each of its frequencies, and each step
of a cadence rises and falls over a few milliseconds.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np

from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear
from firmware.tones.generate import sine

PLANS = Path(__file__).parent / "plans"

EDGE = 24
"""Samples (3 ms) over which a step rises and falls."""


class PlanError(Exception):
    """A tone plan cannot be used. Says which file, where in it, and what was expected."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of a tone: frequencies sounding together, or silence."""

    ms: float | None = None
    """None: without end; then it is the only step."""
    hz: tuple[int, ...] = ()
    dbm0: float | None = None
    """Level of each frequency, if it is not that of the tone."""


class Tone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tone: its steps, repeated for ever."""

    steps: tuple[Step, ...]
    source: str
    chinese: str = ""
    dbm0: float | None = None


class TonePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tones of a country by name: `dial`, `ringback`, `busy`, `congestion`, …"""

    country: str
    source: str
    dbm0: float
    tones: dict[str, Tone]

    def samples(self) -> dict[str, Alaw]:
        """Each tone as one A-law loop, by name; as `SoundStore` wants them."""
        return {name: codec.encode(_loop(tone, self.dbm0)) for name, tone in self.tones.items()}


def load_plan(country: str = "china", folder: Path = PLANS) -> TonePlan:
    """The plan in `<folder>/<country>.toml`. Raises PlanError."""
    path = folder / f"{country}.toml"
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=TonePlan)
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise PlanError(f"{path}: {error.strerror}. Plans that are there: {known}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
    problems = [problem for name, tone in plan.tones.items() for problem in _problems(name, tone, plan.dbm0)]
    if problems:
        raise PlanError(f"{path}: " + "; ".join(problems))
    return plan


def _problems(name: str, tone: Tone, dbm0: float) -> list[str]:
    found: list[str] = []
    if not tone.steps:
        found.append(f"tones.{name} has no steps")
    for place, step in enumerate(tone.steps):
        where = f"tones.{name}.steps[{place}]"
        if step.ms is None and len(tone.steps) > 1:
            found.append(f"{where}: a step without end (no ms) can only be alone")
        if step.ms is not None and not 1 <= step.ms <= 60_000:
            found.append(f"{where}: ms is {step.ms:g}, expected 1 to 60000")
        if any(not 0 < hz < SAMPLE_RATE // 2 for hz in step.hz):
            found.append(f"{where}: hz is {list(step.hz)}, expected 1 to {SAMPLE_RATE // 2 - 1}")
        elif sum(codec.peak_of(_level(step, tone, dbm0)) for _ in step.hz) > codec.OVERLOAD:
            found.append(
                f"{where}: {_level(step, tone, dbm0):g} dBm0 each is too loud, A-law clips at 3.14 dBm0 in all"
            )
    return found


def _level(step: Step, tone: Tone, dbm0: float) -> float:
    if step.dbm0 is not None:
        return step.dbm0
    return dbm0 if tone.dbm0 is None else tone.dbm0


def _loop(tone: Tone, dbm0: float) -> Linear:
    parts: list[Linear] = []
    for step in tone.steps:
        if step.ms is None:
            period = math.lcm(*(SAMPLE_RATE // math.gcd(SAMPLE_RATE, hz) for hz in step.hz)) if step.hz else BLOCK
            samples = period * -(-BLOCK // period)
        else:
            samples = round(step.ms * SAMPLE_RATE / 1000)
        part = np.zeros(samples, dtype=np.float32)
        for hz in step.hz:
            part += sine(hz, _level(step, tone, dbm0), samples)
        if step.ms is not None:
            edge = min(EDGE, samples // 2)
            rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(1, edge))).astype(np.float32)
            part[:edge] *= rise
            part[samples - edge :] *= rise[::-1]
        parts.append(part)
    return np.concatenate(parts)
