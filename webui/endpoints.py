"""One REST route: what it is, who may use it, how its answer is made. The routes and their description come from here.

`install` puts a list of endpoints into a bottle application. Around each handler it does what all need: who asks,
foreign pages, the body's size and schema, the audit, and problems instead of tracebacks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

import bottle
import msgspec
from sqlalchemy.exc import DBAPIError

from webui.access import Caller, Environ, authenticate, refuse_foreign_pages, words_for
from webui.body_problems import what_is_wrong
from webui.cti_connection import CallserverAway
from webui.office import Office
from webui.problems import Refusal, detail
from webui.words import N_, Words

log = logging.getLogger("web.rest")

PREFIX = "/api/v1"
LARGEST_BODY = 16 * 1024
MOST_PARAMETERS = 50

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Parameter:
    """A query parameter."""

    name: str
    schema: dict[str, Any]
    description: str


@dataclass(frozen=True)
class Ask:
    """One request as a handler sees it. `caller` is None only at public endpoints."""

    office: Office
    caller: Caller | None
    environ: Environ
    query: dict[str, str]
    body: Any

    @property
    def who(self) -> Caller:
        assert self.caller is not None
        return self.caller

    @property
    def words(self) -> Words:
        return words_for(self.office, self.environ)


Handler = Callable[..., msgspec.Struct | bottle.HTTPResponse]


@dataclass(frozen=True)
class Endpoint:
    """`path` has OpenAPI's braces; `{id}` is a whole number, `{line}` a channel label, which may hold a slash (as it is
    or as %2F), others are one path part. `audit` is the action that goes
    into the audit, empty for what is not personal. `change`: audited after it was done (and done without the audit if
    that fails: a full disk must not stop a call); a reading is audited before it is given out, or refused."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    handler: Handler
    reply: type[msgspec.Struct] | None = None
    media_type: str = "application/json"
    body: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    """Other statuses with the same reply."""
    audit: str = ""
    public: bool = False
    description: str = ""

    @property
    def rule(self) -> str:
        """The path as bottle writes it."""
        path = self.path.replace("{id}", "<id:int>").replace("{line}", "<line:path>")
        return PREFIX + path.replace("{", "<").replace("}", ">")


def install(application: bottle.Bottle, office: Office, endpoints: Sequence[Endpoint]) -> None:
    for endpoint in endpoints:
        application.route(endpoint.rule, endpoint.method, _answer(office, endpoint))


def _answer(office: Office, endpoint: Endpoint) -> Callable[..., bottle.HTTPResponse]:
    def answer(**path: Any) -> bottle.HTTPResponse:
        environ = bottle.request.environ
        caller = None if endpoint.public else authenticate(office, environ)
        subject = _subject(environ, path)
        try:
            if endpoint.method != "GET" and caller is not None and caller.session is not None:
                refuse_foreign_pages(environ)
            ask = Ask(office, caller, environ, _query(endpoint), _body(endpoint, environ))
            given = endpoint.handler(ask, **path)
        except CallserverAway as away:
            _audit(office, endpoint, caller, subject, "callserver_away")
            raise Refusal("callserver_away") from away
        except Refusal as refusal:
            _audit(office, endpoint, caller, subject, refusal.code)
            raise
        _audit(office, endpoint, caller, subject, "done", must=endpoint.method == "GET")
        if isinstance(given, bottle.HTTPResponse):
            return given
        return bottle.HTTPResponse(
            encode(given), headers={"Content-Type": "application/json", "Cache-Control": "no-store"}
        )

    return answer


def _audit(
    office: Office, endpoint: Endpoint, caller: Caller | None, subject: str, outcome: str, must: bool = False
) -> None:
    if endpoint.audit and caller is not None:
        audit(office, caller.name, caller.source, endpoint.audit, subject, outcome, must)


def audit(office: Office, login: str, source: str, action: str, subject: str, outcome: str, must: bool) -> None:
    """Write an audit row. `must`: raises Refusal audit_away if it cannot be written; else that is only logged."""
    try:
        office.audit.write(login, source, action, subject, outcome)
    except DBAPIError as error:
        log.error("audit of %s by %s (%s) could not be written: %s", action, login, outcome, error.orig)
        if must:
            raise Refusal("audit_away") from error


def _subject(environ: Environ, path: dict[str, Any]) -> str:
    parts = [f"{name} {value}" for name, value in path.items()]
    if environ.get("QUERY_STRING"):
        parts.append(environ["QUERY_STRING"])
    return " ".join(parts)


def _query(endpoint: Endpoint) -> dict[str, str]:
    """The query parameters. Raises Refusal bad_parameter for one that the endpoint does not have."""
    known = {parameter.name for parameter in endpoint.parameters} | {"lang"}
    given = query_of(bottle.request.environ)
    for name in given:
        if name not in known:
            there_are = N_("{name}: there is no such parameter; there are {names}")
            raise Refusal("bad_parameter", detail(there_are, name=name, names=", ".join(sorted(known))))
    return given


def query_of(environ: Environ) -> dict[str, str]:
    """The query parameters of a request. Raises Refusal bad_parameter for too many, or text that is not UTF-8."""
    try:
        return dict(parse_qsl(environ.get("QUERY_STRING", ""), errors="strict", max_num_fields=MOST_PARAMETERS))
    except ValueError as error:
        expected = N_("name=value&name=value in UTF-8 is expected, at most {most} of them")
        raise Refusal("bad_parameter", detail(expected, most=MOST_PARAMETERS)) from error


def read_body(environ: Environ, largest: int = LARGEST_BODY) -> bytes:
    """The whole body. Raises Refusal bad_request, and too_large before reading more than `largest` bytes."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdecimal()):
        raise Refusal("bad_request", detail(N_("Content-Length: a whole number is expected")))
    too_large = Refusal("too_large", detail(N_("at most {largest} bytes"), largest=largest))
    if len(length) > 15 or (length and int(length) > largest):
        raise too_large
    if not length and environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return b""
    try:
        data: bytes = environ["wsgi.input"].read(int(length) if length else largest + 1)
    except OSError as error:  # the sender went away, or its pieces do not fit together
        broken = N_("the body broke off, or its pieces do not fit together")
        raise Refusal("bad_request", detail(broken)) from error
    if len(data) > largest:
        raise too_large
    if length and len(data) < int(length):
        raise Refusal("bad_request", detail(N_("the body ends before its Content-Length")))
    return data


def _body(endpoint: Endpoint, environ: Environ) -> Any:
    if endpoint.method == "GET":
        return None
    data = read_body(environ)
    if endpoint.body is None:
        return None
    try:
        return msgspec.json.decode(data or b"{}", type=endpoint.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("bad_json", *what_is_wrong(str(error))) from error


def whole_number(query: dict[str, str], name: str, low: int, high: int, otherwise: int | None) -> int | None:
    """A query parameter that is a whole number from `low` to `high`. Raises Refusal bad_parameter."""
    text = query.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        expected = N_("{name}: a whole number from {low} to {high} is expected")
        raise Refusal("bad_parameter", detail(expected, name=name, low=low, high=high))
    return int(text)
