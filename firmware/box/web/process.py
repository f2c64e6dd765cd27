"""The web process: the pages and REST interface on gevent's WSGI server. Only the shell; the application is `webui`.

    python -m firmware.box.web.process --data DIR --port N [--host ADDRESS]

One thread, one greenlet a connection. Everything that waits must go through gevent's patched sockets, so patching comes
before any other import.
"""

# ruff: noqa: E402
from gevent import monkey

monkey.patch_all()

import argparse
import logging
import signal
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from firmware.box.sign_of_life import SignOfLife, begin_signs_of_life
from firmware.calls.messages import CallEvent, EventName
from firmware.core.clock import SystemClock
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.logging import start_logging
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level
from firmware.core.schemas import Configuration
from firmware.core.tokens import token_key, verify
from firmware.lines.line_settings import with_line_learnt
from firmware.records.database import open_for_reading
from webui import VERSION
from webui.application import make_application
from webui.audit import AuditLog, open_office_database
from webui.cti_connection import CtiConnection
from webui.live import Live
from webui.office import Office
from webui.passwords import PasswordCheck
from webui.sessions import Sessions

log = logging.getLogger("web")

MOST_CONNECTIONS = 1000
SILENT_SECONDS = 75
"""A connection that neither sends nor takes anything for so long is closed; streams send something every 15 s."""

SIGN_SECONDS = 1.0
"""The longest pause after which it is looked whether a sign of life is due."""


class Handler(WSGIHandler):
    """Closes connections that stand still, so that half a request does not hold a place for ever."""

    def __init__(self, connection: Any, address: Any, server: Any, *more: Any) -> None:
        connection.settimeout(SILENT_SECONDS)
        # Head and body of an answer are sent one after the other: else the body waits 40 ms for the head's receipt.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(connection, address, server, *more)

    def read_request(self, raw_requestline: str) -> bool:
        """Stricter than gevent: raises ValueError (answered with 400) for broken headers and HTTP/0.9."""
        try:
            found = bool(super().read_request(raw_requestline))
        except HTTPException as error:
            raise ValueError(str(error)) from error
        if self.headers.defects or self.request_version == "HTTP/0.9":
            raise ValueError("not a request of HTTP/1.1")
        return found

    def log_error(self, msg: str, *args: object) -> None:
        """Without the query: it may hold a caller's number, which belongs in the audit alone."""
        log.warning("%s", (msg % args if args else msg).partition("?")[0])


class ConfigurationInForce:
    """The configuration that the callserver works with: read again when it says so, and when it comes back.

    A tone that was learnt is taken from its event: the files may hold edits that are not in force."""

    def __init__(self, paths: BoxPaths, live: Live) -> None:
        self._paths = paths
        self._live = live
        self._configuration, problems = load_configuration_or_last_good(paths)
        if problems:
            log.error("the configuration has errors, the last good one is used: %s", problems[0])

    def __call__(self) -> Configuration:
        return self._configuration

    def follow(self) -> None:
        """Runs in a greenlet of its own for ever."""
        woken, last, was_connected = self._live.watch(), self._live.newest_event, self._live.connected
        while True:
            woken.wait()
            woken.clear()
            events = self._live.events_after(last)
            last = self._live.newest_event
            if events is None or (self._live.connected and not was_connected):
                self._read()
            for event in events or ():
                self._take(event)
            was_connected = self._live.connected

    def _take(self, event: CallEvent) -> None:
        if event.name is EventName.CONFIGURATION_CHANGED:
            self._read()
        elif event.name is EventName.LINE_LEARNT and event.tone is not None:
            self._configuration = with_line_learnt(self._configuration, event.line, event.tone)

    def _read(self) -> None:
        try:
            self._configuration, _ = load_configuration_or_last_good(self._paths)
        except (ConfigurationError, OSError) as error:
            log.error("the configuration could not be read again: %s", error)


def make_server(paths: BoxPaths, host: str, port: int) -> tuple[WSGIServer, list[gevent.Greenlet]]:
    """The server, not started yet, and its running greenlets. Raises ConfigurationError, OSError, ValueError."""
    clock, live = SystemClock(), Live()
    configuration = ConfigurationInForce(paths, live)
    key = token_key(paths)
    database = open_office_database(paths.office_database)
    cti = CtiConnection(paths.cti_socket, live, clock, lambda: absence_level(paths))
    box = configuration().box
    office = Office(
        live=live,
        cti=cti,
        calls=open_for_reading(paths.calls_database),
        recordings=paths.recordings,
        audit=AuditLog(database, clock, box.box_id, box.region),
        sessions=Sessions(database, clock.now()),
        configuration=configuration,
        verify_token=lambda token: verify(key, token, clock.now().utc_us // 1_000_000),
        # argon2 lets go of the interpreter lock: in a thread, a password check does not hold up the streams.
        check_password=PasswordCheck(gevent.get_hub().threadpool.apply),
        clock=clock,
        version=VERSION,
    )
    server = WSGIServer(
        (host, port),
        make_application(office),
        spawn=Pool(MOST_CONNECTIONS),
        handler_class=Handler,
        log=None,
    )
    return server, [gevent.spawn(cti.run), gevent.spawn(configuration.follow)]


def give_signs(sign: SignOfLife, clock: SystemClock) -> None:
    """Runs in a greenlet of its own for ever: it gets its turn as long as the hub goes round."""
    while True:
        now_us = clock.now().mono_us
        sign.alive(now_us)
        gevent.sleep(min(max(sign.next_us - now_us, 0) / 1e6, SIGN_SECONDS))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="linebox-web", description="Pages and REST interface of the box.")
    parser.add_argument("--data", type=Path, help="data folder of the box")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    chosen = parser.parse_args(arguments)
    start_logging("web")
    sign = begin_signs_of_life()
    paths = box_paths(chosen.data)
    try:
        paths.make()
        server, greenlets = make_server(paths, chosen.host, chosen.port)
        server.start()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"the web process cannot listen on {chosen.host} port {chosen.port}: {error.strerror or error}. "
            "Stop what listens there, or choose another port.",
            file=sys.stderr,
        )
        return 2
    stopped = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    greenlets.append(gevent.spawn(give_signs, sign, SystemClock()))
    sign.ready()
    log.info("listening on http://%s:%d", chosen.host, server.server_port)
    stopped.wait()
    sign.stopping()
    server.stop(timeout=1)
    gevent.killall(greenlets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
