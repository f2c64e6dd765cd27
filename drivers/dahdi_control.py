"""The control device of the Linux DAHDI driver: finds and configures spans and channels. Knows nothing of calls.

Part of the thin binding in `dahdi.py`, which has the channels themselves and the errors.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fcntl import ioctl
from typing import Any

from drivers.dahdi import DEVICES, NO_PARAMS, ChannelState, DahdiError, channel_state, fail, text
from drivers.dahdi_numbers import (
    ATTACH_ECHO_CANCELLER,
    CHANCONFIG,
    CHANNEL,
    DEFAULTZONE,
    ECHO_CANCELLER,
    GET_PARAMS,
    INT,
    LARGEST_CHANNEL,
    LAW_ALAW,
    LINE,
    LOADZONE,
    MAINT,
    MAINTENANCE,
    MAX_SPANS,
    PARAMS,
    SPAN,
    SPANCONFIG,
    SPANSTAT,
    STARTUP,
    ZONE,
    LineConfig,
    Maintenance,
    Signalling,
    SpanAlarm,
)
from firmware.core.faults import fault

UNSERVED_BITS = 0b1101
"""ABCD of a CAS channel that no program has open: blocked, so that nobody seizes it (ITU-T Q.421; c and d are 01)."""
KNOWN_ALARMS = sum(SpanAlarm)


@dataclass(frozen=True)
class Span:
    """State of a span (SPANSTAT). Counters are the card's own since it was started."""

    number: int
    name: str
    description: str
    kind: str
    """`E1`, `T1`, `FXS`, …; empty for analogue and dynamic spans."""
    alarms: SpanAlarm
    bipolar_violations: int
    crc4_errors: int
    e_bit_errors: int
    frame_errors: int
    irq_misses: int
    sync_source: int
    channels: int
    total_channels: int
    line_config: int
    line_compatible: int
    location: str
    device: str


@dataclass(frozen=True)
class ChannelSetting:
    """What a channel shall be."""

    number: int
    signalling: Signalling
    echo_canceller: str = ""
    """Name of a loaded canceller module (`mg2`), or of the card's own; empty: none."""
    law: int = LAW_ALAW
    """What the driver takes the channel's samples for (it converts none of them)."""


def _span(fields: tuple[Any, ...]) -> Span:
    return Span(
        number=fields[0],
        name=text(fields[1]),
        description=text(fields[2]),
        kind=text(fields[28]),
        alarms=SpanAlarm(fields[3] & KNOWN_ALARMS),
        bipolar_violations=fields[6],
        crc4_errors=fields[7],
        e_bit_errors=fields[8],
        frame_errors=fields[9],
        irq_misses=fields[15],
        sync_source=fields[16],
        channels=fields[17],
        total_channels=fields[18],
        line_config=fields[21],
        line_compatible=fields[27],
        location=text(fields[23]),
        device=text(fields[25]),
    )


class Control:
    """The control device: finds and configures spans and channels."""

    def __init__(self) -> None:
        """Raises DahdiError if the driver is not loaded."""
        try:
            self._descriptor = os.open(DEVICES / "ctl", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            fail(error, "opening", "/dev/dahdi/ctl")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: int, argument: bytes, doing: str, where: str) -> bytes:
        """Any request of the control device. Raises DahdiError."""
        try:
            return ioctl(self._descriptor, request, argument)
        except OSError as error:
            fail(error, doing, where)

    def span(self, number: int) -> Span:
        """State of a span. Raises DahdiError (`gone`) if there is none."""
        packed = self.ask(SPANSTAT, INT.pack(number) + bytes(SPAN.size - 4), "asking for its state", f"span {number}")
        return _span(SPAN.unpack(packed))

    def spans(self) -> list[Span]:
        """All spans that the driver has, by number."""
        found = []
        for number in range(1, MAX_SPANS + 1):
            try:
                found.append(self.span(number))
            except DahdiError as error:
                if not error.gone and not isinstance(error.__cause__, OSError):
                    raise
        return found

    def channel(self, number: int) -> ChannelState | None:
        """State of a channel, open or not; None if there is none of this number."""
        try:
            packed = ioctl(self._descriptor, GET_PARAMS, PARAMS.pack(number, *NO_PARAMS))
        except OSError:
            return None
        return channel_state(packed)

    def channels_of(self, span: int) -> list[ChannelState]:
        """Channels of a span in their order. Raises DahdiError if it is not there."""
        wanted = self.span(span).total_channels
        found: list[ChannelState] = []
        for number in range(1, LARGEST_CHANNEL + 1):
            state = self.channel(number)
            if state is not None and state.span == span:
                found.append(state)
                if len(found) == wanted:
                    break
        return sorted(found, key=lambda state: state.position)

    def configure_span(self, number: int, line: LineConfig, sync: int, build_out: int = 0) -> None:
        """Set framing and coding, `sync` (0: we give the clock, 1: first to take it from, …), and start the span.
        One that runs so already is left alone: cards start their framer anew when they are told anything, which would
        take the D channel down whenever a gateway starts. Whether it takes a clock can be seen, its place in the order
        cannot: a changed order counts once the driver is loaded anew. Raises DahdiError if the card's line cannot be
        so: a card set to T1 above all, which many are when they are new."""
        where = f"span {number}"
        state = self.span(number)
        missing = LineConfig(line & ~state.line_compatible)
        if state.kind and missing:
            names = " or ".join(str(one.name) for one in missing)
            wrong = fault("span_cannot" if state.kind == "E1" else "span_no_e1", kind=state.kind, names=names)
            raise DahdiError(wrong, where)
        runs_so = line and state.line_config == line and bool(state.sync_source) == bool(sync)
        if not missing and not runs_so:
            packed = LINE.pack(number, b"", build_out, line, sync)
            self.ask(SPANCONFIG, packed, "setting framing and coding", where)
        self.ask(STARTUP, INT.pack(number), "starting", where)

    def set_maintenance(self, number: int, what: Maintenance) -> bool:
        """Close a loop on a span, or take it back. It outlives this process. False: the card has no such loop (spans
        without hardware have none). Some cards close only one of the two and say nothing (wcte12xp of an E1)."""
        try:
            ioctl(self._descriptor, MAINT, MAINTENANCE.pack(number, what))
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EINVAL, errno.ENOTTY):
                return False
            fail(error, f"maintenance {what.name}", f"span {number}")
        return True

    def configure_channels(self, settings: Iterable[ChannelSetting]) -> None:
        """Make channels what they shall be. One that is so already is not touched: somebody may have it open."""
        for setting in settings:
            where = f"/dev/dahdi/channel {setting.number}"
            state = self.channel(setting.number)
            if state is None:
                raise DahdiError(fault("dahdi_no_channel"), where)
            if state.signalling != setting.signalling:
                idle = UNSERVED_BITS if setting.signalling is Signalling.CAS else 0
                packed = CHANNEL.pack(setting.number, b"", setting.signalling, setting.law, 0, idle, b"")
                self.ask(CHANCONFIG, packed, f"making it {setting.signalling.name}", where)
            if setting.echo_canceller:
                packed = ECHO_CANCELLER.pack(setting.number, setting.echo_canceller.encode())
                self.ask(ATTACH_ECHO_CANCELLER, packed, f"attaching {setting.echo_canceller}", where)

    def load_ringing_zone(self) -> None:
        """Load and choose a tone zone without tones: the driver rings no phone and dials no pulse before it has one.
        One that is loaded already (by the driver's own tool) stays."""
        zone = ZONE.pack(0, 0, 1000, 4000, *[0] * 14, b"linebox")
        try:
            ioctl(self._descriptor, LOADZONE, zone)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EINVAL):  # EINVAL: its number is taken
                fail(error, "loading a tone zone", "/dev/dahdi/ctl")
        self.ask(DEFAULTZONE, INT.pack(0), "choosing the tone zone", "/dev/dahdi/ctl")
