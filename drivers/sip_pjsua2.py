"""The SIP stack on pjsua2 and its BlockExchange (drivers/pjsua2_extension.i). Implements `drivers.sip_stack.SipStack`.

Only imported where pjsua2 is built. All that pjsua2 calls back it calls back within
`serve()`, in the calling thread. Learnt the hard way: a Call object must stay referenced while its call lives and be
dropped outside of callbacks, `getInfo()` must be held while its media are looked at, ports of the bridge are made
once and reused, and an exception that leaves a callback ends the call.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

import numpy as np
import pjsua2

from drivers.sip_digits import DigitEvents
from drivers.sip_host import look_up_names_only_here, name_servers, quiet_standard_output
from drivers.sip_stack import (
    ALAW_SILENCE,
    BLOCK_SAMPLES,
    Answer,
    Ended,
    HangUp,
    Invited,
    Pressed,
    Refuse,
    Ring,
    SipCommand,
    SipError,
    SipEvent,
    SipSettings,
    UseRow,
)
from drivers.sip_text import parse_invite, prefer_alaw

MAXIMUM_CALLS = 256
"""More than there are rows, so that a call too many gets our answer and not pjsua's 486."""
SERVE_SECONDS = 0.004
TURN_MS = 20.0
"""`serve` comes twice as often. More than this between two is a stall of this process, after which no digit is overdue:
pjsip's thread has its packets still to read."""
LOG_LINES_A_SECOND = 5
CODECS = {"PCMA/8000/1": 254, "PCMU/8000/1": 253}
TRANSPORT_RETRY_SECONDS = 1.0
WATCH_SECONDS = 1.0
GONE = (408, 481)
"""What tells that a far end does not know the call any more, or does not answer at all."""
DTMF_IS_END = 2
"""PJMEDIA_STREAM_DTMF_IS_END of pjmedia/stream.h, which the binding leaves out."""

_log = logging.getLogger(__name__)


class _Log(pjsua2.LogWriter):
    """pjsip's errors as our records. A stranger who sends garbage causes one each: only some a second are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._lines = 0

    def write(self, entry: Any) -> None:
        second = int(time.monotonic())
        if second != self._second:
            if self._lines > LOG_LINES_A_SECOND:
                _log.warning("%d more messages of the SIP stack", self._lines - LOG_LINES_A_SECOND)
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines <= LOG_LINES_A_SECOND:
            text = entry.msg.encode("utf-8", "backslashreplace").decode().strip().split("\n")[0]
            _log.warning("pjsip: %s", text[:300])


class _Call(pjsua2.Call):
    """One call. Its callbacks only note what happened; `Pjsua2Stack.serve` hands it on."""

    def __init__(self, stack: Pjsua2Stack, account: _Account, number: int, pjsua_call: int) -> None:
        super().__init__(account, pjsua_call)
        self.stack = stack
        self.number = number
        self.row: int | None = None
        self.digits = DigitEvents()
        self.status = 0
        self.is_up = False
        self._packets = -1
        self._quiet_since = time.monotonic()

    def onCallState(self, parameter: Any) -> None:
        try:
            info = self.getInfo()
            self.is_up = info.state == pjsua2.PJSIP_INV_STATE_CONFIRMED
            if info.state == pjsua2.PJSIP_INV_STATE_DISCONNECTED:
                self.status = info.lastStatusCode
                self.stack.disconnected(self)
        except Exception:
            _log.exception("in a call's state")

    def onCallMediaState(self, parameter: Any) -> None:
        try:
            self.connect_audio()
        except Exception:
            _log.exception("in a call's media")

    def onCallSdpCreated(self, parameter: Any) -> None:
        try:
            ours = parameter.sdp.wholeSdp
            wanted = prefer_alaw(ours, parameter.remSdp.wholeSdp)
            if wanted != ours:
                parameter.sdp.wholeSdp = wanted
        except Exception:
            _log.exception("in a session description")

    def onDtmfEvent(self, parameter: Any) -> None:
        try:
            self.stack.digit_event(self, parameter)
        except Exception:
            _log.exception("in a digit")

    def onCallTsxState(self, parameter: Any) -> None:
        try:
            transaction = parameter.e.body.tsxState.tsx
            asked = transaction.role == pjsua2.PJSIP_ROLE_UAC and transaction.method == "OPTIONS"
            if asked and transaction.statusCode in GONE and self.is_up:
                self.is_up = False
                self.stack.gone.append(self)
        except Exception:
            _log.exception("in a transaction")

    def onCallTransferRequest(self, parameter: Any) -> None:
        # A caller must not be able to make the box call somebody else.
        parameter.statusCode = pjsua2.PJSIP_SC_FORBIDDEN

    def onCallReplaceRequest(self, parameter: Any) -> None:
        parameter.statusCode = pjsua2.PJSIP_SC_FORBIDDEN

    def watch(self, now: float, silent_seconds: float) -> None:
        """Ask a far end that has sent nothing for long whether it is still there."""
        if not self.is_up:
            return
        try:
            packets = self.getStreamStat(0).rtcp.rxStat.pkt
        except pjsua2.Error:
            packets = 0  # no stream: the far end has put everything on hold
        if packets != self._packets:
            self._packets, self._quiet_since = packets, now
        elif now - self._quiet_since >= silent_seconds:
            self._quiet_since = now
            question = pjsua2.CallSendRequestParam()
            question.method = "OPTIONS"
            self.sendRequest(question)

    def connect_audio(self) -> None:
        """Connect what flows: nothing while the call is put on hold entirely, one way if the far end plays music."""
        if self.row is None:
            return
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type != pjsua2.PJMEDIA_TYPE_AUDIO or not media.dir:
                continue
            if media.status not in (pjsua2.PJSUA_CALL_MEDIA_ACTIVE, pjsua2.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                continue
            audio = self.getAudioMedia(index)
            row = self.stack.row_media(self.row)
            audio.startTransmit(row)
            row.startTransmit(audio)
            return


class _Account(pjsua2.Account):
    """The one account, which takes every call."""

    def __init__(self, stack: Pjsua2Stack) -> None:
        super().__init__()
        self.stack = stack

    def onIncomingCall(self, parameter: Any) -> None:
        try:
            self.stack.incoming(parameter)
        except Exception:
            _log.exception("in an incoming call")  # pjsua2 answers 500 to a call that nobody took


class Pjsua2Stack:
    """See `drivers.sip_stack.SipStack`."""

    def __init__(self, settings: SipSettings) -> None:
        self._settings = settings
        self.from_sip = np.full((settings.rows, BLOCK_SAMPLES), ALAW_SILENCE, np.uint8)
        self.to_sip = self.from_sip.copy()
        self._calls: dict[int, _Call] = {}
        self._over: list[_Call] = []
        """Calls that have ended in a callback, which still holds them."""
        self.gone: list[_Call] = []
        """Calls whose far end was asked and is not there."""
        self._watch_due = 0.0
        self._awake_ms, self._served = 0.0, time.monotonic()
        """How long this stack has been served, stalls left out; the last time."""
        self._events: list[SipEvent] = []
        self._last_number = 0
        self._exchange: Any = None
        self._account: _Account | None = None
        self._tcp_due: float | None = None
        look_up_names_only_here()
        self._endpoint: Any = pjsua2.Endpoint()
        try:
            self._start()
        except pjsua2.Error as error:
            self.close()
            raise SipError(f"the SIP stack does not start at {settings.host}:{settings.port}: {error.reason}") from None

    def _start(self) -> None:
        endpoint = self._endpoint
        with quiet_standard_output():
            endpoint.libCreate()
        config = pjsua2.EpConfig()
        config.logConfig.level = 2  # errors and warnings
        config.logConfig.consoleLevel = 0
        config.logConfig.writer = _Log().__disown__()  # the endpoint deletes it
        config.uaConfig.maxCalls = MAXIMUM_CALLS
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = "Linebox"
        for server in name_servers():
            config.uaConfig.nameserver.append(server)
        media = config.medConfig
        media.clockRate = media.sndClockRate = 8000
        media.channelCount = 1
        media.audioFramePtime = 10
        media.ptime = 20
        media.noVad = True
        media.ecTailLen = 0
        media.sndAutoCloseTime = -1
        media.maxMediaPorts = MAXIMUM_CALLS + self._settings.rows + 2
        media.threadCnt = 1  # RTP, in C: no Python runs there
        media.hasIoqueue = True
        media.jbInit = media.jbMinPre = 20
        media.jbMaxPre = 60
        media.jbMax = 200
        endpoint.libInit(config)
        endpoint.transportCreate(pjsua2.PJSIP_TRANSPORT_UDP, self._transport(pjsua2.PJSIP_TRANSPORT_UDP))
        endpoint.libStart()
        self._start_tcp()
        for codec in endpoint.codecEnum2():
            endpoint.codecSetPriority(codec.codecId, CODECS.get(codec.codecId, 0))
        self._account = _Account(self)
        self._account.create(self._account_config())
        self._exchange = pjsua2.BlockExchange(self._settings.rows, self.from_sip, self.to_sip)

    def _transport(self, kind: int) -> Any:
        config = pjsua2.TransportConfig()
        config.port = self._settings.port
        config.boundAddress = self._settings.host
        if self._settings.host != "0.0.0.0":
            config.publicAddress = self._settings.host
        if kind == pjsua2.PJSIP_TRANSPORT_TCP:
            # Without it a restarted worker cannot listen while connections of the old one linger.
            option = pjsua2.SockOpt()
            option.level, option.optName = socket.SOL_SOCKET, socket.SO_REUSEADDR
            option.setOptValInt(1)
            config.sockOptParams.sockOpts.append(option)
        return config

    def _start_tcp(self) -> None:
        """TCP is the lesser transport: if its port is taken for now, UDP works alone and TCP joins later."""
        try:
            kind = pjsua2.PJSIP_TRANSPORT_TCP
            self._endpoint.transportCreate(kind, self._transport(kind))
        except pjsua2.Error as error:
            if self._tcp_due is None:
                _log.warning("no SIP over TCP yet: port %d: %s", self._settings.port, error.reason)
            self._tcp_due = time.monotonic() + TRANSPORT_RETRY_SECONDS
        else:
            self._tcp_due = None

    def _account_config(self) -> Any:
        config = pjsua2.AccountConfig()
        config.idUri = f"sip:linebox@{self._settings.host}:{self._settings.port}"
        rtp = config.mediaConfig.transportConfig
        rtp.port = self._settings.first_rtp_port
        rtp.portRange = self._settings.rtp_ports
        rtp.boundAddress = self._settings.host
        return config

    # ---- the interface -----------------------------------------------------------------------------------------------

    def exchange(self) -> None:
        try:
            self._exchange.tick()
        except pjsua2.Error as error:
            raise SipError(f"the SIP stack's audio stopped: {error.reason}") from None

    def serve(self) -> list[SipEvent]:
        now = time.monotonic()
        self._awake_ms += min(1000.0 * (now - self._served), TURN_MS)
        self._served = now
        while self._endpoint.libHandleEvents(0) > 0 and time.monotonic() < now + SERVE_SECONDS:
            pass
        for call in self._calls.values():
            for digit, duration_ms in call.digits.overdue(self._awake_ms):
                self._events.append(Pressed(call.number, digit, duration_ms))
        self._over.clear()  # here, outside of callbacks
        self._watch_calls()
        if self._tcp_due is not None and time.monotonic() >= self._tcp_due:
            self._start_tcp()
        events, self._events = self._events, []
        return events

    def _watch_calls(self) -> None:
        for call in self.gone:
            _log.info("the far end of a call has gone without a word")
            self.do(HangUp(call.number))
        self.gone.clear()
        now = time.monotonic()
        if now < self._watch_due:
            return
        self._watch_due = now + WATCH_SECONDS
        for call in list(self._calls.values()):
            try:
                call.watch(now, self._settings.silent_seconds)
            except pjsua2.Error as error:
                _log.info("a far end could not be asked whether it is there: %s", error.reason)

    def do(self, command: SipCommand) -> None:
        call = self._calls.get(command.call)
        if call is None:
            return
        try:
            match command:
                case UseRow():
                    call.row = command.row
                case Ring():
                    call.answer(_operation(pjsua2.PJSIP_SC_RINGING))
                case Answer():
                    call.answer(_operation(pjsua2.PJSIP_SC_OK))
                case Refuse():
                    call.hangup(_operation(command.status, command.cause, command.retry_after_seconds))
                case HangUp():
                    call.hangup(_operation(0, command.cause))
        except pjsua2.Error as error:
            # The far end was faster (CANCEL, BYE): its Ended is on the way.
            _log.info("%s was too late: %s", type(command).__name__, error.reason)

    def close(self) -> None:
        if self._endpoint is None:
            return
        if self._exchange is not None:
            self._exchange.close()
        self._exchange = None
        try:
            if self._account is not None:
                self._account.shutdown()
            self._endpoint.libDestroy(pjsua2.PJSUA_DESTROY_NO_NETWORK)
        except pjsua2.Error as error:
            _log.warning("the SIP stack did not stop cleanly: %s", error.reason)
        self._account = None
        self._calls.clear()
        self._over.clear()
        self.gone.clear()
        self._endpoint = None

    # ---- called back -------------------------------------------------------------------------------------------------

    def incoming(self, parameter: Any) -> None:
        assert self._account is not None
        self._last_number += 1
        call = _Call(self, self._account, self._last_number, parameter.callId)
        self._calls[call.number] = call
        invite = parse_invite(parameter.rdata.wholeMsg)
        self._events.append(Invited(call.number, invite, parameter.rdata.srcAddress))

    def disconnected(self, call: _Call) -> None:
        """Told in the order in which it happened: the next INVITE may be for the line that is free now."""
        if self._calls.pop(call.number, None) is not None:
            self._events.append(Ended(call.number, call.status))
            self._over.append(call)

    def digit_event(self, call: _Call, parameter: Any) -> None:
        is_over = bool(parameter.flags & DTMF_IS_END)
        update = (parameter.digit, parameter.timestamp, parameter.duration, is_over, self._awake_ms)
        for digit, duration_ms in call.digits.event(*update):
            self._events.append(Pressed(call.number, digit, duration_ms))

    def row_media(self, row: int) -> Any:
        return self._exchange.media(row)


def _operation(status: int, cause: int = 0, retry_after_seconds: int = 0) -> Any:
    operation = pjsua2.CallOpParam()
    operation.statusCode = status
    headers = []
    if cause:
        headers.append(("Reason", f"Q.850;cause={cause}"))
    if retry_after_seconds:
        headers.append(("Retry-After", str(retry_after_seconds)))
    for name, value in headers:
        header = pjsua2.SipHeader()
        header.hName, header.hValue = name, value
        operation.txOption.headers.append(header)
    return operation
