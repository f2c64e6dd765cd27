"""The numbers of the Linux DAHDI driver: ioctl requests, structures, events, signalling. No system calls here.

From `include/dahdi/user.h` of dahdi-linux (2.11.1 and 3.1.0 agree), GPL-2.0. The requests are built from direction and
size as the kernel's `_IOR`/`_IOW`/`_IOWR` do on x86_64 and arm64; `tests/drivers/test_dahdi_numbers.py` holds them to
the values that the header gives there.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from struct import Struct

INT = Struct("=i")
PARAMS = Struct("=12i40s11iI")
PARAMS_ALARMS, PARAMS_FLASH, PARAMS_LINE = 24, 19, 9
"""Fields of PARAMS: alarms of the channel itself; how long a hook may be open to be a flash, in milliseconds; what the
line signals (0: on-hook, which on an exchange line means that it is not fed)."""
SPAN = Struct("=i20s40s19i40s40s40s40sii6s")
"""`struct dahdi_spaninfo`, packed: number, name, description, alarms, levels, error counters, …, type."""
BUFFERS = Struct("=6i")
LINE = Struct("=i20siii")
CHANNEL = Struct("=i40siiii16s")
ECHO_CANCELLER = Struct("=i16s")
CADENCE = Struct("=16i")
ZONE = Struct("=ii16i40s")
DIAL = Struct("=i256s")
DYNAMIC = Struct("=20s40siii")
MAINTENANCE = Struct("=ii")

_READ, _WRITE = 2, 1


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0xDA << 8 | number


FLUSH = _request(_WRITE, 3, 4)
GET_PARAMS = _request(_READ | _WRITE, 5, PARAMS.size)
SET_PARAMS = _request(_WRITE, 5, PARAMS.size)
HOOK = _request(_WRITE, 7, 4)
GETEVENT = _request(_READ, 8, 4)
SPANSTAT = _request(_READ | _WRITE, 10, SPAN.size)
MAINT = _request(_WRITE, 11, MAINTENANCE.size)
SPANCONFIG = _request(_WRITE, 18, LINE.size)
CHANCONFIG = _request(_WRITE, 19, CHANNEL.size)
SENDTONE = _request(_WRITE, 21, 4)
DEFAULTZONE = _request(_WRITE, 24, 4)
LOADZONE = _request(_WRITE, 25, ZONE.size)
GET_BUFINFO = _request(_READ, 27, BUFFERS.size)
SET_BUFINFO = _request(_WRITE, 27, BUFFERS.size)
DIAL_DIGITS = _request(_WRITE, 31, DIAL.size)
AUDIOMODE = _request(_WRITE, 32, 4)
ECHOCANCEL = _request(_WRITE, 33, 4)
SPECIFY = _request(_WRITE, 38, 4)
SETLAW = _request(_WRITE, 39, 4)
SETCADENCE = _request(_WRITE, 42, CADENCE.size)
GETRXBITS = _request(_READ, 43, 4)
SETTXBITS = _request(_WRITE, 43, 4)
ONHOOKTRANSFER = _request(_WRITE, 51, 4)
ATTACH_ECHO_CANCELLER = _request(_WRITE, 59, ECHO_CANCELLER.size)
DYNAMIC_CREATE = _request(_READ | _WRITE, 80, DYNAMIC.size)
DYNAMIC_DESTROY = _request(_WRITE, 81, DYNAMIC.size)
STARTUP = _request(_WRITE, 99, 4)
BUFFER_EVENTS = _request(_WRITE, 105, 4)

ELAST = 500
"""Errno of the driver: an event waits and must be fetched before anything can be read or written."""
FLUSH_READ, FLUSH_WRITE, FLUSH_EVENT = 1, 2, 4
POLICY_IMMEDIATE = 0
LAW_DEFAULT, LAW_MULAW, LAW_ALAW = 0, 1, 2
"""Default: the one that the card's own driver has set its chips to."""
LARGEST_BUFFERS = 32
LARGEST_BUFFER_SPACE = 32768
LARGEST_CHANNEL = 1023
MAX_SPANS = 128
DIAL_APPEND = 1


class Signalling(IntEnum):
    """What a channel is configured as. An FXO-signalled channel serves a phone (FXS port) and the other way round."""

    NONE = 0
    FXSLS = 1 << 0 | 1 << 13
    FXSKS = 1 << 2 | 1 << 13
    FXOLS = 1 << 3 | 1 << 12
    FXOKS = 1 << 5 | 1 << 12
    EM = 1 << 6
    CLEAR = 1 << 7
    HDLCFCS = 1 << 9 | 1 << 8 | 1 << 7
    CAS = 1 << 15
    EM_E1 = 1 << 17
    HARDHDLC = 1 << 19 | 1 << 7


class LineConfig(IntFlag):
    """Framing and coding of a span (ITU-T G.704, G.703). Neither CCS nor anything else: CAS multiframe in slot 16."""

    AMI = 1 << 6
    CCS = 1 << 8
    HDB3 = 1 << 9
    CRC4 = 1 << 10


class SpanAlarm(IntFlag):
    """Alarms of a span as the driver tells them."""

    RECOVERING = 1 << 0
    LOOPBACK = 1 << 1
    YELLOW = 1 << 2
    """The far end does not receive us (RAI)."""
    RED = 1 << 3
    """We do not receive the far end (LOS or LOF); cards that know more set LOS, LFA, LMFA too."""
    BLUE = 1 << 4
    """The far end sends all ones (AIS)."""
    NOT_OPEN = 1 << 5
    LOS = 1 << 8
    LFA = 1 << 9
    LMFA = 1 << 10


class Maintenance(IntEnum):
    """What MAINT sets on a span."""

    NONE = 0
    LOCAL_LOOP = 1
    """What it sends comes back to itself."""
    LINE_LOOP = 2
    """What it receives goes back to the line."""


class Event(IntEnum):
    """What GETEVENT gives, but for pulse and DTMF digits, which are these flags or'ed with the digit's character."""

    NONE = 0
    ONHOOK = 1
    RINGOFFHOOK = 2
    WINKFLASH = 3
    ALARM = 4
    NOALARM = 5
    ABORT = 6
    OVERRUN = 7
    BADFCS = 8
    DIALCOMPLETE = 9
    RINGERON = 10
    RINGEROFF = 11
    HOOKCOMPLETE = 12
    BITSCHANGED = 13
    PULSE_START = 14
    POLARITY = 17
    RINGBEGIN = 18
    EC_DISABLED = 19
    REMOVED = 20
    READ_OVERRUN = 29
    WRITE_UNDERRUN = 30


PULSEDIGIT = 1 << 16
DTMFDOWN = 1 << 17
DTMFUP = 1 << 18


class Hook(IntEnum):
    """Commands of the HOOK request."""

    ONHOOK = 0
    OFFHOOK = 1
    WINK = 2
    FLASH = 3
    START = 4
    RING = 5
    RINGOFF = 6
