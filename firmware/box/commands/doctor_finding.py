"""What a check of `linebox doctor` is and what it finds. The checks are in the other doctor files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from firmware.core.paths import BoxPaths

OK, WARN, BAD = "ok", "warn", "bad"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the report. `level` is `ok`, `warn` (works, but…) or `bad` (does not work)."""

    check: str
    level: str
    text: str
    remedy: str = ""


Check = Callable[[BoxPaths], Iterator[Finding]]
