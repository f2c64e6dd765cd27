"""The SIP stack by itself: requests by hand over UDP, events and commands behind it. Real peers: tests/running."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from drivers import sip_stack
from drivers.sip_stack import (
    ALAW_SILENCE,
    Answer,
    Ended,
    HangUp,
    Invited,
    Pressed,
    Refuse,
    Ring,
    SipEvent,
    SipSettings,
    SipStack,
    UseRow,
)

pytestmark = pytest.mark.skipif(
    not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"
)

LOCAL = "127.0.0.1"
numbers = itertools.count(1)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def settings() -> SipSettings:
    return SipSettings(port=free_port(), rows=4, first_rtp_port=24000, rtp_ports=1000, silent_seconds=0.2)


@pytest.fixture(scope="module")
def stack(settings: SipSettings) -> Iterator[SipStack]:
    from drivers.sip_pjsua2 import Pjsua2Stack

    stack = Pjsua2Stack(settings)
    yield stack
    stack.close()
    stack.close()


class Caller:
    """A caller by hand."""

    def __init__(self, stack: SipStack, port: int) -> None:
        self.stack = stack
        self.box = (LOCAL, port)
        self.number = next(numbers)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOCAL, 0))
        self.socket.setblocking(False)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((LOCAL, 0))
        self.rtp.setblocking(False)
        self.to_tag = ""
        self.events: list[SipEvent] = []
        self.responses: list[str] = []

    def close(self) -> None:
        self.socket.close()
        self.rtp.close()

    def request(self, method: str, sequence: int = 1, body: str = "", branch: int | None = None) -> None:
        port = self.socket.getsockname()[1]
        text = (
            f"{method} sip:12345@{LOCAL} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {LOCAL}:{port};branch=z9hG4bK{self.number}-{branch or sequence}\r\n"
            f"From: <sip:138@{LOCAL}>;tag=a{self.number}\r\nTo: <sip:12345@{LOCAL}>{self.to_tag}\r\n"
            f"Call-ID: call{self.number}\r\nCSeq: {sequence} {'INVITE' if method == 'ACK' else method}\r\n"
            f"Contact: <sip:138@{LOCAL}:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        self.socket.sendto(text.encode(), self.box)

    def respond(self, status: str, request: str) -> None:
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [line for line in request.split("\r\n") if line.split(":")[0] in names]
        text = "\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""])
        self.socket.sendto(text.encode(), self.box)

    def invite(self, formats: str = "0 8 101") -> int:
        """INVITE; the number of the call."""
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {LOCAL}\r\ns=-\r\nc=IN IP4 {LOCAL}\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
        self.request("INVITE", body=body)
        invited = self.wait_event(Invited)
        assert isinstance(invited, Invited)
        return invited.call

    def serve(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.stack.exchange()
            self.events += self.stack.serve()
            try:
                while True:
                    self.responses.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                pass

    def wait_event(self, kind: type) -> SipEvent:
        until = time.monotonic() + 20
        while not (found := [event for event in self.events if isinstance(event, kind)]):
            assert time.monotonic() < until, f"no {kind.__name__}"
            self.serve()
            time.sleep(0.002)
        return found[-1]

    def wait_message(self, beginning: str) -> str:
        until = time.monotonic() + 20
        while not (found := [text for text in self.responses if text.startswith(beginning)]):
            assert time.monotonic() < until, f"no {beginning} in {[text[:40] for text in self.responses]}"
            self.serve()
            time.sleep(0.002)
        tag = re.search(r"^To:.*(;tag=\S+)", found[-1], re.MULTILINE | re.IGNORECASE)
        if tag and found[-1].startswith("SIP/2.0"):
            self.to_tag = tag.group(1)
        return found[-1]


@pytest.fixture
def caller(stack: SipStack, settings: SipSettings) -> Iterator[Caller]:
    caller = Caller(stack, settings.port)
    yield caller
    caller.close()


def test_a_call_is_told_rung_and_answered_in_alaw(caller: Caller, stack: SipStack) -> None:
    call = caller.invite()
    caller.wait_message("SIP/2.0 100")
    stack.do(UseRow(call, 2))

    stack.do(Ring(call))
    caller.wait_message("SIP/2.0 180")
    stack.do(Answer(call))
    answer = caller.wait_message("SIP/2.0 200")

    (invited,) = (event for event in caller.events if isinstance(event, Invited))
    assert (invited.invite.called, invited.invite.calling) == ("12345", "138")
    assert invited.source.startswith(LOCAL)
    assert re.search(r"m=audio \d+ RTP/AVP 8 101\r\n", answer)  # although µ-law was offered first
    caller.request("ACK")
    caller.request("BYE", 2)
    caller.wait_message("SIP/2.0 200")
    assert caller.wait_event(Ended) == Ended(call, 200)


def test_audio_goes_out_with_the_ticks_and_only_with_them(caller: Caller, stack: SipStack) -> None:
    call = caller.invite("8")
    stack.do(UseRow(call, 3))
    stack.do(Answer(call))
    caller.wait_message("SIP/2.0 200")
    caller.request("ACK")
    pattern = np.random.default_rng(1).integers(0, 256, (20, 80), dtype=np.uint8)
    caller.serve(5)
    time.sleep(0.05)
    while True:
        try:
            caller.rtp.recv(2048)
        except BlockingIOError:
            break

    for block in pattern:
        stack.to_sip[3] = block
        caller.serve()
    stack.to_sip[3] = ALAW_SILENCE
    time.sleep(0.1)

    packets = []
    try:
        while True:
            packets.append(caller.rtp.recv(2048))
    except BlockingIOError:
        pass
    audio = b"".join(packet[12:] for packet in packets if packet[1] & 0x7F == 8)
    assert 9 <= len(packets) <= 11  # 20 blocks of 10 ms in packets of 20 ms
    assert pattern[:18].tobytes() in audio or pattern[2:].tobytes() in audio or pattern[1:19].tobytes() in audio
    stack.do(HangUp(call, 16))
    bye = caller.wait_message("BYE")
    assert "Reason: Q.850;cause=16" in bye
    caller.respond("200 OK", bye)
    assert caller.wait_event(Ended) == Ended(call, 200)
    assert (stack.from_sip == ALAW_SILENCE).all()


def test_a_refusal_says_why_and_when_to_come_back(caller: Caller, stack: SipStack) -> None:
    call = caller.invite()

    stack.do(Refuse(call, 503, 34, 7))

    answer = caller.wait_message("SIP/2.0 503")
    assert "Reason: Q.850;cause=34" in answer
    assert "Retry-After: 7" in answer
    caller.request("ACK")
    assert caller.wait_event(Ended) == Ended(call, 503)


def test_a_caller_cancels(caller: Caller, stack: SipStack) -> None:
    call = caller.invite()
    stack.do(Ring(call))
    caller.wait_message("SIP/2.0 180")
    caller.to_tag = ""

    caller.request("CANCEL")

    caller.wait_message("SIP/2.0 487")
    assert caller.wait_event(Ended) == Ended(call, 487)


def test_a_command_for_a_call_that_has_gone_does_nothing(caller: Caller, stack: SipStack) -> None:
    call = caller.invite()
    stack.do(Refuse(call, 486))
    caller.wait_event(Ended)

    for command in (UseRow(call, 0), Ring(call), Answer(call), Refuse(call, 500), HangUp(call), Answer(99999)):
        stack.do(command)
    caller.serve(3)

    assert len([event for event in caller.events if isinstance(event, Ended)]) == 1


def test_a_command_that_comes_while_the_call_ends_does_nothing(caller: Caller, stack: SipStack) -> None:
    call = caller.invite()
    caller.to_tag = ""
    caller.request("CANCEL")
    time.sleep(0.02)

    stack.do(Answer(call))
    stack.do(Refuse(call, 486))

    assert isinstance(caller.wait_event(Ended), Ended)


def answered_call(caller: Caller, stack: SipStack) -> int:
    call = caller.invite()
    stack.do(UseRow(call, 0))
    stack.do(Answer(call))
    caller.wait_message("SIP/2.0 200")
    caller.request("ACK")
    return call


def test_a_far_end_that_says_nothing_is_asked_and_if_it_knows_no_call_the_call_ends(
    caller: Caller, stack: SipStack
) -> None:
    call = answered_call(caller, stack)
    question = caller.wait_message("OPTIONS")

    caller.respond("481 Call/Transaction Does Not Exist", question)

    caller.respond("200 OK", caller.wait_message("BYE"))
    ended = caller.wait_event(Ended)
    assert isinstance(ended, Ended)
    assert ended.call == call


def test_a_far_end_that_says_nothing_but_is_there_keeps_its_call(caller: Caller, stack: SipStack) -> None:
    answered_call(caller, stack)
    for _ in range(2):
        caller.respond("200 OK", caller.wait_message("OPTIONS"))
        caller.responses.clear()

    caller.wait_message("OPTIONS")

    assert not [event for event in caller.events if isinstance(event, Ended)]
    caller.request("BYE", 2)
    caller.wait_event(Ended)


def test_a_call_that_ended_before_the_next_came_is_told_before_it(
    caller: Caller, stack: SipStack, settings: SipSettings
) -> None:
    answered_call(caller, stack)
    caller.serve(3)
    following = Caller(stack, settings.port)
    try:
        # Both have come when the stack is served, as after a stall.
        caller.request("BYE", 2)
        following.request("INVITE")
        time.sleep(0.02)
        caller.events.clear()
        caller.wait_event(Invited)
    finally:
        following.close()

    assert [type(event) for event in caller.events] == [Ended, Invited]
    assert isinstance(caller.events[1], Invited)
    stack.do(Refuse(caller.events[1].call, 486))


def test_a_digit_whose_end_comes_late_counts_once(caller: Caller, stack: SipStack) -> None:
    """As after a hole in the network: its time stamp, the same in all its packets, tells that it has counted."""
    answered_call(caller, stack)
    answer = caller.wait_message("SIP/2.0 200")
    box = (LOCAL, int(answer.split("m=audio ")[1].split()[0]))
    packets = itertools.count(1)

    def packet(digit: int, stamp: int, duration: int, end: int) -> None:
        """RFC 4733 in RTP (RFC 3550)."""
        header = struct.pack(">BBHII", 0x80, 101, next(packets), stamp, 7)
        caller.rtp.sendto(header + struct.pack(">BBH", digit, end << 7 | 10, duration), box)

    packet(5, 1600, 320, 0)
    caller.wait_event(Pressed)
    for end in (0, 1, 1, 1):
        packet(5, 1600, 480, end)
    for end in (0, 1, 1, 1):
        packet(6, 4800, 640, end)
    until = time.monotonic() + 20
    while len(found := [event.digit for event in caller.events if isinstance(event, Pressed)]) < 2:
        assert time.monotonic() < until, found
        caller.serve()
        time.sleep(0.002)
    caller.serve(3)

    assert [event.digit for event in caller.events if isinstance(event, Pressed)] == ["5", "6"]
    caller.request("BYE", 2)
    caller.wait_event(Ended)
    caller.serve(3)  # the stack lets go of a call that has had audio a turn later


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, 0))
        code = (
            "from drivers.sip_pjsua2 import Pjsua2Stack\nfrom drivers.sip_stack import *\n"
            f"try: Pjsua2Stack(SipSettings(port={other.getsockname()[1]}, rows=1))\n"
            "except SipError as error: print('SipError:', error)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "SipError" in said
    assert "Address already in use" in said
