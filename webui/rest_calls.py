"""REST routes that read: health, live state, calls, legs, segments, recordings."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import bottle
from sqlalchemy import Connection

from firmware.records import queries
from firmware.records.derivative import DerivativeError
from firmware.records.playing import wav_chunks, wav_length
from firmware.records.queries import CallFilter, CallRow
from firmware.records.recording import RecordingError
from webui import record_replies, replies
from webui.access import Caller
from webui.endpoints import Ask, Endpoint, Parameter, encode, whole_number
from webui.live import Live
from webui.office import Office
from webui.problems import Refusal, detail
from webui.words import N_, Words

log = logging.getLogger("web.rest")

_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}


def health(ask: Ask) -> bottle.HTTPResponse:
    """200 when calls can be taken, 503 with the same body when not."""
    live = ask.office.live
    state = live.state
    gateway = bool(live.connected and state and state.gateway_connected)
    answer = replies.Health(
        ready=gateway,
        callserver=live.connected,
        gateway=gateway,
        recorder=bool(live.connected and state and state.recorder_connected),
        version=ask.office.version,
    )
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return bottle.HTTPResponse(encode(answer), 200 if gateway else 503, headers)


def live_state(office: Office, caller: Caller, words: Words) -> replies.StateReply:
    """The state as this caller may see it, in these words. Raises Refusal callserver_away if there was never one."""
    live: Live = office.live
    if live.state is None:
        raise Refusal("callserver_away")
    at = live.state.at if live.connected or live.lost_at is None else live.lost_at
    return replies.state_reply(live.state, live.connected, at, office.today(), caller.sees_calls_of, words)


def state(ask: Ask) -> replies.StateReply:
    return live_state(ask.office, ask.who, ask.words)


def _moment_parameter(query: dict[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
        epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return (at - epoch) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        expected = N_("{name}: ISO 8601 with a time zone is expected, like 2026-11-22T01:05:00Z")
        raise Refusal("bad_parameter", detail(expected, name=name)) from error


def _flag(query: dict[str, str], name: str) -> bool | None:
    text = query.get(name, "")
    if text not in ("", "true", "false"):
        raise Refusal("bad_parameter", detail(N_("{name}: true or false is expected"), name=name))
    return None if not text else text == "true"


def wanted_calls(caller: Caller, query: dict[str, str]) -> CallFilter:
    """The filter of a request, narrowed to what the caller may see. Raises Refusal not_allowed, bad_parameter."""
    agent = query.get("agent", "")
    if not caller.sees_everything:
        if not caller.agent or agent not in ("", caller.agent):
            raise Refusal("not_allowed")
        agent = caller.agent
    return CallFilter(
        caller=query.get("caller", ""),
        called=query.get("called", ""),
        service=query.get("service", ""),
        queue=query.get("queue", ""),
        agent=agent,
        seat=query.get("seat", ""),
        trunk=query.get("trunk", ""),
        result=query.get("result", ""),
        since_utc_us=_moment_parameter(query, "since"),
        until_utc_us=_moment_parameter(query, "until"),
        recorded=_flag(query, "recorded"),
    )


def calls(ask: Ask) -> record_replies.CallListReply:
    wanted = wanted_calls(ask.who, ask.query)
    limit = whole_number(ask.query, "limit", 1, queries.MOST_CALLS, 50) or 50
    before = whole_number(ask.query, "before", 1, 2**62, None)
    with ask.office.records() as connection:
        rows = queries.list_calls(connection, wanted, limit, before)
    return record_replies.CallListReply(
        calls=tuple(record_replies.call_reply(row, ask.who.sees_calls_of) for row in rows),
        next_before=rows[-1].number if len(rows) == limit else None,
    )


def visible_call(connection: Connection, caller: Caller, number: int) -> CallRow:
    """The call. Raises Refusal no_such_call, also for what an agent may not know of."""
    row = queries.one_call(connection, number) if number < 2**63 else None
    if row is None or not caller.sees_calls_of(row.agent):
        raise Refusal("no_such_call")
    return row


def call_detail(ask: Ask, id: int) -> record_replies.CallDetailReply:
    caller = ask.who
    with ask.office.records() as connection:
        row = visible_call(connection, caller, id)
        legs = queries.legs_of_call(connection, id)
        segments = queries.segments_of_call(connection, id)
        recording = queries.recording_of_call(connection, id)
    base = record_replies.call_reply(row, caller.sees_calls_of)
    return record_replies.CallDetailReply(
        **{name: getattr(base, name) for name in base.__struct_fields__},
        recording_fault=record_replies.recording_fault(recording, ask.words),
        legs=tuple(record_replies.leg_reply(one, caller.sees_calls_of(row.agent)) for one in legs),
        segments=tuple(record_replies.segment_reply(one) for one in segments),
    )


def segments(ask: Ask, id: int) -> record_replies.SegmentListReply:
    with ask.office.records() as connection:
        visible_call(connection, ask.who, id)
        rows = queries.segments_of_call(connection, id)
    return record_replies.SegmentListReply(segments=tuple(record_replies.segment_reply(one) for one in rows))


def recording(ask: Ask, id: int) -> bottle.HTTPResponse:
    """The recording as WAV, whole or the range that is asked for (RFC 9110, one range)."""
    with ask.office.records() as connection:
        visible_call(connection, ask.who, id)
        row = queries.recording_of_call(connection, id)
    if row is None:
        raise Refusal("no_recording")
    if row.deleted:
        raise Refusal("recording_deleted")
    if row.state in ("open", "closing"):
        raise Refusal("recording_open")
    if row.state != "closed" and not row.samples:
        raise Refusal("recording_failed")
    path = ask.office.recordings / row.file
    try:
        length = wav_length(path)
        part = _range(ask.environ.get("HTTP_RANGE", ""), length)
        first, last = part or (0, length - 1)
        pieces = _first_piece_now(wav_chunks(path, length, first, last + 1))
    except (OSError, RecordingError, DerivativeError) as error:
        log.error("the recording of call %d cannot be read: %s", id, error)
        raise Refusal("recording_unreadable") from error
    headers = {
        "Content-Type": "audio/wav",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Length": str(last - first + 1),
        "Content-Disposition": f'inline; filename="call-{id}.wav"',
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{length}"
    return bottle.HTTPResponse(pieces, 200 if part is None else 206, headers)


def _first_piece_now(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, with the first one fetched: a damaged file is found while a problem can still be answered."""
    pieces = (piece for piece in chunks)  # a generator, which can be closed
    first = next(pieces, b"")

    def all_pieces() -> Iterator[bytes]:
        try:
            yield first
            yield from pieces
        finally:
            pieces.close()

    return all_pieces()


def _range(header: str, length: int) -> tuple[int, int] | None:
    """First and last byte. None for the whole: no header, or not one simple range. One beyond the end is refused."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip())
    if not found or found.group(0) == "bytes=-":
        return None
    first, last = found.groups()
    if not first and int(last):
        return max(0, length - int(last)), length - 1
    if not first or int(first) >= length or (last and int(last) < int(first)):
        has = detail(N_("the recording has {length} bytes"), length=length)
        raise Refusal("range_not_satisfiable", has, headers={"Content-Range": f"bytes */{length}"})
    return int(first), min(int(last), length - 1) if last else length - 1


ENDPOINTS = (
    Endpoint("GET", "/health", "Are the parts of the box there?", health, replies.Health, public=True, also=(503,)),
    Endpoint(
        "GET",
        "/state",
        "Everything live: agents, seats, queues, calls, channels, boards, figures of today",
        state,
        replies.StateReply,
        problems=(401, 503),
        audit="read_state",
        description="Agents see callers' numbers of their own calls; of others masked.",
    ),
    Endpoint(
        "GET",
        "/calls",
        "The list of calls, newest first",
        calls,
        record_replies.CallListReply,
        parameters=(
            Parameter(
                "limit", {"type": "integer", "minimum": 1, "maximum": queries.MOST_CALLS, "default": 50}, "How many."
            ),
            Parameter("before", {"type": "integer", "minimum": 1}, "Only calls with a smaller id."),
            Parameter("caller", _TEXT, "Part of the citizen's number, who called or was called."),
            Parameter("called", _TEXT, "The called number."),
            Parameter("service", _TEXT, "Service."),
            Parameter("queue", _TEXT, "Queue."),
            Parameter("agent", _TEXT, "Agent number. Agents see their own calls only."),
            Parameter("seat", _TEXT, "Seat of the agent who answered."),
            Parameter("trunk", _TEXT, "The citizen's line, `E1-1/3`, or a whole span, `E1-1`."),
            Parameter("result", _TEXT, "Result code."),
            Parameter("since", _MOMENT, "Started at or after."),
            Parameter("until", _MOMENT, "Started before."),
            Parameter("recorded", {"type": "boolean"}, "With or without a recording."),
        ),
        problems=(400, 401, 403, 503),
        audit="read_calls",
    ),
    Endpoint(
        "GET",
        "/calls/{id}",
        "One call with its legs and segments",
        call_detail,
        record_replies.CallDetailReply,
        problems=(401, 404, 503),
        audit="read_call",
    ),
    Endpoint(
        "GET",
        "/calls/{id}/segments",
        "What the call lived through",
        segments,
        record_replies.SegmentListReply,
        problems=(401, 404, 503),
        audit="read_call",
    ),
    Endpoint(
        "GET",
        "/calls/{id}/recording",
        "The recording: WAV, two channels, left what the citizen said, right what the citizen heard",
        recording,
        None,
        "audio/wav",
        problems=(401, 404, 409, 416, 503),
        audit="read_recording",
        description="Takes a Range header with one range and then answers 206.",
    ),
)
