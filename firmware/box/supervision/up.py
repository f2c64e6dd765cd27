"""`linebox up`: sets up an empty data folder, then runs the whole box in the foreground until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from firmware.box.demonstration import ADMINISTRATOR, is_unconfigured, write_demonstration
from firmware.box.sign_of_life import SignOfLife, sign_of_life
from firmware.box.supervision import ports
from firmware.box.supervision.child import Plan
from firmware.box.supervision.log_file import LogFile
from firmware.box.supervision.supervisor import Supervisor
from firmware.box.supervision.up_options import SIP_PORT, WEB_PORT
from firmware.core.configuration import load_configuration_or_last_good
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import read_process_table
from firmware.core.schemas import Configuration, Panel
from firmware.core.tokens import token_key

WATCHDOG_SECONDS = 10.0
"""A process that gives no sign of life for so long hangs: ten times the longest stall of a machine that will do."""
DISK_WATCHDOG_SECONDS = 30.0
"""Of those that write to the disk in their main loop: so long the kernel waits for one command of a disk."""
ARCHIVE_WATCHDOG_SECONDS = 600.0
"""At idle priority it may not get its turn for minutes, and no call waits for it."""

SIP_PATIENCE_SECONDS = 5.0
"""How long `ready` waits for a SIP worker that is coming up: who calls at once shall not call in vain."""


class _Terminal:
    """Where the supervisor speaks: standard output and `logs/supervisor.log`."""

    def __init__(self, paths: BoxPaths) -> None:
        self._log = LogFile(paths.logs / "supervisor.log")

    def say(self, text: str) -> None:
        self._log.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {text}\n".encode())
        self.say_only_here(text)

    @staticmethod
    def say_only_here(text: str) -> None:
        """For secrets: not into the log. A terminal that has gone away stops nobody."""
        with contextlib.suppress(OSError, ValueError):
            print(text, flush=True)

    def close(self) -> None:
        self._log.close()


@contextlib.contextmanager
def _only_one(paths: BoxPaths) -> Iterator[None]:
    """One supervisor a data folder. Raises ClearError if there is one."""
    descriptor = os.open(paths.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.read(descriptor, 32).decode(errors="replace").strip() or "?"
            what = f"another linebox (process {other}) already works on {paths.data}"
            raise ClearError(what, f"stop that one first (kill {other}), or name another folder with --data") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _end_left_overs(paths: BoxPaths) -> None:
    """Processes of a supervisor that was killed die with it; wait for that, so that sockets and databases are free."""
    left: list[psutil.Process] = []
    for entry in read_process_table(paths).values():
        with contextlib.suppress(psutil.Error, ValueError):
            process = psutil.Process(entry.pid)
            words = process.cmdline()
            # A process number may have been given to somebody else since.
            if str(paths.data) in words and any(word.startswith("firmware.box.") for word in words):
                left.append(process)
    _, alive = psutil.wait_procs(left, timeout=2.0)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(alive, timeout=2.0)


def plans(options: argparse.Namespace, paths: BoxPaths, configuration: Configuration, web: int, sip: int) -> list[Plan]:
    """The processes of this box. At the end whoever makes or shows calls stops before those who keep the records."""

    limits = {
        "recorder": DISK_WATCHDOG_SECONDS,
        "web": DISK_WATCHDOG_SECONDS,
        "archive": ARCHIVE_WATCHDOG_SECONDS,
    }

    def plan(
        module: str, *arguments: str, name: str = "", requires: str = "", stop_stage: int = 0, port: int = 0
    ) -> Plan:
        command = (sys.executable, "-m", f"firmware.box.{module}.process", "--data", str(paths.data), *arguments)
        limit = limits.get(module, WATCHDOG_SECONDS)
        return Plan(name or module, command, requires, stop_stage, port, watchdog_seconds=limit)

    kinds = {board.kind for board in configuration.boards if board.enabled}
    chosen = [
        plan("gateway"),
        plan("callserver", stop_stage=1),
        plan("recorder", stop_stage=1),
        plan("archive"),
        plan("web", "--port", str(web), port=web),
    ]
    if "sim" in kinds and not options.no_simulator:
        arguments = ["--quiet"] if options.quiet else []
        for name in ("scenario", "report", "seed"):
            value = getattr(options, name)
            if value is not None:
                arguments += [f"--{name}", str(value.resolve() if isinstance(value, Path) else value)]
        chosen.append(plan("simulator", *arguments))
    if "sip" in kinds:
        chosen.append(plan("sip", "--port", str(sip), requires="pjsua2", port=sip))
    if configuration.box.panel != Panel() or any(seat.display for seat in configuration.seats):
        chosen.append(plan("displays", stop_stage=1))  # its lamps go dark when the records are closed
    for board in configuration.boards:
        if board.enabled and board.e1 is not None and board.e1.signalling == "pri":
            arguments = ["--span", str(board.e1.span), "--side", board.e1.side]
            arguments += ["--overlap"] if board.e1.overlap else []
            for option, number_as in (("--called-as", board.e1.called_as), ("--calling-as", board.e1.calling_as)):
                arguments += [option, number_as] if number_as != "unknown/unknown" else []
            chosen.append(plan("pri", *arguments, name=f"pri-{board.e1.span}"))
    return chosen


def _listening(path: Path) -> bool:
    """True if a process listens at a Unix socket; asked of the kernel, because a connection would count as a client."""
    flag_accepting = "00010000"  # __SO_ACCEPTCON, net/unix/af_unix.c
    for line in Path("/proc/net/unix").read_text().splitlines():
        words = line.split()
        if len(words) == 8 and words[3] == flag_accepting and words[7] == str(path):
            return True
    return False


def _not_healthy(port: int) -> list[str]:
    """What the web process says is not there, itself included."""
    connection = http.client.HTTPConnection(ports.ADDRESS, port, timeout=0.5)
    try:
        connection.request("GET", "/api/v1/health")
        health = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return ["web"]
    finally:
        connection.close()
    if health["ready"]:
        return []
    return [f"web to {name}" for name in ("callserver", "gateway") if not health[name]] or ["web"]


def sip_stack_line(paths: BoxPaths) -> str:
    """What is said while the SIP stack is not there."""
    building = False
    with contextlib.suppress(OSError):
        building = time.time() - (paths.logs / "build_pjsua2.log").stat().st_mtime < 60
    script = Path(__file__).resolve().parents[3] / "scripts" / "build_pjsua2"
    if not building and script.exists():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            asked = subprocess.run([str(script), "--status"], capture_output=True, text=True, timeout=5, check=False)
            building = asked.stdout.strip() == "building"
    if building:
        return "SIP: the SIP stack is being built (about a minute); everything else runs"
    remedy = "scripts/build_pjsua2 --install (about a minute)"
    return f"SIP: the SIP stack is not built; everything else runs\n  remedy: {remedy}"


def up(options: argparse.Namespace) -> int:
    """Run the box until SIGTERM or SIGINT. Returns the exit code. Raises ClearError, ConfigurationError, OSError."""
    paths = box_paths(options.data)
    if options.scenario is not None and not options.scenario.is_file():
        raise ClearError(f"there is no scenario file {options.scenario}", "name a file that exists with --scenario")
    sign = sign_of_life()
    sign.status("starting")
    paths.make()
    with _only_one(paths):
        terminal = _Terminal(paths)
        try:
            return _run(options, paths, terminal, sign)
        finally:
            terminal.close()


def _run(options: argparse.Namespace, paths: BoxPaths, terminal: _Terminal, sign: SignOfLife) -> int:
    web = ports.choose("--web-port", options.web_port, WEB_PORT)
    sip = ports.choose("--sip-port", options.sip_port, SIP_PORT, udp=True)
    if is_unconfigured(paths):
        password = write_demonstration(paths)
        terminal.say("First start: the demonstration county was set up.")
        if password is not None:
            terminal.say_only_here(f"Administrator: {ADMINISTRATOR}  password: {password}  (shown only now)")
    configuration, problems = load_configuration_or_last_good(paths)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        terminal.say(f"The configuration files are wrong; the last good configuration is in force:\n{lines}")
    token_key(paths)
    _end_left_overs(paths)
    chosen = plans(options, paths, configuration, web, sip)
    has_sip = any(plan.name == "sip" for plan in chosen)

    began = time.monotonic()

    def missing() -> list[str]:
        sockets = {"gateway": paths.gateway_socket, "callserver": paths.cti_socket}
        absent = [name for name, path in sockets.items() if not _listening(path)]
        # The pages are asked last: the question costs the most.
        absent = absent or _not_healthy(web)
        if not absent and has_sip and time.monotonic() - began < SIP_PATIENCE_SECONDS:
            entry = read_process_table(paths).get("sip")
            if entry is not None and entry.state == "running" and not ports.is_bound_udp(sip):
                return ["sip"]
        return absent

    def is_ready() -> None:
        text = f"Linebox ready: http://{ports.ADDRESS}:{web} " + (f"(SIP {sip})" if has_sip else "(SIP off)")
        terminal.say(text)
        sign.ready(text)

    supervisor = Supervisor(
        paths,
        chosen,
        say=terminal.say,
        missing=missing,
        on_ready=is_ready,
        waits_for_module=lambda plan: sip_stack_line(paths),
        sign=sign,
    )
    supervisor.run()
    terminal.say("Linebox stopped.")
    return 0
