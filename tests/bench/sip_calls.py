"""CPU time of the running box for thirty SIP calls that talk and are recorded, by process and by call.

Run by `scripts/bench sip_calls [--json FILE]`; takes about two minutes. A whole box (`linebox up`) with as many seats,
whose phones are simulated and say a tone; callers are sipp and RTP far ends in this process. Measured over 20 s before
any call, and over 20 s while all thirty talk. The simulator stands for phones and people and is not counted. Nothing is
compared: another system would have to run beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from drivers import sip_stack
from firmware.calls.messages import AgentState
from firmware.records import tables
from tests.running import sipp_scenarios as scenarios
from tests.running.rtp_room import RtpPhone, RtpRoom
from tests.running.running_box import RunningBox, until
from tests.running.sip_peers import SippCall, SippRun, free_ports

CALLS = 30
SECONDS = 20.0
TALK_SECONDS = 60.0
NOT_COUNTED = ("simulator",)

Result = dict[str, str | float | None]


def scenario() -> str:
    """A phone at every seat, manned, that answers at once and says a tone."""
    phones = [
        {
            "extension": f"FXS-{one}",
            "behaviour": "manned",
            "agent": str(800 + one),
            "seat": str(one),
            "says": "tone",
            "tone_hz": 500 + 41 * one,
            "answer_seconds": 0.5,
            "ready_again_seconds": 0.3,
        }
        for one in range(1, CALLS + 1)
    ]
    return json.dumps({"citizens": [], "phones": phones})


def cpu_seconds(box: RunningBox) -> dict[str, float]:
    """User and system time of each process of the box so far."""
    times = {name: psutil.Process(entry.pid).cpu_times() for name, entry in box.processes().items() if entry.pid}
    return {name: each.user + each.system for name, each in times.items()}


def shares(box: RunningBox) -> dict[str, float]:
    """Per cent of a core that each process takes, over SECONDS."""
    before, began = cpu_seconds(box), time.monotonic()
    time.sleep(SECONDS)
    lasted = time.monotonic() - began
    return {name: (spent - before[name]) / lasted * 100 for name, spent in cpu_seconds(box).items() if name in before}


def measure() -> list[Result]:
    """All cases. Raises AssertionError if a call failed or was not recorded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenario.json").write_text(scenario())
        box = RunningBox(
            folder,
            "--scenario", str(folder / "scenario.json"), "--report", str(folder / "report"),
            seats=CALLS, greeting=[], wrap_up_seconds=0.5,
        )  # fmt: skip
        box.start()
        try:
            until(lambda: sum(agent.state is AgentState.READY for agent in box.state().agents) == CALLS, "agents", 60)
            until(lambda: any(board.board == "sip" and board.working for board in box.state().boards), "SIP", 60)
            idle = shares(box)
            ports = free_ports(2 * CALLS)[::2]
            random = np.random.default_rng(1)
            room = RtpRoom([RtpPhone(port, random.integers(0, 256, 8000, dtype=np.uint8)) for port in ports])
            calls = [SippCall(f"136{one:08d}", "12345", port) for one, port in enumerate(ports)]
            talk = scenarios.caller_hangs_up(TALK_SECONDS)
            with room, SippRun(talk, calls, box.sip_port, rate=10, limit_seconds=TALK_SECONDS + 60) as run:
                talking = "all callers talk"
                until(lambda: sum(each.state == "talking" for each in box.state().contacts) == CALLS, talking, 30)
                busy = shares(box)
                still = sum(each.state == "talking" for each in box.state().contacts)
                ended = run.wait()
            assert (still, ended.failed) == (CALLS, 0), f"{still} talked to the end, {ended.failed} calls failed"
            until(lambda: sum(row["state"] == "closed" for row in box.rows(tables.recordings)) == CALLS, "recordings")
            shortest = min(row["samples"] for row in box.rows(tables.recordings))
            assert shortest > (TALK_SECONDS - 5) * 8000, f"a recording holds only {shortest} samples"
        finally:
            box.stop()
    return results_of(idle, busy)


def results_of(idle: dict[str, float], busy: dict[str, float]) -> list[Result]:
    """The lines of the table."""
    counted = [name for name in busy if name in idle and name not in NOT_COUNTED]
    lines: list[tuple[str, float]] = []
    for name in counted:
        lines += [(f"{name}, no call", idle[name]), (f"{name}, {CALLS} recorded calls", busy[name])]
    whole = [sum(each[name] for name in counted) for each in (idle, busy)]
    lines += [
        ("whole box, no call", whole[0]),
        (f"whole box, {CALLS} recorded calls", whole[1]),
        ("each recorded call", (whole[1] - whole[0]) / CALLS),
    ]
    return [{"case": case, "unit": "% of a core", "ours": share, "peer": None, "ratio": None} for case, share in lines]


def main() -> int:
    """The table, and with --json the file."""
    parser = argparse.ArgumentParser(description="CPU time of recorded SIP calls")
    parser.add_argument("--json", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    if not sip_stack.is_built():
        print("the SIP stack is not built: scripts/build_pjsua2 --install", file=sys.stderr)
        return 1
    results = measure()
    print(f"{'case':44} {'unit':>12} {'ours':>8}")
    for line in results:
        print(f"{line['case']:44} {line['unit']:>12} {line['ours']:8.2f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
