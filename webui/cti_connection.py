"""The web process's one connection to the callserver: events in, requests out, and coming back by itself.

A greenlet runs `run()`. It attaches after the last event it has, keeps `Live` fresh (at most five states a second, and
one at least every five seconds as a sign of life, two a second while a part of the box is away), and matches replies to
requests. Needs gevent's patched sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import gevent
from gevent import socket as green_socket
from gevent.event import AsyncResult, Event

from firmware.calls.messages import (
    AnyRequestBody,
    BoxState,
    CallEvent,
    GetBoxState,
    Reply,
    Request,
    Subscribe,
    decode_to_client,
)
from firmware.core.clock import Clock
from firmware.core.messages import Peer, PeerGone, connect
from webui.live import Live

log = logging.getLogger("web.cti")

REPLY_SECONDS = 5.0
"""How long a request may take; the callserver answers in milliseconds, so longer means that it hangs."""
STATE_PAUSE_SECONDS = 0.2
SIGN_OF_LIFE_SECONDS = 5.0
AWAY_SECONDS = 0.5
"""Between two looks while the gateway or the recorder is away: no event tells that it is there again."""
RETRY_SECONDS = 0.3


class CallserverAway(Exception):
    """The callserver is not there or does not answer."""


class CtiRequests(Protocol):
    """What the routes need of the connection."""

    def request(self, body: AnyRequestBody, by: str) -> Reply:
        """Ask the callserver and wait for its reply. Raises CallserverAway."""
        ...


class CtiConnection:
    """See the module. `run()` in a greenlet of its own until that is killed; `request()` from any greenlet."""

    def __init__(
        self, path: Path, live: Live, clock: Clock, absence_level: Callable[[], int] = lambda: logging.WARNING
    ) -> None:
        """`absence_level`: that of the log for a callserver that is not there."""
        self._path = path
        self._live = live
        self._clock = clock
        self._absence_level = absence_level
        self._peer: Peer | None = None
        self._replies: dict[int, AsyncResult] = {}
        self._last_id = 0
        self._stale = Event()

    def run(self) -> None:
        """Be connected, for ever. Says once why it is not."""
        said = ("", logging.NOTSET)
        while True:
            was_there = False
            try:
                peer = connect(self._path, decode_to_client)
            except PeerGone as gone:
                reason = gone.reason
            else:
                reason = self._talk(peer)
                was_there = self._live.connected
            self._live.lose(self._clock.now())
            saying = (reason, self._absence_level())
            if was_there or saying != said:
                log.log(saying[1], "callserver: %s; trying again until it is there", reason)
                said = saying
            gevent.sleep(RETRY_SECONDS)

    def _talk(self, peer: Peer) -> str:
        """One connection from beginning to end; why it ended."""
        self._peer = peer
        parts = [gevent.spawn(self._listen, peer), gevent.spawn(self._keep_state_fresh)]
        try:
            ended = gevent.joinall(parts, count=1)
            return str(ended[0].value or "it broke off")
        finally:
            self._peer = None
            gevent.killall(parts)
            peer.close()
            for waiting in list(self._replies.values()):
                waiting.set(None)

    def _listen(self, peer: Peer) -> str:
        try:
            while True:
                green_socket.wait_read(peer.fileno())
                for message in peer.receive():
                    self._take(message)
        except PeerGone as gone:
            return gone.reason

    def _take(self, message: Reply | CallEvent) -> None:
        if isinstance(message, Reply):
            waiting = self._replies.get(message.id)
            if waiting is not None:
                waiting.set(message)
            return
        self._live.take_event(message)
        self._stale.set()

    def _keep_state_fresh(self) -> str:
        """Fetch the state at the beginning, when events came, and as a sign of life."""
        try:
            self._live.connect(self._ask_state())
            self._ask(Subscribe(after=self._live.newest_event), "web")
            while True:
                state = self._live.state
                is_whole = state is not None and state.gateway_connected and state.recorder_connected
                self._stale.wait(SIGN_OF_LIFE_SECONDS if is_whole else AWAY_SECONDS)
                self._stale.clear()
                self._live.take_state(self._ask_state())
                gevent.sleep(STATE_PAUSE_SECONDS)
        except CallserverAway as away:
            return str(away)

    def _ask_state(self) -> BoxState:
        reply = self._ask(GetBoxState(), "web")
        if reply.state is None:
            raise CallserverAway(f"it gave no state ({reply.error or 'no reason'})")
        return reply.state

    def request(self, body: AnyRequestBody, by: str) -> Reply:
        """Ask and wait. Raises CallserverAway when it is not connected, goes away, or takes too long."""
        if not self._live.connected:
            # One that hangs takes connections, too; it would do later what a person was told it did not do.
            raise CallserverAway("it has not answered yet")
        reply = self._ask(body, by)
        self._stale.set()
        return reply

    def _ask(self, body: AnyRequestBody, by: str) -> Reply:
        peer = self._peer
        if peer is None:
            raise CallserverAway("it is not connected")
        self._last_id += 1
        number = self._last_id
        waiting: AsyncResult = AsyncResult()
        self._replies[number] = waiting
        try:
            peer.send(Request(number, body, by))
            while peer.wants_to_write and peer is self._peer:
                green_socket.wait_write(peer.fileno(), timeout=REPLY_SECONDS)
                peer.flush()
            reply = waiting.get(timeout=REPLY_SECONDS)
        except (gevent.Timeout, TimeoutError) as late:
            raise CallserverAway(f"no reply within {REPLY_SECONDS:g} seconds") from late
        except (PeerGone, OSError, ValueError) as gone:
            raise CallserverAway(str(gone)) from gone
        finally:
            self._replies.pop(number, None)
        if not isinstance(reply, Reply):
            raise CallserverAway("it went away before it replied")
        return reply
