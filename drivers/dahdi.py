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
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import NoReturn

from drivers.dahdi_numbers import (
    AUDIOMODE,
    BUFFER_EVENTS,
    BUFFERS,
    CADENCE,
    DIAL,
    DIAL_APPEND,
    DIAL_DIGITS,
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
    ONHOOKTRANSFER,
    PARAMS,
    PARAMS_ALARMS,
    PARAMS_FLASH,
    PARAMS_LINE,
    POLICY_IMMEDIATE,
    SET_BUFINFO,
    SET_PARAMS,
    SETCADENCE,
    SETLAW,
    SETTXBITS,
    SPECIFY,
    Event,
    Hook,
)
from firmware.core.faults import FaultError, fault

DEVICES = Path("/dev/dahdi")
FRAME_CHECK = 2
"""Bytes of the frame check sequence at the end of each HDLC frame."""
LARGEST_FRAME = 1024


class DahdiError(FaultError):
    """The driver refused or a device is not there. `where`: span, channel label or number, as a person finds it."""

    @property
    def gone(self) -> bool:
        """The span or its card has been taken away."""
        return self.fault.code in ("dahdi_gone", "dahdi_no_channel")


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
    alarmed: bool = False
    """The channel has an alarm of its own: an exchange line without battery."""
    fed: bool = True
    """The exchange feeds the line; only of meaning while its loop is closed."""


def text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")


def fail(error: OSError, doing: str, where: str) -> NoReturn:
    """Raise what an errno of the driver means."""
    if error.errno in (errno.ENODEV, errno.ENXIO):
        code = "dahdi_gone"
    elif error.errno == errno.EBUSY:
        code = "dahdi_taken"
    elif error.errno in (errno.EACCES, errno.EPERM):
        code = "dahdi_refused"
    elif error.errno == errno.ENOENT:
        code = "dahdi_absent"
    else:
        raise DahdiError(fault("dahdi_failed", doing=doing, error=error.strerror), where) from error
    raise DahdiError(fault(code, doing=doing), where) from error


class Channel:
    """One open channel. Only one program may have it open."""

    def __init__(self, number: int, place: str = "") -> None:
        """`place`: where a person finds it, for messages. Raises DahdiError."""
        self.number = number
        self.where = place or f"/dev/dahdi/channel {number}"
        try:
            self._descriptor = os.open(DEVICES / "channel", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            fail(error, "opening", self.where)
        try:
            ioctl(self._descriptor, SPECIFY, INT.pack(number))
        except OSError as error:
            self.close()
            fail(error, "opening", self.where)

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
            fail(error, doing, self.where)

    # ---- samples -----------------------------------------------------------------------------------------------------

    def set_buffers(self, count: int, size: int) -> None:
        """`count` buffers of `size` samples each way; empties them. At most 32, 32768 samples in all, 16 at least."""
        if not 2 <= count <= LARGEST_BUFFERS or not size >= 16 or count * size > LARGEST_BUFFER_SPACE:
            limits = {"most": LARGEST_BUFFERS, "space": LARGEST_BUFFER_SPACE}
            raise DahdiError(fault("dahdi_buffers", count=count, size=size, **limits), self.where)
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

    def set_law(self, law: int) -> None:
        """Say what the samples are, for the driver's own tones and canceller; it hands them on as they are.
        LAW_DEFAULT: as the card has it, which `state` then tells, if the channel was configured so."""
        self._ask(SETLAW, INT.pack(law), "setting its law")

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
            fail(error, "reading", self.where)

    def write(self, samples: memoryview | bytes) -> bool:
        """Give one buffer to the line; False if all buffers are full. Raises EventWaits as `read_into` does."""
        try:
            return os.write(self._descriptor, samples) == len(samples)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == ELAST:
                raise EventWaits from error
            fail(error, "writing", self.where)

    # ---- events and signalling ---------------------------------------------------------------------------------------

    def event(self) -> int:
        """The next event that waits (`Event`, or a digit with its flag); Event.NONE if there is none."""
        event: int = INT.unpack(self._ask(GETEVENT, bytes(4), "asking for events"))[0]
        if event == Event.REMOVED:
            raise DahdiError(fault("dahdi_gone", doing="asking for events"), self.where)
        return event

    def hook(self, command: Hook) -> bool:
        """Do something with the hook; False if the line is not in a state for it (ringing a phone that is lifted).

        A descriptor that does not wait gets EINPROGRESS for an answer, which means accepted; HOOKCOMPLETE follows."""
        try:
            ioctl(self._descriptor, HOOK, INT.pack(command))
        except OSError as error:
            if error.errno == errno.EBUSY:
                return False
            if error.errno != errno.EINPROGRESS:
                fail(error, f"hook {command.name}", self.where)
        return True

    def receive_bits(self) -> int:
        """ABCD bits that come, a in the highest of four places. Dynamic spans leave the neighbour's bits above them."""
        return int(INT.unpack(self._ask(GETRXBITS, bytes(4), "asking for line bits"))[0]) & 0xF

    def send_bits(self, abcd: int) -> None:
        """Send ABCD bits from now on."""
        self._ask(SETTXBITS, INT.pack(abcd), "setting line bits")

    def set_cadence(self, *milliseconds: int) -> None:
        """Ringing cadence: on, off, …; at most 16."""
        self._ask(SETCADENCE, CADENCE.pack(*milliseconds, *[0] * (16 - len(milliseconds))), "setting the cadence")

    def set_longest_flash(self, milliseconds: int) -> None:
        """A hook that is open for longer is on-hook, and told then. The driver's own figure is 1250 ms."""
        fields = list(
            PARAMS.unpack(self._ask(GET_PARAMS, PARAMS.pack(self.number, *NO_PARAMS), "asking for its state"))
        )
        fields[PARAMS_FLASH] = milliseconds
        self._ask(SET_PARAMS, PARAMS.pack(*fields), "setting the longest flash")

    def carry_on_hook(self, milliseconds: int) -> bool:
        """Have the card's line driver carry samples to a phone on its hook for so long. False: this kind of span has no
        such driver, and carries them always."""
        try:
            ioctl(self._descriptor, ONHOOKTRANSFER, INT.pack(milliseconds))
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
                return False
            fail(error, "opening the line for its display", self.where)
        return True

    def dial(self, digits: str) -> None:
        """Let the driver dial: `P` first for pulses, `T` for tones. Needs a tone zone. DIALCOMPLETE tells the end."""
        self._ask(DIAL_DIGITS, DIAL.pack(DIAL_APPEND, digits.encode()), "dialling")

    def state(self) -> ChannelState:
        return channel_state(self._ask(GET_PARAMS, PARAMS.pack(self.number, *NO_PARAMS), "asking for its state"))


class EventWaits(Exception):
    """A channel has an event that must be fetched before its samples can go on."""


class DataChannel(Channel):
    """A D channel: HDLC frames, checked and stuffed by the driver. The channel must be configured HDLCFCS."""

    def __init__(self, number: int, place: str = "") -> None:
        super().__init__(number, place)
        try:
            self.set_buffers(LARGEST_BUFFERS, LARGEST_FRAME)
        except DahdiError:
            self.close()
            raise

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
            fail(error, "reading", self.where)
        return frame[:-FRAME_CHECK]


NO_PARAMS = (*[0] * 11, b"", *[0] * 12)


def channel_state(packed: bytes) -> ChannelState:
    fields = PARAMS.unpack(packed)
    return ChannelState(
        number=fields[0] & 0xFFFF,
        span=fields[1],
        position=fields[2],
        signalling=fields[3],
        capable_of=fields[4],
        off_hook=bool(fields[5]),
        law=fields[10],
        name=text(fields[12]),
        alarmed=bool(fields[PARAMS_ALARMS]),
        fed=bool(fields[PARAMS_LINE]),
    )
