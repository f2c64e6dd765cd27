"""Thin binding of the Linux DAHDI driver: one control device and its channels, by system calls. Knows nothing of calls.

Every PCI and USB telephony card of the field is reached through this driver's character devices. A channel is opened
without udev: `/dev/dahdi/channel` and a number. All descriptors are non-blocking; nothing here waits. Errors are
`DahdiError`: what happened, on which span or channel, what to do.

Things that the driver does differently from what one would expect stand where they are dealt with; each has a test in
tests/vm.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any, NoReturn

from drivers.dahdi_numbers import (
    ATTACH_ECHO_CANCELLER,
    AUDIOMODE,
    BUFFER_EVENTS,
    BUFFERS,
    CADENCE,
    CHANCONFIG,
    CHANNEL,
    DEFAULTZONE,
    DIAL,
    DIAL_APPEND,
    DIAL_DIGITS,
    ECHO_CANCELLER,
    ECHOCANCEL,
    ELAST,
    FLUSH,
    FLUSH_EVENT,
    FLUSH_READ,
    FLUSH_WRITE,
    GET_BUFINFO,
    GET_PARAMS,
    GETEVENT,
    GETRXBITS,
    HOOK,
    INT,
    LARGEST_BUFFER_SPACE,
    LARGEST_BUFFERS,
    LARGEST_CHANNEL,
    LAW_ALAW,
    LINE,
    LOADZONE,
    MAX_SPANS,
    PARAMS,
    POLICY_IMMEDIATE,
    SET_BUFINFO,
    SETCADENCE,
    SETTXBITS,
    SPAN,
    SPANCONFIG,
    SPANSTAT,
    SPECIFY,
    STARTUP,
    ZONE,
    Event,
    Hook,
    LineConfig,
    Signalling,
    SpanAlarm,
)

DEVICES = Path("/dev/dahdi")
IDLE_BITS = 0b1101
"""ABCD of an idle CAS channel: a=1 b=1 c=0 d=1 (ITU-T Q.421: c and d are fixed to 01)."""
FRAME_CHECK = 2
"""Bytes of the frame check sequence at the end of each HDLC frame."""
LARGEST_FRAME = 1024
KNOWN_ALARMS = sum(SpanAlarm)

LOAD_DRIVER = "Load the driver: modprobe dahdi, then the card's module; linebox boards shows what it finds"
GONE = "See that the card sits firmly and is cooled; it is opened again by itself once the driver shows it"


class DahdiError(Exception):
    """The driver refused or a device is not there. `gone`: the span or its card has been taken away."""

    def __init__(self, what: str, where: str, remedy: str, gone: bool = False) -> None:
        super().__init__(f"{where}: {what}. {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy
        self.gone = gone


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
class ChannelState:
    """State of a channel (GET_PARAMS)."""

    number: int
    span: int
    position: int
    """Number within the span, from 1."""
    signalling: int
    capable_of: int
    """Signallings that the hardware can do, or'ed."""
    off_hook: bool
    law: int
    name: str


@dataclass(frozen=True)
class ChannelSetting:
    """What a channel shall be."""

    number: int
    signalling: Signalling
    echo_canceller: str = ""
    """Name of a loaded canceller module (`mg2`), or of the card's own; empty: none."""


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")


def _fail(error: OSError, doing: str, where: str) -> NoReturn:
    """Raise what an errno of the driver means."""
    if error.errno in (errno.ENODEV, errno.ENXIO):
        raise DahdiError(f"{doing}: the span has gone or is not configured", where, GONE, gone=True) from error
    if error.errno == errno.EBUSY:
        remedy = "Stop the other program that uses it (asterisk? a second gateway?)"
        raise DahdiError(f"{doing}: in use by another program", where, remedy) from error
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = "Put the box's user into the group dahdi"
        raise DahdiError(f"{doing}: not permitted", where, remedy) from error
    if error.errno == errno.ENOENT:
        raise DahdiError(f"{doing}: the driver is not loaded", where, LOAD_DRIVER) from error
    raise DahdiError(f"{doing}: {error.strerror}", where, "linebox boards shows what the driver reports") from error


class Channel:
    """One open channel. Only one program may have it open."""

    def __init__(self, number: int, place: str = "") -> None:
        """`place`: where a person finds it, for messages. Raises DahdiError."""
        self.number = number
        self.where = place or f"DAHDI channel {number}"
        try:
            self._descriptor = os.open(DEVICES / "channel", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            _fail(error, "opening", self.where)
        try:
            ioctl(self._descriptor, SPECIFY, INT.pack(number))
        except OSError as error:
            self.close()
            _fail(error, "opening", self.where)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _ask(self, request: int, argument: bytes, doing: str) -> bytes:
        try:
            return ioctl(self._descriptor, request, argument)
        except OSError as error:
            _fail(error, doing, self.where)

    # ---- samples -----------------------------------------------------------------------------------------------------

    def set_buffers(self, count: int, size: int) -> None:
        """`count` buffers of `size` samples each way; empties them. At most 32, 32768 samples in all, 16 at least."""
        if not 2 <= count <= LARGEST_BUFFERS or not size >= 16 or count * size > LARGEST_BUFFER_SPACE:
            remedy = f"Choose 2 to {LARGEST_BUFFERS} buffers of at least 16, {LARGEST_BUFFER_SPACE} samples in all"
            raise DahdiError(f"{count} buffers of {size} samples cannot be had", self.where, remedy)
        information = BUFFERS.pack(POLICY_IMMEDIATE, POLICY_IMMEDIATE, count, size, 0, 0)
        self._ask(SET_BUFINFO, information, "setting buffers")

    def buffers(self) -> tuple[int, int]:
        """Buffers and their size in samples. How full they are, the driver does not tell."""
        fields = BUFFERS.unpack(self._ask(GET_BUFINFO, bytes(BUFFERS.size), "asking for buffers"))
        return fields[2], fields[3]

    def flush(self, what: int = FLUSH_READ | FLUSH_WRITE | FLUSH_EVENT) -> None:
        """Forget what waits: FLUSH_READ, FLUSH_WRITE, FLUSH_EVENT or'ed."""
        self._ask(FLUSH, INT.pack(what), "flushing")

    def set_audio(self, on: bool) -> None:
        """Audio mode of a clear channel: it idles with silence and not with 0xFF, tones and echo canceller can be used.
        Samples stay as they are as long as no canceller runs."""
        self._ask(AUDIOMODE, INT.pack(on), "setting audio mode")

    def set_echo_cancel(self, taps: int) -> None:
        """Start the channel's canceller with so many taps (128 is 16 ms), 0 ends it. It alters the samples."""
        self._ask(ECHOCANCEL, INT.pack(taps), "setting the echo canceller")

    def set_buffer_events(self, on: bool) -> None:
        """Ask for READ_OVERRUN and WRITE_UNDERRUN events."""
        self._ask(BUFFER_EVENTS, INT.pack(on), "asking for buffer events")

    def read_into(self, samples: memoryview) -> bool:
        """Fill `samples` (one buffer's size) with one buffer; False if none is full yet.

        The driver reads nothing while an event waits (its own errno 500): that raises EventWaits."""
        try:
            return os.readv(self._descriptor, [samples]) == len(samples)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == ELAST:
                raise EventWaits from error
            _fail(error, "reading", self.where)

    def write(self, samples: memoryview | bytes) -> bool:
        """Give one buffer to the line; False if all buffers are full. Raises EventWaits as `read_into` does."""
        try:
            return os.write(self._descriptor, samples) == len(samples)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == ELAST:
                raise EventWaits from error
            _fail(error, "writing", self.where)

    # ---- events and signalling ---------------------------------------------------------------------------------------

    def event(self) -> int:
        """The next event that waits (`Event`, or a digit with its flag); Event.NONE if there is none."""
        event: int = INT.unpack(self._ask(GETEVENT, bytes(4), "asking for events"))[0]
        if event == Event.REMOVED:
            raise DahdiError("the span has been taken away", self.where, GONE, gone=True)
        return event

    def hook(self, command: Hook) -> None:
        """Do something with the hook. It is done when HOOKCOMPLETE comes: a descriptor that does not wait gets
        EINPROGRESS for an answer, which means accepted."""
        try:
            ioctl(self._descriptor, HOOK, INT.pack(command))
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                _fail(error, f"hook {command.name}", self.where)

    def receive_bits(self) -> int:
        """ABCD bits that come, a in the highest of four places. Dynamic spans leave the neighbour's bits above them."""
        return int(INT.unpack(self._ask(GETRXBITS, bytes(4), "asking for line bits"))[0]) & 0xF

    def send_bits(self, abcd: int) -> None:
        """Send ABCD bits from now on."""
        self._ask(SETTXBITS, INT.pack(abcd), "setting line bits")

    def set_cadence(self, *milliseconds: int) -> None:
        """Ringing cadence: on, off, …; at most 16."""
        self._ask(SETCADENCE, CADENCE.pack(*milliseconds, *[0] * (16 - len(milliseconds))), "setting the cadence")

    def dial(self, digits: str) -> None:
        """Let the driver dial: `P` first for pulses, `T` for tones. Needs a tone zone. DIALCOMPLETE tells the end."""
        self._ask(DIAL_DIGITS, DIAL.pack(DIAL_APPEND, digits.encode()), "dialling")

    def state(self) -> ChannelState:
        return _channel_state(self._ask(GET_PARAMS, PARAMS.pack(self.number, *_NO_PARAMS), "asking for its state"))


class EventWaits(Exception):
    """A channel has an event that must be fetched before its samples can go on."""


class DataChannel(Channel):
    """A D channel: HDLC frames, checked and stuffed by the driver. The channel must be configured HDLCFCS."""

    def __init__(self, number: int, place: str = "") -> None:
        super().__init__(number, place)
        self.set_buffers(LARGEST_BUFFERS, LARGEST_FRAME)

    def send(self, frame: bytes) -> bool:
        """Send a frame without its check sequence; False if all buffers are full. The driver takes two bytes more and
        puts the check sequence there."""
        return self.write(frame + bytes(FRAME_CHECK))

    def receive(self) -> bytes | None:
        """The next frame without its check sequence; None if there is none. Raises EventWaits (ABORT, BADFCS, …)."""
        try:
            frame = os.read(self.fileno(), LARGEST_FRAME)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == ELAST:
                raise EventWaits from error
            _fail(error, "reading", self.where)
        return frame[:-FRAME_CHECK]


_NO_PARAMS = (*[0] * 11, b"", *[0] * 12)


def _channel_state(packed: bytes) -> ChannelState:
    fields = PARAMS.unpack(packed)
    return ChannelState(
        number=fields[0] & 0xFFFF,
        span=fields[1],
        position=fields[2],
        signalling=fields[3],
        capable_of=fields[4],
        off_hook=bool(fields[5]),
        law=fields[10],
        name=_text(fields[12]),
    )


def _span(fields: tuple[Any, ...]) -> Span:
    return Span(
        number=fields[0],
        name=_text(fields[1]),
        description=_text(fields[2]),
        kind=_text(fields[28]),
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
        location=_text(fields[23]),
        device=_text(fields[25]),
    )


class Control:
    """The control device: finds and configures spans and channels."""

    def __init__(self) -> None:
        """Raises DahdiError if the driver is not loaded."""
        try:
            self._descriptor = os.open(DEVICES / "ctl", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            _fail(error, "opening", "DAHDI driver")

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
            _fail(error, doing, where)

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
            packed = ioctl(self._descriptor, GET_PARAMS, PARAMS.pack(number, *_NO_PARAMS))
        except OSError:
            return None
        return _channel_state(packed)

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
        One that runs is left running: its framing can only be changed by the driver's own tool."""
        where = f"span {number}"
        state = self.span(number)
        if state.line_compatible & line == line:
            packed = LINE.pack(number, b"", build_out, line, sync)
            self.ask(SPANCONFIG, packed, "setting framing and coding", where)
        self.ask(STARTUP, INT.pack(number), "starting", where)

    def configure_channels(self, settings: Iterable[ChannelSetting]) -> None:
        """Make channels what they shall be. One that is so already is not touched: somebody may have it open."""
        for setting in settings:
            where = f"DAHDI channel {setting.number}"
            state = self.channel(setting.number)
            if state is None:
                raise DahdiError("there is no such channel", where, GONE, gone=True)
            if state.signalling != setting.signalling:
                idle = IDLE_BITS if setting.signalling is Signalling.CAS else 0
                packed = CHANNEL.pack(setting.number, b"", setting.signalling, LAW_ALAW, 0, idle, b"")
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
                _fail(error, "loading a tone zone", "DAHDI driver")
        self.ask(DEFAULTZONE, INT.pack(0), "choosing the tone zone", "DAHDI driver")
