"""The CTI clients of the callserver: pages, simulated agents, the command line. They are sent what is stored.

A subscriber first gets the stored events after the number it names, page by page and as fast as it reads, then the new
ones as they are stored. Each client is served on its own: one that talks nonsense or does not read is closed.
"""

from __future__ import annotations

import logging
import selectors
import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from firmware.calls.messages import Request, decode_request
from firmware.contacts.effects import Effects
from firmware.core.messages import Peer, PeerGone, accept, frame, frame_body
from firmware.records.database import open_for_reading
from firmware.records.queries import events_after

PAGE = 500
"""Stored events that are sent in one go to a client that catches up."""

MOST = 64
"""Clients at once; a box has some ten. One that never asked anything goes first when there are more."""

_log = logging.getLogger("linebox.callserver")


class _Client:
    def __init__(self, number: int, peer: Peer) -> None:
        self.number = number
        self.peer = peer
        self.sent_event: int | None = None
        """Number of the last event it was sent; None if it did not subscribe."""
        self.asked: deque[Request] = deque()
        """Requests that wait until it has read the replies to those before."""
        self.has_asked = False


class Clients:
    """All that are connected to cti.sock."""

    def __init__(self, database: Path, stored_event: int) -> None:
        self._engine = open_for_reading(database)
        self._stored_event = stored_event
        self._by_number: dict[int, _Client] = {}
        self._by_peer: dict[int, _Client] = {}
        self._last = 0

    def take(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        """Somebody connected."""
        peer = accept(listener, decode_request)
        if peer is None:
            return
        self._last += 1
        client = _Client(self._last, peer)
        self._by_number[client.number] = client
        self._by_peer[peer.fileno()] = client
        selector.register(peer, selectors.EVENT_READ)
        if len(self._by_number) > MOST:
            silent = (one for one in self._by_number.values() if not one.has_asked)
            self._drop(next(silent, client), selector, f"more than {MOST} are connected")

    def read(self, peer: Peer, selector: selectors.BaseSelector) -> Iterator[tuple[int, Request]]:
        """Requests that have come in from one client; also writes what waited for it. One that does not read what it is
        sent is not listened to."""
        client = self._by_peer.get(peer.fileno())
        if client is None:
            return
        try:
            peer.flush()
            if not peer.wants_to_write and not client.asked:
                client.asked.extend(peer.receive())
        except PeerGone as gone:
            self._drop(client, selector, gone.reason)
            return
        while client.asked and not peer.wants_to_write and client.number in self._by_number:
            client.has_asked = True
            yield client.number, client.asked.popleft()
        if client.number in self._by_number:
            self._serve(client, selector)

    def tell(self, effects: Effects, selector: selectors.BaseSelector) -> None:
        """What is stored now: replies to those who asked, events to those who subscribed."""
        frames = [(event.number, frame(event)) for event in effects.events]
        if frames:
            self._stored_event = frames[-1][0]
        for number, reply in effects.replies:
            client = self._by_number.get(number)
            if client is not None:
                self._send(client, frame(reply), selector)
        for number, after in effects.subscriptions:
            client = self._by_number.get(number)
            if client is not None:
                client.sent_event = min(after, self._stored_event)
        for client in list(self._by_number.values()):
            if client.sent_event is None:
                continue
            if frames and client.sent_event == frames[0][0] - 1 and not client.peer.wants_to_write:
                client.sent_event = frames[-1][0]
                self._send(client, b"".join(body for _, body in frames), selector)
            else:
                self._serve(client, selector)

    def _serve(self, client: _Client, selector: selectors.BaseSelector) -> None:
        """Let a client that is behind catch up as far as it reads."""
        while (
            client.sent_event is not None and client.sent_event < self._stored_event and not client.peer.wants_to_write
        ):
            with self._engine.connect() as connection:
                page = events_after(connection, client.sent_event, PAGE)
            if not page or client.number not in self._by_number:
                break
            client.sent_event += len(page)  # event numbers have no gaps
            self._send(client, b"".join(frame_body(body) for body in page), selector)
        self._watch(client, selector)

    def _send(self, client: _Client, frames: bytes, selector: selectors.BaseSelector) -> None:
        try:
            client.peer.send_frames(frames)
        except PeerGone as gone:
            self._drop(client, selector, gone.reason)
            return
        self._watch(client, selector)

    def _watch(self, client: _Client, selector: selectors.BaseSelector) -> None:
        if client.number in self._by_number:
            waits = client.peer.wants_to_write
            selector.modify(client.peer, selectors.EVENT_WRITE if waits else selectors.EVENT_READ)

    def _drop(self, client: _Client, selector: selectors.BaseSelector, reason: str) -> None:
        if not reason.startswith("closed"):  # one that leaves while something is on its way to it does no wrong
            _log.warning("a client was closed: %s", reason)
        selector.unregister(client.peer)
        del self._by_number[client.number]
        del self._by_peer[client.peer.fileno()]
        client.peer.close()
