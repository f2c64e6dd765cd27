"""REST routes of analogue trunks: what is set for them, and learning a line's busy tone. For administrators."""

from __future__ import annotations

from typing import Annotated

import msgspec

from boards.signals import ChannelKind
from firmware.calls.messages import LearnLine
from firmware.core.line_schemas import BusyTone, ExchangeLineEntry
from firmware.lines.line_settings import line_settings
from webui.endpoints import Ask, Endpoint
from webui.problems import Refusal
from webui.rest_agents import tell_callserver


class LearnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`number`: the box calls it and hears how the call ends; without one, call the line from another phone and hang
    up. `seconds`: how long the box listens at most."""

    number: Annotated[str, msgspec.Meta(pattern="^[0-9*#]{0,24}$")] = ""
    seconds: Annotated[float, msgspec.Meta(ge=5, le=600)] = 120.0


class LineReply(msgspec.Struct, frozen=True, kw_only=True):
    """One analogue trunk."""

    line: str
    state: str
    number: str
    """Its own, or that of its trunk group."""
    busy_tones: tuple[BusyTone, ...]
    """Learnt for this line, the newest first."""


class LineListReply(msgspec.Struct, frozen=True, kw_only=True):
    lines: tuple[LineReply, ...]


def lines(ask: Ask) -> LineListReply:
    """All analogue trunks of the box."""
    ask.who.must_administer()
    return LineListReply(lines=tuple(_all(ask).values()))


def learn(ask: Ask, line: str) -> LineReply:
    """Begin to listen; the event LineLearnt tells what came of it."""
    ask.who.must_administer()
    body: LearnBody = ask.body
    tell_callserver(ask.office, LearnLine(line, body.number, body.seconds), ask.who.name)
    found = _all(ask).get(line)
    if found is None:
        raise Refusal("unknown_line")
    return found


def _all(ask: Ask) -> dict[str, LineReply]:
    state = ask.office.live.state
    if state is None:
        raise Refusal("callserver_away")
    settings = line_settings(ask.office.configuration())
    entries = {one.line: one for one in settings.exchange_lines}
    found = {}
    for channel in state.channels:
        if channel.kind is ChannelKind.EXCHANGE_LINE:
            entry = entries.get(channel.label, ExchangeLineEntry(line=channel.label))
            found[channel.label] = LineReply(
                line=channel.label,
                state=channel.state,
                number=entry.number or settings.numbers.get(channel.board, ""),
                busy_tones=entry.busy_tones,
            )
    return found


ENDPOINTS = (
    Endpoint(
        "GET",
        "/lines",
        "The analogue trunks and the busy tones that were learnt for them (administrators)",
        lines,
        LineListReply,
        problems=(401, 403, 503),
    ),
    Endpoint(
        "POST",
        "/lines/{line}/learn",
        "Learn the line's busy tone; the event LineLearnt tells what was measured (administrators)",
        learn,
        LineReply,
        body=LearnBody,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="learn_line",
        description="Without a number: call the line from another phone, and hang up when it has answered.",
    ),
)
