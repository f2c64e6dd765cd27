"""One question to the running callserver and its answer, for the command line. Clients that stay connected do more."""

from __future__ import annotations

import select
import time

from firmware.calls.messages import AnyRequestBody, Reply, Request, decode_to_client
from firmware.core.hints import ClearError
from firmware.core.messages import PeerGone, connect
from firmware.core.paths import BoxPaths


def ask(paths: BoxPaths, body: AnyRequestBody, by: str, timeout_seconds: float = 10.0) -> Reply:
    """The callserver's reply. Raises PeerGone if it does not run or goes away, ClearError if it does not answer."""
    peer = connect(paths.cti_socket, decode_to_client)
    try:
        peer.send(Request(1, body, by))
        end = time.monotonic() + timeout_seconds
        while (left := end - time.monotonic()) > 0:
            readable, writable, _ = select.select([peer], [peer] if peer.wants_to_write else [], [], left)
            if writable:
                peer.flush()
            if not readable:
                continue
            for message in peer.receive():
                if isinstance(message, Reply) and message.id == 1:
                    return message
    finally:
        peer.close()
    raise ClearError(
        "the callserver does not answer", "`linebox doctor` shows its state; its log is logs/callserver.log"
    )


def is_running(paths: BoxPaths) -> bool:
    """True if a callserver takes connections for this data folder."""
    try:
        connect(paths.cti_socket, decode_to_client).close()
    except PeerGone:
        return False
    return True
