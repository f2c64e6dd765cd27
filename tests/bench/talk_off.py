"""Digits that are none: an hour of voices and half an hour of music, each at two levels; libspandsp beside it.

Run by `scripts/bench talk_off [--json FILE]`. The recordings are made at the first run (about a minute) and kept in the
user's cache folder. Exit code 1 if we heard a digit.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from firmware.media.codec import SAMPLE_RATE, Alaw
from tests.tones import talk_off
from tests.tones.spandsp_peer import PeerMissing
from tests.tones.test_conditions import our_digits, their_digits

SPEECH_RECORDINGS = 72
MUSIC_MINUTES = 30


def measure() -> list[dict[str, str | float | None]]:
    """One case for each sort of sound and level."""
    results: list[dict[str, str | float | None]] = []
    sorts = {"speech": list(talk_off.speech(SPEECH_RECORDINGS)), "music": list(talk_off.music(MUSIC_MINUTES))}
    for sort, recordings in sorts.items():
        for level, dbm0 in enumerate(talk_off.LEVELS_DBM0):
            codes: list[Alaw] = [talk_off.at_second_level(each) if level else each for _, each in recordings]
            minutes = sum(each.size for each in codes) / SAMPLE_RATE / 60
            audio = talk_off.together(codes)
            ours = our_digits(audio)
            for (what, _), text in zip(recordings, ours, strict=True):
                if text:
                    print(f"{what} at {dbm0:g} dBm0: {text}", file=sys.stderr)
            theirs: int | None = None
            try:
                theirs = sum(map(len, their_digits(audio)))
            except PeerMissing as missing:
                print(missing, file=sys.stderr)
            case = f"false digits in {minutes:.0f} min of {sort} at {dbm0:g} dBm0"
            # A ratio to none would say nothing.
            results.append({"case": case, "unit": "digits", "ours": sum(map(len, ours)), "peer": theirs, "ratio": None})
    return results


def main() -> int:
    """The table, and with --json the file."""
    parser = argparse.ArgumentParser(description="false digits in speech and music")
    parser.add_argument("--json", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    results = measure()
    print(f"{'case':56} {'ours':>5} {'libspandsp':>11}")
    for line in results:
        print(f"{line['case']:56} {line['ours']:>5} {'' if line['peer'] is None else line['peer']:>11}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
    return int(any(line["ours"] for line in results))


if __name__ == "__main__":
    sys.exit(main())
