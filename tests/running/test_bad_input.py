"""Nonsense on every socket of a running box: it costs the connection that it came on, is named in the log, and nothing
else. After each test the processes are the same, a call that was up still talks, and the next one is complete.

The pages' port has a file of its own, `test_bad_http.py`; SIP is judged in detail by `test_sip_bad_input.py`.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boards import sim
from boards.sip import CHANNELS as SIP_CHANNELS
from firmware.calls.messages import SetNotReady, SignIn
from tests.running import sipp_scenarios
from tests.running.running_box import until
from tests.running.sip_peers import SippCall, run_sipp
from tests.running.strangers import Service, Stranger, framed, garbage

pytestmark = pytest.mark.running

MEGABYTE = 1 << 20
CONNECTIONS = 200

ATTACH = {"type": "attach", "boot": "", "last_number": 0}
HELLO = {"type": "recorder_hello"}


def request(number: int, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "request", "id": number, "body": body, **more}


GET_STATE = {"type": "get_box_state"}
STREAMS = {
    "gateway": (ATTACH, {**ATTACH, "last_number": "many"}),
    "cti": (request(1, GET_STATE), request(1, {"type": "subscribe", "after": "all"})),
    "recorder": (HELLO, {"type": "recording_closed", "recording": "x"}),
}
LISTENS = {"gateway": "gateway", "cti": "callserver", "recorder": "callserver", "simulator": "simulator", "sip": "sip"}


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("box"))
    yield service
    service.box.stop()


@pytest.fixture
def service(running_service: Service) -> Iterator[Service]:
    running_service.mark_logs()
    yield running_service
    running_service.goes_on()


def socket_of(service: Service, name: str) -> Path:
    if name == "sip" and not service.has_sip():
        pytest.skip("the SIP stack is not built: scripts/build_pjsua2 --install")
    return service.box.paths.run / f"{name}.sock"


def kind_of(name: str) -> int:
    return socket.SOCK_SEQPACKET if name in ("simulator", "sip") else socket.SOCK_STREAM


def nobody_was_displaced(service: Service) -> None:
    for process, words in (
        ("callserver", "has gone"),
        ("gateway", "has gone"),
        ("gateway", "board "),
        ("simulator", "the gateway is gone"),
        ("sip", "the gateway has gone"),
    ):
        assert words not in service.said(process), service.said(process)


# ---- streams of messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STREAMS)
def test_garbage_closes_the_connection_that_sent_it_and_is_named_in_the_log(service: Service, name: str) -> None:
    path = socket_of(service, name)
    for case, data in garbage(*STREAMS[name]).items():
        with Stranger(path) as stranger:
            assert stranger.send(data).is_closed(), f"{case}: not closed"

    for words in ("bytes was announced", "not understood", "recursion", "malformed", "Invalid value 'open_the_door'"):
        service.says(LISTENS[name], words)
    nobody_was_displaced(service)


@pytest.mark.parametrize("name", STREAMS)
def test_half_a_message(service: Service, name: str) -> None:
    whole = framed(STREAMS[name][0])
    with contextlib.ExitStack() as held:
        for length in (0, 1, 4, 5, len(whole) - 1):
            with Stranger(socket_of(service, name)) as left:
                left.send(whole[:length])
            held.enter_context(Stranger(socket_of(service, name))).send(whole[:length])
        service.goes_on()  # while they are still open
    nobody_was_displaced(service)


@pytest.mark.parametrize("name", LISTENS)
def test_two_hundred_connections_at_once_that_say_nothing(service: Service, name: str) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(Stranger(socket_of(service, name), kind_of(name)))
        service.goes_on()
    nobody_was_displaced(service)


# ---- requests to the callserver --------------------------------------------------------------------------------------


def test_a_message_of_a_newer_version_is_understood(service: Service) -> None:
    newer = request(7, {**GET_STATE, "in_colour": True}, priority={"of": [1, {"more": None}]})
    with Stranger(socket_of(service, "cti")) as stranger:
        assert stranger.send(framed(newer)).reply(7)["state"]["gateway_connected"] is True


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"type": "sign_in", "agent": "9" * 1_000_000, "seat": "1"}, "bad_parameter"),
        ({"type": "sign_in", "agent": "802", "seat": "席" * 65}, "bad_parameter"),
        ({"type": "sign_in", "agent": "802\x00", "seat": "1"}, "bad_parameter"),
        ({"type": "sign_in", "agent": "../../etc/passwd", "seat": "1"}, "unknown_agent"),
        ({"type": "sign_in", "agent": "802", "seat": "-1"}, "unknown_seat"),
        ({"type": "sign_in", "agent": "", "seat": ""}, "unknown_agent"),
        ({"type": "set_not_ready", "agent": "802", "reason": "\x1b[31mred\r\nline"}, "bad_parameter"),
        ({"type": "set_not_ready", "agent": "802", "reason": "x" * 4_000_000}, "bad_parameter"),
        ({"type": "release_call", "agent": "812"}, "no_call"),
        ({"type": "set_ready", "agent": "812"}, "not_signed_in"),
    ],
)
def test_wild_texts_are_refused_with_a_code_and_the_connection_stays(
    service: Service, body: dict[str, Any], error: str
) -> None:
    with Stranger(socket_of(service, "cti")) as stranger:
        assert stranger.send(framed(request(1, body))).reply(1)["error"] == error
        assert "error" not in stranger.send(framed(request(2, GET_STATE))).reply(2)


def test_a_name_of_the_asker_that_is_too_long_for_the_audit_is_refused(service: Service) -> None:
    with Stranger(socket_of(service, "cti")) as stranger:
        reply = stranger.send(framed(request(1, {"type": "set_ready", "agent": "812"}, by="b" * 1000))).reply(1)
    assert (reply["error"], reply["details"]) == (
        "bad_parameter",
        ["by: at most 64 characters are expected, and no control characters"],
    )


@pytest.mark.parametrize("number", ["-1000000000000000000000000000000", "1e400", "NaN", "1.5", "null", '"1"', "-2"])
def test_wild_numbers_close_the_connection(service: Service, number: str) -> None:
    body = f'{{"type":"request","id":1,"body":{{"type":"subscribe","after":{number}}}}}'
    with Stranger(socket_of(service, "cti")) as stranger:
        assert stranger.send(framed(body)).is_closed()
    service.says("callserver", "a client was closed: a message was not understood")


def test_a_wild_request_number_comes_back_as_it_was(service: Service) -> None:
    for number in (-(10**30), 0, 2**64):
        with Stranger(socket_of(service, "cti")) as stranger:
            assert stranger.send(framed(request(number, GET_STATE))).reply(number)["state"]


def test_subscribers_who_never_read_cost_little_memory(service: Service) -> None:
    """Half of them ask for all that ever was; all let everything lie while thousands of events come."""
    box = service.box
    box.ask(SignIn("812", "12"))
    before = service.memory("callserver")
    with contextlib.ExitStack() as held:
        for number in range(40):
            stranger = held.enter_context(Stranger(socket_of(service, "cti")))
            after = 0 if number % 2 else -1
            stranger.send(framed(request(1, {"type": "subscribe", "after": after})))
        with Stranger(socket_of(service, "cti")) as busy:
            for number in range(3000):
                body = {"type": "set_not_ready", "agent": "812", "reason": f"break {number}"}
                busy.send(framed(request(number, body)))
                if number % 100 == 99:
                    busy.reply(number)
        grown = service.memory("callserver") - before
        service.goes_on()
    assert grown < 40 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB"


def test_one_who_asks_and_asks_and_never_reads_is_not_listened_to(service: Service) -> None:
    before = service.memory("callserver")
    asked = framed(request(1, GET_STATE)) * 100
    sent = 0
    with Stranger(socket_of(service, "cti")) as stranger:
        stranger.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < 50 * MEGABYTE:
                sent += stranger.socket.send(asked)
        grown = service.memory("callserver") - before
        service.goes_on()
    assert sent < 5 * MEGABYTE
    assert grown < 40 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB"


# ---- taking somebody's place -----------------------------------------------------------------------------------------


def test_a_second_callserver_takes_the_place_of_the_first_which_comes_back_by_itself(service: Service) -> None:
    assert any(displaced_for(service) < 2.0 for _ in range(3)), "three times not within two seconds"


def displaced_for(service: Service) -> float:
    """Seconds until the callserver has its place again."""
    service.mark_logs()
    with Stranger(socket_of(service, "gateway")) as second:
        snapshot = second.send(framed({**ATTACH, "later": [1]})).message()
        assert snapshot["type"] == "snapshot"
        began = time.monotonic()
        service.says("gateway", "a newer callserver has taken its place")
        assert second.is_closed()
        until(lambda: service.box.state().gateway_connected, "the first one is back")
    return time.monotonic() - began


WILD_COMMANDS: list[dict[str, Any]] = [
    {"type": "clear_leg", "leg": "x" * 1_000_000},
    {"type": "clear_leg", "leg": "\x00", "cause": "normal"},
    {"type": "answer_leg", "leg": "../.."},
    {"type": "configure_lines", "blocked": ["\x00", "x" * 1_000_000]},
    {"type": "configure_lines", "blocked": [f"E1/{10**30}"] * 1000},
    {"type": "ring_extension", "request": "wild", "channel": -(10**30)},
    {"type": "ring_extension", "request": "", "channel": 0, "calling": "\x07" * 10_000},
    {"type": "play", "leg": "?", "play": "p", "sounds": ["prompt:../../../etc/passwd"] * 3, "loop": True},
    {"type": "stop_play", "leg": ""},
    {"type": "join", "hearing": [{"leg": "a", "sources": ["a", "b"] * 1000}] * 100},
    {"type": "resume", "last_number": 10**30},
    {"type": "resume", "last_number": -(10**30)},
    {"type": "attach", "boot": "", "last_number": -(10**30)},
    {"type": "attach", "boot": "\x00", "last_number": 10**30},
]


def test_wild_commands_to_the_gateway_do_nothing(service: Service) -> None:
    for command in WILD_COMMANDS:
        with Stranger(socket_of(service, "gateway")) as second:
            # In one piece: before it is known that nobody may confirm what was not sent to him.
            second.send(framed(ATTACH) + framed(command) + framed({"type": "resume", "last_number": 10**9}))
            assert second.message()["type"] == "snapshot", command
            assert second.is_closed(), f"{command}: the callserver did not come back"
    until(lambda: service.box.state().gateway_connected, "the callserver is back")


def test_a_sound_that_is_not_there_played_to_a_caller(service: Service) -> None:
    until(lambda: wild_sounds_to_quick_callers(service), "one of those who call for a moment is on a line")


def wild_sounds_to_quick_callers(service: Service) -> int:
    """In the place of the callserver; to how many."""
    with Stranger(socket_of(service, "gateway")) as second:
        legs = second.send(framed(ATTACH)).message()["legs"]
        quick = [leg["leg"] for leg in legs if leg["calling"].startswith("139")]
        for leg in quick:
            second.send(
                framed({"type": "play", "leg": leg, "play": "wild", "sounds": ["", "tone:", "\n"], "loop": True})
            )
            second.send(framed({"type": "join", "hearing": [{"leg": leg, "sources": [leg, leg, "?"]}]}))
        assert second.is_closed()
    return len(quick)


def test_a_second_recorder_takes_the_place_of_the_first_which_comes_back_by_itself(service: Service) -> None:
    said: list[dict[str, Any]] = [
        {"type": "recording_closed", "recording": 10**30, "samples": 1, "missing": 0, "sha256": "0" * 64},
        {"type": "recording_failed", "recording": -1, "fault": {"code": "\x00" * 100_000}},
    ]
    with Stranger(socket_of(service, "recorder")) as second:
        second.send(b"".join(framed(message) for message in [{**HELLO, "later": {}}, *said]))
        service.says("callserver", "the recorder has gone: another one has taken its place")
        assert second.is_closed()
    until(lambda: service.box.state().recorder_connected, "the first one is back")


@pytest.mark.parametrize(
    "wild",
    [{"samples": -5}, {"samples": 10**30}, {"missing": -1}, {"sha256": "short"}, {"sha256": "Z" * 64}],
    ids=str,
)
def test_wild_values_of_a_recorder_cost_its_connection(service: Service, wild: dict[str, Any]) -> None:
    good = {"type": "recording_closed", "recording": 1, "samples": 1, "missing": 0, "sha256": "0" * 64}
    with Stranger(socket_of(service, "recorder")) as second:
        assert second.send(framed(HELLO) + framed({**good, **wild})).is_closed()
    service.says("callserver", "not understood")


# ---- block links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "channels"), [("simulator", len(sim.CHANNELS)), ("sip", len(SIP_CHANNELS))])
def test_strangers_at_a_block_link_do_not_take_the_gateways_place(service: Service, name: str, channels: int) -> None:
    path = socket_of(service, name)
    packets = {
        "block": b"B" + bytes(8 + channels * 80),
        "half a block": b"B" + bytes(100),
        "signal": b'S{"type":"release","channel":0}',
        "random bytes": random.Random(2).randbytes(60_000),
        "a hello without anything": b"H",
        "a hello that is no object": b"Hnull",
        "a hello of another version": b'H{"version":99}',
        "a hello of a wild version": b'H{"version":%d}' % 10**30,
        "a hello that is nested deep": b'H{"version":1,"new":' + b"[" * 60_000,
    }
    for case, packet in packets.items():
        with Stranger(path, socket.SOCK_SEQPACKET) as stranger:
            assert stranger.send(packet).is_closed(), f"{case}: not closed"
    with Stranger(path, socket.SOCK_SEQPACKET):
        service.goes_on()  # while one says nothing

    for words in ("is not a hello", "speaks version 99", "recursion"):
        service.says(name, f"{name}.sock: a connection that was no gateway was closed: ")
        service.says(name, words)
    nobody_was_displaced(service)


def test_a_second_gateway_at_the_sip_worker_is_replaced_by_the_first(service: Service) -> None:
    # The first may be back between the hello of the second and its signal.
    until(lambda: in_the_gateways_place_at_the_sip_worker(service), "the second one was understood")

    def works() -> bool:
        return all(board.working for board in service.box.state().boards if board.board == "sip")

    service.says("gateway", "board sip works")
    until(works, "the SIP board works again")


def in_the_gateways_place_at_the_sip_worker(service: Service) -> bool:
    """One attempt; whether its signal for a channel that there is not was read."""
    with Stranger(socket_of(service, "sip"), socket.SOCK_SEQPACKET) as second:
        second.send(b'H{"version":1,"later":true}').send(b'S{"type":"release","channel":99}')
        assert second.is_closed()
    return "there is no channel 99" in service.said("sip")


# ---- SIP -------------------------------------------------------------------------------------------------------------


def test_nonsense_on_the_sip_port_and_then_a_call(service: Service) -> None:
    socket_of(service, "sip")
    port = service.box.sip_port
    dice = random.Random(3)
    invite = (
        f"INVITE sip:12345@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n"
        f"From: <sip:1@127.0.0.1>;tag=1\r\nTo: <sip:12345@127.0.0.1>\r\nCall-ID: wild\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:1@127.0.0.1:9>\r\nContent-Type: application/sdp\r\nContent-Length: 9999\r\n\r\nv=0\r\n"
    ).encode()
    messages = [invite[: dice.randrange(len(invite))] for _ in range(50)]
    messages += [dice.randbytes(dice.randrange(1, 1400)) for _ in range(100)]
    messages += [invite.replace(b"INVITE", b"\xff\xfe"), invite.replace(b"SIP/2.0", b"SIP/9.9"), b"\0" * 1400]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for message in messages:
            stranger.sendto(message, ("127.0.0.1", port))
    with contextlib.ExitStack() as held:
        for number in range(20):
            address = ("127.0.0.1", port)
            half = held.enter_context(socket.create_connection(address, timeout=5))
            with contextlib.suppress(ConnectionError):
                half.sendall(messages[number])
        result = run_sipp(sipp_scenarios.caller_hangs_up(0.3), [SippCall("13700000000", "12345", 9)], port)
        assert result.successful == 1, result.errors

    def complete() -> bool:
        calls = json.loads(service.box.get("/api/v1/calls?caller=13700000000"))["calls"]
        return bool(calls) and calls[0]["ended"] is not None and calls[0]["recording"] is not None

    until(complete, "the SIP call is in the list")


def test_a_stopped_agent_program_leaves_no_trace_in_the_state(service: Service) -> None:
    """What the refused requests asked for did not happen."""
    box = service.box
    box.ask(SetNotReady("812", "break"))
    agents = {agent.agent: agent for agent in box.state().agents}
    assert agents["802"].seat == "" and agents["812"].reason == "break"
