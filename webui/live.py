"""What is going on now, as the web process knows it, and the waking of those who wait for news. No sockets here.

Filled by `cti_connection.py`, read by routes and by event streams. A stream pulls: it is woken, then takes what is
newest, so that a slow browser gets fewer and newer states and never a backlog.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gevent.event import Event

from firmware.calls.messages import BoxState, CallEvent
from firmware.core.clock import Stamp

KEPT_EVENTS = 2000
"""Events kept in memory for streams that are a little behind; older ones are read from the database."""


class Live:
    """The newest state of the box, the last events, and whether the callserver is there."""

    def __init__(self) -> None:
        self.state: BoxState | None = None
        self.connected = False
        self.lost_at: Stamp | None = None
        """When the callserver was lost; what is shown is as of then."""
        self.version = 0
        """Grows with every change of state or connection."""
        self.newest_event = -1
        """Number of the newest event; -1 before the first word of the callserver."""
        self.history = 0
        """Grows when the events' numbers begin anew, after `history_begins`."""
        self.history_begins = 0
        self._events: deque[CallEvent] = deque(maxlen=KEPT_EVENTS)
        self._waiting: set[Event] = set()

    def connect(self, state: BoxState) -> None:
        """The first answer on a new connection; events after `newest_event` will follow on it."""
        if self.newest_event < 0 or state.number < self.newest_event:
            # The first connection, or another history than ours (the data folder is new): begin with it.
            self._events.clear()
            self.newest_event = self.history_begins = state.number
            self.history += 1
        self.take_state(state)

    def take_state(self, state: BoxState) -> None:
        """A fresh answer of the callserver."""
        self.state, self.connected, self.lost_at = state, True, None
        self._changed()

    def take_event(self, event: CallEvent) -> None:
        """An event of the callserver; one that was seen already (after a reconnect) is passed over."""
        if event.number > self.newest_event:
            if self._events and event.number != self._events[-1].number + 1:
                self._events.clear()
            self._events.append(event)
            self.newest_event = event.number
            self.wake()

    def lose(self, at: Stamp) -> None:
        """The callserver is away; its last words stay, and are shown as old."""
        if self.connected:
            self.connected, self.lost_at = False, at
            self._changed()

    def events_after(self, number: int) -> Sequence[CallEvent] | None:
        """The events after a number that are in memory, oldest first; None if some must be read from the database."""
        if number >= self.newest_event:
            return ()
        if not self._events or self._events[0].number > number + 1:
            return None
        return [event for event in self._events if event.number > number]

    def _changed(self) -> None:
        self.version += 1
        self.wake()

    def wake(self) -> None:
        """Let every waiting stream look at what is new."""
        for waiting in self._waiting:
            waiting.set()

    def watch(self) -> Event:
        """An event that is set whenever there is news; give it back with `unwatch`."""
        waiting = Event()
        self._waiting.add(waiting)
        return waiting

    def unwatch(self, waiting: Event) -> None:
        self._waiting.discard(waiting)

    @property
    def watchers(self) -> int:
        return len(self._waiting)
