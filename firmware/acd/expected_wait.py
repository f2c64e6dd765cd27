"""How long a caller will wait, from the place in the queue. Pure: who waits and who serves is kept elsewhere.

The estimate is the simple one that a caller can check: (callers ahead + 1) × mean handling time / agents. Handling is
from an agent's answer to the end of the wrap-up; agents are those who serve the queue and are ready, offered a contact,
talk or wrap up. It is too long while agents are idle and too short when they are shared with other queues.
"""

from __future__ import annotations

from collections.abc import Sequence

HANDLINGS_KEPT = 20
"""The mean is over the last so many contacts of the queue."""
FEWEST_HANDLINGS = 3
"""With fewer nothing is estimated."""


def expected_wait(ahead: int, handling_seconds: Sequence[float], agents: int) -> float | None:
    """Seconds until the caller behind `ahead` others is answered; None if nobody serves or too little is known."""
    if agents < 1 or len(handling_seconds) < FEWEST_HANDLINGS:
        return None
    recent = handling_seconds[-HANDLINGS_KEPT:]
    return (ahead + 1) * sum(recent) / len(recent) / agents
