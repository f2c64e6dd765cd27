"""Reads `phone_limits.toml`: how long a lifted phone that nobody uses hears dial tone, busy tone and howler."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from firmware.core.clock import MICROSECONDS

LIMITS = Path(__file__).parent / "phone_limits.toml"


class PhoneLimitsError(Exception):
    """The limits cannot be used. Says which file, where in it, and what was expected."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit and where it is from."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)]
    source: str
    chinese: str = ""

    @property
    def microseconds(self) -> int:
        return round(self.seconds * MICROSECONDS)


class PhoneLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From dial tone to silence."""

    dial: Limit
    """Dial tone, until the first digit."""
    digits: Limit
    """Nothing, between two digits."""
    busy: Limit
    howler: Limit


@cache
def load_phone_limits(path: Path = LIMITS) -> PhoneLimits:
    """Raises PhoneLimitsError."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=PhoneLimits)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PhoneLimitsError(f"{path}: {error}") from error
