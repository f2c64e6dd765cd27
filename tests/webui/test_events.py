"""The event stream: numbers, resuming, who gets which events, states for pages, and its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from firmware.calls.messages import AgentState, CallEvent, EventName
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.core.faults import fault
from firmware.lines.messages import BoardState
from tests.webui import scripted_office
from tests.webui.scripted_office import CITIZEN, Site
from webui import events
from webui.live import KEPT_EVENTS, Live


class Listener:
    """One who reads a stream, piece by piece, and never waits longer than the quiet time."""

    def __init__(self, site: Site, path: str = "/api/v1/events", **more: Any) -> None:
        more.setdefault("token", "token-admin")
        self.answer = site.get(path, piecewise=True, **more)
        self._pieces: Iterator[bytes] = iter(self.answer.pieces)
        self._messages: list[tuple[str, int | None, Any]] = []

    def next(self) -> tuple[str, int | None, Any]:
        """(event, id, data) of the next message; ("quiet", None, None) for a comment."""
        while not self._messages:
            for block in next(self._pieces).decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                if block.startswith(":"):
                    self._messages.append(("quiet", None, None))
                elif "event" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    self._messages.append((fields["event"], number, json.loads(fields["data"])))
        return self._messages.pop(0)

    def numbers(self, count: int) -> list[int | None]:
        return [self.next()[1] for _ in range(count)]

    def leave(self) -> None:
        self.answer.pieces.close()


@pytest.fixture
def listen(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(events, "STATE_PAUSE_SECONDS", 0.0)
    listeners = []

    def start(path: str = "/api/v1/events", **more: Any) -> Listener:
        listeners.append(Listener(site, path, **more))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.leave()
    assert site.live.watchers == 0, "a stream that ended is still waited for"


def event(number: int, name: EventName = EventName.DELIVERED, **more: Any) -> CallEvent:
    more.setdefault("contact", 7)
    more.setdefault("agent", "801")
    return CallEvent(number=number, name=name, at=Stamp(0, scripted_office.START_UTC_US), calling=CITIZEN, **more)


def test_a_new_listener_hears_what_happens_from_now_on(site: Site, listen: Any) -> None:
    listener = listen()

    assert listener.next() == ("hello", 20, {"number": 20})
    site.live.take_event(event(21))

    kind, number, data = listener.next()
    assert (kind, number) == ("call_event", 21)
    assert data == {
        "number": 21,
        "name": "Delivered",
        "at": "2026-11-22T01:05:00Z",
        "call": 7,
        "agent": "801",
        "caller": CITIZEN,
    }


def test_who_comes_back_misses_nothing_and_gets_nothing_twice(site: Site, listen: Any) -> None:
    for number in range(21, 31):
        site.live.take_event(event(number))

    listener = listen(headers={"Last-Event-ID": "23"})

    assert listener.numbers(8) == [23, *range(24, 31)]
    assert listener.next()[0] == "quiet"


def test_events_that_left_the_memory_are_read_from_the_records(site: Site, listen: Any) -> None:
    site.live.take_event(event(21))

    listener = listen("/api/v1/events?after=17")

    # 18 to 20 are in the database only, 21 in memory only
    assert listener.numbers(4) == [17, 18, 19, 20]
    assert listener.next()[1] == 21


def test_the_memory_keeps_the_newest_events_and_says_when_it_has_a_gap() -> None:
    live = Live()
    live.newest_event = 0
    for number in range(1, KEPT_EVENTS + 11):
        live.take_event(event(number))

    assert live.events_after(9) is None
    assert [one.number for one in live.events_after(10) or ()][:1] == [11]
    assert live.events_after(KEPT_EVENTS + 10) == ()


def test_an_event_that_is_told_twice_after_a_reconnect_is_given_once(site: Site, listen: Any) -> None:
    listener = listen()
    listener.next()
    for number in (21, 22, 23, 21, 22):
        site.live.take_event(event(number))

    assert listener.numbers(3) == [21, 22, 23]
    assert listener.next()[0] == "quiet"
    assert site.live.newest_event == 23


def test_another_history_is_followed_from_where_it_is(site: Site, listen: Any) -> None:
    listener = listen()
    listener.next()
    site.live.connect(scripted_office.box_state(site.clock, number=3))  # an empty data folder: numbers begin anew
    site.live.take_event(event(4))

    assert listener.next()[1] == 4


def test_agents_get_their_own_calls_and_others_masked_or_not_at_all(site: Site, listen: Any) -> None:
    listener = listen(token="token-li")
    listener.next()
    site.live.take_event(event(21))
    site.live.take_event(event(22, EventName.AGENT_STATE_CHANGED, state=AgentState.TALKING))
    site.live.take_event(event(23, agent="802"))
    site.live.take_event(event(24, agent=""))
    call_out = msgspec.structs.replace(event(25, EventName.AGENT_STATE_CHANGED), called=CITIZEN, outgoing=True)
    site.live.take_event(msgspec.structs.replace(call_out, calling="12345"))

    first, second = listener.next(), listener.next()

    assert (first[1], first[2]["caller"]) == (22, "138****0000")
    assert (second[1], second[2]["caller"]) == (23, CITIZEN)
    third = listener.next()
    assert (third[1], third[2]["caller"], third[2]["called"]) == (25, "12345", "138****0000")
    assert listener.next()[0] == "quiet"


def test_a_page_gets_the_state_at_once_and_when_it_changes(site: Site, listen: Any) -> None:
    listener = listen("/api/v1/events?state=true")
    assert listener.next()[0] == "hello"
    kind, number, state = listener.next()
    assert (kind, number, state["connected"]) == ("state", None, True)

    assert listener.next()[0] == "quiet", "nothing is sent that did not change"
    site.live.lose(site.clock.now())

    kind, _, state = listener.next()
    assert (kind, state["connected"]) == ("state", False)


def test_a_slow_page_gets_the_newest_state_only(site: Site, listen: Any) -> None:
    listener = listen("/api/v1/events?state=true")
    listener.next(), listener.next()
    for number in (30, 31, 32):
        site.live.take_state(scripted_office.box_state(site.clock, number))

    assert listener.next()[2]["number"] == 32
    assert listener.next()[0] == "quiet"


def test_a_stream_ends_with_its_session(site: Site, listen: Any) -> None:
    session = site.sign_in("wang")
    listener = listen(token="", session=session)
    listener.next()

    site.submit("/sign-out", {}, session=session)

    assert listener.next()[0] == "signed_out"
    with pytest.raises(StopIteration):
        listener.next()


def test_an_open_page_keeps_its_session_in_use(site: Site, listen: Any) -> None:
    session = site.sign_in("wang")
    listener = listen(token="", session=session)
    for _ in range(9):
        site.clock.advance_to(site.clock.now().mono_us + 1800 * MICROSECONDS)
        assert listener.next()[0] in ("hello", "quiet")

    assert site.get("/desk", session=session).status == 200


def test_streams_are_not_without_number(site: Site, monkeypatch: pytest.MonkeyPatch, listen: Any) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 1)
    listen().next()

    assert site.get("/api/v1/events", token="token-admin").json["code"] == "too_many_streams"


@pytest.mark.parametrize("query", ["after=-1", "after=x", "colour=red"])
def test_a_wrong_start_is_refused(site: Site, query: str) -> None:
    assert site.get("/api/v1/events?" + query, token="token-admin").json["code"] == "bad_parameter"


def test_a_stream_speaks_the_language_in_which_it_was_asked_for(site: Site, listen: Any) -> None:
    board = BoardState("lines", True, (fault("NO_LINE").at("lines-FXO-1"),), channels=4)
    assert site.live.state is not None
    site.live.state = msgspec.structs.replace(site.live.state, boards=(board,))
    streams = [listen(f"/api/v1/events?state=true&lang={language}") for language in ("zh_CN", "en")]
    told = ["外线无馈电（断线）", "no line voltage"]
    number = {stream.next()[2]["number"] for stream in streams}.pop()
    assert [stream.next()[2]["boards"][0]["faults"][0]["what"] for stream in streams] == told

    site.live.take_event(CallEvent(number=number + 1, name=EventName.BOARD_CHANGED, at=site.clock.now(), board=board))

    assert [stream.next()[2]["board"]["faults"][0]["what"] for stream in streams] == told
