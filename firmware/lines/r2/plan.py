"""A country's R2: line bits, register signals and timers, read from `<country>.toml`. No machine, no tones.

Every table and timer there names its source or says that it has none; all are meant to be edited for a line.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec

from boards.signals import Cause
from firmware.core.line_schemas import R2Settings, R2Timer

PLANS = Path(__file__).parent

MICROSECONDS_PER_MILLISECOND = 1000
LAST_SIGNAL = 15
TIMERS: frozenset[str] = frozenset(get_args(R2Timer))


class R2PlanError(Exception):
    """A plan cannot be used. Says which file and, all at once, what is wrong in it and what was expected."""


class LineBits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line's signals as "ab", and the two bits "cd" that never change."""

    source: str
    cd: str
    idle: str
    seize: str
    seize_acknowledge: str
    answer: str
    clear_back: str
    clear_forward: str
    blocking: str


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ms: int
    source: str


class GroupA(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Backward signals that answer digits."""

    source: str
    next: int
    from_first: int
    to_group_b: int
    congestion: int
    vacant: int
    calling_category: int


class GroupB(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Backward signals (KB) that tell the called subscriber's state. The first of `idle` is what the box sends."""

    source: str
    idle: tuple[int, ...]
    busy_local: int
    busy_toll: int
    congestion: int
    vacant: int


class Causes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each state of the called subscriber is in the box's words."""

    source: str
    busy_local: Cause
    busy_toll: Cause
    congestion: Cause
    vacant: Cause
    other: Cause


class Forward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Forward signals of calls that the box places: KA, KD, and what ends or withholds the calling number."""

    source: str
    calling_category: int
    call_kind: int
    end_of_calling: int
    calling_restricted: int


class Called(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many digits the called number has."""

    source: str
    otherwise: int
    lengths: dict[str, int]

    def is_complete(self, digits: str) -> bool:
        """True if no further digit is to come after `digits`."""
        fitting = [prefix for prefix in self.lengths if digits.startswith(prefix)]
        wanted = self.lengths[max(fitting, key=len)] if fitting else self.otherwise
        return len(digits) >= wanted


class R2Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in which one country's R2 differs from another's."""

    country: str
    bits: LineBits
    timers: dict[str, Timing]
    group_a: GroupA
    group_b: GroupB
    causes: Causes
    forward: Forward
    called: Called

    def with_settings(self, settings: R2Settings) -> R2Plan:
        """The same plan as one span has it."""
        timers = {name: Timing(ms=ms, source="boards.json") for name, ms in settings.timers_ms.items()}
        forward, called = self.forward, self.called
        return msgspec.structs.replace(
            self,
            timers={**self.timers, **timers},
            forward=msgspec.structs.replace(
                forward,
                calling_category=settings.calling_category or forward.calling_category,
                call_kind=settings.call_kind or forward.call_kind,
            ),
            called=msgspec.structs.replace(
                called,
                otherwise=settings.called_digits or called.otherwise,
                lengths={**called.lengths, **settings.called_lengths},
            ),
        )

    def refusal(self, cause: Cause) -> int:
        """The backward signal (KB) that tells the caller's exchange why a call is refused."""
        if cause is self.causes.congestion or cause in (Cause.FAILURE, Cause.RESTART):
            return self.group_b.congestion
        return self.group_b.vacant if cause is self.causes.vacant else self.group_b.busy_local

    def microseconds(self, timer: str) -> int:
        """Length of a timer. Raises KeyError."""
        return self.timers[timer].ms * MICROSECONDS_PER_MILLISECOND

    def line_signal(self, ab: str) -> int:
        """The four bits "abcd" of a signal "ab", a in the highest place."""
        return int(ab + self.bits.cd, 2)


def load_r2_plan(country: str = "china", folder: Path = PLANS) -> R2Plan:
    """The plan in `<folder>/<country>.toml`. Raises R2PlanError."""
    path = folder / f"{country}.toml"
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=R2Plan)
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise R2PlanError(f"{path}: {error.strerror}. Plans that are there: {known}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise R2PlanError(f"{path}: {error}") from error
    problems = _problems(plan)
    if problems:
        raise R2PlanError(f"{path}: " + "; ".join(problems))
    return plan


def _problems(plan: R2Plan) -> list[str]:
    found = [f"timers.{name} is missing" for name in sorted(TIMERS - plan.timers.keys())]
    found += [
        f"timers.{name} is not one of {', '.join(sorted(TIMERS))}" for name in sorted(plan.timers.keys() - TIMERS)
    ]
    for name, timing in plan.timers.items():
        if not 0 <= timing.ms <= 600_000:
            found.append(f"timers.{name}.ms is {timing.ms}, expected 0 to 600000")
    for name, value in msgspec.structs.asdict(plan.bits).items():
        if name != "source" and (len(value) != 2 or set(value) - {"0", "1"}):
            found.append(f'bits.{name} is "{value}", expected two of 0 and 1')
    for table in ("group_a", "group_b", "forward"):
        for name, value in msgspec.structs.asdict(getattr(plan, table)).items():
            signals = value if isinstance(value, tuple) else (value,)
            if name != "source" and (not signals or not all(1 <= signal <= LAST_SIGNAL for signal in signals)):
                found.append(f"{table}.{name} is {value}, expected signals from 1 to {LAST_SIGNAL}")
    for prefix, length in (*plan.called.lengths.items(), ("otherwise", plan.called.otherwise)):
        if length < 1:
            found.append(f"called: {prefix} has {length} digits, expected at least 1")
    return found
