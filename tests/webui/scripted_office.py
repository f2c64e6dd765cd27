"""An office for tests of the web application: prepared records, a callserver that is a Python object, a virtual clock.

Calls the application as WSGI, without a socket. Not for the process shell and not for browsers.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection, insert, select

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, AgentView, BoxState, CallEvent, ContactView, EventName, Reply, SeatView
from firmware.core.clock import MICROSECONDS, Stamp, VirtualClock
from firmware.core.faults import fault
from firmware.core.schemas import Agent, Box, Configuration, Login, Queue, Seat, Service
from firmware.lines.messages import BoardState, ChannelState
from firmware.records.database import open_database, open_for_reading
from firmware.records.recording import RecordingFile
from firmware.records.tables import calls, contacts, events, legs, office_audit, recordings, segments
from webui.application import WebApplication, make_application
from webui.audit import AuditLog, open_office_database
from webui.cti_connection import CallserverAway
from webui.live import Live
from webui.office import Office
from webui.sessions import Sessions

START_UTC_US = 1_795_309_500 * MICROSECONDS
"""2026-11-22 01:05:00 UTC, 09:05 in China."""
CITIZEN = "13800130000"
OTHER_CITIZEN = "02987654321"


def login(name: str, roles: tuple[str, ...], agent: str = "") -> Login:
    return Login(login=name, name=f"{name}的姓名", password_hash=f"$argon2id${name}-password", roles=roles, agent=agent)  # type: ignore[arg-type]


def configuration() -> Configuration:
    """One queue, two agents, one login of each kind; the password of NAME is NAME-password."""
    return Configuration(
        box=Box(box_id="test-01", name="测试县热线", region="610122"),
        boards=(),
        services=(Service(service="12345", title="便民热线", called=("12345",), default=True, queue="general"),),
        menus=(),
        queues=(Queue(queue="general", title="综合"),),
        agents=(
            Agent(agent="801", name="王秀英", queues=("general",)),
            Agent(agent="802", name="李建国", queues=("general",)),
        ),
        seats=(Seat(seat="1", extension="FXS-1", headset=True), Seat(seat="2", extension="FXS-2")),
        logins=(
            login("admin", ("administrator",)),
            login("boss", ("supervisor",)),
            login("wang", ("agent",), "801"),
            login("li", ("agent",), "802"),
            login("guest", ("agent",)),
        ),
    )


class ScriptedCallserver:
    """Answers requests as told and keeps them."""

    def __init__(self) -> None:
        self.asked: list[tuple[cti.AnyRequestBody, str]] = []
        self.error = ""
        self.details: tuple[str, ...] = ()
        self.away = False
        self.state: BoxState | None = None

    def request(self, body: cti.AnyRequestBody, by: str) -> Reply:
        if self.away:
            raise CallserverAway("it is not connected")
        self.asked.append((body, by))
        if isinstance(body, cti.GetBoxState):
            return Reply(1, state=self.state)
        return Reply(1, self.error, self.details)


@dataclass
class Answer:
    """What came back. `pieces` is empty unless the request said that it wants to read them itself."""

    status: int
    headers: dict[str, str]
    cookies: SimpleCookie
    body: bytes
    pieces: Any

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """The application and everything behind it."""

    folder: Path
    clock: VirtualClock
    live: Live
    callserver: ScriptedCallserver
    office: Office
    application: WebApplication
    configuration: Configuration = field(default_factory=configuration)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        session: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        source: str = "192.0.2.7",
        piecewise: bool = False,
    ) -> Answer:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": source,
            "HTTP_HOST": "box.example",
            "SERVER_NAME": "box.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)) if body else "",
        }
        if token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        if session:
            environ["HTTP_COOKIE"] = f"linebox_session={session}"
            environ["HTTP_X_REQUESTED_WITH"] = "linebox"
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        given: list[Any] = []

        def start(status: str, answered: list[tuple[str, str]], *_: Any) -> None:
            given[:] = [int(status.split(maxsplit=1)[0]), answered]

        pieces: Any = self.application(environ, start)
        whole = b"" if piecewise else b"".join(pieces)
        if not piecewise and hasattr(pieces, "close"):
            pieces.close()
        cookies: SimpleCookie = SimpleCookie()
        for name, value in given[1]:
            if name == "Set-Cookie":
                cookies.load(value)
        return Answer(given[0], {name.lower(): value for name, value in given[1]}, cookies, whole, pieces)

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, value: Any = None, **more: Any) -> Answer:
        return self.ask("POST", path, body=json.dumps(value).encode() if value is not None else b"", **more)

    def submit(self, path: str, form: dict[str, str], **more: Any) -> Answer:
        """Send a form, as a browser does from a page of the box."""
        more.setdefault("headers", {"Sec-Fetch-Site": "same-origin", "Origin": "http://box.example"})
        return self.ask("POST", path, body=urlencode(form).encode(), **more)

    def sign_in(self, name: str, **more: Any) -> str:
        """The session of a login; fails if it is refused."""
        answer = self.submit("/sign-in", {"login": name, "password": f"{name}-password"}, **more)
        assert answer.status == 303, answer.text
        return str(answer.cookies["linebox_session"].value)

    def audit(self) -> list[tuple[str, str, str, str, str]]:
        """(login, source, action, subject, outcome) of all rows."""
        columns = [office_audit.c[name] for name in ("login", "source", "action", "subject", "outcome")]
        with self.office.audit._database.connect() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(office_audit.c.number))]

    def close(self) -> None:
        self.office.audit._database.dispose()


def make_site(folder: Path) -> Site:
    """An office with five calls, made by `prepare_records`, and one live call of agent 801."""
    database = open_database(folder / "calls.db", synchronous="OFF")
    with database.begin() as connection:
        prepare_records(connection, folder / "recordings")
    database.dispose()
    clock = VirtualClock(START_UTC_US, 1_000 * MICROSECONDS)
    live, callserver, office_database = Live(), ScriptedCallserver(), open_office_database(folder / "office.db")
    callserver.state = box_state(clock)
    live.connect(callserver.state)
    site = Site(folder, clock, live, callserver, None, None)  # type: ignore[arg-type]
    site.office = Office(
        live=live,
        cti=callserver,
        calls=open_for_reading(folder / "calls.db"),
        recordings=folder / "recordings",
        audit=AuditLog(office_database, clock, "test-01", "610122"),
        sessions=Sessions(office_database, clock.now()),
        configuration=lambda: site.configuration,
        verify_token=lambda token: token.removeprefix("token-") if token.startswith("token-") else None,
        check_password=lambda hashed, password: hashed == f"$argon2id${password}",
        clock=clock,
        version="9.9",
    )
    site.application = make_application(site.office)
    return site


def box_state(clock: VirtualClock, number: int = 20) -> BoxState:
    """Agent 801 at seat 1 talks with CITIZEN (call 5), 802 is ready at seat 2."""
    now = clock.now()
    return BoxState(
        number=number,
        at=now,
        box_id="test-01",
        gateway_connected=True,
        recorder_connected=True,
        agents=(
            AgentView(
                agent="801",
                name="王秀英",
                state=AgentState.TALKING,
                since=now,
                seat="1",
                contact=5,
                queues=("general",),
            ),
            AgentView(agent="802", name="李建国", state=AgentState.READY, since=now, seat="2", queues=("general",)),
        ),
        seats=(
            SeatView(seat="1", extension="FXS-1", headset=True, agent="801"),
            SeatView(
                seat="2",
                extension="FXS-2",
                agent="802",
                display_fault=fault("display_serial", error="gone").at("/dev/ttyUSB0"),
            ),
        ),
        panel_faults=(fault("button_stuck").at("shut_down /dev/gpiochip0:5"),),
        queues=(cti.QueueView(queue="general", title="综合", waiting=0, ready_agents=1),),
        contacts=(
            ContactView(
                contact=5,
                state="talking",
                calling=CITIZEN,
                called="12345",
                service="12345",
                arrived=now,
                since=now,
                queue="general",
                agent="801",
                seat="1",
                trunk="E1-1/1",
                recorded=True,
            ),
        ),
        channels=(ChannelState(0, "sim", "E1-1/1", "trunk", "up"),),  # type: ignore[arg-type]
        boards=(BoardState("sim", True, channels=38),),
    )


def _moment(name: str, seconds: float | None) -> dict[str, Any]:
    """Columns of a moment so many seconds after START; all empty for None."""
    if seconds is None:
        return {f"{name}_mono_us": None, f"{name}_utc_us": None, f"{name}_trusted": None}
    after = int(seconds * MICROSECONDS)
    return {f"{name}_mono_us": after, f"{name}_utc_us": START_UTC_US + after, f"{name}_trusted": True}


_KEY = {"box_id": "test-01", "region": "610122"}


def add_call(
    connection: Connection,
    number: int,
    start: float,
    *,
    calling: str = CITIZEN,
    called: str = "12345",
    direction: str = "in",
    agent: str = "801",
    answered: float | None = 10.0,
    ended: float | None = 70.0,
    result: str = "answered",
    recording: str = "closed",
    reason: str = "",
) -> None:
    """One call; `answered` and `ended` are seconds after its start. `recording` is its state, empty for none; `reason`
    is that of the recording's row."""
    boot = {"machine_boot": "boot"}
    at_answer = None if answered is None else start + answered
    at_end = None if ended is None else start + ended
    contact = dict(
        _KEY,
        **boot,
        number=number,
        medium="voice",
        calling_received=calling,
        calling=calling,
        presentation="allowed",
        confidential=False,
        called_received=called,
        called=called,
        direction=direction,
        service="12345",
        queue="general",
        agent=agent,
        seat="1" if agent else "",
        result=result if ended is not None else "",
        cause="normal" if ended is not None else "",
        legal_hold=False,
    )
    moments = (("arrived", start), ("queued", start + 3), ("answered", at_answer), ("ended", at_end))
    for name, seconds in moments:
        contact |= _moment(name, seconds)
    connection.execute(insert(contacts).values(contact))
    connection.execute(
        insert(calls).values(
            **_KEY,
            **boot,
            number=number,
            contact=number,
            legal_hold=False,
            **_moment("started", start),
            **_moment("ended", at_end),
        )
    )
    connection.execute(
        insert(legs).values(
            **_KEY,
            **boot,
            number=number,
            call=number,
            contact=number,
            gateway_leg=f"boot.0.{number}",
            channel=0,
            channel_label=f"E1-1/{number}",
            party="citizen",
            party_number=calling,
            started_sample=0,
            legal_hold=False,
            **_moment("started", start),
            **_moment("answered", start),
            **_moment("ended", at_end),
        )
    )
    if at_answer is not None and at_end is not None:
        for offset, kind, begins, ends in ((0, "queued", start + 3, at_answer), (1, "talking", at_answer, at_end)):
            connection.execute(
                insert(segments).values(
                    **_KEY,
                    **boot,
                    number=number * 10 + offset,
                    contact=number,
                    call=number,
                    leg=number,
                    kind=kind,
                    queue="general",
                    agent=agent,
                    seat="1",
                    outcome="ended",
                    **_moment("started", begins),
                    **_moment("ended", ends),
                )
            )
    if recording:
        connection.execute(
            insert(recordings).values(
                **_KEY,
                number=number,
                contact=number,
                call=number,
                leg=number,
                file=f"{number}.au",
                gateway_boot="boot",
                channel=0,
                from_sample=0,
                state=recording,
                reason=reason,
                legal_hold=False,
                **_moment("opened", start),
            )
        )


def prepare_records(connection: Connection, folder: Path) -> None:
    """Calls 1 to 5: two answered by 801, one abandoned, one of agent 802 from another number, one that goes on now."""
    add_call(connection, 1, -4000.0)
    add_call(connection, 2, -3000.0, agent="", answered=None, ended=20.0, result="abandoned", recording="")
    add_call(connection, 3, -2000.0, calling=OTHER_CITIZEN, agent="802")
    add_call(connection, 4, -1000.0, answered=30.0)
    add_call(connection, 5, 0.0, ended=None, recording="open")
    folder.mkdir()
    for number in (1, 3, 4):
        write_recording(folder / f"{number}.au", samples=800)
    for number in range(1, 21):
        event = CallEvent(number=number, name=EventName.QUEUED, at=Stamp(0, START_UTC_US), contact=4, agent="801")
        body = msgspec.json.encode(event).decode()
        connection.execute(
            insert(events).values(**_KEY, number=number, name=event.name, body=body, **_moment("at", 0.0))
        )


def write_recording(path: Path, samples: int) -> None:
    """Left a quiet, right a loud steady value, so that the sides can be told apart."""
    import numpy as np

    file = RecordingFile.create(path)
    stereo = np.empty((samples, 2), np.uint8)
    stereo[:, 0], stereo[:, 1] = 0xD5, 0xAA
    file.append(stereo)
    file.close()
