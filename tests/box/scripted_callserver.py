"""A callserver for tests of its clients: answers with a state that the test sets, or hangs."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from firmware.calls.messages import (
    AnyRequestBody,
    BoxState,
    CallEvent,
    EventName,
    GetBoxState,
    Reply,
    decode_request,
)
from firmware.core.messages import Peer, PeerGone, accept, listen
from firmware.core.paths import BoxPaths


class ScriptedCallserver(threading.Thread):
    """Answers with `state`, unless it hangs; keeps what it was asked, and by whom."""

    def __init__(self, paths: BoxPaths, state: BoxState) -> None:
        super().__init__(name="scripted callserver")
        self.state = state
        self.hangs = False
        self.asked: list[AnyRequestBody] = []
        self.by: list[str] = []
        self._events: deque[CallEvent] = deque()
        self._listener = listen(paths.cti_socket)
        self._ending = False

    def run(self) -> None:
        peers: list[Peer] = []
        while not self._ending:
            readable, _, _ = select.select([self._listener, *peers], [], [], 0.01)
            events = [self._events.popleft() for _ in range(len(self._events))]
            for peer in peers:
                with contextlib.suppress(PeerGone):  # noticed below
                    for event in events:
                        peer.send(event)
            for one in readable:
                if one is self._listener:
                    new = accept(self._listener, decode_request)
                    peers += [new] if new is not None else []
                    continue
                try:
                    self._answer(one)
                except PeerGone:
                    peers.remove(one)
                    one.close()
        for peer in (*peers, self._listener):
            peer.close()

    def show(self, state: BoxState) -> None:
        """From now on this is so, and everybody is told that something happened."""
        self.state = state
        self.tell(EventName.AGENT_STATE_CHANGED)

    def tell(self, name: EventName) -> None:
        """An event for everybody."""
        self._events.append(CallEvent(number=1, name=name, at=self.state.at))

    def _answer(self, peer: Peer) -> None:
        for request in peer.receive():
            self.asked.append(request.body)
            self.by.append(request.by)
            if not self.hangs:
                peer.send(Reply(request.id, state=self.state if isinstance(request.body, GetBoxState) else None))

    def end(self) -> None:
        self._ending = True
        self.join()


def until(true: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)
