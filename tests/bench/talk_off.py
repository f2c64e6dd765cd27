"""Digits, fax and information tones that are none, in an hour of voices and half an hour of music, each at two levels;
libspandsp beside it.

Run by `scripts/bench talk_off [--json FILE]`. The recordings are made at the first run (about a minute) and kept in the
user's cache folder. Exit code 1 if we heard one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from firmware.media.codec import SAMPLE_RATE, Alaw
from tests.tones import talk_off
from tests.tones.spandsp_peer import PeerMissing
from tests.tones.spandsp_signals_peer import hears
from tests.tones.test_conditions import our_digits, their_digits
from tests.tones.test_signals import detect

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
            signals = detect(audio)
            for (what, _), heard in zip(recordings, signals, strict=True):
                if heard:
                    print(f"{what} at {dbm0:g} dBm0: {', '.join(signal.value for signal in heard)}", file=sys.stderr)
            their_count: int | None = None
            their_signals: int | None = None
            try:
                their_count = sum(map(len, their_digits(audio)))
                whole = audio.astype(np.int16)
                their_signals = sum(len(hears(name, each)) for each in whole for name in ("cng", "ced"))
            except PeerMissing as missing:
                print(missing, file=sys.stderr)
            counts = {
                "digits": (sum(map(len, ours)), their_count),
                "fax and information tones": (sum(map(len, signals)), their_signals),
            }
            for thing, (our_count, peer) in counts.items():
                case = f"false {thing} in {minutes:.0f} min of {sort} at {dbm0:g} dBm0"
                # A ratio to none would say nothing.
                results.append({"case": case, "unit": "events", "ours": our_count, "peer": peer, "ratio": None})
    return results


def main() -> int:
    """The table, and with --json the file."""
    parser = argparse.ArgumentParser(description="false digits and tones in speech and music")
    parser.add_argument("--json", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    results = measure()
    print(f"{'case':72} {'ours':>5} {'libspandsp':>11}")
    for line in results:
        print(f"{line['case']:72} {line['ours']:>5} {'' if line['peer'] is None else line['peer']:>11}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
    return int(any(line["ours"] for line in results))


if __name__ == "__main__":
    sys.exit(main())
