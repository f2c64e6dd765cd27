"""GET /events: Server-Sent Events. Numbered call events that can be resumed from any number, and the state for pages.

A stream pulls from `Live` when it is woken, so a slow reader never has a backlog: events that left the memory are read
from the records, of states it gets the newest, at most five a second. Agents get the events of their own calls, changes
of agents' states and of the box, with others' numbers masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bottle
import gevent
import msgspec
from gevent.event import Event

from firmware.calls.messages import CallEvent, EventName
from firmware.records import queries
from webui.access import Caller
from webui.endpoints import Ask, Endpoint, Parameter, encode, whole_number
from webui.office import Office
from webui.problems import Refusal
from webui.replies import EventReply, event_reply
from webui.rest_calls import live_state
from webui.words import Words

MOST_STREAMS = 200
STATE_PAUSE_SECONDS = 0.2
QUIET_SECONDS = 15.0
"""After so long without news a comment is sent, so that both sides notice a dead connection."""
AT_ONCE = 500

_FOR_ALL = frozenset(
    {
        EventName.AGENT_STATE_CHANGED,
        EventName.CHANNEL_CHANGED,
        EventName.BOARD_CHANGED,
        EventName.CONFIGURATION_CHANGED,
        EventName.BLOCKING_CHANGED,
        EventName.LINE_LEARNT,
    }
)
_decode = msgspec.json.Decoder(CallEvent).decode


def message(data: bytes, event: str, number: int | None = None) -> bytes:
    """One message of the stream (HTML standard, "Server-sent events"); JSON has no line breaks."""
    return (b"" if number is None else b"id: %d\n" % number) + b"event: %s\ndata: %s\n\n" % (event.encode(), data)


def events(ask: Ask) -> bottle.HTTPResponse:
    office, caller = ask.office, ask.who
    if office.live.watchers >= MOST_STREAMS:
        raise Refusal("too_many_streams")
    asked = ask.environ.get("HTTP_LAST_EVENT_ID") or ask.query.get("after", "")
    after = whole_number({"after": asked}, "after", 0, 2**62, None)
    with_state = ask.query.get("state", "") == "true"
    body: Iterator[bytes] = stream(office, caller, ask.words, after, with_state)
    headers = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
    return bottle.HTTPResponse(body, 200, headers)


def stream(office: Office, caller: Caller, words: Words, after: int | None, with_state: bool) -> Iterator[bytes]:
    """The messages of one stream, until the reader goes or may no longer read. `after` None: from now on.
    Its words stay in the language in which it was asked for."""
    live = office.live
    woken = live.watch()
    last = after if after is not None else max(live.newest_event, 0)
    seen, history = -1, live.history
    try:
        # The number to resume from is known to the browser before the first event.
        yield b"retry: 1000\n\n" + message(b'{"number":%d}' % last, "hello", last)
        while still_allowed(office, caller):
            woken.clear()
            said = False
            if live.history != history:
                if history and last > live.history_begins:
                    last = live.history_begins
                history = live.history
            if live.newest_event > last:
                new = events_between(office, last)
                for event in new:
                    reply = shown_event(event, caller, words)
                    if reply is not None:
                        yield message(encode(reply), "call_event", event.number)
                        said = True
                if new:
                    last = new[-1].number
            if with_state and live.version != seen:
                seen = live.version
                if live.state is not None:
                    yield message(encode(live_state(office, caller, words)), "state")
                else:
                    yield message(b"{}", "callserver_away")
                said = True
            if with_state and said:
                gevent.sleep(STATE_PAUSE_SECONDS)
            if live.newest_event <= last and not _wait(woken):
                yield b": quiet\n\n"
        yield message(b"{}", "signed_out")
    finally:
        live.unwatch(woken)


def _wait(woken: Event) -> bool:
    return bool(woken.wait(QUIET_SECONDS))


def events_between(office: Office, last: int) -> list[CallEvent]:
    """The next events after `last`, some hundred at most; from memory, else from the records."""
    kept = office.live.events_after(last)
    if kept is not None:
        return list(kept[:AT_ONCE])
    try:
        with office.records() as connection:
            return [_decode(body) for body in queries.events_after(connection, last, AT_ONCE)]
    except (Refusal, msgspec.MsgspecError):
        return []


def shown_event(event: CallEvent, caller: Caller, words: Words) -> EventReply | None:
    """The event as the caller may see it; None if it is not the caller's."""
    sees: Callable[[str], bool] = caller.sees_calls_of
    if event.name not in _FOR_ALL and not sees(event.agent):
        return None
    return event_reply(event, sees, words)


def still_allowed(office: Office, caller: Caller) -> bool:
    """Whether the session still holds, or the token's login still exists with the same roles."""
    if caller.session is not None and not office.sessions.is_alive(caller.session, office.clock.now()):
        return False
    login = office.login(caller.name)
    return login is not None and (login.roles, login.agent) == (caller.login.roles, caller.login.agent)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/events",
        "Live events as Server-Sent Events",
        events,
        EventReply,
        "text/event-stream",
        parameters=(
            Parameter("after", {"type": "integer", "minimum": 0}, "Begin after this number; else from now on."),
            Parameter("state", {"type": "boolean"}, "Also send the whole state when it changes, as `/state` gives it."),
        ),
        problems=(400, 401, 503),
        audit="read_events",
        description="`call_event` messages carry the event's number as their id: a client that comes back with "
        "Last-Event-ID misses nothing. Agents get the events of their own calls, and of agents and lines.",
    ),
)
