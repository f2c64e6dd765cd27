"""Measures the gateway process on the real driver beside a bare read/write loop; part of `scripts/bench lines`.

Runs in the guest, whose clock counts instructions: a second is a billion of them, so the CPU time of a process is the
number of instructions that it and the driver on its behalf carried out. Writes a list of rows to /results/lines.json.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from drivers.dahdi_stream import CUSHION
from firmware.lines.line_commands import AnswerLeg, Hear, Join
from firmware.lines.messages import IncomingCall, LegAnswered
from tests.vm.inside.far_line import FarLine, quiet, random_blocks
from tests.vm.inside.gateway_process import ROOT, GatewayOnSpans
from tests.vm.inside.spans import DynamicSpan, create

SLOTS = tuple(range(1, 32))
"""All slots carry speech: the gateway's board is `board_files/standing_lines.py`."""
SPANS = (1, 2, 4)
SECONDS = 2.0
SETTLE_SECONDS = 21.0
"""Before the click: what a start has put in front of a line is given back by a block in five seconds."""
TICKS_A_SECOND = 100
CLICK = 0x2A
"""The loudest A-law code."""
CLICKS = 8
TALKING, HEARING = 4, 5
"""Channels of the far E1 between which the click goes."""

Row = dict[str, str | float | None]


def instructions(pid: int) -> int:
    """CPU time of a process so far in ns, which are instructions here."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def delay_samples(far: FarLine, serve: Callable[[float], object], hearing: int) -> float:
    """Median of samples from when a click is spoken at the far end to when it is heard there. The far end's own part of
    it (a block that is gathered, two that wait in front of the line) is the same whoever is measured."""
    found = []
    for number in range(CLICKS):
        far.heard.clear()
        click = quiet(len(SLOTS))
        click[TALKING, 10 * number] = CLICK
        far.to_play = [click, *[quiet(len(SLOTS))] * 2]
        serve(0.3)
        row = np.concatenate([block[hearing] for block in far.heard])
        (places,) = np.nonzero(row == CLICK)
        assert len(places) == 1, f"the click was heard {len(places)} times"
        # While the first block came that is in the list, the click's own block was spoken: both begin together.
        found.append(int(places[0]) - 10 * number)
    return float(np.median(found))


def pairs(count: int) -> list[tuple[DynamicSpan, DynamicSpan]]:
    return [(create(key, 0), create(key, 1)) for key in range(1, count + 1)]


def far_ends(spans: Sequence[tuple[DynamicSpan, DynamicSpan]]) -> list[FarLine]:
    return [FarLine(far, slots=SLOTS, cushion=CUSHION) for _, far in spans]


def with_gateway(count: int) -> tuple[float, float | None]:
    """Instructions a tick of the gateway with a call on every channel, joined in pairs; the delay with one span."""
    spans = pairs(count)
    entries = [{"board": f"span{here.number}", "kind": "standing_lines"} for here, _ in spans]
    channels = count * len(SLOTS)
    with tempfile.TemporaryDirectory() as folder:
        gateway = GatewayOnSpans(Path(folder), entries, far_ends(spans), [span for pair in spans for span in pair])
        try:
            callserver = gateway.start()
            gateway.until(lambda: len(callserver.all(IncomingCall)) == channels, "calls", 20)
            legs = {call.channel: call.leg for call in callserver.all(IncomingCall)}
            callserver.say(*(AnswerLeg(leg) for leg in legs.values()))
            callserver.say(Join(tuple(Hear(leg, (legs.get(channel ^ 1, legs[0]),)) for channel, leg in legs.items())))
            gateway.until(lambda: len(callserver.all(LegAnswered)) == channels, "answer", 20)
            gateway.serve(SETTLE_SECONDS if count == 1 else 1.0)
            delay = delay_samples(gateway.far[0], gateway.serve, HEARING) if count == 1 else None
            return spent(gateway.pid, gateway.far, gateway.serve), delay
        finally:
            gateway.close()


def with_loop(count: int) -> tuple[float, float | None]:
    """The same of the read/write loop."""
    spans = pairs(count)
    far = far_ends(spans)
    command = [sys.executable, "-m", "tests.vm.inside.read_write_loop", *(str(here.number) for here, _ in spans)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None

    def serve(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            select.select([one.stream.fileno() for one in far], [], [], 0.01)
            for one in far:
                one.look()

    try:
        assert process.stdout.readline() == b"loops\n"
        serve(SETTLE_SECONDS if count == 1 else 1.0)
        delay = delay_samples(far[0], serve, TALKING) if count == 1 else None
        return spent(process.pid, far, serve), delay
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()
        for one in far:
            one.close()
        for span in (span for pair in spans for span in pair):
            span.destroy()


def spent(pid: int, far: Sequence[FarLine], serve: Callable[[float], object]) -> float:
    """Instructions a tick of a process while everybody speaks."""
    for one in far:
        one.to_play = random_blocks(1, 100, len(SLOTS)) * (int(SECONDS) + 1)
    before, began = instructions(pid), time.monotonic()
    serve(SECONDS)
    return (instructions(pid) - before) / ((time.monotonic() - began) * TICKS_A_SECOND)


def row(case: str, unit: str, ours: float, peer: float) -> Row:
    return {"case": case, "unit": unit, "ours": ours, "peer": peer, "ratio": ours / peer}


def main() -> None:
    rows: list[Row] = []
    for count in SPANS:
        (ours, delay), (peer, least_delay) = with_gateway(count), with_loop(count)
        if delay is not None and least_delay is not None:
            rows.append(row("click, from far end to far end", "ms", delay / 8, least_delay / 8))
        case = f"gateway, {count * len(SLOTS)} channels of {count} E1 in calls"
        rows.append(row(case, "instructions/tick", ours, peer))
        print(rows[-1], flush=True)
    Path("/results/lines.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
