"""The called numbers of the configuration in force: the callserver's word that it has changed is followed.

For overlap receiving only (Q.931 5.2.4): a call whose digits make a known number need not wait for more. Nothing else
of a span hangs on the callserver: while it is away the numbers stay as they were. Not what a number means.
"""

from __future__ import annotations

import logging
import select

from firmware.calls.messages import CallEvent, EventName, Request, Subscribe, decode_to_client
from firmware.core.clock import MICROSECONDS
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths

RECONNECT_US = MICROSECONDS
CONNECT_SECONDS = 0.05
"""A callserver that hangs is not waited for: layer 2 has its own deadlines."""

_log = logging.getLogger(__name__)


class KnownNumbers:
    """The numbers, and the connection on which a change of them is told."""

    def __init__(self, paths: BoxPaths, poll: select.poll) -> None:
        """`poll`: wakes the worker's loop."""
        self._paths = paths
        self._poll = poll
        self._callserver: Peer | None = None
        self._next_connect_us = 0
        self.numbers: frozenset[str] = frozenset()
        self._read()

    def deadline_us(self) -> int | None:
        """When to look again, whatever the poll says."""
        return self._next_connect_us if self._callserver is None else None

    def follow(self, now_us: int) -> bool:
        """Take what the callserver says. True if the numbers have been read again."""
        if self._callserver is None:
            self._connect(now_us)
        if self._callserver is None:
            return False
        try:
            messages = self._callserver.receive()
        except PeerGone:
            self.close()
            self._next_connect_us = now_us + RECONNECT_US
            return False
        # Its reply to our wish means that from now on no change is missed; one before it may have been.
        if all(isinstance(one, CallEvent) and one.name is not EventName.CONFIGURATION_CHANGED for one in messages):
            return False
        self._read()
        return True

    def _connect(self, now_us: int) -> None:
        if now_us < self._next_connect_us:
            return
        self._next_connect_us = now_us + RECONNECT_US
        try:
            peer = connect(self._paths.cti_socket, decode_to_client, CONNECT_SECONDS)
        except PeerGone:
            return
        try:
            peer.send(Request(1, Subscribe(), "pri"))
        except PeerGone:
            peer.close()
            return
        self._callserver = peer
        self._poll.register(peer.fileno(), select.POLLIN)

    def close(self) -> None:
        """Let the callserver go."""
        if self._callserver is not None:
            self._poll.unregister(self._callserver.fileno())
            self._callserver.close()
            self._callserver = None

    def _read(self) -> None:
        """A configuration that cannot be read changes nothing."""
        try:
            configuration, _ = load_configuration_or_last_good(self._paths)
        except (ConfigurationError, OSError) as error:
            _log.warning("a number that is not known is whole when no more digits come (%s)", error)
            return
        self.numbers = frozenset(number for service in configuration.services for number in service.called)
        _log.info("%d called numbers are known", len(self.numbers))
