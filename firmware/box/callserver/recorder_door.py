"""The callserver's socket to the recorder: one at a time, a newer one replaces the older. No policy of recordings.

A connection counts only once it has said RecorderHello; garbage closes the connection that sent it and nothing else, so
that a stranger does not take the recorder's place.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Iterable

from firmware.core.messages import Peer, PeerGone, accept, listen
from firmware.core.paths import BoxPaths
from firmware.core.process_table import absence_level
from firmware.records.messages import FromRecorder, RecorderHello, ToRecorder, decode_from_recorder

WAITING_MOST = 8
"""Connections that have not said hello; the oldest goes when there are more."""

_log = logging.getLogger("linebox.callserver")


class RecorderDoor:
    """Listens at recorder.sock and speaks with the recorder. All descriptors are watched by `selector`."""

    def __init__(self, paths: BoxPaths, selector: selectors.BaseSelector) -> None:
        """Raises OSError if the socket cannot be made."""
        self._paths = paths
        self._selector = selector
        self._listener = listen(paths.recorder_socket)
        selector.register(self._listener, selectors.EVENT_READ)
        self._waiting: list[Peer] = []
        self._recorder: Peer | None = None

    @property
    def connected(self) -> bool:
        """True while a recorder is there."""
        return self._recorder is not None

    def handle(self, source: object) -> tuple[bool, list[FromRecorder]]:
        """Something happened on `source`, which may be one of ours: whether a recorder has just come, and what the
        recorder said."""
        if source is self._listener:
            self._accept()
        elif source is self._recorder or any(source is peer for peer in self._waiting):
            assert isinstance(source, Peer)
            return self._read(source)
        return False, []

    def tell(self, messages: Iterable[ToRecorder]) -> None:
        """Say something to the recorder, if it is there."""
        try:
            for message in messages:
                if self._recorder is not None:
                    self._recorder.send(message)
                    self._watch(self._recorder)
        except PeerGone as gone:
            if self._recorder is not None:
                self._drop(self._recorder, gone.reason)

    def _accept(self) -> None:
        peer = accept(self._listener, decode_from_recorder)
        if peer is None:
            return
        self._waiting.append(peer)
        self._selector.register(peer, selectors.EVENT_READ)
        if len(self._waiting) > WAITING_MOST:
            self._drop(self._waiting[0], "too many connections that do not say what they are")

    def _read(self, peer: Peer) -> tuple[bool, list[FromRecorder]]:
        came, said = False, []
        try:
            peer.flush()
            for message in peer.receive():
                if isinstance(message, RecorderHello):
                    came = came or peer is not self._recorder
                    self._take(peer)
                elif peer is self._recorder:
                    said.append(message)
                else:
                    raise PeerGone("its first message was not RecorderHello")
            self._watch(peer)
        except PeerGone as gone:
            self._drop(peer, gone.reason)
            came = False
        return came, said

    def _take(self, peer: Peer) -> None:
        """This one is the recorder from now on."""
        if peer is self._recorder:
            return
        if self._recorder is not None:
            self._drop(self._recorder, "another one has taken its place")
        self._waiting = [one for one in self._waiting if one is not peer]
        self._recorder = peer
        _log.info("the recorder is there")

    def _watch(self, peer: Peer) -> None:
        """Wake up for writing while something waits to be written."""
        self._selector.modify(peer, selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.wants_to_write else 0))

    def _drop(self, peer: Peer, reason: str) -> None:
        if peer is self._recorder:
            self._recorder = None
            _log.log(absence_level(self._paths), "the recorder has gone: %s", reason)
        else:
            self._waiting = [one for one in self._waiting if one is not peer]
            _log.warning("a connection that was no recorder was closed: %s", reason)
        self._selector.unregister(peer)
        peer.close()
