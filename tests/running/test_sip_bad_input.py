"""Strangers send the SIP worker nonsense: on the SIP port, in session descriptions, on the audio ports, on its socket.

The service goes on: the worker is the same process, a call that is up is not disturbed, the next call is taken, and no
channel stays busy. After RFC 4475 (torture test messages), whose cases are named; texts are our own.
"""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.signals import Cause, Setup
from drivers import sip_stack
from drivers.block_link import connect_link
from tests.running import sipp_scenarios as scenarios
from tests.running.rtp_room import RtpPhone, RtpRoom
from tests.running.running_box import until
from tests.running.scripted_gateway import ScriptedGateway, answer_all, refuse_with
from tests.running.sip_peers import LOCAL, SippCall, SippRun, free_ports, run_sipp
from tests.running.sip_worker_process import Worker, running
from tests.running.stalls import played_again_after_a_stall

pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(not sip_stack.is_built(), reason="the SIP stack is not built: scripts/build_pjsua2 --install"),
]

SDP = "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
ACCEPT_SECONDS = 0.015
"""Few connections may wait to be accepted: who finds no place there tries again after a second."""
VIA = "Via: SIP/2.0/UDP x;branch=z9hG4bK9\r\n"


def invite(port: int, **changed: str) -> str:
    """A good INVITE; `changed` replaces parts of it by name."""
    number = random.randrange(1 << 40)
    parts = {
        "start": f"INVITE sip:12345@{LOCAL}:{port} SIP/2.0",
        "via": f"Via: SIP/2.0/UDP {LOCAL}:9;branch=z9hG4bK{number}",
        "from": f"From: <sip:1@{LOCAL}>;tag={number}",
        "to": f"To: <sip:12345@{LOCAL}>",
        "call_id": f"Call-ID: {number}@{LOCAL}",
        "cseq": "CSeq: 1 INVITE",
        "contact": f"Contact: <sip:1@{LOCAL}:9>",
        "forwards": "Max-Forwards: 70",
        "more": "User-Agent: torture",
        "type": "Content-Type: application/sdp",
        "length": f"Content-Length: {len(changed.get('body', SDP).encode())}",
        "body": SDP,
    }
    parts |= changed
    body = parts.pop("body")
    return "\r\n".join(parts.values()) + "\r\n\r\n" + body


def torture(port: int) -> dict[str, str | bytes]:
    """Name of the case (of RFC 4475 where it has one) → message."""
    to = f"INVITE sip:12345@{LOCAL}:{port}"
    return {
        "wsinv": invite(
            port,
            **{"from": 'f:\r\n "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8'},
            to="TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
            cseq="cseq: 0009\r\n  INVITE",
            more="NewFangledHeader:   newfangled value\r\n continued newfangled value\r\nUnusualValue: ;;,,;;,;",
            forwards="Max-Forwards: 0068",
        ),
        "intmeth": invite(port, start=f"!interesting-Method0123456789_*+`.%indeed'~ sip:1@{LOCAL} SIP/2.0"),
        "esc01": invite(port, start=f"INVITE sip:sips%3Auser%40example.com@{LOCAL}:{port} SIP/2.0"),
        "escnull": invite(port, start=f"INVITE sip:null-%00-null@{LOCAL}:{port} SIP/2.0"),
        "esc02": invite(port, **{"from": f'From: "%Z%45" <sip:resource@{LOCAL}>;tag=f232jadfj23'}),
        "lwsdisp": invite(port, **{"from": f"From: caller<sip:caller@{LOCAL}>;tag=323"}),
        "longreq": invite(port, more="\r\n".join(f"Unknown{'ly' * 60}Long{n}: {'v' * 500}" for n in range(60))),
        "longname": invite(port, **{"from": f'From: "{"王" * 900}" <sip:{"1" * 300}@{LOCAL}>;tag=1'}),
        "dblreq": invite(port) + invite(port),
        "semiuri": invite(port, start=f"INVITE sip:user;par=u%40example.net@{LOCAL}:{port} SIP/2.0"),
        "transports": invite(port, via=f"Via: SIP/2.0/UNKNOWN {LOCAL}:9;branch=z9hG4bK1\r\nVia: SIP/2.0/TLS x"),
        "noreason": f"SIP/2.0 100 \r\n{VIA}Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
        "badinv01": invite(port, contact='Contact: "Joe" <sip:joe@example.org>;;;;', via="Via: SIP/2.0/UDP ;;,;,,"),
        "clerr": invite(port, length="Content-Length: 9999"),
        "ncl": invite(port, length="Content-Length: -999"),
        "scalar02": invite(port, cseq="CSeq: 36893488147419103232 INVITE", forwards="Max-Forwards: 300"),
        "scalarlg": f"SIP/2.0 503 x\r\n{VIA}CSeq: 9292394834772304023312 OPTIONS\r\n\r\n",
        "quotbal": invite(port, to=f'To: "Mr. J. User <sip:j.user@{LOCAL}>'),
        "ltgtruri": invite(port, start=f"INVITE <sip:user@{LOCAL}> SIP/2.0"),
        "lwsruri": invite(port, start=f"INVITE sip:user@{LOCAL}; lr SIP/2.0"),
        "lwsstart": invite(port, start=f"INVITE  sip:user@{LOCAL}  SIP/2.0"),
        "trws": invite(port, start=f"INVITE sip:user@{LOCAL} SIP/2.0  "),
        "escruri": invite(port, start=f"INVITE sip:user@{LOCAL}?Route=%3Csip:x%3E SIP/2.0"),
        "baddate": invite(port, more="Date: Fri, 01 Jan 2010 16:00:00 EST"),
        "badaspec": invite(port, to="To: <sip:user@[::1>, <<<"),
        "baddn": invite(port, to=f"To: Bell, Alexander <sip:a.g.bell@{LOCAL}>;tag=43"),
        "badvers": invite(port, start=f"{to} SIP/7.0"),
        "mismatch01": invite(port, cseq="CSeq: 8 REGISTER"),
        "mismatch02": invite(port, start=f"NEWMETHOD sip:user@{LOCAL} SIP/2.0"),
        "bigcode": f"SIP/2.0 4294967301 better not break\r\n{VIA}CSeq: 1 INVITE\r\n\r\n",
        "badbranch": invite(port, via=f"Via: SIP/2.0/UDP {LOCAL}:9;branch=z9hG4bK"),
        "insuf": f"{to} SIP/2.0\r\nCSeq: 193942 INVITE\r\nContent-Length: 0\r\n\r\n",
        "unkscm": invite(port, start="INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"),
        "novelsc": invite(port, start="INVITE soap.beep://192.0.2.103:3002 SIP/2.0"),
        "unksm2": invite(port, to="To: <http://user@example.com>;tag=3"),
        "bext01": invite(port, more="Require: nothingSupportsThis, nothingSupportsThisEither"),
        "invut": invite(port, type="Content-Type: application/unknownformat"),
        "regaut01": invite(port, more="Authorization: NoOneKnowsThisScheme opaque-data=here"),
        "multi01": invite(port, more=f"CSeq: 5 INVITE\r\nCall-ID: 2\r\nFrom: <sip:2@{LOCAL}>\r\nContact: *\r\nVia: x"),
        "mcl01": invite(port, more="Content-Length: 4"),
        "bcast": "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK9\r\nCSeq: 1 INVITE\r\n\r\n",
        "zeromf": invite(port, forwards="Max-Forwards: 0"),
        "cparam01": invite(port, contact=f"Contact: sip:+19725552222@{LOCAL};unknownparam"),
        "inv2543": f"{to} SIP/2.0\r\n{VIA}From: <sip:1@x>\r\nTo: <sip:2@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
        "no UTF-8": invite(port, **{"from": f'From: "@@" <sip:1@{LOCAL}>;tag=1'})
        .encode()
        .replace(b"@@", b"\xff\xfe\x00\x80"),
        "no body": invite(port, body=""),
        "replaces": invite(port, more="Replaces: 425928@phone.example.org;to-tag=7743;from-tag=6472"),
        "no audio": invite(port, body=SDP.replace("m=audio 9 RTP/AVP 8", "m=video 9 RTP/AVP 31")),
        "audio off": invite(port, body=SDP.replace("m=audio 9", "m=audio 0")),
        "no codec": invite(port, body=SDP.replace("AVP 8", "AVP 18 97")),
        "IPv6 audio": invite(port, body=SDP.replace("IN IP4 127.0.0.1\r\nt", "IN IP6 ::1\r\nt")),
        "bad address": invite(port, body=SDP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 999.1.1.1")),
        "bad port": invite(port, body=SDP.replace("m=audio 9", "m=audio 70000")),
        "bad rtpmap": invite(port, body=SDP + "a=rtpmap:8\r\na=rtpmap:999 x\r\na=ptime:-1\r\na=fmtp\r\n"),
        "many streams": invite(port, body=SDP + "m=audio 9 RTP/AVP 8\r\n" * 100),
        "many codecs": invite(port, body=SDP.replace("AVP 8", "AVP " + " ".join(map(str, range(200))))),
        "half SDP": invite(port, body=SDP[:40]),
        "empty": b"",
        "zeros": b"\0" * 2000,
        "line ends": b"\r\n" * 500,
        "keep-alive": b"\r\n\r\n",
    }


@pytest.fixture(scope="module")
def running_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    random.seed(4475)
    with running(tmp_path_factory.mktemp("sip")) as worker:
        yield worker


@pytest.fixture
def worker(running_worker: Worker) -> Iterator[Worker]:
    """The worker; after each test it is the same process, and takes a call."""
    yield running_worker
    assert running_worker.runs(), running_worker.log()[-3000:]
    with running_worker.gateway() as gateway:
        has_read_all(running_worker, gateway)
        gateway.answers = answer_all
        result = run_sipp(scenarios.caller_hangs_up(0.1), [SippCall("1", "12345", 9)], running_worker.port)
        assert result.successful == 1, result.errors
        until(lambda: not gateway.busy(), f"channels {gateway.busy()} become idle")


def has_read_all(worker: Worker, gateway: ScriptedGateway) -> None:
    """Return when it has read what came so far: it has refused a caller who came after that, and all others."""
    gateway.answers = refuse_with(Cause.BUSY)
    for transport in ("u1", "t1"):
        result = run_sipp(scenarios.refused(486), [SippCall("1", "12345", 9)], worker.port, transport=transport)
        assert result.successful == 1, result.errors
    until(lambda: not gateway.busy(), f"channels {gateway.busy()} become idle")


def as_bytes(message: str | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()


def over_udp(port: int, messages: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for message in messages:
            stranger.sendto(message, (LOCAL, port))
            time.sleep(0.002)


def over_tcp(port: int, messages: list[bytes]) -> None:
    for message in messages:
        with contextlib.suppress(ConnectionError), socket.create_connection((LOCAL, port), timeout=10) as stranger:
            stranger.sendall(message)
        time.sleep(ACCEPT_SECONDS)


@pytest.mark.parametrize("send", [over_udp, over_tcp])
def test_torture_messages(worker: Worker, send: Callable[[int, list[bytes]], None]) -> None:
    with worker.gateway() as gateway:
        gateway.answers = refuse_with(Cause.BUSY)

        send(worker.port, [as_bytes(message) for message in torture(worker.port).values()])

        if send is over_udp:
            until(lambda: gateway.of(Setup), "at least the lawful ones of them arrive")
        has_read_all(worker, gateway)
        for setup in gateway.of(Setup):
            assert isinstance(setup, Setup)
            assert len(setup.calling) <= 64 and len(setup.calling_name) <= 128
            assert (setup.called + setup.calling + setup.calling_name).isprintable()


def damaged(message: bytes, dice: random.Random) -> bytes:
    """A message with some bytes changed, a piece repeated, or its end cut off."""
    changed = bytearray(message)
    for _ in range(dice.randrange(1, 6)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    begin = dice.randrange(len(changed))
    match dice.randrange(4):
        case 0:
            return bytes(changed[:begin])
        case 1:
            return bytes(changed[:begin] + changed[begin : begin + 40] * 20 + changed[begin:])
    return bytes(changed)


@played_again_after_a_stall
def test_a_flood_of_garbage_and_damaged_messages_does_not_disturb_a_call(worker: Worker) -> None:
    dice = random.Random(1)
    (port,) = free_ports(1)
    pattern = np.random.default_rng(1).integers(0, 256, 8000, dtype=np.uint8)
    phone = RtpPhone(port, pattern)
    lawful = invite(worker.port).encode()
    flood = [dice.randbytes(dice.randrange(1500)) for _ in range(300)]
    flood += [damaged(lawful, dice) for _ in range(700)]

    with worker.gateway() as gateway:
        gateway.plays = dict.fromkeys(range(30), pattern)
        call = [SippCall("13900000000", "12345", port)]
        with RtpRoom([phone]), SippRun(scenarios.caller_hangs_up(4.0), call, worker.port) as run:
            until(lambda: phone.packets, "there is audio")
            talking = gateway.of(Setup)[0]
            assert isinstance(talking, Setup)
            gateway.answers = refuse_with(Cause.BUSY)
            over_udp(worker.port, flood)
            result = run.wait()
            gateway.answers = lambda signal: []

        assert result.successful == 1, result.errors
    repeated = np.concatenate((pattern, pattern)).tobytes()
    heard = gateway.heard(talking.channel)
    pieces = [heard[at : at + 400].tobytes() in repeated for at in range(1600, len(heard) - 400, 400)]
    assert sum(pieces) > 0.8 * len(pieces), f"{sum(pieces)} of {len(pieces)}; late by {gateway.worst_late_ms} ms"
    assert phone.lost() == 0
    assert len(worker.log()) < 100_000, "a stranger can fill the log"


def test_garbage_on_the_audio_port_of_a_call(worker: Worker) -> None:
    dice = random.Random(2)
    (port,) = free_ports(1)
    phone = RtpPhone(port, np.full(160, 0xD5, np.uint8))
    head = b"\x80\x65\0\1\0\0\0\1\0\0\0\1"
    garbage = [dice.randbytes(dice.randrange(400)) for _ in range(100)]
    garbage += [head, head + b"\1", head + b"\xff\x8a\xff\xff", head + b"\x10\x8a\0\xa0", b"\xff" * 40, b""]
    garbage += [b"\x8f\x08" + dice.randbytes(20), b"\x90\x08\0\1\0\0\0\1\0\0\0\1\xbe\xde\xff\xff"]

    with worker.gateway() as gateway:
        call = [SippCall("13900000000", "12345", port)]
        with RtpRoom([phone]), SippRun(scenarios.caller_hangs_up(1.5), call, worker.port) as run:
            until(lambda: phone.packets, "there is audio")
            assert phone._peer is not None
            over_udp(phone._peer[1], garbage)
            over_udp(phone._peer[1] + 1, garbage)
            assert run.wait().successful == 1
        until(lambda: not gateway.busy(), "the channel becomes idle")


def test_connections_that_say_nothing_or_half_a_message(worker: Worker) -> None:
    half = invite(worker.port).encode()[:200]
    with contextlib.ExitStack() as held:
        for number in range(50):
            stranger = held.enter_context(socket.create_connection((LOCAL, worker.port), timeout=10))
            time.sleep(ACCEPT_SECONDS)
            if number % 2:
                stranger.sendall(half)
        with worker.gateway() as gateway:
            result = run_sipp(scenarios.caller_hangs_up(0.1), [SippCall("1", "12345", 9)], worker.port)
            until(lambda: not gateway.busy(), "the channel becomes idle")

    assert result.successful == 1, result.errors


@pytest.mark.parametrize("signal", [b"{", b'{"type":"release","channel":99}', b'{"type":"hook"}', b"\xff\xfe", b""])
def test_a_gateway_that_talks_nonsense_is_let_go(worker: Worker, signal: bytes) -> None:
    with worker.gateway():
        pass  # the worker is up
    link, _ = connect_link(worker.paths.sip_socket, timeout_seconds=10.0)
    try:
        link.send_signal(signal)

        def gone() -> bool:
            try:
                link.receive()
            except Exception:
                return True
            return False

        until(gone, "the worker closes the link")
    finally:
        link.close()


def test_garbage_blocks_on_the_link(worker: Worker) -> None:
    with worker.gateway():
        pass
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(worker.paths.sip_socket))
        for packet in (b"B", b"B" + b"\0" * 100, b"X" * 60000):
            with contextlib.suppress(OSError):
                stranger.send(packet)


def test_names_of_slow_name_servers_do_not_stop_the_audio(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("needs root: a name server that never answers is put in the place of the machine's")
    (tmp_path / "resolv.conf").write_text("nameserver 127.9.9.9\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", script, str(tmp_path / "resolv.conf"))
    name = "never.example.org"

    def slow() -> dict[str, dict[str, str]]:
        """Case → what is changed in an INVITE; each time another one, which is no repetition."""
        return {
            "contact": {"contact": f"Contact: <sip:1@{name}>"},
            "route": {"more": f"Record-Route: <sip:{name};lr>"},
            "via": {"via": f"Via: SIP/2.0/UDP {LOCAL}:9;branch=z9hG4bK{random.random()};maddr={name}"},
            "audio": {"body": SDP.replace("c=IN IP4 127.0.0.1", f"c=IN IP4 {name}")},
            "rtcp": {"body": f"{SDP}a=rtcp:9 IN IP4 {name}\r\n"},
        }

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as never_answers,
        running(tmp_path, prefix) as worker,
        worker.gateway() as gateway,
    ):
        never_answers.bind(("127.9.9.9", 53))

        for case in slow():
            over_udp(worker.port, [invite(worker.port, **slow()[case]).encode()])
            end, waiting = time.monotonic() + 0.6, 0
            # A stall of this machine is soon over; who waits for a name server waits for five seconds and more.
            while time.monotonic() < end or waiting > 30:
                waiting = gateway.blocks_sent - gateway.blocks_received - gateway.missing
                assert waiting < 150, f"{case}: the audio stood still for {waiting * 10} ms"
                time.sleep(0.01)
        assert gateway.of(Setup)
