"""What one tick of 10 ms costs the gateway: switch, detectors, tap for the recorder; libspandsp beside the detectors.

Run by `scripts/bench media [--json FILE] [--instructions]`. All figures are CPU time of the one thread (not wall time),
so that a busy machine does not spoil them. Callers talk (the box's own prompts, each from another place); in the cases
named `dialling` every channel sends digits without end, the dearest there is for a detector. What a detector or a part
costs is said per tick on average over 30 ticks, as the DTMF detector does some of its work once in fifteen; of these
averages the median. The whole tick is said by single ticks. Exit code 1 if it does not keep its limits.

`--instructions` counts, under an emulated Cortex-A72 (qemu-aarch64), what detection and the whole tick take; see
media_parts/instructions.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from firmware.media.codec import BLOCK, Alaw
from firmware.media.ring import RingWriter
from firmware.media.sounds import SoundStore
from firmware.tones.plan import load_plan
from tests.bench.media_parts import detectors, instructions
from tests.bench.media_parts.audio import dialling, talking
from tests.bench.media_parts.timing import TICK_US, TICKS, WARM_UP, Result, cost_us, result, typical
from tests.bench.media_parts.whole_tick import GROUP, BusyHour, switch_delay_samples

SIZES = (32, 64, 128, 192, 256)
OFFICE = 128
MEDIAN_SHARE, P99_SHARE = 5.0, 25.0
"""Of the tick, in per cent, for an office of 128 channels."""


def whole_ticks(store: SoundStore, folder: Path) -> list[Result]:
    """The whole tick and its parts at all sizes."""
    results: list[Result] = []
    for channels in SIZES:
        audio = talking(channels, WARM_UP + TICKS, store)
        audio[5::GROUP] = dialling(channels // GROUP, WARM_UP + TICKS)
        blocks = [np.ascontiguousarray(audio[:, place : place + BLOCK]) for place in range(0, audio.shape[1], BLOCK)]
        ring = RingWriter(folder / "audio.ring", "bench", channels)
        busy = BusyHour(channels, store, ring.write)
        cost = cost_us(lambda place, busy=busy, blocks=blocks: busy.tick(blocks[place]))  # type: ignore[misc]
        name = f"whole tick, {channels} channels"
        results += [
            result(f"{name}, median", "µs CPU", float(np.median(cost))),
            result(f"{name}, p99", "µs CPU", float(np.percentile(cost, 99))),
            result(f"{name}, median share of 10 ms", "%", float(np.median(cost)) / TICK_US * 100),
            result(f"{name}, p99 share of 10 ms", "%", float(np.percentile(cost, 99)) / TICK_US * 100),
        ]
        results += parts_alone(BusyHour(channels, store, ring.write), blocks)
        ring.close(unlink=True)
    return results


def parts_alone(busy: BusyHour, blocks: list[Alaw]) -> list[Result]:
    """Each part of the whole tick."""
    results: list[Result] = []
    for part, step in busy.parts().items():
        cost = cost_us(
            lambda place, step=step: step(blocks[place]),  # type: ignore[misc]
            lambda place: busy.decode(blocks[place]),
        )
        results.append(result(f"{part}, {len(blocks[0])} channels", "µs CPU", typical(cost)))
    return results


def measure() -> list[Result]:
    """All cases. Raises AssertionError if a detector does not do its work while it is measured."""
    store = SoundStore.load(load_plan().samples())
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as folder:
        results = whole_ticks(store, Path(folder))
    delays = switch_delay_samples(store)
    results += [
        result("switch delay, shortest", "samples", min(delays)),
        result("switch delay, longest", "samples", max(delays)),
    ]
    return results + detectors.measure(store)


def print_growth(results: list[Result]) -> None:
    """Cost by number of channels, and how it grows."""
    figures = {str(line["case"]): float(line["ours"] or 0.0) for line in results}
    parts = [case.removesuffix(f", {OFFICE} channels") for case in figures if case.endswith(f", {OFFICE} channels")]
    rows = {"whole tick (median)": [figures[f"whole tick, {size} channels, median"] for size in SIZES]}
    rows |= {part: [figures[f"{part}, {size} channels"] for size in SIZES] for part in parts}
    sizes = " ".join(f"{size:>7}" for size in SIZES)
    print(f"\n{'µs CPU a tick, by channels':36} {sizes}    128 to 256     fixed  a channel")
    for name, costs in rows.items():
        factor = costs[SIZES.index(256)] / costs[SIZES.index(128)]
        slope, fixed = np.polyfit(SIZES, costs, 1)
        straight = f"{max(fixed, 0.0):9.1f} {slope:10.3f}" if factor <= 2.2 else "   grows faster than the channels"
        print(f"{name:36}", *(f"{cost:7.1f}" for cost in costs), f"    × {factor:.2f}  {straight}")
    print(
        "fixed: what the array operations cost whatever their size; a channel: the slope of a straight line through\n"
        "all sizes. A mix is one product of the rows that mix and the channels that they hear, so conferences are\n"
        "quadratic in how many channels are in any; everything else is a straight line."
    )


def main() -> int:
    """The tables, and with --json the file."""
    parser = argparse.ArgumentParser(description="CPU time of one 10 ms tick")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--instructions", action="store_true", help="count instructions of an emulated Cortex-A72 too")
    arguments = parser.parse_args()
    results = measure()
    if arguments.instructions:
        results += instructions.measure()
    print(f"{'case':58} {'unit':>12} {'ours':>11} {'libspandsp':>11} {'ratio':>6}")
    for line in results:
        peer, ratio = ("" if line[key] is None else f"{line[key]:.2f}" for key in ("peer", "ratio"))
        print(f"{line['case']:58} {line['unit']:>12} {line['ours']:11.2f} {peer:>11} {ratio:>6}")
    print_growth(results)
    if arguments.instructions:
        print(instructions.meaning(results))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
    limits = {
        f"whole tick, {OFFICE} channels, median share of 10 ms": MEDIAN_SHARE,
        f"whole tick, {OFFICE} channels, p99 share of 10 ms": P99_SHARE,
    }
    figures = {str(line["case"]): float(line["ours"] or 0.0) for line in results}
    broken = [
        f"{case} is {figures[case]:.1f} %, at most {most:g} % are allowed"
        for case, most in limits.items()
        if figures[case] > most
    ]
    print(*broken, sep="\n", end="\n" if broken else "")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
