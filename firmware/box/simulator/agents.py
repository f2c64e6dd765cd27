"""The simulated agents' connection to the callserver: subscribes, brings news to the world, takes its wishes back.

The callserver may die and come back at any moment; the connection is made again and misses no event.
"""

from __future__ import annotations

import logging
import selectors
from pathlib import Path

from firmware.calls.messages import AnyRequestBody, CallEvent, GetBoxState, Reply, Request, Subscribe, decode_to_client
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.core.messages import Peer, PeerGone, connect
from firmware.simulator.world import World

AGAIN_US = MICROSECONDS // 2
CONNECT_SECONDS = 0.002
"""Connecting to a Unix socket is done at once, or its queue is full: the clock cannot wait for that."""
LIVE_ONLY = -1

_log = logging.getLogger(__name__)


class AgentsLink:
    """The CTI client of all simulated agents together."""

    def __init__(self, socket: Path, world: World, selector: selectors.BaseSelector) -> None:
        self._socket = socket
        self._world = world
        self._selector = selector
        self._peer: Peer | None = None
        self._last_event = LIVE_ONLY
        self._request = 0
        self._asked: dict[int, AnyRequestBody] = {}
        self._try_at_us = 0

    def turn(self, now_us: int, moment: Stamp) -> None:
        """Connect if it is time to; send what the agents want. `moment` is the world's."""
        if self._peer is None and now_us >= self._try_at_us:
            self._try_at_us = now_us + AGAIN_US
            self._connect(moment)
        for body in self._world.take_requests():
            self._ask(body, moment)
        if self._peer is not None and self._peer.wants_to_write:
            try:
                self._peer.flush()
            except PeerGone as gone:
                self._drop(gone.reason, moment)

    def read(self, moment: Stamp) -> None:
        """The socket is readable."""
        if self._peer is None:
            return
        try:
            messages = self._peer.receive()
        except PeerGone as gone:
            self._drop(gone.reason, moment)
            return
        for message in messages:
            if isinstance(message, CallEvent):
                self._last_event = max(self._last_event, message.number)
                self._world.handle_cti(message, moment)
            else:
                self._take_reply(message, moment)

    def close(self) -> None:
        if self._peer is not None:
            self._selector.unregister(self._peer)
            self._peer.close()
            self._peer = None

    def _connect(self, moment: Stamp) -> None:
        try:
            self._peer = connect(self._socket, decode_to_client, CONNECT_SECONDS)
        except PeerGone:
            return  # it is not there yet, or not there any more: the supervisor says so, we only try again
        self._selector.register(self._peer, selectors.EVENT_READ, self)
        # First the events that were missed, then the state: what the state says is the newest.
        self._ask(Subscribe(after=self._last_event), moment)
        self._ask(GetBoxState(), moment)

    def _ask(self, body: AnyRequestBody, moment: Stamp) -> None:
        if self._peer is None:
            return
        self._request += 1
        self._asked[self._request] = body
        try:
            self._peer.send(Request(self._request, body, by="simulator"))
        except PeerGone as gone:
            self._drop(gone.reason, moment)

    def _take_reply(self, reply: Reply, moment: Stamp) -> None:
        asked = self._asked.pop(reply.id, None)
        if reply.error:
            _log.warning("%s was refused: %s %s", asked, reply.error, " ".join(reply.details))
        if reply.state is None:
            return
        if reply.state.number < self._last_event:
            # Another history than ours (the data folder is new): begin with it.
            self._last_event = LIVE_ONLY
            self._drop("the callserver has another history", moment)
            return
        self._last_event = max(self._last_event, reply.state.number)
        self._world.handle_cti(reply.state, moment)

    def _drop(self, reason: str, moment: Stamp) -> None:
        _log.info("the callserver is gone (%s)", reason)
        self.close()
        self._asked.clear()
        self._world.cti_lost(moment)
