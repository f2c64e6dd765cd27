"""Runs the processes of the box: starts all at once, restarts who dies or hangs, stops them in order. No telephony.

One thread and one `select`. `linebox up` (up.py) says which processes there are and when the box counts as ready; on
the box itself systemd does this work.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from firmware.box.sign_of_life import NOBODY, SignOfLife
from firmware.box.supervision.child import BACK_OFF_SECONDS, Child, Plan, RestartPolicy, ended_how, last_line
from firmware.box.supervision.log_file import LogFile
from firmware.box.supervision.watchdog import ABORT_SECONDS, AwakeTime, NotifySocket, Step, Watch, where_it_hung
from firmware.core.hints import hint
from firmware.core.logging import without_secrets
from firmware.core.paths import BoxPaths
from firmware.core.process_table import ProcessEntry, write_process_table

MODULE_CHECK_SECONDS = 5.0
READY_CHECK_SECONDS = 0.05
STOP_SECONDS = 2.6
"""All stages together; then whoever is left is killed. Three seconds are promised."""
STAGE_SECONDS = 1.3
QUIET_DEATHS = 100
"""Of a process that keeps ending, only every so many deaths are told: the log is for other things too."""
TURN_SECONDS = 0.5
"""The loop turns at least so often: signs of life are waited for, and given."""
PATIENCE_SECONDS = 20.0
"""After this long without being ready, what is missing is said."""


@dataclass
class _Slot:
    """What the supervisor knows of one plan."""

    plan: Plan
    log: LogFile
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    entry: ProcessEntry = field(default_factory=lambda: ProcessEntry(state="starting"))
    child: Child | None = None
    watch: Watch | None = None
    started: float = 0.0
    start_at: float | None = 0.0
    """When to start it (monotonic seconds); None while it runs or waits for a module."""


def can_import(module: str) -> bool:
    """True if a fresh Python can import the module; half an installation is none."""
    importlib.invalidate_caches()
    try:
        if importlib.util.find_spec(module) is None:
            return False
    except (ImportError, ValueError):
        return False
    command = [sys.executable, "-c", f"import {module}"]
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    return False


class Supervisor:
    """`run()` until SIGTERM or SIGINT. Must be run by the main thread: signals, and the life line of the children."""

    def __init__(
        self,
        paths: BoxPaths,
        plans: Sequence[Plan],
        *,
        say: Callable[[str], None],
        missing: Callable[[], list[str]] = list,
        on_ready: Callable[[], None] = lambda: None,
        waits_for_module: Callable[[Plan], str] = lambda plan: f"{plan.name} waits for the module {plan.requires}",
        module_check_seconds: float = MODULE_CHECK_SECONDS,
        sign: SignOfLife = NOBODY,
    ) -> None:
        """`missing()` lists what is not there yet for the box to be ready. `say` is called with what a person should
        know, `on_ready` once; `waits_for_module` words what is said of a process that cannot be started yet. `sign` is
        given while the loop turns; `ready` is left to `on_ready`."""
        self._paths = paths
        self._say = say
        self._missing = missing
        self._on_ready = on_ready
        self._waits_for_module = waits_for_module
        self._module_check_seconds = module_check_seconds
        self._sign = sign
        self._slots = [_Slot(plan, LogFile(paths.logs / f"{plan.name}.log")) for plan in plans]
        self._selector = selectors.DefaultSelector()
        self._signs: NotifySocket | None = None
        """Where signs of life come; None while nobody is watched."""
        self._awake = AwakeTime(time.monotonic())
        self._stop = False
        self._starting = True
        """Until the box is ready, or the patience is over: that one part is not there yet is no news."""
        self._began = time.monotonic()
        self._began_utc_us = time.time_ns() // 1000
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "LINEBOX_ADMIN_PASSWORD"},
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start all, keep them running, stop them in order when told to. Kills what is left if it fails itself. Raises
        OSError if there is no socket to be had for signs of life."""
        if any(slot.plan.watchdog_seconds for slot in self._slots):
            self._signs = NotifySocket(self._paths.notify_socket)
            self._selector.register(self._signs, selectors.EVENT_READ)
        hearing, telling = socket.socketpair()
        for one in (hearing, telling):
            one.setblocking(False)
        old_wakeup = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
        old_handlers = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._told_to_stop),
            signal.SIGINT: signal.signal(signal.SIGINT, self._told_to_stop),
            signal.SIGHUP: signal.signal(signal.SIGHUP, self._told_to_stop),
            # Only so that the wake-up is written: the exit codes are asked for in the loop.
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda number, frame: None),
        }
        self._selector.register(hearing, selectors.EVENT_READ)
        try:
            self._keep_running(hearing)
            self._stop_all(hearing)
        finally:
            for slot in self._slots:
                if slot.child is not None:
                    slot.child.signal(signal.SIGKILL)
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old_handlers.items():
                signal.signal(number, handler)
            self._selector.close()
            if self._signs is not None:
                self._signs.close()
            hearing.close()
            telling.close()
            for slot in self._slots:
                slot.log.close()

    def _told_to_stop(self, number: int, frame: object) -> None:
        self._stop = True

    def _keep_running(self, hearing: socket.socket) -> None:
        ready = complained = False
        next_module_check = next_ready_check = 0.0
        for slot in self._slots:
            if slot.plan.requires:
                slot.start_at = None
        while not self._stop:
            now = time.monotonic()
            self._start_due(now)
            if now >= next_module_check:  # after the first start: the look takes a while
                self._look_for_modules(first=next_module_check == 0.0)
                next_module_check = time.monotonic() + self._module_check_seconds
                self._start_due(time.monotonic())
            if not ready and now >= next_ready_check:
                missing = self._missing()
                if not missing:
                    ready = True
                    self._started()
                    self._on_ready()
                elif not complained and now - self._began > PATIENCE_SECONDS:
                    complained = True
                    self._started()
                    lacking = f"not ready after {PATIENCE_SECONDS:.0f} s, still missing: {', '.join(missing)}"
                    self._sign.status(lacking)
                    self._say(lacking)
                next_ready_check = time.monotonic() + READY_CHECK_SECONDS
            due = [slot.start_at for slot in self._slots if slot.start_at is not None]
            if any(slot.entry.state == "waiting" for slot in self._slots):
                due.append(next_module_check)
            if not ready:
                due.append(next_ready_check)
            self._wait(hearing, min(due) - time.monotonic() if due else TURN_SECONDS)

    def _started(self) -> None:
        if self._starting:
            self._starting = False
            self._write_table()

    def _wait(self, hearing: socket.socket, seconds: float) -> None:
        """Until something is said, someone ends, a signal comes or the time is over, at most TURN_SECONDS."""
        self._sign.alive(time.monotonic_ns() // 1000)
        events = self._selector.select(min(max(seconds, 0.0), TURN_SECONDS))
        awake = self._awake.turn(time.monotonic())
        for key, _ in events:
            if key.fileobj is hearing:
                with contextlib.suppress(BlockingIOError):
                    hearing.recv(4096)
            elif key.fileobj is self._signs:
                self._take_signs(awake)
            else:
                child = key.data
                if not child.read():
                    self._selector.unregister(child.fileno())
        for slot in self._slots:
            if slot.child is not None and (code := slot.child.exit_code()) is not None:
                self._ended(slot, code)
            elif not self._stop:
                self._end_if_hung(slot, awake)

    # ---- signs of life -----------------------------------------------------------------------------------------------

    def _take_signs(self, awake: float) -> None:
        """Each process speaks for itself alone; whatever others send is nothing."""
        assert self._signs is not None
        watches = {slot.child.pid: slot.watch for slot in self._slots if slot.child is not None}
        for pid, datagram in self._signs.receive():
            if (watch := watches.get(pid)) is not None:
                watch.hear(datagram, awake)

    def _end_if_hung(self, slot: _Slot, awake: float) -> None:
        if slot.watch is None or slot.child is None:
            return
        name, silent, step = slot.plan.name, slot.watch.silent_seconds(awake), slot.watch.due(awake)
        if step is Step.ABORT:
            slot.child.signal(signal.SIGABRT)
            slot.entry.hangs += 1
            self._write_table()
            text = f"{name} hangs: no sign of life for {silent:.1f} s; it is ended (SIGABRT) and started again\n"
            text += f"  where all its threads stood is in {self._paths.logs / name}.log"
            if slot.watch.status:
                text += f"\n  it said last of itself: {without_secrets(slot.watch.status)}"
            self._say(text)
        elif step is Step.KILL:
            slot.child.signal(signal.SIGKILL)
            self._say(f"{name} has not ended within {ABORT_SECONDS:g} s: SIGKILL (it was stopped, or waits for a disk)")
        elif step is Step.GIVE_UP:
            cause = "the kernel holds it, for a disk or a device that does not answer"
            self._say(f"{name} does not end by SIGKILL either: {cause}\n  remedy: see the kernel's log (dmesg)")

    # ---- one process -------------------------------------------------------------------------------------------------

    def _look_for_modules(self, first: bool) -> None:
        for slot in self._slots:
            if not slot.plan.requires or not (first or slot.entry.state == "waiting"):
                continue
            if can_import(slot.plan.requires):
                if not first:
                    self._say(f"{slot.plan.name.upper()} joins")
                slot.entry.state = "starting"
                slot.start_at = 0.0
            elif first:
                slot.entry.state = "waiting"
                self._write_table()
                self._say(self._waits_for_module(slot.plan))

    def _start_due(self, now: float) -> None:
        started = False
        for slot in self._slots:
            if slot.start_at is None or slot.start_at > now:
                continue
            started = True
            slot.start_at = None
            try:
                slot.child = Child(slot.plan, self._environment_of(slot.plan), slot.log)
            except (OSError, subprocess.SubprocessError) as error:
                slot.start_at = now + slot.policy.wait_after(0.0) + 0.25
                self._say(f"{slot.plan.name} could not be started: {error}")
                continue
            self._selector.register(slot.child.fileno(), selectors.EVENT_READ, slot.child)
            slot.started = time.monotonic()
            slot.watch = Watch(slot.plan.watchdog_seconds) if slot.plan.watchdog_seconds else None
            slot.entry.pid = slot.child.pid
            slot.entry.state = "running"
            slot.entry.started_utc_us = time.time_ns() // 1000
            slot.entry.port = slot.plan.port
        if started:
            self._write_table()

    def _environment_of(self, plan: Plan) -> dict[str, str]:
        if not plan.watchdog_seconds:
            return self._environment
        # Without WATCHDOG_PID, which is not known before the fork: signs of other processes do not count anyway.
        microseconds = str(round(plan.watchdog_seconds * 1e6))
        return {
            **self._environment,
            "NOTIFY_SOCKET": str(self._paths.notify_socket),
            "WATCHDOG_USEC": microseconds,
        }

    def _ended(self, slot: _Slot, code: int) -> None:
        child, slot.child = slot.child, None
        assert child is not None
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.fileno())
        child.close()
        slot.entry.pid, slot.entry.last_exit = 0, code
        if self._stop:
            slot.entry.state = "stopped"
            self._write_table()
            return
        now = time.monotonic()
        lived = now - slot.started
        wait = slot.policy.wait_after(lived)
        slot.entry.state = "restarting"
        slot.entry.restarts += 1
        slot.start_at = now + wait
        again = f"in {wait:g} s" if wait else "now"
        text = f"{slot.plan.name} {ended_how(code)} after {lived:.1f} s; "
        text += f"restarting {again} (restart {slot.entry.restarts})"
        if wait:
            self._write_table()
        told = slot.policy.quick_deaths - len(BACK_OFF_SECONDS)
        if told == 0:
            text += f"\n  {slot.plan.name} keeps ending: it is tried again every {wait:g} s, and no more said of it"
        elif told > 0 and told % QUIET_DEATHS:
            return
        if slot.watch is not None and slot.watch.is_hung and (place := where_it_hung(child.last_words)):
            text += f"\n  its main thread stood at {place}"
        words = without_secrets(last_line(child.last_words)) if code > 0 else ""
        if words:
            text += f"\n  it said last: {words[:300]}"
            if found := hint(words):
                text += f"\n  cause: {found.cause}\n  remedy: {found.remedy}"
        self._say(text)

    def _write_table(self) -> None:
        state = "stopping" if self._stop else "starting" if self._starting else "running"
        table = {"supervisor": ProcessEntry(state=state, pid=os.getpid(), started_utc_us=self._began_utc_us)}
        table.update((slot.plan.name, slot.entry) for slot in self._slots)
        try:
            write_process_table(self._paths, table)
        except OSError as error:
            self._say(f"the table of processes could not be written: {error}")

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _stop_all(self, hearing: socket.socket) -> None:
        """Stage by stage SIGTERM; SIGKILL for whoever has not ended in time."""
        self._sign.status("stopping")
        self._sign.stopping()
        last = time.monotonic() + STOP_SECONDS
        for slot in self._slots:
            slot.start_at = None
            if slot.child is None:
                slot.entry.state = "stopped"
        self._write_table()  # before the first one goes: the others shall not take it for a breakdown
        for stage in sorted({slot.plan.stop_stage for slot in self._slots}):
            running = [slot for slot in self._slots if slot.plan.stop_stage == stage]
            for slot in running:
                if slot.child is not None:
                    slot.child.signal(signal.SIGTERM)
            self._wait_for_end(running, min(last, time.monotonic() + STAGE_SECONDS), hearing)
        self._wait_for_end(self._slots, last, hearing)
        self._write_table()
        late = [slot for slot in self._slots if slot.child is not None]
        for slot in late:
            assert slot.child is not None
            slot.child.signal(signal.SIGKILL)
        if late:
            self._say(f"killed, because they did not end in time: {', '.join(slot.plan.name for slot in late)}")
            self._wait_for_end(late, time.monotonic() + 1.0, hearing)

    def _wait_for_end(self, slots: Sequence[_Slot], until: float, hearing: socket.socket) -> None:
        while any(slot.child is not None for slot in slots) and (left := until - time.monotonic()) > 0:
            self._wait(hearing, left)
