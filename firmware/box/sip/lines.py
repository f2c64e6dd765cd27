"""What the SIP worker makes of calls and line signals: 30 lines, each idle or with one call. Sans-I/O.

Between the SIP stack (drivers/sip_stack.py: events and commands of calls) and the gateway (boards/signals.py: Setup …
Release on channels). A channel is idle for the gateway when both sides have sent Release; its row of audio is free for
another call when the stack has also said that the call has ended.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from http import HTTPStatus

import msgspec

from boards.signals import Alerting, Blocked, Cause, Connect, Digit, FromBoard, Release, Setup, ToBoard
from drivers.sip_stack import (
    Answer,
    Ended,
    HangUp,
    Invited,
    Pressed,
    Refuse,
    Ring,
    SipCommand,
    SipEvent,
    UseRow,
)

RETRY_AFTER_SECONDS = 2
"""What a caller's exchange is told while the gateway is away: it restarts within this time."""

UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE.value

# (SIP status to a call that is not answered, Q.850 cause), after RFC 3398, 7.2.4.1.
STATUS_OF_CAUSE: dict[Cause, tuple[int, int]] = {
    Cause.NORMAL: (480, 16),
    Cause.BUSY: (486, 17),
    Cause.NO_ANSWER: (480, 19),
    Cause.REJECTED: (603, 21),
    Cause.UNALLOCATED: (404, 1),
    Cause.CONGESTION: (UNAVAILABLE, 34),
    Cause.FAILURE: (500, 38),
    Cause.RESTART: (UNAVAILABLE, 41),
}


def cause_of_end(status: int) -> Cause:
    """Why a call ended that the far end, the network or the stack ended. BYE (200) and CANCEL (487) are hanging up."""
    return Cause.NORMAL if status in (200, 487) else Cause.FAILURE


Effect = FromBoard | SipCommand
"""A signal for the gateway, or a command for the SIP stack."""


class LineState(StrEnum):
    IDLE = "idle"
    OFFERED = "offered"
    """Setup has been sent."""
    UP = "up"
    RELEASING = "releasing"
    """We sent Release; the gateway has still to confirm."""


class SipLine:
    """One channel. `call` is the call that has its row of audio; it may outlive the gateway's interest."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.state = LineState.IDLE
        self.call: int | None = None
        self.blocked = False

    @property
    def is_free(self) -> bool:
        return self.state is LineState.IDLE and self.call is None and not self.blocked


class SipLines:
    """All lines of the worker."""

    def __init__(self, channels: int) -> None:
        self.lines = [SipLine(channel) for channel in range(channels)]
        self._by_call: dict[int, SipLine] = {}
        self._order = deque(self.lines)
        """Longest unused first: a late word about an old call meets no new one."""
        self._attached = False

    @property
    def calls(self) -> int:
        """Calls that hold a row."""
        return len(self._by_call)

    # ---- the gateway -------------------------------------------------------------------------------------------------

    def gateway_came(self) -> list[Effect]:
        """A gateway is there; for it all channels are idle and none is blocked."""
        effects = self.gateway_left()
        self._attached = True
        return effects

    def gateway_left(self) -> list[Effect]:
        """No gateway: nobody hears the callers any more, so all calls are given up."""
        self._attached = False
        effects: list[Effect] = []
        for line in self.lines:
            if line.call is not None:
                if line.state is LineState.OFFERED:
                    effects.append(_refuse(line.call, Cause.RESTART))
                elif line.state is LineState.UP:
                    effects.append(HangUp(line.call, STATUS_OF_CAUSE[Cause.RESTART][1]))
            line.state = LineState.IDLE
            line.blocked = False
        return effects

    def from_gateway(self, signal: ToBoard) -> list[Effect]:
        """A line signal came. One that does not fit the line's state crossed with another, and is passed over."""
        line = self.lines[signal.channel]
        match signal:
            case Setup():
                # Calls out need a peer to call; there is none in the configuration yet.
                return [Release(line.channel, Cause.REJECTED)] if line.state is LineState.IDLE else []
            case Release():
                return self._released(line, signal.cause)
            case Alerting() if line.state is LineState.OFFERED and line.call is not None:
                return [Ring(line.call)]
            case Connect() if line.state is LineState.OFFERED and line.call is not None:
                line.state = LineState.UP
                return [Answer(line.call)]
            case Blocked():
                line.blocked = signal.blocked
        return []

    def _released(self, line: SipLine, cause: Cause) -> list[Effect]:
        before, line.state = line.state, LineState.IDLE
        if line.call is None or before not in (LineState.OFFERED, LineState.UP):
            return []
        if before is LineState.UP:
            return [HangUp(line.call, STATUS_OF_CAUSE[cause][1]), Release(line.channel, cause)]
        return [_refuse(line.call, cause), Release(line.channel, cause)]

    # ---- the SIP stack -----------------------------------------------------------------------------------------------

    def from_sip(self, event: SipEvent) -> list[Effect]:
        """Something happened to a call."""
        match event:
            case Invited():
                return self._invited(event)
            case Pressed():
                line = self._by_call.get(event.call)
                if line is None or line.state not in (LineState.OFFERED, LineState.UP):
                    return []
                return [Digit(line.channel, event.digit, event.duration_ms)]
            case Ended():
                return self._ended(event)

    def _invited(self, event: Invited) -> list[Effect]:
        if not self._attached:
            return [_refuse(event.call, Cause.RESTART)]
        line = next((line for line in self._order if line.is_free), None)
        if line is None:
            return [_refuse(event.call, Cause.CONGESTION)]
        self._order.remove(line)
        self._order.append(line)
        line.state = LineState.OFFERED
        line.call = event.call
        self._by_call[event.call] = line
        invite = event.invite
        setup = Setup(
            channel=line.channel,
            called=invite.called,
            calling=invite.calling,
            calling_name=invite.calling_name,
            presentation=invite.presentation,
            digits="events" if invite.telephone_events else "inband",
        )
        return [UseRow(event.call, line.channel), setup]

    def _ended(self, event: Ended) -> list[Effect]:
        line = self._by_call.pop(event.call, None)
        if line is None:
            return []
        line.call = None
        if line.state not in (LineState.OFFERED, LineState.UP):
            return []
        line.state = LineState.RELEASING
        return [Release(line.channel, cause_of_end(event.status))]


def _refuse(call: int, cause: Cause) -> Refuse:
    status, q850 = STATUS_OF_CAUSE[cause]
    return Refuse(call, status, q850, RETRY_AFTER_SECONDS if cause is Cause.RESTART else 0)


def encode_signal(signal: FromBoard) -> bytes:
    """A line signal as the block link carries it."""
    return msgspec.json.encode(signal)


decode_signal = msgspec.json.Decoder(ToBoard).decode
"""Raises msgspec.MsgspecError."""
