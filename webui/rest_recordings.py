"""REST routes that decide about recordings: legal hold and deletion. Reading and playing them is `rest_calls.py`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from firmware.calls.messages import DeleteRecording, HoldRecording
from firmware.calls.request_texts import LONGEST_TEXT
from webui.endpoints import Ask, Endpoint
from webui.problems import Refusal
from webui.rest_agents import tell_callserver
from webui.rest_calls import visible_call

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]


class HoldBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hold`: keep it or no longer. The reason is kept in the chain of recordings for ever."""

    hold: bool
    reason: Reason


class DeleteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; it is kept in the chain of recordings for ever."""

    reason: Reason


class DecidedReply(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided is stored. `recording` is the recording's number."""

    call: int
    recording: int


def hold(ask: Ask, id: int) -> DecidedReply:
    ask.who.must_supervise()
    number = _recording_of(ask, id)
    tell_callserver(ask.office, HoldRecording(number, ask.body.hold, ask.body.reason), ask.who.name)
    return DecidedReply(call=id, recording=number)


def delete(ask: Ask, id: int) -> DecidedReply:
    ask.who.must_administer()
    number = _recording_of(ask, id)
    tell_callserver(ask.office, DeleteRecording(number, ask.body.reason), ask.who.name)
    return DecidedReply(call=id, recording=number)


def _recording_of(ask: Ask, call: int) -> int:
    with ask.office.records() as connection:
        row = visible_call(connection, ask.who, call)
    if row.recording is None:
        raise Refusal("no_recording")
    return row.recording


ENDPOINTS = (
    Endpoint(
        "POST",
        "/calls/{id}/recording/hold",
        "Put the recording on legal hold, or end the hold",
        hold,
        DecidedReply,
        body=HoldBody,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="hold_recording",
        description="Supervisors and administrators. What is on hold is neither deleted by rule nor by a person.",
    ),
    Endpoint(
        "POST",
        "/calls/{id}/recording/delete",
        "Delete the recording and its copies",
        delete,
        DecidedReply,
        body=DeleteBody,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="delete_recording",
        description="Administrators. Its record stays, with who deleted it and why. Refused while it is on hold.",
    ),
)
