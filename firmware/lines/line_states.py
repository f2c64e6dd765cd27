"""How legs and channels are told in snapshots and events, from the machines of their lines. It changes nothing."""

from __future__ import annotations

from boards.base import ChannelPlace
from firmware.lines.extension import ExtensionLine
from firmware.lines.hearing import Hearing
from firmware.lines.kinds import AnyLine
from firmware.lines.messages import ChannelState, LegState


def leg_state(leg: str, line: AnyLine, hearing: Hearing) -> LegState:
    """The leg on this line as the gateway holds it."""
    return LegState(
        leg=leg,
        channel=line.channel,
        state=line.leg_state(),
        calling=line.calling,
        called="" if isinstance(line, ExtensionLine) else line.called,
        request=line.request,
        hearing=hearing.heard_by(leg),
        play=hearing.playing_to(leg),
    )


def channel_state(line: AnyLine, place: ChannelPlace, board: str, *, tested: bool) -> ChannelState:
    """The channel as pages show it. `tested`: it is blocked for a loop test."""
    state = line.display_state()
    shown = "testing" if tested and state == "blocked" else state
    return ChannelState(line.channel, board, place.label, place.kind, shown, line.leg)
