"""A channel as REST and the pages tell it: its state, and whether it is out of service by hand."""

from __future__ import annotations

from datetime import datetime

import msgspec

from firmware.calls.messages import BoxState
from firmware.core.line_schemas import BlockedChannel, LineLevels
from firmware.lines.messages import ChannelState
from webui.formats import moment


class ChannelReply(msgspec.Struct, frozen=True, kw_only=True):
    """One channel as an event tells it."""

    channel: int
    board: str
    label: str
    kind: str
    state: str


class BlockReply(msgspec.Struct, frozen=True, kw_only=True):
    """Why a channel is out of service by hand, who asked for it (empty: written into the file), and since when."""

    reason: str
    by: str
    since: datetime | None


class LiveChannelReply(ChannelReply, frozen=True, kw_only=True):
    """One channel as it is now. With a `block` it takes no new call; while its state is not `blocked` yet, it will be
    when the call there is over. `blocked` without a block: by the far end."""

    block: BlockReply | None
    levels: LineLevels | None
    """Of an analogue line that is made louder or quieter; null: it is left as it is."""


def channel_reply(state: ChannelState) -> ChannelReply:
    return ChannelReply(channel=state.channel, board=state.board, label=state.label, kind=state.kind, state=state.state)


def live_channels(state: BoxState) -> tuple[LiveChannelReply, ...]:
    """All channels of the box."""
    blocked = {one.channel: one for one in state.blocked}
    return tuple(
        LiveChannelReply(
            channel=one.channel,
            board=one.board,
            label=one.label,
            kind=one.kind,
            state=one.state,
            block=_block(blocked[one.label]) if one.label in blocked else None,
            levels=state.levels.get(one.label),
        )
        for one in state.channels
    )


def _block(entry: BlockedChannel) -> BlockReply:
    since = moment(entry.since_utc_us) if entry.since_utc_us else None
    return BlockReply(reason=entry.reason, by=entry.by, since=since)
