"""The pages: sign-in, desk 座席, wall 班长, calls 通话. Their scripts ask the REST interface for changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import bottle

from firmware.records import queries
from firmware.records.queries import CallFilter, CallRow
from webui import formats, record_replies
from webui.access import SESSION_COOKIE, Caller, find_session, refuse_foreign_pages, source_of
from webui.endpoints import audit, query_of, read_body
from webui.page import Page, see_other
from webui.problems import Refusal, detail
from webui.rest_calls import visible_call
from webui.timeline import timeline
from webui.words import CODES, N_, Words

CALLS_ON_A_PAGE = 20
CALL_FILTERS = (
    *("caller", "agent", "seat", "trunk", "queue", "result"),
    *("since", "since_time", "until", "until_time", "recorded"),
)
"""What the form of the list of calls asks for, by the names in its address."""
NOT_READY_REASONS = ("break", "meal", "meeting", "training")


def install(application: bottle.Bottle, page: Page) -> None:
    routes = {
        "/": page.signed_in(lambda caller, words: _home(caller)),
        "/desk": page.signed_in(lambda caller, words: desk(page, caller, words)),
        "/wall": page.signed_in(lambda caller, words: wall(page, caller, words)),
        "/calls": page.signed_in(lambda caller, words: call_list(page, caller, words)),
        "/calls/<number:int>": page.signed_in(lambda caller, words, number: one_call(page, caller, words, number)),
    }
    for rule, handler in routes.items():
        application.route(rule, "GET", handler)
    application.route("/sign-in", "GET", lambda: sign_in_form(page))
    application.route("/sign-in", "POST", lambda: sign_in(page))
    application.route("/sign-out", "POST", lambda: sign_out(page))


def _home(caller: Caller) -> tuple[str, dict[str, Any]]:
    raise see_other("/desk" if caller.agent else "/wall")


# ---- signing in ------------------------------------------------------------------------------------------------------


def sign_in_form(page: Page) -> bottle.HTTPResponse:
    environ = bottle.request.environ
    if find_session(page.office, environ) is not None:
        return see_other(_own_address(query_of(environ).get("next", "")))
    return page.answer(page.words(), "sign_in", None, problem=None, login="", next=query_of(environ).get("next", ""))


def sign_in(page: Page) -> bottle.HTTPResponse:
    """Checks name and password; a session cookie and the wished page, or the form again with what was wrong."""
    office, environ, words = page.office, bottle.request.environ, page.words()
    refuse_foreign_pages(environ)
    try:
        form = dict(parse_qsl(read_body(environ).decode("utf-8"), errors="strict", max_num_fields=10))
    except ValueError as error:
        raise Refusal("bad_request", detail(N_("the form is not text in UTF-8"))) from error
    name, password = form.get("login", "").strip(), form.get("password", "")
    source, now = source_of(environ), office.clock.now()
    login = office.login(name)
    locked = office.lock_out.locked_for_us(name, source, now) > 0
    if not locked:
        # Counted before it is known to be wrong: who guesses many at once gets no more tries than one by one.
        office.lock_out.failed(name, source, now)
    if locked:
        code = "locked_out"
    elif office.check_password(login.password_hash if login else "", password) and login is not None:
        audit(office, name, source, "sign_in", "pages", "done", must=True)
        office.lock_out.succeeded(name, source)
        answer = see_other(_own_address(form.get("next", "")))
        cookie = office.sessions.begin(name, now)
        secure = environ.get("wsgi.url_scheme") == "https"
        answer.set_cookie(SESSION_COOKIE, cookie, path="/", httponly=True, samesite="strict", secure=secure)
        return answer
    else:
        code = "wrong_password"
    audit(office, name, source, "sign_in", "pages", code, must=False)
    problem = Refusal(code).problem(words)
    values = {"problem": problem, "login": name, "next": form.get("next", "")}
    return page.answer(words, "sign_in", None, status=problem.status, **values)


def _own_address(wanted: str) -> str:
    """Where to go after signing in: only to a page of this box."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_ours else "/"


def sign_out(page: Page) -> bottle.HTTPResponse:
    office, environ = page.office, bottle.request.environ
    refuse_foreign_pages(environ)
    caller = find_session(office, environ)
    if caller is not None and caller.session is not None:
        office.sessions.end(caller.session)
        audit(office, caller.name, caller.source, "sign_out", "pages", "done", must=False)
        office.live.wake()  # its open streams end
    answer = see_other("/sign-in")
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


# ---- desk, wall ------------------------------------------------------------------------------------------------------


def desk(page: Page, caller: Caller, words: Words) -> tuple[str, dict[str, Any]]:
    reasons = {code: words.code("not_ready", code) for code in NOT_READY_REASONS}
    return "desk", {"script": "desk", "data": page.script_data(caller, words), "reasons": reasons}


def wall(page: Page, caller: Caller, words: Words) -> tuple[str, dict[str, Any]]:
    return "wall", {"script": "wall", "data": page.script_data(caller, words)}


# ---- calls -----------------------------------------------------------------------------------------------------------


def _filter(caller: Caller, query: dict[str, str]) -> CallFilter:
    """The filter of the form. Days and minutes include the last one. Agents see their own calls only.

    Raises Refusal unknown_filter, bad_filter: a filter that did nothing would look as if it had found all there is.
    """
    for name in query:
        if name not in (*CALL_FILTERS, "before", "lang"):
            there_are = N_("{name}: there is no such filter; there are {names}")
            raise Refusal("unknown_filter", detail(there_are, name=name, names=", ".join(CALL_FILTERS)))
    day, time_of_day = N_("{given}: a day like 2026-11-22 is expected"), N_("{given}: a time like 09:05 is expected")
    since, until = (_asked(query, name, formats.day_from_text, day) for name in ("since", "until"))
    since_time, until_time = (
        _asked(query, f"{name}_time", formats.minutes_from_text, time_of_day) for name in ("since", "until")
    )
    for name in ("since", "until"):
        if query.get(f"{name}_time") and not query.get(name):
            alone = N_("{given}: a time needs its day as well, {name}=2026-11-22")
            raise Refusal("bad_filter", detail(alone, given=f"{name}_time={query[f'{name}_time']}", name=name))
    agent = query.get("agent", "").strip() if caller.sees_everything else caller.agent
    return CallFilter(
        caller=query.get("caller", "").strip(),
        queue=query.get("queue", ""),
        agent=agent,
        result=query.get("result", ""),
        seat=query.get("seat", "").strip(),
        trunk=query.get("trunk", "").strip(),
        since_utc_us=None if since is None else since + (since_time or 0),
        until_utc_us=None
        if until is None
        else until + (formats.DAY_US if until_time is None else until_time + formats.MINUTE_US),
        recorded=True if query.get("recorded") else None,
    )


def _asked(query: dict[str, str], name: str, read: Callable[[str], int | None], expected: str) -> int | None:
    """A value of the form as `read` understands it; None if it is not asked for. Raises Refusal bad_filter."""
    text = query.get(name, "")
    value = read(text)
    if text and value is None:
        raise Refusal("bad_filter", detail(expected, given=f"{name}={text}"))
    return value


def call_list(page: Page, caller: Caller, words: Words) -> tuple[str, dict[str, Any]]:
    office, environ = page.office, bottle.request.environ
    query = query_of(environ)
    if not caller.sees_everything and not caller.agent:
        raise Refusal("not_allowed")
    number = _asked(query, "before", formats.whole_number_from_text, N_("{given}: the number of a call is expected"))
    with office.records() as connection:
        rows = queries.list_calls(connection, _filter(caller, query), CALLS_ON_A_PAGE + 1, number)
    audit(office, caller.name, caller.source, "read_calls", environ.get("QUERY_STRING", ""), "done", must=True)
    shown, more = rows[:CALLS_ON_A_PAGE], len(rows) > CALLS_ON_A_PAGE
    kept = {key: value for key, value in query.items() if key not in ("before", "lang") and value}
    configuration = office.configuration()
    values = {
        "script": "calls",
        "data": page.script_data(caller, words),
        "calls": shown,
        "query": query,
        "filtered": bool(kept),
        "more_filters": not kept.keys() <= {"caller"},
        "next_page": "?" + urlencode({**kept, "before": shown[-1].number}) if more else "",
        "first_page": "?" + urlencode(kept) if number is not None else "",
        "queues": {one.queue: one.title for one in configuration.queues},
        "services": {one.service: one.title for one in configuration.services},
        "agents": {one.agent: one.name for one in configuration.agents},
        "seats": [one.seat for one in configuration.seats],
        "results": [code for code in CODES["result"] if code],
        "number_of": lambda row: _citizens_number(caller, row),
    }
    return "calls", values


def _citizens_number(caller: Caller, row: CallRow) -> str:
    number = row.called if row.direction == "out" else row.calling
    return number if caller.sees_calls_of(row.agent) else formats.masked(number)


def one_call(page: Page, caller: Caller, words: Words, number: int) -> tuple[str, dict[str, Any]]:
    office = page.office
    with office.records() as connection:
        row = visible_call(connection, caller, number)
        legs = queries.legs_of_call(connection, number)
        segments = queries.segments_of_call(connection, number)
        recording = queries.recording_of_call(connection, number)
    audit(office, caller.name, caller.source, "read_call", f"id {number}", "done", must=True)
    configuration = office.configuration()
    values = {
        "script": "calls",
        "data": page.script_data(caller, words),
        "call": row,
        "detail": record_replies.call_reply(row, caller.sees_calls_of),
        "legs": [record_replies.leg_reply(one, True) for one in legs],
        "leg_rows": legs,
        "segments": segments,
        "timeline": timeline(legs, segments),
        "recording": recording,
        "recording_fault": record_replies.recording_fault(recording, words),
        "queues": {one.queue: one.title for one in configuration.queues},
        "services": {one.service: one.title for one in configuration.services},
        "agents": {one.agent: one.name for one in configuration.agents},
    }
    return "call", values
