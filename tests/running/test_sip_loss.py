"""Lost RTP packets: pjsip conceals them in its stream (jitter buffer and G.711's concealment), so nothing else does.

Four callers with a 200 Hz tone, whose steepest step is small, so that a cut-out or a click shows: one whose packets all
come, and three that lose every tenth packet, three in a row (60 ms), and twenty in a row (400 ms).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.signals import Setup
from drivers import sip_stack
from firmware.media import codec
from tests.running import sipp_scenarios as scenarios
from tests.running.rtp_room import RtpPhone, RtpRoom
from tests.running.sip_peers import SippCall, free_ports, run_sipp, wait_until
from tests.running.sip_worker_process import Worker, running

pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"),
]

HZ, DBM0 = 200, -10.0
TONE = codec.encode(codec.peak_of(DBM0) * np.sin(2 * np.pi * HZ / codec.SAMPLE_RATE * np.arange(codec.SAMPLE_RATE)))
OWN_STEP = float(np.abs(np.diff(codec.decode(TONE))).max())
LOSSES = (
    lambda number: False,
    lambda number: number % 10 == 5,
    lambda number: number % 50 in (10, 11, 12),
    lambda number: number % 100 in range(20, 40),
)
STALL_MS = 30.0
"""A gateway that was later than this made the jitter buffers move by itself."""


class Stalled(Exception):
    """The machine stood still: what was heard says nothing."""


def play_the_scene(worker: Worker) -> list[NDArray[np.float32]]:
    """What the gateway hears of the four, beginning and end left out. Raises Stalled."""
    with worker.gateway() as gateway:
        ports = free_ports(8)[::2]
        phones = [RtpPhone(port, TONE, drops=drops) for port, drops in zip(ports, LOSSES, strict=True)]
        calls = [SippCall(f"1380013800{number}", "12345", port) for number, port in enumerate(ports)]
        with RtpRoom(phones):
            result = run_sipp(scenarios.caller_hangs_up(5.0), calls, worker.port, rate=50)
        wait_until(lambda: not gateway.busy(), 5, "the calls to end")
        assert (result.successful, result.failed) == (4, 0), result.errors
        if gateway.worst_late_ms > STALL_MS or gateway.missing:
            raise Stalled(f"{gateway.worst_late_ms:.0f} ms late, {gateway.missing} blocks missing")
        channels = {setup.calling: setup.channel for setup in gateway.of(Setup) if isinstance(setup, Setup)}
        return [codec.decode(gateway.heard(channels[call.calling]))[4000:-2400] for call in calls]


def levels(heard: NDArray[np.float32]) -> NDArray[np.float64]:
    """dBm0 of each 10 ms: two periods."""
    blocks = heard[: heard.size // 80 * 80].reshape(-1, 80)
    return np.array([codec.level_of(block) for block in blocks])


def test_lost_packets_are_concealed_and_nothing_clicks(tmp_path: Path) -> None:
    with running(tmp_path) as worker:
        for scenes_left in (3, 2, 1, 0):
            try:
                whole, tenth, three, twenty = play_the_scene(worker)
                break
            except Stalled as stall:
                if not scenes_left:
                    pytest.skip(f"this machine stands still too often: {stall}")
    # every packet came: the tone, to a tenth of a decibel
    assert np.abs(levels(whole) - DBM0).max() < 0.1
    # one of ten lost: never more than 3 dB down
    assert levels(tenth).min() > DBM0 - 3.0
    assert np.mean(levels(tenth) < DBM0 - 0.5) > 0.02, "nothing was lost"
    # 60 ms lost: fading, but there
    assert levels(three).min() > DBM0 - 30.0
    # 400 ms lost: it fades out within a tenth of a second
    silent = np.mean(levels(twenty) < -50.0)
    assert 0.1 < silent < 0.25
    # and in none is a step from sample to sample that the tone does not make by itself
    for heard in (whole, tenth, three, twenty):
        assert np.abs(np.diff(heard)).max() < 1.03 * OWN_STEP
