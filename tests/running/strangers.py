"""Strangers at the sockets of a running box, and what must be so after they came: the same processes, no traceback, one
long call still talking, and a new call that is answered and recorded completely. No tests.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from pathlib import Path
from typing import Any, Self

import psutil

from firmware.core.messages import MAXIMUM_MESSAGE
from firmware.records import tables
from tests.running.running_box import BoxTimeout, RunningBox, until

QUICK_EVERY_SECONDS = 0.7
QUICK_CALLS = 1000
LONG_CALL = "13800000001"
PATIENCE_SECONDS = 20.0


def scenario(folder: Path) -> Path:
    """One citizen talks to agent 801 for ever; others call every 0.7 s and hang up half a second after the answer."""
    long = [{"do": "wait", "until": "cleared", "at_most_seconds": 3000.0}]
    quick = [{"do": "wait", "until": "answered"}, {"do": "wait", "seconds": 0.5}, {"do": "hang_up"}]
    citizens = [{"at_seconds": 1.0, "name": "long", "calling": LONG_CALL, "audio": True, "steps": long}]
    citizens += [
        {"at_seconds": 2.0 + number * QUICK_EVERY_SECONDS, "calling": f"1390000{number:04d}", "steps": quick}
        for number in range(QUICK_CALLS)
    ]
    phones = [{"extension": "FXS-1", "behaviour": "manned", "agent": "801", "seat": "1", "answer_seconds": 0.5}]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": phones}))
    return path


class Service:
    """The running box as its citizens know it."""

    def __init__(self, folder: Path) -> None:
        self.box = RunningBox(folder, "--scenario", str(scenario(folder)))
        self.box.start()
        self.pids: dict[str, int] = {}
        self._log_begins: dict[str, int] = {}
        try:
            until(self.long_call_talks, "the long call talks")
            until(self._is_whole, "gateway, recorder and all boards that are not waited for are there")
            self.pids = {name: entry.pid for name, entry in self.box.processes().items()}
        except BaseException:
            self.box.stop()
            raise

    def _is_whole(self) -> bool:
        table, state = self.box.processes(), self.box.state()
        waited_for = {name for name, entry in table.items() if entry.state == "waiting"}
        return (
            all(entry.pid for name, entry in table.items() if name not in waited_for)
            and state.gateway_connected
            and state.recorder_connected
            and all(board.working for board in state.boards if board.board not in waited_for)
        )

    def long_call_talks(self) -> bool:
        return any(one.calling == LONG_CALL and one.state == "talking" for one in self.box.state().contacts)

    # ---- what must be so --------------------------------------------------------------------------------------------

    def goes_on(self) -> None:
        """Same processes, no traceback, the long call talks on, and a call that comes now is complete in the end."""
        self.takes_calls()
        assert self.long_call_talks(), "the call that was up is gone"
        table = self.box.processes()
        assert {name: entry.pid for name, entry in table.items()} == self.pids, "a process died"
        assert not any(entry.restarts for entry in table.values())

    def takes_calls(self) -> None:
        """A call that comes now is answered and recorded completely; no process has written a traceback."""
        now_us = time.monotonic_ns() // 1000
        until(self._is_connected, "the callserver has gateway and recorder")
        until(lambda: self._complete_call_after(now_us), "a new call is answered and recorded completely")
        for name in self.pids:
            text = self.log(name)
            assert "Traceback" not in text, f"{name}: " + text[text.index("Traceback") - 500 :][:3000]

    def _is_connected(self) -> bool:
        state = self.box.state()
        return state.gateway_connected and state.recorder_connected

    def _complete_call_after(self, moment_us: int) -> bool:
        contacts, legs, recordings = self.box.rows_of(tables.contacts, tables.legs, tables.recordings)
        new = {row["number"] for row in contacts if row["arrived_mono_us"] > moment_us}
        citizens = {row["contact"]: row for row in legs if row["party"] == "citizen"}
        for row in recordings:
            if row["contact"] in new and row["state"] == "closed":
                leg = citizens[row["contact"]]
                assert (row["missing"], row["samples"]) == (0, leg["ended_sample"] - leg["answered_sample"])
                if row["samples"] >= 0.4 * 8000:  # a stall of this machine makes one shorter, not all
                    return True
        return False

    # ---- looking ----------------------------------------------------------------------------------------------------

    def log(self, process: str) -> str:
        return (self.box.paths.logs / f"{process}.log").read_text(errors="replace")

    def mark_logs(self) -> None:
        self._log_begins = {name: len(self.log(name)) for name in self.pids}

    def said(self, process: str) -> str:
        """What a process has logged since `mark_logs`."""
        return self.log(process)[self._log_begins[process] :]

    def says(self, process: str, words: str) -> None:
        try:
            until(lambda: words in self.said(process), f'{process} says "{words}"')
        except BoxTimeout as timeout:
            raise BoxTimeout(f"{timeout}; it said {self.said(process)}") from None

    def memory(self, process: str) -> int:
        """Resident bytes."""
        return int(psutil.Process(self.pids[process]).memory_info().rss)

    def has_sip(self) -> bool:
        return bool(self.pids.get("sip"))


class Stranger:
    """A raw connection to a Unix socket."""

    def __init__(self, path: Path, kind: int = socket.SOCK_STREAM) -> None:
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.settimeout(PATIENCE_SECONDS)
        try:
            until(lambda: self._connected(path), f"{path.name} takes a connection")
        except BaseException:
            self.socket.close()
            raise
        self._read = bytearray()

    def _connected(self, path: Path) -> bool:
        try:
            self.socket.connect(str(path))
        except BlockingIOError:  # many are waiting to be accepted
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        """Send it all, unless the other side closes before."""
        try:
            if self.socket.type == socket.SOCK_STREAM:
                self.socket.sendall(data)
            else:
                self.socket.send(data)
        except ConnectionError:
            pass
        return self

    def is_closed(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Whether the other side closes within the time; what it says before is thrown away."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(1 << 20):
                    return True
            except ConnectionError:
                return True
            except TimeoutError:
                return False
        return False

    def message(self, seconds: float = PATIENCE_SECONDS) -> Any:
        """The next message of a stream of length-prefixed JSON."""
        end = time.monotonic() + seconds
        while True:
            if len(self._read) >= 4:
                (length,) = struct.unpack_from(">I", self._read)
                if len(self._read) >= 4 + length:
                    body = bytes(self._read[4 : 4 + length])
                    del self._read[: 4 + length]
                    return json.loads(body)
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            data = self.socket.recv(1 << 16)
            assert data, "the other side closed"
            self._read += data

    def reply(self, number: int) -> Any:
        """The callserver's reply with this id."""
        while True:
            message = self.message()
            if message.get("type") == "reply" and message["id"] == number:
                return message


def framed(body: bytes | str | dict[str, Any]) -> bytes:
    """One message as it goes over the wire."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    return struct.pack(">I", len(data)) + data


def garbage(valid: dict[str, Any], wrong_types: dict[str, Any]) -> dict[str, bytes]:
    """Name → what no process can understand. `valid` is a message that this socket takes, `wrong_types` not quite."""
    dice = random.Random(1)
    good = json.dumps(valid)
    return {
        # Bytes that do not happen to announce a length that could be.
        "random bytes": b"\x80" + dice.randbytes(5000),
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "the greatest length": b"\xff\xff\xff\xff" + b"x" * 100,
        "a length too long by one": struct.pack(">I", MAXIMUM_MESSAGE + 1),
        "no body": framed(b""),
        "no JSON": framed(b"hello"),
        "cut JSON": framed(good[:-1]),
        "two in one": framed(good + good),
        "a list": framed("[1, 2]"),
        "null": framed("null"),
        "a number": framed("1e999"),
        "NaN": framed('{"type": NaN}'),
        "no type": framed("{}"),
        "a type that is no text": framed('{"type": 5}'),
        "an unknown message": framed('{"type": "open_the_door"}'),
        "wrong types": framed(wrong_types),
        "not UTF-8": framed(b'{"type": "\xff\xfe"}'),
        "half a character": framed('{"type": "\\ud800"}'),
        "nested deep": framed("[" * 200_000),
        "nested deep in an unknown field": framed(good[:-1] + ', "new": ' + "[" * 200_000),
        "zeros": b"\0" * 4096,
    }
