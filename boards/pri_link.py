"""The gateway's end of the signal link to a span's PRI worker. For a board whose B channels carry ISDN calls; no audio.

The packets are those of the block link (drivers/block_link.py), hello and signals only. A worker that dies takes the
calls of its span with it: they are told as released, and an alarm stands until it is back. The board that owns the B
channels asks `try_connect` each second while there is no link.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from boards.base import BoardError, ChannelPlace
from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    ChannelKind,
    Connect,
    Digit,
    FromBoard,
    Proceeding,
    Release,
    Setup,
    ToBoard,
)
from drivers.block_link import BlockLink, BlockPacket, LinkAttempt, LinkError
from drivers.pri_stack import TIME_SLOTS
from firmware.core.faults import fault
from firmware.core.paths import BoxPaths

ALARM = "PRI worker"
"""The alarm that stands while there is no link."""

_PriSignal = Setup | Proceeding | Alerting | Connect | Release | Digit | Alarm | Blocked
_decode: Callable[[bytes], _PriSignal] = msgspec.json.Decoder(_PriSignal).decode
_encode = msgspec.json.Encoder().encode


def pri_channels(span: int) -> tuple[ChannelPlace, ...]:
    """The B channels of a span in the order of the link: `E1-1/1` … `E1-1/15`, `E1-1/17` … `E1-1/31`."""
    return tuple(ChannelPlace(ChannelKind.TRUNK, f"E1-{span}/{slot}", slot) for slot in TIME_SLOTS)


class PriLink:
    """The link of one span. Channels are indexes into `channels`. Nothing blocks; nothing but `fileno` raises."""

    def __init__(self, span: int, paths: BoxPaths, channels: Sequence[ChannelPlace] | None = None) -> None:
        self.channels = tuple(channels or pri_channels(span))
        self.problem = "the PRI worker has not been found yet"
        """Why there is no link; empty while there is one."""
        self._path = paths.pri_socket(span)
        self._attempt: LinkAttempt | None = None
        self._link: BlockLink | None = None
        self._busy: set[int] = set()
        """Channels whose call the gateway knows of."""
        self._blocked: set[int] = set()
        """Channels that the gateway has taken out of service."""
        self._blocked_far: set[int] = set()
        self._alarms: set[str] = set()
        everything = tuple(range(len(self.channels)))
        self._waiting: list[FromBoard] = [Alarm(ALARM, True, everything)]
        self._everything = everything

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    def fileno(self) -> int:
        """Readable when `receive` has something. Raises BoardError while there is no link."""
        if self._link is None:
            raise BoardError(fault("process_absent", error=self.problem), "PRI worker")
        return self._link.fileno()

    def try_connect(self) -> bool:
        """Look for the worker; True if there is a link now. What it has to say is then in `receive`."""
        if self._link is not None:
            return True
        try:
            if self._attempt is None:
                self._attempt = LinkAttempt(self._path)
            greeted = self._attempt.hello(0.0)
        except LinkError as error:
            self._attempt = None
            self.problem = str(error)
            return False
        if greeted is None:
            return False  # kept: it accepts in its own time
        self._attempt = None
        link, hello = greeted
        if [channel.label for channel in hello.channels] != [place.label for place in self.channels]:
            link.close()
            self.problem = "the worker there has other channels: start it from the same version, for this span"
            return False
        self._link, self.problem = link, ""
        self._waiting.append(Alarm(ALARM, False, self._everything))
        for channel in sorted(self._blocked):
            self.send_signal(Blocked(channel, True))
        return self._link is not None

    def receive(self) -> list[FromBoard]:
        """Signals since the last call, in order. When the worker has gone, all its calls are released."""
        signals, self._waiting = self._waiting, []
        if self._link is None:
            return signals
        try:
            for packet in self._link.receive():
                signals.append(self._checked(packet))
        except LinkError as error:
            signals += self._lost(str(error))
        return signals

    def _checked(self, packet: BlockPacket | bytes) -> FromBoard:
        if isinstance(packet, BlockPacket):
            raise LinkError("the PRI worker sent audio")
        try:
            signal = _decode(packet)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise LinkError(f"the PRI worker sent a signal that was not understood ({error})") from error
        indexes = signal.channels if isinstance(signal, Alarm) else (signal.channel,)
        if not all(0 <= index < len(self.channels) for index in indexes):
            raise LinkError("the PRI worker sent a signal for a channel that there is not")
        match signal:
            case Setup():
                self._busy.add(signal.channel)
            case Release():
                self._busy.discard(signal.channel)
            case Blocked():
                (self._blocked_far.add if signal.blocked else self._blocked_far.discard)(signal.channel)
            case Alarm():
                (self._alarms.add if signal.raised else self._alarms.discard)(signal.alarm)
        return signal

    def send_signal(self, signal: ToBoard) -> None:
        """Say something to the worker. A call that cannot be placed, because there is none, is released."""
        match signal:
            case Blocked():
                (self._blocked.add if signal.blocked else self._blocked.discard)(signal.channel)
            case Setup():
                self._busy.add(signal.channel)
        if self._link is not None:
            try:
                self._link.send_signal(_encode(signal))
            except LinkError as error:
                self._waiting += self._lost(str(error))
        elif isinstance(signal, Setup):
            self._busy.discard(signal.channel)
            self._waiting.append(Release(signal.channel, Cause.FAILURE))

    def _lost(self, why: str) -> list[FromBoard]:
        self.close()
        self.problem = why
        signals: list[FromBoard] = [Release(channel, Cause.FAILURE) for channel in sorted(self._busy)]
        signals += [Blocked(channel, False) for channel in sorted(self._blocked_far)]
        signals += [Alarm(alarm, False) for alarm in sorted(self._alarms)]
        signals.append(Alarm(ALARM, True, self._everything))
        self._busy.clear()
        self._blocked_far.clear()
        self._alarms.clear()
        return signals

    def close(self) -> None:
        """Let go of the link. May be called twice."""
        for end in (self._link, self._attempt):
            if end is not None:
                end.close()
        self._link = self._attempt = None
