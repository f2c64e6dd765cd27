"""Outside callers for tests of the running box: sipp and baresip, started, told what to do, and read. No tests here.

* `Baresip`: one soft phone with real audio in both directions: it dials, presses digits (RFC 4733), holds, hangs up.
* `run_sipp`: many calls of one scenario (sipp_scenarios.py) at a rate, each with a number and a port for audio of its
  own; the audio is an `RtpRoom` (rtp_room.py), whose far ends speak a pattern of their own and keep all they hear.

All on 127.0.0.1, with ports that were free a moment ago. Audio is int16 at 8000 samples a second.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.running.running_box import until

LOCAL = "127.0.0.1"
RATE = 8000

Samples = NDArray[np.int16]


def free_ports(count: int) -> list[int]:
    """An even port and those that follow it, which nobody uses now, UDP and TCP."""
    for first in range(30000 + os.getpid() % 1000 * 2, 32700 - count, max(2, count + count % 2)):
        ports: list[int] = []
        with contextlib.ExitStack() as held:
            for port in range(first, first + count):
                try:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        probe = held.enter_context(socket.socket(socket.AF_INET, kind))
                        probe.bind((LOCAL, port))
                except OSError:
                    break
                ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"no {count} free ports")


def tone(hertz: float, seconds: float, amplitude: int = 8000) -> Samples:
    """A sine; int16 at 8000 samples a second."""
    moments = np.arange(round(seconds * RATE)) / RATE
    return np.round(amplitude * np.sin(2 * np.pi * hertz * moments)).astype(np.int16)


def tone_share(samples: NDArray[Any], hertz: float) -> float:
    """Which share of the energy is at a frequency (±10 Hz), 0 to 1; 0 for silence. For at least 100 ms of samples."""
    signal_part = samples.astype(np.float64) - samples.mean() if len(samples) else np.zeros(1)
    window = np.hanning(len(signal_part))
    energy = np.abs(np.fft.rfft(signal_part * window)) ** 2
    if energy.sum() < 1e4 * len(signal_part):  # about −66 dBm0
        return 0.0
    frequencies = np.fft.rfftfreq(len(signal_part), 1 / RATE)
    near = np.abs(frequencies - hertz) <= max(10.0, 2 * RATE / len(signal_part))
    return float(energy[near].sum() / energy.sum())


def seconds_of_tone(samples: NDArray[Any], hertz: float, block: int = 800, share: float = 0.8) -> float:
    """For how long a frequency dominates, counted in blocks of 100 ms."""
    blocks = [samples[start : start + block] for start in range(0, len(samples) - block + 1, block)]
    return sum(tone_share(part, hertz) >= share for part in blocks) * block / RATE


# ---- baresip ---------------------------------------------------------------------------------------------------------

_BARESIP_CONFIG = """\
poll_method epoll
sip_listen {local}:{sip_port}
audio_player aubridge,{name}
audio_source aufile,{folder}/speaks.wav
audio_alert aubridge,{name}-alert
audio_channels 1
audio_srate 8000
ausrc_srate 8000
auplay_srate 8000
rtp_ports {rtp_first}-{rtp_last}
jitter_buffer_delay 2-5
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {local}:{control_port}
snd_path {folder}
sip_autoanswer no
statmode_default off
"""


_HEADER = 44
"""Bytes of a WAV file before its samples; the last four say how many bytes these are."""


class Baresip:
    """One baresip, for one call. Use it as a context manager, or `close()` it."""

    def __init__(
        self,
        speaks: Samples,
        *,
        number: str = "13800138000",
        codec: str = "PCMA/8000/1",
        transport: str = "udp",
        modules: Path = Path("/usr/lib/baresip/modules"),
    ) -> None:
        """`speaks`: what it says from the moment a call is up, then silence. Raises OSError."""
        self._folder = tempfile.TemporaryDirectory(prefix="linebox-baresip-")
        self.folder = Path(self._folder.name)
        ports = free_ports(24)
        self.sip_port, control_port = ports[0], ports[2]  # the one between is its TLS port
        silence = np.zeros(120 * RATE, np.int16)  # baresip gives a call up at the end of its file
        soundfile.write(self.folder / "speaks.wav", np.concatenate((speaks, silence)), RATE, "PCM_16")
        (self.folder / "config").write_text(
            _BARESIP_CONFIG.format(
                local=LOCAL,
                folder=self.folder,
                name="bridge",
                modules=modules,
                sip_port=self.sip_port,
                control_port=control_port,
                rtp_first=ports[4],
                rtp_last=ports[-1],
            )
        )
        account = f"<sip:{number}@{LOCAL}:{self.sip_port};transport={transport}>;regint=0;audio_codecs={codec}\n"
        (self.folder / "accounts").write_text(account)
        self._transport = transport
        self._log = open(self.folder / "log", "wb")  # noqa: SIM115
        self._process = subprocess.Popen(
            ["baresip", "-f", str(self.folder)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        self.events: list[dict[str, Any]] = []
        """Everything that baresip told, oldest first: `type` is CALL_ESTABLISHED, CALL_CLOSED …"""
        self._received = b""
        self._control: socket.socket | None = None
        try:
            self._control = until(lambda: self._connect(control_port), "baresip takes commands")
        except BaseException:
            self.close()
            raise

    def _connect(self, port: int) -> socket.socket | None:
        if self._process.poll() is not None:
            raise OSError(f"baresip ended at once: {self.log()[-500:]}")
        try:
            control = socket.create_connection((LOCAL, port), timeout=1)
        except OSError:
            return None
        control.setblocking(False)
        return control

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- doing

    def dial(self, number: str, port: int) -> None:
        """Call a number at the box's SIP port."""
        transport = "" if self._transport == "udp" else f";transport={self._transport}"
        self._command("dial", f"sip:{number}@{LOCAL}:{port}{transport}")

    def press(self, digits: str) -> None:
        """Press digits, each as an RFC 4733 event."""
        for digit in digits:
            self._command("sndcode", digit)
            time.sleep(0.3)

    def hold(self) -> None:
        self._command("hold")

    def retrieve(self) -> None:
        self._command("resume")

    def hang_up(self) -> None:
        self._command("hangup")

    def _command(self, command: str, parameters: str = "") -> None:
        assert self._control is not None
        text = json.dumps({"command": command, "params": parameters, "token": command}).encode()
        self._control.sendall(str(len(text)).encode() + b":" + text + b",")

    # ---- seeing

    def _read(self) -> None:
        assert self._control is not None
        with contextlib.suppress(BlockingIOError):
            while data := self._control.recv(65536):
                self._received += data
        while b":" in self._received:
            length, _, rest = self._received.partition(b":")
            if len(rest) <= int(length):
                break
            self.events.append(json.loads(rest[: int(length)]))
            self._received = rest[int(length) + 1 :]

    def happened(self, kind: str) -> dict[str, Any] | None:
        """The newest event of a type, or None."""
        self._read()
        return next((event for event in reversed(self.events) if event.get("type") == kind), None)

    def wait_for(self, kind: str) -> dict[str, Any]:
        """Wait for an event of a type: CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED."""
        found: dict[str, Any] = until(lambda: self.happened(kind), f"baresip tells {kind}")
        return found

    def heard(self) -> Samples:
        """All that it has heard in its call, which is over."""

        def closed() -> bool:
            """baresip tells that a call is over and closes its files then; a closed one says how long it is."""
            file = self._dump()
            return len(file) > _HEADER and int.from_bytes(file[_HEADER - 4 : _HEADER], "little") == len(file) - _HEADER

        until(closed, "baresip has closed the file of what it heard")
        return self.heard_so_far()

    def heard_so_far(self) -> Samples:
        """What it has heard in its call until now."""
        file = self._dump()[_HEADER:]
        return np.frombuffer(file[: len(file) // 2 * 2], np.int16)

    def _dump(self) -> bytes:
        """The file of what it heard, 16 bits a sample at RATE; empty while there is none."""
        found = list(self.folder.glob("dump-*-dec.wav"))
        assert len(found) <= 1, "one call each"
        return found[0].read_bytes() if found else b""

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """End it; a call that is up is hung up by it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._control is not None:
            self._control.close()
        self._log.close()
        self._folder.cleanup()


# ---- sipp ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SippCall:
    """One call of a run: who calls whom, and the port of its audio (an `RtpPhone`, or any that is free)."""

    calling: str
    called: str
    rtp_port: int


@dataclass(frozen=True)
class SippResult:
    successful: int
    failed: int
    statuses: Counter[str]
    """Status lines that came, e.g. `INVITE 200` → 10, `BYE 200`; retransmissions count again."""
    messages: str
    """All messages as text."""
    errors: str


_BETWEEN = "-" * 47 + " "
"""What stands between the messages in sipp's log, before the moment of each."""


class SippRun:
    """One sipp that runs. Use it as a context manager; `wait()` gives the result."""

    def __init__(
        self,
        scenario: str,
        calls: Sequence[SippCall],
        box_port: int,
        *,
        rate: float = 10,
        at_once: int = 0,
        transport: str = "u1",
        limit_seconds: float = 60,
    ) -> None:
        """One call for each of `calls`, `rate` a second, at most `at_once` at a time (0: all). `transport`: sipp's
        `u1` (UDP) or `t1` (TCP). Calls that are not over after `limit_seconds` have failed."""
        self._folder = tempfile.TemporaryDirectory(prefix="linebox-sipp-")
        self.folder = Path(self._folder.name)
        (self.folder / "scenario.xml").write_text(scenario)
        rows = "".join(f"{call.calling};{call.called};{call.rtp_port}\n" for call in calls)
        (self.folder / "calls.csv").write_text("SEQUENTIAL\n" + rows)
        self._limit = limit_seconds
        self._calls = len(calls)
        port, media_port, control_port = free_ports(3)
        command = f"sipp {LOCAL}:{box_port} -sf scenario.xml -inf calls.csv"
        command += f" -m {len(calls)} -r {rate} -l {at_once or len(calls)}"
        command += f" -t {transport} -i {LOCAL} -mi {LOCAL} -p {port} -mp {media_port} -cp {control_port} -nostdin -aa"
        command += f" -timeout {limit_seconds}s -timeout_error -trace_msg -message_file messages.log"
        command += " -trace_err -error_file errors.log -trace_stat -stf statistics.csv -fd 1"
        self._process = subprocess.Popen(
            command.split(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TERM": "dumb"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def wait_until_up(self) -> None:
        """Until all calls are up: the callers have been answered, and have confirmed that."""

        def confirmed() -> int:
            sent = (message for message in self._messages().split(_BETWEEN) if "\nACK sip:" in message)
            return len({call[1] for message in sent if (call := re.search(r"\nCall-ID: (.+)\n", message))})

        until(lambda: confirmed() == self._calls, f"{self._calls} calls are up")

    def moment(self, start: str, sequence: str) -> float | None:
        """When the first message with this start (`SIP/2.0 200`) and CSeq (`2 INVITE`) was sent or received, in seconds
        of the real-time clock; None if it has not been."""
        for message in self._messages().split(_BETWEEN):
            head, _, text = message.partition("\n\n")
            if text.startswith(start) and f"\nCSeq: {sequence}\n" in text:
                return datetime.fromisoformat(head.partition("\n")[0].strip()).timestamp()
        return None

    def wait(self) -> SippResult:
        """Until all calls are over. Raises TimeoutExpired if sipp hangs."""
        self._process.wait(self._limit + 10)
        messages = self._messages()
        statuses = Counter(_statuses(messages))
        try:
            with open(self.folder / "statistics.csv") as file:
                last = list(csv.DictReader(file, delimiter=";"))[-1]
            successful, failed = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
        except (OSError, IndexError, KeyError):
            successful, failed = 0, 0
        return SippResult(successful, failed, statuses, messages, self._text("errors.log"))

    def _messages(self) -> str:
        return self._text("messages.log")

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(errors="replace")
        except FileNotFoundError:
            return ""


def _statuses(messages: str) -> list[str]:
    """`METHOD STATUS` of each response in sipp's message log."""
    found = []
    for part in messages.split("message received")[1:]:
        lines = [line.strip() for line in part.split("\n")]
        status = next((line.split()[1] for line in lines[:4] if line.startswith("SIP/2.0 ")), None)
        method = next((line.split()[-1] for line in lines if line.lower().startswith("cseq:")), None)
        if status and method:
            found.append(f"{method} {status}")
    return found


def run_sipp(scenario: str, calls: Sequence[SippCall], box_port: int, **options: Any) -> SippResult:
    """Make the calls (see `SippRun`) and wait until they are over."""
    with SippRun(scenario, calls, box_port, **options) as run:
        return run.wait()
