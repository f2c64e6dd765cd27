"""REST routes of boards: the loop test of an E1. For administrators."""

from __future__ import annotations

from typing import Annotated

import msgspec

from boards.signals import LoopWay
from firmware.calls.messages import EndLoopTest, LoopTest
from webui.endpoints import Ask, Endpoint
from webui.rest_agents import tell_callserver


class LoopTestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`way`: `far` (the exchange, or a plug, has looped the line; nothing is set by the box), `local` (the board loops
    itself), `toward_exchange` (the box loops what comes in, so that the exchange can test). `seconds`: how long."""

    way: LoopWay = LoopWay.FAR
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 10.0


class LoopTestReply(msgspec.Struct, frozen=True, kw_only=True):
    """The test that has begun."""

    board: str
    way: LoopWay
    seconds: float


def loop_test(ask: Ask, board: str) -> LoopTestReply:
    """Begin; the event LoopTested tells what was found."""
    ask.who.must_administer()
    body: LoopTestBody = ask.body
    tell_callserver(ask.office, LoopTest(board, body.way, body.seconds), ask.who.name)
    return LoopTestReply(board=board, way=body.way, seconds=body.seconds)


class LoopTestEndReply(msgspec.Struct, frozen=True, kw_only=True):
    """The board whose test ends now."""

    board: str


def end_loop_test(ask: Ask, board: str) -> LoopTestEndReply:
    """End it before its time; the event LoopTested tells that the channels are given back."""
    ask.who.must_administer()
    tell_callserver(ask.office, EndLoopTest(board), ask.who.name)
    return LoopTestEndReply(board=board)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/boards/{board}/loop-test",
        "Test an E1 in a loop; the event LoopTested tells what was found (administrators)",
        loop_test,
        LoopTestReply,
        body=LoopTestBody,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="loop_test",
        description="All channels of the board must be idle. No call is placed or taken there meanwhile.",
    ),
    Endpoint(
        "DELETE",
        "/boards/{board}/loop-test",
        "End the loop test of an E1 before its time (administrators)",
        end_loop_test,
        LoopTestEndReply,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="end_loop_test",
        description="The event LoopTested, with the reason stopped, tells that the channels are given back.",
    ),
)
