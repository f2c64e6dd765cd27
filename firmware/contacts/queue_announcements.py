"""What a waiting caller hears: music, and now and then the place in the queue and the expected wait.

Music is one stream for all (`firmware/media/plane.py`), so it goes on where it is by then. Not here: who is served
next.
"""

from __future__ import annotations

from firmware.acd.expected_wait import expected_wait
from firmware.calls.messages import AgentState
from firmware.calls.model import Contact, ContactState
from firmware.contacts.keeper import Keeper
from firmware.contacts.office import Office
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.ivr.announcements import Values, expand
from firmware.lines.line_commands import Play
from firmware.lines.messages import PlayEnded

WAITING = (ContactState.QUEUED, ContactState.OFFERED)
SERVING = (AgentState.READY, AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP)


class QueueAnnouncements:
    """For all queues. The moment of the next announcement and the one that runs are the contact's, to outlive a
    restart."""

    def __init__(self, office: Office, keeper: Keeper) -> None:
        self._office = office
        self._keeper = keeper

    def order(self, contact: Contact) -> None:
        """What the caller hears now. Harmless when given again."""
        if contact.play:
            leg = self._office.legs[contact.citizen_leg].gateway_leg
            self._keeper.order(Play(leg, contact.play, self._sounds(contact)))
        else:
            self._keeper.play_music(contact, "queue")

    def plan(self, contact: Contact, now: Stamp) -> None:
        """The next announcement comes when the queue says, counted from now."""
        queue = self._office.queues.get(contact.queue)
        seconds = queue.announce_every_seconds if queue is not None and queue.announcement else 0.0
        contact.announce_us = now.mono_us + round(seconds * MICROSECONDS) if seconds else 0
        self._office.touch(contact)

    def next_deadline(self) -> int | None:
        """Monotonic microseconds at which `advance` has something to do."""
        return min((contact.announce_us for contact in self._due_ones()), default=None)

    def advance(self, now: Stamp) -> None:
        """Begin the announcements that are due. Who is being offered to an agent hears none: it would soon be cut."""
        for contact in self._due_ones():
            if contact.announce_us <= now.mono_us:
                self.plan(contact, now)
                if not contact.play and self._sounds(contact):
                    contact.announcements += 1
                    contact.play = f"wait-{contact.announcements}"
                    self.order(contact)

    def play_ended(self, event: PlayEnded, contact: Contact) -> None:
        """The announcement is over: music again."""
        if contact.state in WAITING and contact.play == event.play:
            contact.play = ""
            self._office.touch(contact)
            self.order(contact)

    def _due_ones(self) -> list[Contact]:
        contacts = self._office.contacts.values()
        return [one for one in contacts if one.announce_us and one.state is ContactState.QUEUED]

    def _sounds(self, contact: Contact) -> tuple[str, ...]:
        queue = self._office.queues.get(contact.queue)
        if queue is None:
            return ()
        ahead = sum(
            one.state in WAITING and one.queue == contact.queue and _place(one) < _place(contact)
            for one in self._office.contacts.values()
        )
        agents = sum(
            contact.queue in entry.queues and self._office.agents[number].state in SERVING
            for number, entry in self._office.agent_entries.items()
        )
        load = self._office.loads.get(contact.queue)
        wait_seconds = expected_wait(ahead, load.handling_seconds if load is not None else (), agents)
        return expand(queue.announcement, Values(ahead=ahead, wait_seconds=wait_seconds))


def _place(contact: Contact) -> tuple[int, int]:
    return (contact.queued.mono_us if contact.queued is not None else 0, contact.number)
