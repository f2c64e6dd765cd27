"""Nonsense at the port of the pages of a running box: a clear answer or a closed connection; the service goes on."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import socket
import time
from collections.abc import Iterator

import pytest

from firmware.records import tables
from tests.running.running_box import until
from tests.running.strangers import Service

pytestmark = pytest.mark.running

MEGABYTE = 1 << 20
ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("box"))
    yield service
    service.box.stop()


@pytest.fixture
def service(running_service: Service) -> Iterator[Service]:
    running_service.mark_logs()
    yield running_service
    assert running_service.box.json("/api/v1/health")["ready"]
    running_service.goes_on()


def connected(service: Service, seconds: float = 20.0) -> socket.socket:
    return socket.create_connection((ADDRESS, service.box.web_port), timeout=seconds)


def answer(service: Service, sent: bytes) -> bytes:
    """Everything that comes back until the connection is closed; nothing more will be sent."""
    received = b""
    with connected(service) as stranger, contextlib.suppress(ConnectionError):
        with contextlib.suppress(OSError):  # closed meanwhile: what was answered before can still be read
            stranger.sendall(sent)
            stranger.shutdown(socket.SHUT_WR)
        while data := stranger.recv(1 << 16):
            received += data
    return received


def statuses(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"(?:^|\r\n)HTTP/1\.[01] (\d{3}) ", received)]


def status(service: Service, sent: bytes) -> int:
    """The first status that comes back; 0 if the connection is closed without any."""
    return (statuses(answer(service, sent)) or [0])[0]


def request(line: str, *headers: str, body: bytes = b"", close: bool = True) -> bytes:
    more = ("Host: box", *headers, *(("Connection: close",) if close else ()))
    return "\r\n".join((line, *more, "", "")).encode("latin-1") + body


def token(service: Service) -> str:
    service.box.get("/api/v1/health")
    return f"Authorization: Bearer {service.box._token}"


def asked(service: Service, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of a lawful HTTP request by the administrator."""
    received = answer(service, request(f"{method} {path} HTTP/1.1", token(service), *headers, body=body))
    return statuses(received)[0], received.partition(b"\r\n\r\n")[2]


GET = "GET /api/v1/health HTTP/1.1"
POST = "POST /api/v1/agents/812/not-ready HTTP/1.1"

NOT_HTTP = {
    "random bytes": random.Random(1).randbytes(5000),
    "zeros": b"\0" * 20_000,
    "line ends": b"\r\n" * 2000,
    "TLS": bytes.fromhex("160301020001000001fc0303") + bytes(500),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET\r\n\r\n",
    "a wild version": b"GET / HTTP/999999999999.1\r\n\r\n",
    "half a line": b"GET /api/v1/he",
    "half the headers": b"GET / HTTP/1.1\r\nHost: box\r\nAccept",
    "a long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": request(GET, "X-Long: " + "a" * 1_000_000),
    "many headers": request(GET, *(f"X-{number}: {number}" for number in range(20_000))),
    "a header without a colon": request(GET, "nonsense"),
    "a header of bytes": request(GET, "X-Bytes: \xff\xfe\x01"),
    "a length that is no number": request(POST, "Content-Length: many"),
    "a negative length": request(POST, "Content-Length: -5"),
    "a wild length": request(POST, "Content-Length: 99999999999999999999999"),
    "two lengths": request(POST, "Content-Length: 1", "Content-Length: 2", body=b"{}"),
    "a body that ends early": request(POST, "Content-Length: 500", body=b"{"),
    "a bad chunk length": request(POST, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk length": request(POST, "Transfer-Encoding: chunked", body=b"-5\r\n{}\r\n0\r\n\r\n"),
    "a wild chunk length": request(POST, "Transfer-Encoding: chunked", body=b"f" * 40 + b"\r\n{}"),
    "chunks that end early": request(POST, "Transfer-Encoding: chunked", body=b"5\r\n{"),
    "a chunk longer than it says": request(POST, "Transfer-Encoding: chunked", body=b"1\r\n{}\r\n0\r\n\r\n"),
    "chunks and a length": request(POST, "Transfer-Encoding: chunked", "Content-Length: 3", body=b"0\r\n\r\n"),
}


def test_what_is_hardly_http_is_refused_or_closed(service: Service) -> None:
    may = {"a header of bytes": 200, "chunks and a length": 409}
    for case, sent in NOT_HTTP.items():
        for data in (sent, sent.replace(b"Host: box", token(service).encode() + b"\r\nHost: box")):
            found = status(service, data)
            assert found in (0, 400, 401, 404, 408, 411, 413, 414, 431, 501, 505, may.get(case)), (case, found)


def test_a_request_behind_a_bad_one_is_not_answered(service: Service) -> None:
    """Where it is unclear where a body ends, what follows could be somebody else's words."""
    smuggled = request("GET /api/v1/state HTTP/1.1", token(service))
    for headers, body in (
        (("Transfer-Encoding: chunked",), b"zz\r\n"),
        (("Content-Length: -5",), b""),
        (("Content-Length: 3",), b"{}\n"),
    ):
        first = request(POST, token(service), *headers, body=body, close=False)
        found = statuses(answer(service, first + smuggled))
        assert found.count(200) <= (1 if headers == ("Content-Length: 3",) else 0), (headers, found)


def test_paths_that_lead_nowhere(service: Service) -> None:
    for path in (
        "/static/../../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/....//....//etc/passwd",
        "/static/..\\..\\etc\\passwd",
        "/static//etc/passwd",
        "/static/%00",
        "/static/linebox.css%00.js",
        "/static/.",
        "/../firmware/core/tokens.py",
        "/static/%ff%fe",
        "/%",
        "/" + "a" * 4000,
        "/calls/99999999999999999999999999",
        "/api/v1/calls/99999999999999999999999999",
        "/api/v1/calls/9223372036854775808/recording",
        "/api/v1/calls/-1",
        "/api/v1/calls/1%00",
        "/api/v2/calls",
    ):
        code, body = asked(service, path)
        assert code == 404 or (code in (302, 303) and path.startswith("/calls/")), path
        assert b"root:" not in body and b"import " not in body, path
        if path.startswith("/api/"):
            assert json.loads(body)["remedy"], path


def test_methods_that_are_not_taken(service: Service) -> None:
    for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "G\xc9T", "CONNECT"):
        for path in ("/api/v1/calls", "/sign-out"):
            received = answer(service, request(f"{method} {path} HTTP/1.1", token(service)))
            code = (statuses(received) or [0])[0]
            assert code in (0, 400, 405, 501), (method, path)
            assert code != 405 or b"\r\nAllow: " in received, (method, path)


def test_queries_that_cannot_be(service: Service) -> None:
    for query in (
        "limit=-1",
        "limit=NaN",
        "limit=1e3",
        "limit=" + "9" * 300,
        "before=10000000000000000000000",
        "since=9999-99-99",
        "until=yesterday",
        "recorded=maybe",
        "colour=red",
        "caller=%ff%fe",
        "&".join(["x=1"] * 200),
    ):
        code, body = asked(service, f"/api/v1/calls?{query}")
        problem = json.loads(body)
        assert (code, problem["code"]) == (400, "bad_parameter"), query
        assert problem["what"] and problem["remedy"] and problem["details"], query
    code, _ = asked(service, "/api/v1/calls?since=0001-01-01T00:00:00%2B23:59&until=9999-12-31T23:59:59-23:59")
    assert code in (200, 400)


def test_bodies_that_are_not_the_json_that_is_expected(service: Service) -> None:
    deep = b"[" * 10_000
    for body in (
        *(b"[", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"reason":5}', b'{"reason":"x","more":1}'),
        *(b'{"reason":"\\ud800"}', b'{"reason":NaN}', deep, b'{"reason":' + deep),
    ):
        length = f"Content-Length: {len(body)}"
        code, text = asked(service, "/api/v1/agents/812/not-ready", length, method="POST", body=body)
        assert (code, json.loads(text)["code"]) == (400, "bad_json"), body[:40]


def test_bodies_and_texts_that_are_too_long(service: Service) -> None:
    for length in (16 * 1024 + 1, 10**12):
        code, text = asked(service, "/api/v1/agents/812/not-ready", f"Content-Length: {length}", method="POST")
        assert (code, json.loads(text)["code"]) == (413, "too_large")
    for reason in ("x" * 65, "\x1b[2J"):
        body = json.dumps({"reason": reason}).encode()
        length = f"Content-Length: {len(body)}"
        code, text = asked(service, "/api/v1/agents/812/not-ready", length, method="POST", body=body)
        assert (code, json.loads(text)["code"]) == (400, "bad_parameter")
    code, text = asked(service, f"/api/v1/agents/{'9' * 2000}/ready", method="POST")
    assert (code, json.loads(text)["code"]) == (400, "bad_parameter")
    code, text = asked(service, "/api/v1/agents/%00/ready", method="POST")
    assert (code, json.loads(text)["code"]) == (400, "bad_parameter")


def test_tokens_that_are_not_ours(service: Service) -> None:
    good = token(service).removeprefix("Authorization: Bearer ")
    wrong = ["", "x", "v1", "v1...", good[:-1], good + "A", good.upper(), "v1.\xff.1.x", "a" * 7000, "Basic YTpi"]
    wrong += [good.replace(".", ".."), "v1.YWRtaW4.99999999999999999999999." + good.rpartition(".")[2], "\x00"]
    for one in wrong:
        header = f"Authorization: {one}" if one.startswith("Basic") else f"Authorization: Bearer {one}"
        found = status(service, request("GET /api/v1/state HTTP/1.1", header))
        assert found in (400, 401), (one[:40], found)
    for cookie in ("linebox_session=", "linebox_session=" + "a" * 3000, "=;;=,\xff", 'linebox_session="\\777'):
        assert status(service, request("GET /api/v1/state HTTP/1.1", f"Cookie: {cookie}")) == 401


def test_sign_in_forms_that_make_no_sense(service: Service) -> None:
    ours = "X-Requested-With: test"
    for body, expected in (
        (b"", (401,)),
        (b"login=admin&password=" + b"x" * 10_000, (401,)),
        (b"login=%00%ff&password=%fe", (400, 401)),
        (b"&".join([b"login=a"] * 500), (400,)),
        (b"\xff\xfe\x00", (400, 401)),
        (b"login=" + b"a" * 100_000, (413,)),
    ):
        sent = request("POST /sign-in HTTP/1.1", ours, f"Content-Length: {len(body)}", body=body)
        assert status(service, sent) in expected, body[:40]
    foreign = ("Origin: https://elsewhere.example", "Content-Length: 0")
    assert status(service, request("POST /sign-in HTTP/1.1", *foreign)) == 403


def test_ranges_of_a_recording(service: Service) -> None:
    service.takes_calls()
    closed = [row for row in service.box.rows(tables.recordings) if row["state"] == "closed"]
    for asks, expected in (
        ("bytes=999999999-", 416),
        ("bytes=9999999999999999999999-", 200),
        ("bytes=5-2", 416),
        ("bytes=-0", 416),
        ("bytes=-999999999", 206),
        ("bytes=0-0", 206),
        ("bytes=0-0,5-9", 200),
        ("bytes=a-b", 200),
        ("bytes=--5", 200),
        ("seconds=0-1", 200),
        ("bytes=\xb2-", 200),
        ("", 200),
    ):
        code, body = asked(service, f"/api/v1/calls/{closed[0]['contact']}/recording", f"Range: {asks}")
        assert code == expected, asks
        assert len(body) == 1 if asks == "bytes=0-0" else body[:4] == b"RIFF" or code == 416, asks


def test_two_hundred_connections_that_say_nothing_or_half_a_request(service: Service) -> None:
    half = request("GET /api/v1/state HTTP/1.1", token(service))
    with contextlib.ExitStack() as held:
        for number in range(200):
            stranger = held.enter_context(connected(service))
            stranger.sendall(half[: (number * 3) % len(half) - 1] if number % 2 else b"")
        assert any(health_seconds(service) < 3.0 for _ in range(3)), "three answers that took three seconds"
        service.goes_on()


def health_seconds(service: Service) -> float:
    """How long an answer takes."""
    began = time.monotonic()
    assert service.box.json("/api/v1/health")["ready"]
    return time.monotonic() - began


def test_readers_of_events_who_never_read_cost_little_memory(service: Service) -> None:
    before = service.memory("web")
    with contextlib.ExitStack() as held:
        for _ in range(40):
            stranger = held.enter_context(connected(service))
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stranger.sendall(request("GET /api/v1/events?after=0&state=true HTTP/1.1", token(service)))
        service.goes_on()
        grown = service.memory("web") - before
    assert grown < 60 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB"


def test_a_thousand_wild_requests_one_after_the_other_on_one_connection(service: Service) -> None:
    dice = random.Random(5)
    connection = http.client.HTTPConnection(ADDRESS, service.box.web_port, timeout=20)
    name, value = token(service).split(": ")
    before = service.memory("web")
    try:
        for _ in range(1000):
            path = "/api/v1/" + "".join(dice.choice("calls/0123?=&%2e.-_~agents") for _ in range(dice.randrange(40)))
            connection.request("GET", path, headers={name: value})
            got = connection.getresponse()
            got.read()
            assert got.status in (200, 400, 404, 405), path
    finally:
        connection.close()
    assert service.memory("web") - before < 30 * MEGABYTE


def test_the_log_names_what_was_wrong_and_no_secret(service: Service) -> None:
    status(service, NOT_HTTP["a bad chunk length"])
    status(service, b"nonsense\r\n\r\n")
    until(lambda: "nonsense" in service.said("web"), "the bad request line is in the log")
    assert service.box._token not in service.log("web")
