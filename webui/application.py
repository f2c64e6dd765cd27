"""The whole web application: REST routes, pages, static files; headers of every answer; problems, not tracebacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bottle
from sqlalchemy.exc import DBAPIError

from webui import events, pages, rest_agents, rest_boards, rest_calls, rest_lines, rest_recordings
from webui.access import words_for
from webui.endpoints import install
from webui.office import Office
from webui.openapi import with_description
from webui.page import Page, problem_page
from webui.problems import TITLES, Refusal, encode_problem

log = logging.getLogger("web")

STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
"""Own scripts and styles only, no frames, no guessing of types, no addresses told to others."""

_CODE_OF_STATUS = {400: "bad_request", 404: "no_such_page", 405: "wrong_method", 413: "too_large"}


class WebApplication(bottle.Bottle):
    """Bottle with our headers on every answer, and our problems for its own errors."""

    def __init__(self, office: Office) -> None:
        super().__init__()
        self._office = office

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, headers + SECURITY_HEADERS, *more)

        answer: Iterable[bytes] = super().wsgi(environ, start)
        return answer

    def default_error_handler(self, error: bottle.HTTPError) -> bottle.HTTPResponse:
        """What bottle itself refuses: no route, wrong method, a path that does not parse; or a fault of ours."""
        if error.exception is not None:
            log.error("%s failed", bottle.request.path, exc_info=error.exception)
        code = _CODE_OF_STATUS.get(error.status_code, "server_error")
        allow = error.headers.get("Allow")
        return problem_answer(self._office, Refusal(code, headers={"Allow": allow} if allow else None))


def make_application(office: Office) -> WebApplication:
    """The WSGI application. Needs no socket: tests call it."""
    application = WebApplication(office)
    routes = (
        *rest_calls.ENDPOINTS,
        *rest_agents.ENDPOINTS,
        *rest_boards.ENDPOINTS,
        *rest_lines.ENDPOINTS,
        *rest_recordings.ENDPOINTS,
        *events.ENDPOINTS,
    )
    endpoints = with_description(routes, office.version)
    application.install(_refusals(office))
    install(application, office, endpoints)
    pages.install(application, Page(office))
    application.route("/static/<name:re:[a-z0-9_-]+[.][a-z]+>", "GET", _static)
    return application


def _static(name: str) -> bottle.HTTPResponse:
    return bottle.static_file(name, root=str(STATIC), headers={"Cache-Control": "no-cache"})


def _refusals(office: Office) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answers a handler's Refusal, and a fault of ours, with a problem."""

    def around(handler: Callable[..., Any]) -> Callable[..., Any]:
        def answer(**path: Any) -> Any:
            try:
                return handler(**path)
            except Refusal as refusal:
                if refusal.status >= 500 and refusal.__cause__ is not None:  # a person is told no exception's words
                    cause = getattr(refusal.__cause__, "orig", refusal.__cause__)
                    log.info("%s: %s: %s", bottle.request.path, refusal.code, cause)
                return problem_answer(office, refusal)
            except DBAPIError as error:
                log.error("%s: the database could not be used: %s", bottle.request.path, error.orig)
                return problem_answer(office, Refusal("records_away"))
            except bottle.HTTPResponse:
                raise
            except Exception:
                log.exception("%s failed", bottle.request.path)
                return problem_answer(office, Refusal("server_error"))

        return answer

    return around


def problem_answer(office: Office, refusal: Refusal) -> bottle.HTTPResponse:
    """A refusal as problem+json, or as a page to who asked for a page."""
    environ = bottle.request.environ
    words = words_for(office, environ)
    problem = refusal.problem(words)
    status = f"{problem.status} {TITLES[problem.status]}"
    headers = {**refusal.headers, "Cache-Control": "no-store"}
    if environ.get("PATH_INFO", "").startswith("/api/"):
        headers["Content-Type"] = "application/problem+json"
        return bottle.HTTPResponse(encode_problem(problem), status, headers)
    headers["Content-Type"] = "text/html; charset=utf-8"
    return bottle.HTTPResponse(problem_page(office, words, problem), status, headers)
