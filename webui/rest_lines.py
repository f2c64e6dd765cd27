"""REST routes of lines: analogue trunks, what is set for them and learning a busy tone (administrators); taking any
channel out of service by hand and giving it back (supervisors)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from boards.signals import ChannelKind
from firmware.calls import messages as cti
from firmware.calls.messages import BlockChannels, BoxAlarm, LearnLine, UnblockChannels
from firmware.calls.request_texts import LONGEST_TEXT
from firmware.core.configuration_problems import nearest_name
from firmware.core.line_schemas import BusyTone, ExchangeLineEntry, LineLevels
from firmware.lines.line_settings import line_settings
from webui.channel_replies import LiveChannelReply, live_channels
from webui.cti_connection import CallserverAway
from webui.endpoints import Ask, Endpoint
from webui.problems import Refusal, detail
from webui.rest_agents import tell_callserver
from webui.words import N_


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
    levels: LineLevels
    """In force now."""


class LineListReply(msgspec.Struct, frozen=True, kw_only=True):
    lines: tuple[LineReply, ...]


class BlockBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the channel is taken out of service: everybody at the wall reads it."""

    reason: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT, pattern=r"\S")]


class BlockedReply(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for is stored. `channel`: as it is now; null if no board has it any more."""

    channel: LiveChannelReply | None
    all_trunks_blocked: bool
    """Nobody can call in or out any more."""


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


def block(ask: Ask, line: str) -> BlockedReply:
    """Take a channel out of service, at once or when its call is over."""
    ask.who.must_supervise()
    return _changed(ask, line, BlockChannels((line,), ask.body.reason))


def unblock(ask: Ask, line: str) -> BlockedReply:
    """Give it back."""
    ask.who.must_supervise()
    return _changed(ask, line, UnblockChannels((line,)))


def _changed(ask: Ask, line: str, body: BlockChannels | UnblockChannels) -> BlockedReply:
    try:
        tell_callserver(ask.office, body, ask.who.name)
    except Refusal as refusal:
        known = [one.label for one in ask.office.live.state.channels] if ask.office.live.state is not None else []
        nearest = nearest_name(line, known)
        if refusal.code != "unknown_channel" or not nearest:
            raise
        raise Refusal(refusal.code, detail(N_("did you mean {nearest}?"), nearest=nearest)) from refusal
    state = ask.office.cti.request(cti.GetBoxState(), ask.who.name).state
    if state is None:
        raise CallserverAway("it gave no state after the change")
    channel = next((one for one in live_channels(state) if one.label == line), None)
    return BlockedReply(channel=channel, all_trunks_blocked=BoxAlarm.ALL_TRUNKS_BLOCKED in state.alarms)


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
                levels=state.levels.get(channel.label, LineLevels()),
            )
    return found


ENDPOINTS = (
    Endpoint(
        "GET",
        "/lines",
        "The analogue trunks: busy tones that were learnt for them, levels that are in force (administrators)",
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
    Endpoint(
        "POST",
        "/lines/{line}/block",
        "Take a channel out of service by hand (supervisors)",
        block,
        BlockedReply,
        body=BlockBody,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="block_channel",
        description="Any channel, by its label; a slash in it may be sent as it is or as %2F. An idle one is out of "
        "service at once, another when its call is over; calls that are up go on. It stays so through restarts, until "
        "it is given back. Said again it does nothing, or takes the new reason.",
    ),
    Endpoint(
        "POST",
        "/lines/{line}/unblock",
        "Give a blocked channel back (supervisors)",
        unblock,
        BlockedReply,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit="unblock_channel",
        description="One that is not blocked stays as it is; a block of it in edited files that are not in force yet "
        "is taken out of them.",
    ),
)
