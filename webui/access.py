"""Who asks, in which language, and what they may: token or session, roles, protection against foreign pages."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from firmware.core.schemas import Login
from webui.office import Office
from webui.problems import Refusal
from webui.sessions import Session
from webui.words import Words, choose_language

SESSION_COOKIE = "linebox_session"
LANGUAGE_COOKIE = "linebox_language"

Environ = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """Who asks. `session` is None for a program with a token."""

    login: Login
    source: str
    session: Session | None

    @property
    def name(self) -> str:
        return self.login.login

    @property
    def agent(self) -> str:
        """Own agent number, empty if none."""
        return self.login.agent

    @property
    def sees_everything(self) -> bool:
        """Supervisors and administrators: all calls and all numbers, and they may act for any agent."""
        return not {"supervisor", "administrator"}.isdisjoint(self.login.roles)

    def sees_calls_of(self, agent: str) -> bool:
        return self.sees_everything or (agent != "" and agent == self.agent)

    def must_act_for(self, agent: str) -> None:
        """Raises Refusal not_allowed for somebody else's agent number."""
        if not self.sees_calls_of(agent):
            raise Refusal("not_allowed")

    def must_supervise(self) -> None:
        """Raises Refusal not_allowed for whoever is neither supervisor nor administrator."""
        if not self.sees_everything:
            raise Refusal("not_allowed")

    def must_administer(self) -> None:
        """Raises Refusal not_allowed for whoever is no administrator."""
        if "administrator" not in self.login.roles:
            raise Refusal("not_allowed")


def source_of(environ: Environ) -> str:
    """The address that the request came from. No header is believed: there is no proxy in front of the box."""
    return str(environ.get("REMOTE_ADDR") or "local")


def cookie(environ: Environ, name: str) -> str:
    """A cookie's value; empty if it is not there or the header is nonsense."""
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def find_session(office: Office, environ: Environ) -> Caller | None:
    """The person at the page, if signed in."""
    session = office.sessions.find(cookie(environ, SESSION_COOKIE), office.clock.now())
    login = office.login(session.login) if session is not None else None
    if session is None or login is None:
        return None
    return Caller(login, source_of(environ), session)


def authenticate(office: Office, environ: Environ) -> Caller:
    """Who asks over the REST interface. Raises Refusal bad_token or not_signed_in."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header:
        scheme, _, token = header.partition(" ")
        name = office.verify_token(token.strip()) if scheme.lower() == "bearer" else None
        login = office.login(name) if name else None
        if login is None:
            raise Refusal("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return Caller(login, source_of(environ), None)
    caller = find_session(office, environ)
    if caller is None:
        raise Refusal("not_signed_in", headers={"WWW-Authenticate": "Bearer"})
    return caller


def refuse_foreign_pages(environ: Environ) -> None:
    """A change that rides on a cookie must come from a page of this box. Raises Refusal foreign_origin.

    Browsers say where a request comes from (Sec-Fetch-Site, Origin); one that says neither must send X-Requested-With,
    which a foreign page cannot do without asking first. SameSite=Strict on the cookie stands behind this.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE", "")
    origin = environ.get("HTTP_ORIGIN", "")
    if site and site not in ("same-origin", "none"):
        raise Refusal("foreign_origin")
    if origin:
        host = origin.partition("://")[2]
        if not hmac.compare_digest(host.encode(), environ.get("HTTP_HOST", "").encode()):
            raise Refusal("foreign_origin")
    if not site and not origin and not environ.get("HTTP_X_REQUESTED_WITH"):
        raise Refusal("foreign_origin")


def words_for(office: Office, environ: Environ) -> Words:
    """The words in the language of the one who asks."""
    asked = re.search(r"(?:^|&)lang=(\w+)", environ.get("QUERY_STRING", ""))
    accepted = environ.get("HTTP_ACCEPT_LANGUAGE", "")
    remembered = cookie(environ, LANGUAGE_COOKIE)
    return Words(choose_language(asked[1] if asked else "", remembered, accepted, office.configuration().box.language))
