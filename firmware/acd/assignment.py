"""Which waiting contact goes to which ready agent. First come, first served; the longest-idle agent takes it.

Pure functions on plain values: what is waiting and who is idle is kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A contact in a queue. Served by the moment of queueing, so a contact that comes back is at the head."""

    contact: int
    queue: str
    queued_us: int


@dataclass(frozen=True)
class Idle:
    """An agent to whom a contact may be offered now."""

    agent: str
    queues: tuple[str, ...]
    idle_since_us: int


def assign(waiting: Iterable[Waiting], idle: Iterable[Idle]) -> list[tuple[int, str]]:
    """Pairs (contact, agent): each contact in order of arrival gets the longest-idle agent that serves its queue.

    A contact whose queue nobody idle serves does not hold up those behind it.
    """
    free = sorted(idle, key=lambda agent: (agent.idle_since_us, agent.agent))
    pairs: list[tuple[int, str]] = []
    for contact in sorted(waiting, key=lambda one: (one.queued_us, one.contact)):
        chosen = next((agent for agent in free if contact.queue in agent.queues), None)
        if chosen is not None:
            free.remove(chosen)
            pairs.append((contact.contact, chosen.agent))
    return pairs
