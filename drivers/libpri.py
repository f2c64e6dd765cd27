"""libpri (ISDN Q.921 and Q.931) as a `PriStack`: one D channel, frames in and out, the clock is the caller's. No I/O.

ETSI DSS1 (EuroISDN), which is what Chinese exchanges speak on an E1 (YDN 034). The C part and its traps are in
`libpri_span.c`. Global state is libpri's own: a list of open spans and the moment of the call that is being made; so
several spans with different clocks may live in one process, but in one thread only. A span that is closed leaves what
libpri cannot free, some 100 kB: a process is to open few.
"""

from __future__ import annotations

from typing import Any, ClassVar

from drivers.libpri_build import load
from drivers.pri_stack import (
    Alert,
    Answer,
    AskForDigits,
    Clear,
    Cleared,
    DigitsWanted,
    Forget,
    Gone,
    Incoming,
    InService,
    LayerTwo,
    MoreDigits,
    PlaceCall,
    PriCommand,
    PriError,
    PriEvent,
    PriSettings,
    Probe,
    Proceed,
    Progress,
    Progressed,
    Restart,
    RestartDone,
    Restarted,
    SendDigit,
)
from drivers.q931_text import (
    decode_name,
    encode_name,
    presentation,
    presentation_code,
    restarts_interface,
    setup_display,
    type_and_plan,
    type_and_plan_code,
)

# PRI_EVENT_… of libpri.h
_UP, _DOWN, _RESTART, _RING, _HANGUP, _RINGING, _ANSWER, _HANGUP_ACK, _RESTART_ACK = 1, 2, 3, 5, 6, 7, 8, 9, 10
_INFORMATION, _PROCEEDING, _SETUP_ACK, _HANGUP_REQUEST, _PROGRESS, _KEYPAD, _SERVICE = 12, 13, 14, 15, 17, 18, 19

_PROGRESS_OF = {
    _PROCEEDING: Progress.PROCEEDING,
    _PROGRESS: Progress.IN_BAND,
    _RINGING: Progress.ALERTING,
    _ANSWER: Progress.ANSWERED,
}
_VOICE = (0x00, 0x10)
"""Information transfer capability (Q.931 table 4-6): speech, 3.1 kHz audio."""
_NORMAL = 16
_NO_USER_RESPONDING, _TIMER_EXPIRY = 18, 102
_SABME, _POLL = 0x6F, 0x10
"""Control octet of Q.921 that begins a data link, and its poll bit."""
_IN_SERVICE = 0
_EVENTS_AT_ONCE = 10_000
"""More from one look at the timers means that libpri runs in a circle."""
_GONE_AT_ONCE = 64


class LibpriSpan:
    """One span. Implements `PriStack`. Raises libpri_build.LibpriMissing if libpri is not there."""

    _module: ClassVar[Any] = None

    def __init__(self, settings: PriSettings, now_us: int) -> None:
        cls = type(self)
        if cls._module is None:
            cls._module = load()
        self._ffi, self._lib = cls._module.ffi, cls._module.lib
        self._settings = settings
        t309_ms = int(settings.t309_seconds * 1000)
        self._span = self._lib.span_open(settings.network, now_us, settings.overlap, t309_ms)
        if self._span == self._ffi.NULL:
            raise PriError("libpri gave no span: no memory")
        self._event = self._ffi.new("struct span_event *")
        self._gone = self._ffi.new(f"unsigned[{_GONE_AT_ONCE}]")
        self._numbers: dict[int, int] = {}
        """Names of placed calls → libpri's numbers."""
        self._names: dict[int, int] = {}
        self._is_up = False

    @classmethod
    def version(cls) -> str:
        """libpri's version. Raises libpri_build.LibpriMissing."""
        if cls._module is None:
            cls._module = load()
        return str(cls._module.ffi.string(cls._module.lib.pri_get_version()).decode())

    @property
    def calls(self) -> int:
        """Calls that libpri holds for us."""
        return int(self._lib.span_calls(self._opened()))

    @property
    def complaints(self) -> int:
        """How often libpri complained: frames and messages that were wrong."""
        return int(self._lib.span_complaints(self._opened()))

    @property
    def complaint(self) -> str:
        """The newest complaint."""
        return str(self._ffi.string(self._lib.span_complaint(self._opened())).decode(errors="replace").strip())

    def close(self) -> None:
        if self._span != self._ffi.NULL:
            self._lib.span_close(self._span)
            self._span = self._ffi.NULL

    # ---- frames and time ---------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_us: int) -> list[PriEvent]:
        events: list[PriEvent] = []
        if self._lib.span_receive(self._opened(), now_us, frame, len(frame), self._event):
            self._take_event(events, frame, now_us)
        if self._is_up and not events and len(frame) >= 3 and frame[2] & ~_POLL == _SABME:
            # The far end began layer 2 anew. libpri drops what was on its way, and does not say so.
            events.append(LayerTwo(True))
        return self._and_gone(events)

    def run_timers(self, now_us: int) -> list[PriEvent]:
        events: list[PriEvent] = []
        for _ in range(_EVENTS_AT_ONCE):
            if not self._lib.span_run_timers(self._opened(), now_us, self._event):
                return self._and_gone(events)
            self._take_event(events, b"", now_us)
            self._and_gone(events, is_released=self._event.kind != _HANGUP_ACK)  # without a frame: T308 ran out twice
        raise PriError("libpri's timers do not come to an end")

    def next_deadline(self) -> int | None:
        moment = int(self._lib.span_next_us(self._opened()))
        return None if moment < 0 else moment

    def take_frames(self) -> list[bytes]:
        waiting = self._lib.span_frames_waiting(self._opened())
        if not waiting:
            return []
        buffer = self._ffi.new(f"uint8_t[{waiting}]")
        self._lib.span_take_frames(self._span, buffer, waiting)
        octets = bytes(self._ffi.buffer(buffer))
        frames, place = [], 0
        while place < len(octets):
            length = octets[place] | octets[place + 1] << 8
            frames.append(octets[place + 2 : place + 2 + length])
            place += 2 + length
        return frames

    # ---- commands ----------------------------------------------------------------------------------------------------

    def do(self, command: PriCommand, now_us: int) -> list[PriEvent]:
        lib = self._lib
        match command:
            case PlaceCall():
                return self._place(command, now_us)
            case Restart(slot):
                lib.span_restart(self._opened(), now_us, slot)
            case AskForDigits(call, slot):
                self._do(call, lib.DO_SETUP_ACK, slot, now_us)
            case Proceed(call, slot):
                self._do(call, lib.DO_PROCEEDING, slot, now_us)
            case Alert(call, slot):
                self._do(call, lib.DO_ALERTING, slot, now_us)
            case Answer(call, slot):
                self._do(call, lib.DO_CONNECT, slot, now_us)
            case Clear(call, cause):
                self._do(call, lib.DO_HANGUP, cause, now_us)
            case Forget(call):
                self._do(call, lib.DO_DESTROY, 0, now_us)
            case Probe(call):
                self._do(call, lib.DO_ASK, 0, now_us)
            case SendDigit(call, digit):
                self._do(call, lib.DO_DIGIT, ord(digit), now_us)
        return self._and_gone([])

    def _do(self, call: int, what: int, value: int, now_us: int) -> None:
        self._lib.span_do(self._opened(), now_us, self._numbers.get(call, max(call, 0)), what, value)

    def _place(self, wanted: PlaceCall, now_us: int) -> list[PriEvent]:
        setup = self._ffi.new("struct span_setup *")
        setup.channel = wanted.slot
        setup.exclusive = wanted.exclusive
        setup.complete = wanted.complete
        setup.calling_valid = bool(wanted.calling) or wanted.presentation != "allowed"
        usual = self._settings
        setup.calling_plan = type_and_plan_code(
            wanted.calling_type or usual.calling_type, wanted.calling_plan or usual.calling_plan
        )
        setup.calling_presentation = presentation_code(wanted.presentation)
        setup.called_plan = type_and_plan_code(
            wanted.called_type or usual.called_type, wanted.called_plan or usual.called_plan
        )
        setup.calling = _digits(wanted.calling)
        setup.called = _digits(wanted.called)
        setup.calling_name = encode_name(wanted.calling_name)
        number = int(self._lib.span_setup(self._opened(), now_us, setup))
        if not number:
            return [*self._and_gone([]), Gone(wanted.call)]
        self._numbers[wanted.call], self._names[number] = number, wanted.call
        return self._and_gone([])

    # ---- events ------------------------------------------------------------------------------------------------------

    def _take_event(self, events: list[PriEvent], frame: bytes, now_us: int) -> None:
        found = self._event
        kind = found.kind
        call = self._names.get(found.call, int(found.call))
        if kind in (_UP, _DOWN):
            self._is_up = kind == _UP
            events.append(LayerTwo(self._is_up))
        elif kind == _RING:
            if call:
                events.append(self._incoming(call, frame))
        elif kind in _PROGRESS_OF:
            if call:
                events.append(Progressed(call, _PROGRESS_OF[kind], _slot(found.channel)))
        elif kind == _SETUP_ACK:
            if call:
                events.append(DigitsWanted(call, _slot(found.channel)))
        elif kind in (_INFORMATION, _KEYPAD):
            if call:
                events.append(MoreDigits(call, self._text(found.digits), bool(found.complete)))
        elif kind in (_HANGUP, _HANGUP_REQUEST):
            if call:
                cause = max(0, int(found.cause))
                if not frame and cause == _NO_USER_RESPONDING:
                    cause = _TIMER_EXPIRY  # T303: the exchange says nothing, not who is called (Q.931 table 9-2)
                events.append(Cleared(call, cause))
                # libpri wants this said back, and forgets the call when all is done.
                self._lib.span_do(self._span, now_us, found.call, self._lib.DO_HANGUP, max(0, found.cause) or _NORMAL)
        elif kind == _RESTART:
            # Channel 0: an interface was named, and no channel.
            events.append(Restarted(None if restarts_interface(frame) else _slot(found.channel) or None))
        elif kind == _RESTART_ACK:
            events.append(RestartDone(_slot(found.channel) or None))
        elif kind == _SERVICE:
            slot = _slot(found.channel)
            if slot is not None:
                events.append(InService(slot, found.cause == _IN_SERVICE))
        # _HANGUP_ACK needs no word: the call is told as gone. What else comes (facility, hold …) is not for us.

    def _incoming(self, call: int, frame: bytes) -> Incoming:
        found = self._event
        called_type, called_plan = type_and_plan(found.called_plan)
        calling_type, calling_plan = type_and_plan(found.calling_plan)
        shown = setup_display(frame)
        name = decode_name(shown if shown is not None else self._ffi.string(found.calling_name))
        has_number = bool(found.calling_valid)
        return Incoming(
            call=call,
            slot=_slot(found.channel),
            exclusive=not found.flexible,
            called=self._text(found.called) or self._text(found.digits),
            called_type=called_type,
            called_plan=called_plan,
            complete=bool(found.complete),
            calling=self._text(found.calling) if has_number else "",
            calling_type=calling_type if has_number else "",
            calling_plan=calling_plan if has_number else "",
            calling_name=name,
            presentation=presentation(found.calling_presentation) if has_number else "unavailable",
            is_voice=found.capability in _VOICE,
        )

    def _and_gone(self, events: list[PriEvent], *, is_released: bool = True) -> list[PriEvent]:
        """Add the calls that libpri has freed."""
        while count := self._lib.span_take_gone(self._opened(), self._gone, _GONE_AT_ONCE):
            for number in self._gone[0:count]:
                name = self._names.pop(number, None)
                if name is not None:
                    del self._numbers[name]
                events.append(Gone(number if name is None else name, is_released))
        if self._lib.span_out_of_memory(self._span):
            raise PriError("no memory for calls or frames")
        return events

    def _text(self, octets: Any) -> str:
        """Digits as text: what is not printable ASCII is no digit and is left out."""
        text: bytes = self._ffi.string(octets)
        return "".join(chr(octet) for octet in text if 0x20 < octet < 0x7F)

    def _opened(self) -> Any:
        if self._span == self._ffi.NULL:
            raise PriError("the span is closed")
        return self._span


def _slot(channel: int) -> int | None:
    """The time slot in libpri's joint channel number; None: any or all."""
    slot = channel & 0xFF
    return None if channel < 0 or slot == 0xFF else slot


def _digits(number: str) -> bytes:
    """A number as libpri's structures take it."""
    return "".join(digit for digit in number if digit in "0123456789*#ABCDabcd").encode()[:31]
