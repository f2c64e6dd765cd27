"""CPU time of one tick, taken in the thread that does it, and what a benchmark says of it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WARM_UP = 200
TICKS = 2000
TICK_US = 10_000.0
TOGETHER = 30
"""Ticks of which the mean is taken: the DTMF detector does some of its work once in fifteen ticks."""

Costs = NDArray[np.float64]
Result = dict[str, str | float | None]


def cost_us(
    step: Callable[[int], object], before_step: Callable[[int], object] = lambda place: None, ticks: int = TICKS
) -> Costs:
    """CPU time of each of `ticks` calls, in microseconds; what is done before each is not counted. The garbage
    collector is off, as in the gateway."""
    for place in range(WARM_UP):
        before_step(place)
        step(place)
    gc.collect()
    gc.freeze()
    gc.disable()
    taken = np.empty(ticks)
    for place in range(ticks):
        before_step(WARM_UP + place)
        before = time.thread_time_ns()
        step(WARM_UP + place)
        taken[place] = time.thread_time_ns() - before
    gc.enable()
    gc.unfreeze()
    return taken / 1000.0


def typical(cost: Costs) -> float:
    """Per tick, of work that is spread unevenly over some ticks."""
    return float(np.median(cost[cost.size % TOGETHER :].reshape(-1, TOGETHER).mean(axis=1)))


def result(case: str, unit: str, ours: float, peer: float | None = None) -> Result:
    """One line of the table."""
    return {"case": case, "unit": unit, "ours": ours, "peer": peer, "ratio": None if peer is None else ours / peer}
