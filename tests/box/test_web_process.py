"""The web process from outside: its socket, garbage on it, and a callserver that comes, goes, lies or hangs.

The callserver is scripted, on a real socket; what the pages say is tested in tests/webui and tests/web.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from boards.signals import ChannelKind
from firmware.box.demonstration import write_demonstration
from firmware.calls.messages import (
    CallEvent,
    EventName,
    GetBoxState,
    Reply,
    Subscribe,
    decode_request,
)
from firmware.core.clock import VirtualClock
from firmware.core.configuration import read_documents, save_documents
from firmware.core.messages import Peer, PeerGone, accept, frame, listen
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.tokens import mint, token_key
from firmware.lines.messages import ChannelState
from firmware.tones.cadence import LearnedTone
from tests.webui.scripted_office import START_UTC_US, box_state

FOR_EVER = 4_000_000_000
NOISE = b"\x80" + random.Random(1).randbytes(63)
"""Does not happen to announce a length that could be."""
LINE = ChannelState(40, "sim", "FXO-1", ChannelKind.EXCHANGE_LINE, "idle")


class ScriptedCallserver(threading.Thread):
    """Listens on cti.sock; answers GetBoxState and Subscribe; sends what it is told to."""

    def __init__(self, paths: BoxPaths, events: Sequence[CallEvent] = ()) -> None:
        """`events`: what its database holds."""
        super().__init__(daemon=True)
        self._paths = paths
        self._listener = listen(paths.cti_socket)
        self._over, self._wake = os.pipe()
        self._peers: list[Peer] = []
        self._orders: list[Callable[[], None]] = []
        self.events = list(events)
        self.subscribed: list[int] = []
        self.answers = True
        self.start()

    def run(self) -> None:
        while True:
            readable, _, _ = select.select([self._over, self._listener, *self._peers], [], [])
            if self._over in readable and os.read(self._over, 1) == b"q":
                return
            while self._orders:
                self._orders.pop(0)()
            if self._listener in readable and (peer := accept(self._listener, decode_request)) is not None:
                self._peers.append(peer)
            for peer in [one for one in self._peers if one in readable]:
                try:
                    for request in peer.receive():
                        self._answer(peer, request)
                except PeerGone:
                    self._peers.remove(peer)
                    peer.close()

    def _answer(self, peer: Peer, request: Any) -> None:
        if not self.answers:
            return
        match request.body:
            case GetBoxState():
                number = self.events[-1].number if self.events else 0
                state = box_state(VirtualClock(START_UTC_US), number)
                peer.send(Reply(request.id, state=msgspec.structs.replace(state, channels=(*state.channels, LINE))))
            case Subscribe(after):
                self.subscribed.append(after)
                peer.send(Reply(request.id))
                for event in self.events:
                    if event.number > after:
                        peer.send(event)
            case _:
                peer.send(Reply(request.id))

    def order(self, what: Callable[[], None]) -> None:
        self._orders.append(what)
        os.write(self._wake, b"x")

    def happen(self, number: int, name: EventName = EventName.QUEUED, **fields: Any) -> None:
        event = CallEvent(number=number, name=name, at=VirtualClock(START_UTC_US).now(), contact=number, **fields)
        self.events.append(event)
        self.order(lambda: [peer.send(event) for peer in self._peers] and None)

    def say(self, data: bytes) -> None:
        self.order(lambda: [peer.send_frames(data) for peer in self._peers] and None)

    def stop(self) -> None:
        os.write(self._wake, b"q")
        self.join()
        for one in (*self._peers, self._listener):
            one.close()
        os.close(self._over)
        os.close(self._wake)
        self._paths.cti_socket.unlink()


class WebProcess:
    def __init__(self, folder: Path) -> None:
        self.paths = box_paths(folder / "data")
        self.paths.make()
        write_demonstration(self.paths)
        self.token = mint(token_key(self.paths), "admin", FOR_EVER)
        command = [sys.executable, "-m", "firmware.box.web.process", "--data", str(self.paths.data), "--port", "0"]
        self._log = (folder / "web.log").open("w+")
        self.process = subprocess.Popen(command, stderr=self._log)
        self.port = int(until(self._said_port, "the web process listens"))

    def _said_port(self) -> str:
        assert self.process.poll() is None, self.log()
        return self.log().partition("http://127.0.0.1:")[2].partition("\n")[0]

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def health(self) -> int:
        return self.get("/api/v1/health")[0]

    def raw(self, data: bytes, seconds: float = 1.5) -> bytes:
        """What comes back for these bytes until the other side closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            found = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    found += piece
            except OSError:
                pass
        return found

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0, self.log()
        self._log.close()


def until(true: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"after {seconds} s still not so: {what}"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    made = WebProcess(tmp_path_factory.mktemp("web"))
    yield made
    made.stop()


@pytest.fixture
def callserver(web: WebProcess) -> Iterator[ScriptedCallserver]:
    made = ScriptedCallserver(web.paths)
    until(lambda: made.subscribed and web.health() == 200, "the web process has found the callserver")
    yield made
    made.stop()


class EventStream:
    """A reader of /events; closed by the test."""

    def __init__(self, web: WebProcess, after: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", web.port), timeout=60)
        head = f"GET /api/v1/events?after={after} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {web.token}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb")

    def numbers(self, count: int) -> list[int]:
        """Numbers of the next call events."""
        found = []
        while len(found) < count:
            line = self._file.readline()
            assert line, "the stream ended"
            if line.startswith(b'data: {"number":') and b'"name"' in line:
                found.append(json.loads(line[6:])["number"])
        return found

    def close(self) -> None:
        self._file.close()
        self._socket.close()


# ---- the callserver --------------------------------------------------------------------------------------------------


def test_without_callserver_the_process_runs_and_says_that_it_waits(web: WebProcess) -> None:
    assert web.health() == 503
    status, body = web.get("/api/v1/state")

    assert (status, json.loads(body)["code"]) == (503, "callserver_away")
    assert web.get("/sign-in")[0] == 200


def test_a_stream_goes_on_over_the_death_of_the_callserver_without_gap_or_double(
    web: WebProcess, callserver: ScriptedCallserver
) -> None:
    for number in (1, 2):
        callserver.happen(number)
    stream = EventStream(web, after=0)
    assert stream.numbers(2) == [1, 2]

    callserver.stop()
    until(lambda: web.health() == 503, "the loss is noticed")
    at = VirtualClock(START_UTC_US).now()
    # 3 and 4 happened while nobody was connected.
    events = [CallEvent(number=number, name=EventName.QUEUED, at=at, contact=number) for number in (1, 2, 3, 4)]
    callserver.__init__(web.paths, events)  # type: ignore[misc]
    assert stream.numbers(2) == [3, 4]

    assert callserver.subscribed == [2], "it subscribes after the last event that it has"
    callserver.happen(5)
    assert stream.numbers(1) == [5]
    stream.close()


@pytest.mark.parametrize(
    "nonsense",
    [b"\x00\x00\x00\x05hello", b"\xff\xff\xff\xff", frame({"type": "event", "number": "x"}), frame([]), NOISE],
    ids=["no JSON", "endless", "wrong type", "no object", "noise"],
)
def test_nonsense_of_the_callserver_ends_that_connection_and_a_new_one_is_made(
    web: WebProcess, callserver: ScriptedCallserver, nonsense: bytes
) -> None:
    before = len(callserver.subscribed)

    callserver.say(nonsense)

    until(lambda: len(callserver.subscribed) > before, "it has connected again")
    assert until(lambda: web.health() == 200, "and works")


def test_a_callserver_that_hangs_is_left_and_looked_for_again(web: WebProcess, callserver: ScriptedCallserver) -> None:
    callserver.answers = False

    until(lambda: web.health() == 503, "it is noticed that nothing is answered")
    callserver.answers = True
    until(lambda: web.health() == 200, "and that it answers again")


def test_a_login_that_comes_into_force_may_read_at_once(web: WebProcess, callserver: ScriptedCallserver) -> None:
    documents = read_documents(web.paths, "logins")
    token = mint(token_key(web.paths), "auditor", FOR_EVER)
    assert web.get("/api/v1/state", Authorization=f"Bearer {token}")[0] == 401

    save_documents(web.paths, "logins", [*documents, {**documents[0], "login": "auditor"}])
    callserver.happen(1, EventName.CONFIGURATION_CHANGED)

    until(lambda: web.get("/api/v1/state", Authorization=f"Bearer {token}")[0] == 200, "the new login is known")


def test_edits_that_nobody_reloaded_are_not_in_force_when_a_channel_is_blocked_or_a_tone_is_learnt(
    web: WebProcess, callserver: ScriptedCallserver
) -> None:
    logins = read_documents(web.paths, "logins")
    token = mint(token_key(web.paths), "pending", FOR_EVER)
    save_documents(web.paths, "logins", [*logins, {**logins[0], "login": "pending"}])

    def status() -> int:
        return web.get("/api/v1/state", Authorization=f"Bearer {token}")[0]

    def tones() -> list[float]:
        lines = json.loads(web.get("/api/v1/lines")[1])["lines"]
        return [tone["hz"] for line in lines for tone in line["busy_tones"]]

    first = callserver.subscribed[-1] + 1
    callserver.happen(first, EventName.BLOCKING_CHANGED)
    learnt = LearnedTone(411, 190, 200, -21.5, 10, (186, 194), (196, 204))
    callserver.happen(first + 1, EventName.LINE_LEARNT, line="FXO-1", tone=learnt)
    until(lambda: tones() == [411], "the tone is shown")
    assert status() == 401

    callserver.happen(first + 2, EventName.CONFIGURATION_CHANGED)
    until(lambda: status() == 200, "the new login is known")


# ---- garbage from outside --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a browser that believes in https
        b"INVITE sip:12345@box SIP/2.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nX-Requested-With: x\r\nContent-Length: 500\r\n\r\nhalf",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nX-Requested-With: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nX-Requested-With: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nX-Requested-With: x\r\nContent-Length: 4\r\n\r\n\xff\xfe=%",
        b"GET /%ff%fe/%00/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /static/../application.py HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/calls/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 1000,
        b"GET / HT",
        b"",
    ],
)
def test_garbage_is_refused_without_a_traceback_and_service_goes_on(web: WebProcess, data: bytes) -> None:
    lines = len(web.log())

    answer = web.raw(data)

    status = answer.split(b" ")[1:2]
    assert status in ([], [b"400"], [b"401"], [b"403"], [b"404"], [b"405"], [b"413"], [b"414"], [b"431"], [b"505"]), (
        answer
    )
    assert b"Traceback" not in answer
    assert "Traceback" not in web.log()[lines:]
    assert web.get("/sign-in")[0] == 200


def test_a_body_that_is_too_large_is_not_read(web: WebProcess) -> None:
    head = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nX-Requested-With: x\r\nContent-Length: 999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", web.port), timeout=5) as connection:
        connection.sendall(head)

        assert b" 413 " in connection.recv(4096)


def test_half_requests_do_not_keep_others_waiting(web: WebProcess) -> None:
    half = [socket.create_connection(("127.0.0.1", web.port), timeout=5) for _ in range(50)]
    for one in half:
        one.sendall(b"GET /api/v1/health HTTP/1.1\r\nHos")

    begun = time.monotonic()
    assert web.get("/sign-in")[0] == 200

    assert time.monotonic() - begun < 5
    for one in half:
        one.close()


def test_a_number_that_was_searched_for_is_not_in_the_log(web: WebProcess) -> None:
    web.get("/api/v1/calls?caller=13800130000")
    web.raw(b"GET /calls?caller=13800130000 HTTP/9.9\r\n\r\n")

    assert "13800130000" not in web.log()


# ---- starting --------------------------------------------------------------------------------------------------------


def start(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firmware.box.web.process", "--data", str(folder / "data"), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_that_is_taken_is_said_with_its_remedy(web: WebProcess, tmp_path: Path) -> None:
    paths = box_paths(tmp_path / "data")
    paths.make()
    write_demonstration(paths)

    done = start(tmp_path, "--port", str(web.port))

    assert done.returncode == 2
    assert f"port {web.port}" in done.stderr
    assert "choose another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_configuration_is_said_without_traceback(tmp_path: Path) -> None:
    done = start(tmp_path, "--port", "0")

    assert done.returncode == 2
    assert "box.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_at_once_when_told_to_even_with_streams_open(tmp_path: Path) -> None:
    own = WebProcess(tmp_path)
    stream = EventStream(own, after=0)
    begun = time.monotonic()

    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(timeout=60) == 0

    assert time.monotonic() - begun < 4
    stream.close()
    own._log.close()
