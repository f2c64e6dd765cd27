"""The display process: `python -m firmware.box.displays.process --data DIR`. Shows at the seats, and at the front of
the box, what the box does.

It subscribes to the callserver's events, fetches the whole state when something happened, gives each display the rows
that `firmware/calls/seat_display.py` makes of it, and tells the front panel what it needs (`firmware/calls/panel.py`).
Whether they work it tells the callserver, which shows it on the pages. Displays that have nothing true to show, because
the callserver is away, say so.
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

from firmware.box.displays.front_panel import RunningPanel
from firmware.box.displays.orderly_stop import OrderlyStop
from firmware.box.displays.screen import Screen
from firmware.box.displays.supervised import end_in_order_with_supervisor, our_table
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.calls.messages import (
    AnyRequestBody,
    BoxState,
    CallEvent,
    EventName,
    GetBoxState,
    Reply,
    ReportDisplay,
    ReportPanel,
    Request,
    Subscribe,
    decode_to_client,
)
from firmware.calls.panel import box_seen
from firmware.calls.request_texts import LONGEST_SENTENCE
from firmware.calls.seat_display import Language, offline_rows, rows_of, seat_shown
from firmware.core.configuration import load_configuration_or_last_good
from firmware.core.configuration_problems import ConfigurationError
from firmware.core.faults import Fault
from firmware.core.logging import start_logging
from firmware.core.messages import Peer, PeerGone, connect
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.schemas import Display, Panel

RECONNECT_SECONDS = 0.3
STATE_PAUSE_SECONDS = 0.2
"""The state is fetched at most so often, however much happens."""
SIGN_OF_LIFE_SECONDS = 5.0
"""It is fetched at least so often, and a callserver that takes longer to answer counts as away."""
AWAY_SECONDS = 1.0
"""... and so often while the gateway is away: no event tells that it is there again."""
OFFLINE_SECONDS = 3.0
"""What was true a moment ago may stand so long without a callserver: it is back in a second."""
PANEL_SECONDS = 0.2
"""The front panel is told so often how the box is."""
OTHERS_SECONDS = 0.8
"""At the end the lamps wait so long for those who close the records; the supervisor's own patience is 1.3 s."""

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
        self._panel: RunningPanel | None = None
        self._next_panel = 0.0
        self._panel_reported: tuple[Fault, ...] | None = None
        """As this connection to the callserver has been told; None: nothing yet."""
        self._panel_logged: tuple[Fault, ...] = ()
        self._supervised = False
        self._stop = OrderlyStop(paths, lambda body: self._ask(body, by="panel"))
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
        if not self._ending:
            self._ending = True
            os.eventfd_write(self._signal, 1)

    def run(self) -> None:
        """Returns after `end`; the displays then say that there is no connection, or that the box was stopped, and the
        lamps are dark."""
        self._sign.ready()
        try:
            while not self._ending:
                self._sign.alive(time.monotonic_ns() // 1000)
                if self._callserver is None and time.monotonic() >= self._next_connect:
                    self._connect()
                self._wait()
                self._keep_fresh()
                self._attend_panel(time.monotonic())
                self._report()
        finally:
            self._sign.stopping()
            self._state = None
            self._show()
            if self._panel is not None:
                self._wait_for_others()
                self._panel.finish()
            for screen in self._screens.values():
                screen.finish()
            for screen in self._screens.values():
                screen.stop()
            if self._panel is not None:
                self._panel.stop()
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
                self._sign.alive(time.monotonic_ns() // 1000)  # each that hangs is waited for
                del self._screens[seat]
                screen.stop()
        for seat, entry in wanted.items():
            if seat not in self._screens:
                self._screens[seat] = Screen(seat, entry, self._wake)
        self._configure_panel(configuration.box.panel)
        self._show()

    def _wake(self) -> None:
        os.eventfd_write(self._signal, 1)

    def _show(self) -> None:
        stopped = self._ending and self._stopping()
        for seat, screen in self._screens.items():
            language: Language = self._language if screen.chinese else "en"
            size = screen.entry.columns, screen.entry.rows
            if self._state is None or not self._state.gateway_connected:
                screen.show(offline_rows(*size, language, "stopped" if stopped else "offline"))
            else:
                screen.show(rows_of(seat_shown(self._state, seat), *size, language))

    def _report(self) -> None:
        """Tell the callserver, and the log, which displays failed and which work again; the panel's lines, too."""
        if self._callserver is None:
            return
        self._report_panel()
        states = {seat: screen.fault for seat, screen in self._screens.items()}
        gone: dict[str, Fault | None] = {seat: None for seat in self._reported if seat not in states}
        for seat, fault in {**states, **gone}.items():
            if seat in self._reported and self._reported[seat] == fault:
                continue
            self._reported[seat] = fault
            self._ask(ReportDisplay(seat, fault and _reasonable(fault)))
            logged = self._logged.get(seat)
            if fault is not None and (logged is None or fault.identity != logged.identity):
                where = f"seat {seat}, display at {fault.place}"
                _log.error("%s: %s\n  remedy: %s", where, fault.what, fault.remedy)
            elif self._logged.get(seat) and fault is None:
                _log.info("the display of seat %s works again", seat)
            self._logged[seat] = fault

    def _stopping(self) -> bool:
        """True if the whole box is being stopped in order."""
        supervisor = our_table(self._paths).get("supervisor")
        return supervisor is not None and supervisor.state == "stopping"

    # ---- front panel ------------------------------------------------------------------------------------------------

    def _configure_panel(self, entry: Panel) -> None:
        if self._panel is not None and self._panel.entry != entry:
            self._panel.stop()
            self._panel = None
        if self._panel is None and entry != Panel():
            self._panel = RunningPanel(entry, self._wake)

    def _attend_panel(self, now: float) -> None:
        """Tell the panel how the box is, and do what its button orders."""
        if self._panel is None:
            return
        if now >= self._next_panel:
            self._next_panel = now + PANEL_SECONDS
            table = our_table(self._paths)
            if table and not self._supervised:
                self._supervised = True
                end_in_order_with_supervisor()
            self._panel.see(box_seen(self._state, {name: entry.state for name, entry in table.items()}))
        if self._panel.take_stop():
            _log.warning("the shut-down button was held: the box is being stopped")
            self._stop.begin(now)
        self._stop.advance(now)

    def _wait_for_others(self) -> None:
        """Dark lamps say that the box has stopped. While it is stopped in order nobody shall take its power away before
        the records are closed."""
        end = time.monotonic() + OTHERS_SECONDS
        while self._stopping() and time.monotonic() < end:
            table = our_table(self._paths)
            if not any(entry.pid for name, entry in table.items() if name not in ("supervisor", "displays")):
                return
            time.sleep(0.02)

    def _report_panel(self) -> None:
        if self._panel is None and self._panel_reported is None:
            return
        faults: tuple[Fault, ...] = () if self._panel is None else self._panel.faults
        if self._panel is not None and self._stop.fault is not None:
            faults = (*faults, self._stop.fault.at(f"shut_down {self._panel.entry.shut_down}"))
        if faults == self._panel_reported:
            return
        self._panel_reported = faults
        self._ask(ReportPanel(tuple(map(_reasonable, faults))))
        logged = {one.identity for one in self._panel_logged}
        for one in faults:
            if one.identity not in logged:
                _log.error("front panel, %s: %s\n  remedy: %s", one.place, one.what, one.remedy)
        for one in self._panel_logged:
            if one.place not in {other.place for other in faults}:
                _log.info("front panel, %s works again", one.place)
        self._panel_logged = faults

    # ---- callserver -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._next_connect = time.monotonic() + RECONNECT_SECONDS
        try:
            self._callserver = connect(self._paths.cti_socket, decode_to_client)
        except PeerGone:
            return
        _log.info("connected to the callserver")
        self._reported, self._panel_reported = {}, None
        self._asked, self._stale, self._next_state = 0, True, 0.0
        self._ask(Subscribe())

    def _ask(self, body: AnyRequestBody, by: str = "displays") -> int:
        self._requests += 1
        if self._callserver is not None:
            try:
                self._callserver.send(Request(self._requests, body, by))
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
        wait = STATE_PAUSE_SECONDS if self._stale or peer is None else self._state_seconds / 5
        wait = min(wait, PANEL_SECONDS) if self._panel else wait
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
            return
        self._stop.answered(message.id)
        if message.id == self._asked:
            self._asked = 0
            if message.state is not None:
                self._state, self._last_state = message.state, time.monotonic()
                self._show()

    @property
    def _state_seconds(self) -> float:
        """How old the state may become."""
        is_away = self._state is not None and not self._state.gateway_connected
        return AWAY_SECONDS if is_away else SIGN_OF_LIFE_SECONDS

    def _keep_fresh(self) -> None:
        now = time.monotonic()
        is_old = now - self._last_state > self._state_seconds
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
