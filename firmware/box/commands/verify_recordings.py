"""`linebox verify-recordings`: are the recordings what they were when they were closed? May run beside the box."""

from __future__ import annotations

import argparse
import re

import msgspec

from firmware.core.hints import ClearError
from firmware.core.paths import box_paths
from firmware.records.chain import Anchor
from firmware.records.database import open_for_reading
from firmware.records.verify import Broken, Verification, Verified, noted_anchors

MOST_NAMED = 20
"""Broken things that are named; there may be as many as there are recordings."""


class Report(Verified, kw_only=True):
    """What `--json` prints. `first` is the first broken link, null if all is well."""

    ok: bool
    first: Broken | None
    broken: tuple[Broken, ...]
    """The first twenty."""


def verify_recordings(options: argparse.Namespace) -> int:
    """Exit code 0: all is as it was; 1: something is not, and is named. Raises ClearError, OSError."""
    paths = box_paths(options.data)
    if not paths.calls_database.exists():
        raise ClearError(f"there are no records in {paths.data}", "give the data folder of a box with --data")
    anchors = noted_anchors(paths.chain_anchor) + _of_another_copy(options.anchor)
    engine = open_for_reading(paths.calls_database)
    verification = Verification(engine, paths.recordings, anchors)
    named: list[Broken] = []
    count = 0
    try:
        for one in verification.broken():
            count += 1
            if count > MOST_NAMED:
                continue
            named.append(one)
            if not options.json:
                print(f"{'first broken link' if count == 1 else 'also broken'}: {one}", flush=True)
    finally:
        engine.dispose()
    seen = verification.so_far
    if options.json:
        report = Report(
            ok=not named, first=named[0] if named else None, broken=tuple(named), **msgspec.structs.asdict(seen)
        )
        print(msgspec.json.encode(report).decode())
        return 1 if named else 0
    if count > MOST_NAMED:
        print(f"… and {count - MOST_NAMED} more")
    print(
        f"{seen.links} links, {seen.recordings} recordings as they were, {seen.derivative_only} proven by their copies "
        f"(derivative only), {seen.deleted} files deleted, {seen.failed} never complete, {seen.adopted} from before "
        "there was a chain"
    )
    if seen.last_link:
        print(f"last link {seen.last_link}:{seen.last_hash} (note it elsewhere; --anchor checks it)")
    return 1 if named else 0


def _of_another_copy(given: str | None) -> list[Anchor | str]:
    """The `--anchor` that a person noted. Raises ClearError."""
    if given is None:
        return []
    found = re.fullmatch(r"(\d{1,15}):([0-9a-f]{64})", given)
    if not found:
        raise ClearError(f"{given} is no link", "give it as NUMBER:HASH, as verify-recordings or the log named it")
    return [Anchor(number=int(found[1]), hash=found[2])]
