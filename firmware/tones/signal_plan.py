"""Which single tones mean something, and from what level on a channel is not silent: read from `signals.toml`.

Data only; who hears them is signals.py and presence.py. How the box itself sounds is plan.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from firmware.media.codec import SAMPLE_RATE
from firmware.tones.plan import PlanError

FILE = Path(__file__).parent / "signals.toml"

Kind = Literal["fax", "sit"]


class SignalStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tone of a signal."""

    hz: float
    tolerance_hz: float
    ms: tuple[float, float]
    """From how long to how long it lasts."""


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tones one after the other."""

    kind: Kind
    source: str
    steps: tuple[SignalStep, ...]
    chinese: str = ""
    gap_ms: float = 0.0
    """Silence that may be between them."""
    modulated: str = ""
    """Its name if its amplitude is modulated. If there is one, it is told as well whether its phase was reversed."""


class PresencePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a channel is silent and when not."""

    source: str
    voice_dbm0: float
    voice_ms: float
    silence_dbm0: float
    silence_ms: float


class SignalPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    minimum_dbm0: float
    source: str
    signals: dict[str, Signal]
    presence: PresencePlan


def load_signals(path: Path = FILE) -> SignalPlan:
    """The file's content. Raises PlanError: which file, where in it, what was expected."""
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=SignalPlan)
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
    problems = [problem for name, signal in plan.signals.items() for problem in _problems(name, signal)]
    if plan.presence.silence_dbm0 > plan.presence.voice_dbm0:
        problems.append("presence: silence_dbm0 is above voice_dbm0")
    if problems:
        raise PlanError(f"{path}: " + "; ".join(problems))
    return plan


def _problems(name: str, signal: Signal) -> list[str]:
    found: list[str] = []
    if not signal.steps:
        found.append(f"signals.{name} has no steps")
    for place, step in enumerate(signal.steps):
        where = f"signals.{name}.steps[{place}]"
        if not 300 <= step.hz <= SAMPLE_RATE / 2 - 300:
            found.append(f"{where}: hz is {step.hz:g}, expected 300 to {SAMPLE_RATE // 2 - 300}")
        if not 1 <= step.tolerance_hz <= 50:
            found.append(f"{where}: tolerance_hz is {step.tolerance_hz:g}, expected 1 to 50")
        if not 100 <= step.ms[0] < step.ms[1]:
            found.append(f"{where}: ms is {list(step.ms)}, expected two numbers from 100 on, the smaller first")
    return found
