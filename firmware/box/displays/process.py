"""The display process: `python -m firmware.box.displays.process --data DIR`. Shows at the seats what the box does.

It subscribes to the callserver's events, fetches the whole state when something happened, and gives each display the
rows that `firmware/calls/seat_display.py` makes of it. Whether a display works it tells the callserver, which shows it
on the pages. Displays that have nothing true to show, because the callserver is away, say so.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import time
from pathlib import Path

from firmware.box.displays.screen import Screen
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.calls.messages import (
    LONGEST_SENTENCE,
    AnyRequestBody,
    BoxState,
    CallEvent,
    EventName,
    GetBoxState,
    Reply,
    ReportDisplay,
    Request,
    Subscribe,
    decode_to_client,
)
from firmware.calls.seat_display import Language, offline_rows, rows_of, seat_shown
from firmware.core.configuration import load_configuration_or_last_good
from firmware.core.configuration_problems import ConfigurationError
from firmware.core.faults import Fault
from firmware.core.logging import start_logging
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.schemas import Display

RECONNECT_SECONDS = 0.3
STATE_PAUSE_SECONDS = 0.2
"""The state is fetched at most so often, however much happens."""
SIGN_OF_LIFE_SECONDS = 5.0
"""It is fetched at least so often, and a callserver that takes longer to answer counts as away."""
OFFLINE_SECONDS = 3.0
"""What was true a moment ago may stand so long without a callserver: it is back in a second."""

_log = logging.getLogger("linebox.displays")


class DisplayProcess:
    """The loop around the screens."""

    def __init__(self, paths: BoxPaths, sign: SignOfLife = NOBODY) -> None:
        """Raises ConfigurationError."""
        self._sign = sign
        self._paths = paths
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._screens: dict[str, Screen] = {}
        """By seat."""
        self._language: Language = "zh_CN"
        self._callserver: Peer | None = None
        self._requests = 0
        self._asked = 0
        """Number of the request for the state that is not answered yet; 0: none."""
        self._stale = False
        self._next_state = self._next_connect = 0.0
        self._last_state = time.monotonic()
        self._state: BoxState | None = None
        self._reported: dict[str, Fault | None] = {}
        """Seat → fault as this connection to the callserver has been told."""
        self._logged: dict[str, Fault | None] = {}
        self._ending = False
        self._configure()

    def end(self, *_: object) -> None:
        """Signal handler: leave the loop."""
        self._ending = True
        os.eventfd_write(self._signal, 1)

    def run(self) -> None:
        """Returns after `end`; the displays then say that there is no connection."""
        self._sign.ready()
        try:
            while not self._ending:
                self._sign.alive(time.monotonic_ns() // 1000)
                if self._callserver is None and time.monotonic() >= self._next_connect:
                    self._connect()
                self._wait()
                self._keep_fresh()
                self._report()
        finally:
            self._sign.stopping()
            self._state = None
            self._show()
            for screen in self._screens.values():
                screen.finish()
            for screen in self._screens.values():
                screen.stop()
            self._drop("the display process ends")
            os.close(self._signal)

    # ---- displays ---------------------------------------------------------------------------------------------------

    def _configure(self) -> None:
        """Displays as the configuration has them now; one that is set as before goes on."""
        configuration, problems = load_configuration_or_last_good(self._paths)
        for problem in problems:
            _log.warning("configuration: %s", problem)
        self._language = configuration.box.language
        wanted: dict[str, Display] = {seat.seat: seat.display for seat in configuration.seats if seat.display}
        for seat, screen in list(self._screens.items()):
            if wanted.get(seat) != screen.entry:
                del self._screens[seat]
                screen.stop()
        for seat, entry in wanted.items():
            if seat not in self._screens:
                self._screens[seat] = Screen(seat, entry, lambda: os.eventfd_write(self._signal, 1))
        self._show()

    def _show(self) -> None:
        for seat, screen in self._screens.items():
            language: Language = self._language if screen.chinese else "en"
            size = screen.entry.columns, screen.entry.rows
            if self._state is None or not self._state.gateway_connected:
                screen.show(offline_rows(*size, language))
            else:
                screen.show(rows_of(seat_shown(self._state, seat), *size, language))

    def _report(self) -> None:
        """Tell the callserver, and the log, which displays failed and which work again."""
        if self._callserver is None:
            return
        states = {seat: screen.fault for seat, screen in self._screens.items()}
        gone: dict[str, Fault | None] = {seat: None for seat in self._reported if seat not in states}
        for seat, fault in {**states, **gone}.items():
            if seat in self._reported and self._reported[seat] == fault:
                continue
            self._reported[seat] = fault
            self._ask(ReportDisplay(seat, fault and _reasonable(fault)))
            if fault is not None and fault != self._logged.get(seat):
                where = f"seat {seat}, display at {fault.place}"
                _log.error("%s: %s\n  remedy: %s", where, fault.what, fault.remedy)
            elif self._logged.get(seat) and fault is None:
                _log.info("the display of seat %s works again", seat)
            self._logged[seat] = fault

    # ---- callserver -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._next_connect = time.monotonic() + RECONNECT_SECONDS
        try:
            self._callserver = connect(self._paths.cti_socket, decode_to_client)
        except PeerGone:
            return
        _log.info("connected to the callserver")
        self._reported = {}
        self._asked, self._stale, self._next_state = 0, True, 0.0
        self._ask(Subscribe())

    def _ask(self, body: AnyRequestBody) -> int:
        self._requests += 1
        if self._callserver is not None:
            try:
                self._callserver.send(Request(self._requests, body, "displays"))
            except PeerGone as gone:
                self._drop(gone.reason)
        return self._requests

    def _drop(self, reason: str) -> None:
        if self._callserver is not None:
            _log.info("callserver gone: %s", reason)
            self._callserver.close()
            self._callserver = None
            self._asked = 0

    def _wait(self) -> None:
        """Until the callserver says something, a screen does, or something is due."""
        peer = self._callserver
        reading = [self._signal] if peer is None else [self._signal, peer.fileno()]
        writing = [peer.fileno()] if peer is not None and peer.wants_to_write else []
        wait = STATE_PAUSE_SECONDS if self._stale or peer is None else SIGN_OF_LIFE_SECONDS / 5
        readable, writable, _ = select.select(reading, writing, [], wait)
        if self._signal in readable:
            os.eventfd_read(self._signal)
        if peer is None:
            return
        try:
            if writable:
                peer.flush()
            if peer.fileno() in readable:
                for message in peer.receive():
                    self._take(message)
        except PeerGone as gone:
            self._drop(gone.reason)

    def _take(self, message: Reply | CallEvent) -> None:
        if isinstance(message, CallEvent):
            self._stale = True
            if message.name is EventName.CONFIGURATION_CHANGED:
                self._configure()
        elif message.id == self._asked:
            self._asked = 0
            if message.state is not None:
                self._state, self._last_state = message.state, time.monotonic()
                self._show()

    def _keep_fresh(self) -> None:
        now = time.monotonic()
        is_old = now - self._last_state > SIGN_OF_LIFE_SECONDS
        if self._callserver is not None and self._asked and now - self._next_state > SIGN_OF_LIFE_SECONDS:
            self._drop(f"it does not answer within {SIGN_OF_LIFE_SECONDS:g} s")
        elif self._callserver is not None and not self._asked and (self._stale or is_old) and now >= self._next_state:
            self._stale = False
            self._next_state = now + STATE_PAUSE_SECONDS
            self._asked = self._ask(GetBoxState())
        if self._callserver is None and self._state is not None and now - self._last_state > OFFLINE_SECONDS:
            self._state = None
            self._show()


def _reasonable(fault: Fault) -> Fault:
    """As a request may carry it: what an error said in one line, not too long."""
    said = tuple((name, " ".join(value.split())[:LONGEST_SENTENCE]) for name, value in fault.arguments)
    return Fault(fault.code, said, fault.place[:LONGEST_SENTENCE])


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="linebox-displays", description="Shows at the seats what the box does.")
    parser.add_argument("--data", type=Path, help="data folder of the box (default: LINEBOX_DATA)")
    options = parser.parse_args(arguments)
    start_logging("displays")
    sign = begin_signs_of_life()
    paths = box_paths(options.data)
    paths.make()
    try:
        process = DisplayProcess(paths, sign)
    except ConfigurationError as error:
        _log.error("%s", error)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, process.end)
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
