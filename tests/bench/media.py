"""What one tick of 10 ms costs the gateway: switch, DTMF on every channel, tap for the recorder; libspandsp beside it.

Run by `scripts/bench media [--json FILE]`. All figures are CPU time of the one thread (not wall time), so that a busy
machine does not spoil them; the garbage collector is off, as in the gateway. Callers talk (the box's own Mandarin
prompts, each from another place); in the cases named `dialling` every channel sends digits without end, the dearest
there is for a detector. What a detector costs is said per tick on average over 30 ticks, as ours does some of its work
once in fifteen ticks; of these averages the median.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw, Linear
from firmware.media.plane import MediaPlane
from firmware.media.ring import RingWriter
from firmware.media.sounds import SoundStore
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.generate import DIGITS, dtmf, pause
from firmware.tones.plan import load_plan
from tests.tones.spandsp_peer import PeerMissing, SpandspDtmf

CHANNELS = (32, 64, 128)
WARM_UP = 200
TICKS = 2000
TICK_US = 10_000.0

Costs = NDArray[np.float64]
Result = dict[str, str | float | None]


def talking(channels: int, store: SoundStore) -> Alaw:
    """[channels, samples]: prompts one after the other, each channel from another place."""
    speech = np.concatenate([store.samples(name) for name in store.names if name.startswith("prompt:")])
    samples = (WARM_UP + TICKS) * BLOCK
    return np.stack([np.resize(np.roll(speech, 7919 * channel), samples) for channel in range(channels)])


def dialling(channels: int) -> Alaw:
    """[channels, samples]: digits of 50 ms with pauses of 50 ms, each channel from another place."""
    digits = np.concatenate([np.concatenate([dtmf(digit, 50), pause(50)]) for digit in DIGITS])
    samples = (WARM_UP + TICKS) * BLOCK
    return np.stack([np.resize(np.roll(digits, 1013 * channel), samples) for channel in range(channels)])


def cost_us(step: Callable[[int], object], before_step: Callable[[int], object] = lambda place: None) -> Costs:
    """CPU time of each of `TICKS` calls, in microseconds; what is done before each is not counted."""
    for place in range(WARM_UP):
        before_step(place)
        step(place)
    gc.collect()
    gc.freeze()
    gc.disable()
    taken = np.empty(TICKS)
    for place in range(TICKS):
        before_step(WARM_UP + place)
        before = time.thread_time_ns()
        step(WARM_UP + place)
        taken[place] = time.thread_time_ns() - before
    gc.enable()
    gc.unfreeze()
    return taken / 1000.0


def typical(cost: Costs) -> float:
    """Per tick, of work that is spread unevenly over a few ticks."""
    return float(np.median(cost[cost.size % 30 :].reshape(-1, 30).mean(axis=1)))


def whole_tick(channels: int, store: SoundStore, audio: Alaw, ring: RingWriter) -> Costs:
    """Every channel detecting, joined in pairs, both directions into the ring."""
    plane, detector = MediaPlane(channels, store), DtmfDetector(channels)
    plane.join({channel: [channel ^ 1] for channel in range(channels)})

    def step(place: int) -> None:
        received = audio[:, place * BLOCK : (place + 1) * BLOCK]
        sample = plane.sample
        tick = plane.tick(received)
        detector.process(plane.linear, sample)
        ring.write(sample, received, tick.sent)

    return cost_us(step)


def detectors(channels: int, audio: Alaw) -> tuple[Costs, int, Costs | None, int]:
    """The detectors alone on the same audio: cost and digits found, ours and the peer's. Each finds its block where it
    has just been written, as the switch leaves it: decoding it is not measured."""
    linear: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
    detector, found = DtmfDetector(channels), 0

    def decode(place: int) -> None:
        codec.decode(audio[:, place * BLOCK : (place + 1) * BLOCK], out=linear)

    def ours(place: int) -> None:
        nonlocal found
        found += len(detector.process(linear, place * BLOCK))

    our_cost = cost_us(ours, decode)
    try:
        peer = SpandspDtmf(channels)
    except PeerMissing as missing:
        print(missing, file=sys.stderr)
        return our_cost, found, None, 0
    whole = np.zeros((channels, BLOCK), dtype=np.int16)

    def decode_whole(place: int) -> None:
        decode(place)
        whole[:] = linear

    peer_cost = cost_us(lambda place: peer.process(whole), decode_whole)
    heard = sum(len(peer.digits(channel)) for channel in range(channels))
    peer.close()
    return our_cost, found, peer_cost, heard


def result(case: str, unit: str, ours: float, peer: float | None = None) -> Result:
    return {"case": case, "unit": unit, "ours": ours, "peer": peer, "ratio": None if peer is None else ours / peer}


def measure() -> list[Result]:
    """All cases. Raises AssertionError if a detector does not do its work while it is measured."""
    store = SoundStore.load(load_plan().samples())
    shared_memory = Path("/dev/shm")
    results: list[Result] = []
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as folder:
        for channels in CHANNELS:
            ring = RingWriter(Path(folder) / "audio.ring", "bench", channels)
            cost = whole_tick(channels, store, talking(channels, store), ring)
            ring.close(unlink=True)
            results += [
                result(f"tick, {channels} channels, median", "µs CPU", float(np.median(cost))),
                result(f"tick, {channels} channels, p99", "µs CPU", float(np.percentile(cost, 99))),
                result(f"tick, {channels} channels, share of 10 ms", "%", float(np.median(cost)) / TICK_US * 100),
            ]
    for channels in CHANNELS:
        talk, dial = talking(channels, store), dialling(channels)
        mixed = talk.copy()
        mixed[::8] = dial[::8]
        for name, audio, dials in (
            ("talking", talk, 0),
            ("one in eight dialling", mixed, channels // 8),
            ("dialling", dial, channels),
        ):
            ours, found, peer, heard = detectors(channels, audio)
            if dials:
                # The last digit of a channel may not have ended.
                sent = dials * ((WARM_UP + TICKS) // 10)
                assert sent - 2 * dials <= found <= sent, f"{found} digits found, {sent} sent"
                assert peer is None or heard > 0, "the peer heard nothing"
            else:
                assert found == 0, f"{found} digits found in speech"
            theirs = None if peer is None else typical(peer)
            results.append(result(f"dtmf, {channels} channels {name}", "µs CPU", typical(ours), theirs))
    return results


def main() -> None:
    """The table, and with --json the file."""
    parser = argparse.ArgumentParser(description="CPU time of one 10 ms tick")
    parser.add_argument("--json", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    results = measure()
    print(f"{'case':46} {'unit':>7} {'ours':>9} {'libspandsp':>11} {'ratio':>6}")
    for line in results:
        peer, ratio = ("" if line[key] is None else f"{line[key]:.2f}" for key in ("peer", "ratio"))
        print(f"{line['case']:46} {line['unit']:>7} {line['ours']:9.2f} {peer:>11} {ratio:>6}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
