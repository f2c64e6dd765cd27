"""The gateway's socket to the callserver: one at a time, a newer one replaces the older. No policy of lines.

A connection counts only once it has said Attach; garbage closes the connection that sent it and nothing else. Events
are sent in portions and only as fast as the callserver reads: what it has not read waits in the gateway's event store.
A callserver that says nothing for five seconds hangs: it counts as gone, so that new calls are looked after meanwhile.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT, epoll

import msgspec

from firmware.core.clock import MICROSECONDS, Clock
from firmware.core.messages import Peer, PeerGone, accept, frame, listen
from firmware.core.paths import BoxPaths
from firmware.core.process_table import absence_level
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand, Attach, Resume

PORTION = 200
"""Events that are sent in one turn of the loop: to encode more would delay the next tick."""
SILENT_US = 5 * MICROSECONDS
"""A callserver speaks every second, if only to say again what is stored."""
WAITING_MOST = 8
"""Connections that have not said Attach; the oldest goes when there are more."""

_log = logging.getLogger(__name__)
_decode: Callable[[bytes], AnyLineCommand] = msgspec.json.Decoder(AnyLineCommand).decode


class CallserverDoor:
    """Listens at gateway.sock and speaks with the callserver. All descriptors are watched by `watcher`."""

    def __init__(self, paths: BoxPaths, gateway: Gateway, clock: Clock, watcher: epoll) -> None:
        """Raises OSError if the socket cannot be made."""
        self._gateway = gateway
        self._clock = clock
        self._watcher = watcher
        self._paths = paths
        self._path = paths.gateway_socket
        self._listener: socket.socket = listen(self._path)
        watcher.register(self._listener.fileno(), EPOLLIN)
        self._waiting: dict[int, Peer] = {}
        self._peer: Peer | None = None
        self._heard_us = 0
        self._sent_number = 0
        self._watches_writing = False

    def handle(self, descriptor: int, mask: int) -> None:
        """Something happened on a descriptor that may be one of ours."""
        if descriptor == self._listener.fileno():
            self._accept()
        elif self._peer is not None and descriptor == self._peer.fileno():
            self._serve(self._peer, mask)
        elif descriptor in self._waiting:
            self._serve(self._waiting[descriptor], mask)

    def send_events(self) -> bool:
        """Send what the callserver has not got yet, as far as it reads. True if there is more to send at once."""
        peer = self._peer
        if peer is None or peer.wants_to_write or self._sent_number == self._gateway.last_number:
            return False
        events = self._gateway.events_after(self._sent_number, PORTION)
        if events[0].number != self._sent_number + 1:
            self._drop(peer, "it was so slow that events are lost to it; it has to attach again")
            return False
        try:
            peer.send_frames(b"".join(frame(event) for event in events))
        except PeerGone as gone:
            self._drop(peer, gone.reason)
            return False
        self._sent_number = events[-1].number
        self._watch_writing(peer)
        return not peer.wants_to_write and self._sent_number != self._gateway.last_number

    def watch(self, now_us: int) -> None:
        """Once a second: close the connection of a callserver that hangs. It attaches again when it is back."""
        if self._peer is not None and now_us - self._heard_us > SILENT_US:
            self._drop(self._peer, f"it said nothing for {SILENT_US // MICROSECONDS} s")

    def close(self) -> None:
        for peer in (*self._waiting.values(), *([self._peer] if self._peer else [])):
            peer.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        peer = accept(self._listener, _decode)
        if peer is None:
            return
        self._waiting[peer.fileno()] = peer
        self._watcher.register(peer.fileno(), EPOLLIN)
        if len(self._waiting) > WAITING_MOST:
            self._drop(next(iter(self._waiting.values())), "too many connections that do not attach")

    def _serve(self, peer: Peer, mask: int) -> None:
        try:
            if mask & EPOLLOUT:
                peer.flush()
                self._watch_writing(peer)
            if mask & ~EPOLLOUT:
                for message in peer.receive():
                    self._command(peer, message)
        except PeerGone as gone:
            self._drop(peer, gone.reason)

    def _command(self, peer: Peer, message: AnyLineCommand) -> None:
        if isinstance(message, Attach):
            self._attach(peer, message)
        elif peer is self._peer:
            self._heard_us = self._clock.now().mono_us
            if isinstance(message, Resume) and message.last_number > self._sent_number:
                return  # of the gateway that was here before: nobody can have stored what was not sent
            self._gateway.handle_command(message, self._clock.now())
        else:
            raise PeerGone("its first message was not Attach, or a newer callserver has taken its place")

    def _attach(self, peer: Peer, attach: Attach) -> None:
        if self._peer is not None and self._peer is not peer:
            self._drop(self._peer, "a newer callserver has taken its place")
        self._waiting.pop(peer.fileno(), None)
        self._peer = peer
        now = self._clock.now()
        self._heard_us = now.mono_us
        snapshot, missed = self._gateway.attach(attach, now)
        self._sent_number = missed[0].number - 1 if missed else snapshot.last_number
        _log.info("a callserver attached, %s", "resumed" if snapshot.resumed else "anew")
        peer.send(snapshot)
        self._watch_writing(peer)

    def _watch_writing(self, peer: Peer) -> None:
        if peer is self._peer and peer.wants_to_write != self._watches_writing:
            self._watches_writing = peer.wants_to_write
            self._watcher.modify(peer.fileno(), EPOLLIN | (EPOLLOUT if self._watches_writing else 0))

    def _drop(self, peer: Peer, reason: str) -> None:
        descriptor = peer.fileno()
        if peer is self._peer:
            self._peer = None
            self._watches_writing = False
            self._gateway.detach(self._clock.now())
            _log.log(absence_level(self._paths), "the callserver has gone: %s", reason)
        elif self._waiting.pop(descriptor, None) is not None:
            _log.warning("a connection that was no callserver was closed: %s", reason)
        if descriptor >= 0:
            self._watcher.unregister(descriptor)
            peer.close()
