"""The web process's connection to the callserver: how soon its pages know what no event tells."""

from __future__ import annotations

from pathlib import Path

import gevent
import msgspec
import pytest

from firmware.calls.messages import AnyRequestBody, BoxState, GetBoxState, Reply, Subscribe
from firmware.core.clock import VirtualClock
from tests.webui.scripted_office import box_state
from webui import cti_connection
from webui.cti_connection import CallserverAway, CtiConnection
from webui.live import Live


class ScriptedCallserver(CtiConnection):
    """Gives these states, one at each asking, and is away after the last."""

    def __init__(self, live: Live, clock: VirtualClock, states: list[BoxState]) -> None:
        super().__init__(Path("not used"), live, clock)
        self._states = states

    def _ask(self, body: AnyRequestBody, by: str) -> Reply:
        if isinstance(body, Subscribe):
            return Reply(1)
        if not self._states:
            raise CallserverAway("the end of the script")
        return Reply(1, state=self._states.pop(0))


@pytest.mark.parametrize("part", ["gateway_connected", "recorder_connected"])
def test_pages_know_soon_that_a_part_is_back_although_nothing_happens_and_they_wait_for_events_when_all_is_there(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(cti_connection, "SIGN_OF_LIFE_SECONDS", 3600.0)
    monkeypatch.setattr(cti_connection, "AWAY_SECONDS", 0.0)
    monkeypatch.setattr(cti_connection, "STATE_PAUSE_SECONDS", 0.0)
    clock = VirtualClock(1_795_000_000_000_000)
    whole = box_state(clock)
    away = msgspec.structs.replace(whole, **{part: False})
    states = [away, away, away, whole, whole]
    live = Live()
    connection = ScriptedCallserver(live, clock, states)

    running = gevent.spawn(connection._keep_state_fresh)
    with gevent.Timeout(20):
        while live.state != whole:
            gevent.sleep(0.001)
    for _ in range(20):
        gevent.sleep(0.001)

    assert not running.ready() and states == [whole]
    gevent.kill(running)


def test_nothing_is_asked_of_a_callserver_that_takes_the_connection_and_hangs() -> None:
    clock = VirtualClock(1_795_000_000_000_000)
    states = [box_state(clock)]
    live = Live()
    connection = ScriptedCallserver(live, clock, states)

    with pytest.raises(CallserverAway):
        connection.request(GetBoxState(), "chen")
    assert len(states) == 1, "it would do it when it goes on"

    live.connect(box_state(clock))
    assert connection.request(GetBoxState(), "chen").state is not None
