"""What all pages have in common: language, layout, who is signed in, data for the page's scripts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import bottle
import msgspec

from webui import formats
from webui.access import LANGUAGE_COOKIE, Caller, find_session, words_for
from webui.office import Office
from webui.problems import Problem, Refusal
from webui.rest_calls import live_state
from webui.words import LANGUAGES, Words

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
LANGUAGE_KEPT_SECONDS = 365 * 24 * 3600


@cache
def _template(name: str) -> bottle.SimpleTemplate:
    return bottle.SimpleTemplate(name=name, lookup=[str(TEMPLATES)])


@cache
def static_version() -> str:
    """Changes with the scripts and styles, so that a browser never mixes an old one with a new page."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def json_for_page(data: Any) -> str:
    """JSON that may stand inside a script element: no `<` that could end it."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


def render(office: Office, words: Words, name: str, caller: Caller | None, **values: Any) -> str:
    """A template in the layout."""
    box = office.configuration().box
    environ = bottle.request.environ
    kept = [
        (key, value) for key, value in parse_qsl(environ.get("QUERY_STRING", ""), errors="replace") if key != "lang"
    ]
    common = {
        "_": words,
        "words": words,
        "languages": LANGUAGES,
        "language_links": {code: "?" + urlencode([*kept, ("lang", code)]) for code in LANGUAGES},
        "box": box,
        "caller": caller,
        "formats": formats,
        "version": static_version(),
        "page": name,
        "script": "",
        "data": None,
        "json_for_page": json_for_page,
    }
    return str(_template(name + ".tpl").render(**{**common, **values}))


def problem_page(office: Office, words: Words, problem: Problem) -> str:
    """The designed page for what cannot be done."""
    return render(office, words, "problem", None, problem=problem)


class Page:
    """Makes routes of page handlers: `handler(caller, words, **path) -> (template, values)`."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def words(self) -> Words:
        return words_for(self.office, bottle.request.environ)

    def signed_in(self, handler: Callable[..., tuple[str, dict[str, Any]]]) -> Callable[..., bottle.HTTPResponse]:
        """A page for those who are signed in; others are sent to sign in first and come back."""

        def answer(**path: Any) -> bottle.HTTPResponse:
            environ = bottle.request.environ
            caller = find_session(self.office, environ)
            if caller is None:
                wanted = environ.get("PATH_INFO", "/")
                return see_other("/sign-in?" + urlencode({"next": wanted}) if wanted != "/" else "/sign-in")
            words = self.words()
            name, values = handler(caller, words, **path)
            return self.answer(words, name, caller, **values)

        return answer

    def answer(
        self, words: Words, name: str, caller: Caller | None, status: int = 200, **values: Any
    ) -> bottle.HTTPResponse:
        page = render(self.office, words, name, caller, **values)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Vary": "Cookie, Accept-Language",
        }
        answer = bottle.HTTPResponse(page, status, headers)
        if "lang=" in bottle.request.environ.get("QUERY_STRING", ""):
            answer.set_cookie(
                LANGUAGE_COOKIE, words.language, path="/", max_age=LANGUAGE_KEPT_SECONDS, samesite="strict"
            )
        return answer

    def script_data(self, caller: Caller, words: Words, **more: Any) -> dict[str, Any]:
        """What the scripts of a live page start with."""
        configuration = self.office.configuration()
        try:
            state: Any = live_state(self.office, caller, words)
        except Refusal:
            state = None
        return {
            "words": words.for_scripts(),
            "language": words.language,
            "now": formats.moment(self.office.clock.now().utc_us),
            "me": {
                "agent": caller.agent,
                "session": caller.session.tag if caller.session else "",
                "supervises": caller.sees_everything,
            },
            "services": {one.service: one.title for one in configuration.services},
            "queues": {one.queue: one.title for one in configuration.queues},
            "agents": {one.agent: one.name for one in configuration.agents},
            "state": state,
            **more,
        }


def see_other(address: str) -> bottle.HTTPResponse:
    return bottle.HTTPResponse("", 303, {"Location": address, "Cache-Control": "no-store"})
