"""What is said of the call at hand: the `say:` pieces of a configured announcement become words of the store. Pure.

An announcement is a list of pieces that are played without a gap:

- `prompt:…`, `word:…`, `tone:…`, `music:…`: sounds of the store, passed on as they are;
- `text:…`: spoken by text-to-speech, passed on as it is (`speech.py`);
- `say:KIND:VALUE`: number, decimal, ordinal, amount (yuan), date, weekday (both of 2002-02-22), time (14:05), duration
  (seconds), telephone;
- `say:agent`, `say:position`, `say:wait`: of the call, see `Values`.

A value that has no reading is spoken as a text: something is always said.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from firmware.ivr import spoken_mandarin as mandarin
from firmware.ivr.spoken_mandarin import Words

AHEAD, NEXT, WAIT, ABOUT, SHORT, LONG = "您前面还有", "您是下一位", "预计等待", "大约", "不到一分钟", "三十分钟以上"
PHRASES: Words = (AHEAD, NEXT, WAIT, ABOUT, SHORT, LONG)
"""Words beyond those of the grammar."""
LONGEST_WAIT_S = 1800
"""A longer wait is not told in minutes: the estimate is too rough for that."""


@dataclass(frozen=True)
class Values:
    """What `say:` pieces without a value of their own speak. None: not known, then nothing is said."""

    agent: str | None = None
    """Agent number 工号."""
    ahead: int | None = None
    """How many wait before this caller."""
    wait_seconds: float | None = None


def _amount(yuan: str) -> Words:
    fen = Decimal(yuan) * 100
    if fen != int(fen):
        raise ValueError(f"{yuan} yuan is no whole number of fen")
    return mandarin.amount(int(fen))


_KINDS: dict[str, Callable[[str], Words]] = {
    "number": lambda value: mandarin.number(int(value)),
    "decimal": lambda value: mandarin.decimal(Decimal(value)),
    "ordinal": lambda value: mandarin.ordinal(int(value)),
    "amount": _amount,
    "date": lambda value: mandarin.date(datetime.date.fromisoformat(value)),
    "weekday": lambda value: mandarin.weekday(datetime.date.fromisoformat(value)),
    "time": lambda value: mandarin.time_of_day(datetime.time.fromisoformat(value)),
    "duration": lambda value: mandarin.duration(int(value)),
    "telephone": mandarin.telephone,
}


def expand(pieces: Iterable[str], values: Values | None = None) -> tuple[str, ...]:
    """The sounds of an announcement in order; only `text:` pieces among them still have to be made."""
    known = values or Values()
    sounds: list[str] = []
    for piece in pieces:
        kind, _, rest = piece.partition(":")
        sounds += _said(rest, known) if kind == "say" else (piece,)
    return tuple(sounds)


def _said(what: str, values: Values) -> tuple[str, ...]:
    kind, _, value = what.partition(":")
    if kind == "agent":
        kind, value = "telephone", values.agent or ""
    match kind:
        case "position":
            words = () if values.ahead is None else _position(values.ahead)
        case "wait":
            words = () if values.wait_seconds is None else _wait(values.wait_seconds)
        case _ if not value:
            return ()
        case _:
            try:
                words = _KINDS[kind](value)
            except (KeyError, ValueError, DecimalException, OverflowError):
                return (f"text:{value}",)
    return tuple(f"word:{word}" for word in words)


def _position(ahead: int) -> Words:
    return (AHEAD, *mandarin.counted(ahead, "位")) if ahead else (NEXT,)


def _wait(seconds: float) -> Words:
    """Whole minutes, rounded up: who waits less than was said is content."""
    if seconds > LONGEST_WAIT_S:
        return (WAIT, LONG)
    return (WAIT, SHORT) if seconds < 60 else (WAIT, ABOUT, *mandarin.counted(math.ceil(seconds / 60), "分钟"))
