"""Signing in, sessions, tokens, lock-out, foreign pages, roles, and what is said to those who may not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from firmware.core.clock import MICROSECONDS
from tests.webui.scripted_office import Site
from webui.passwords import PasswordCheck
from webui.sessions import Sessions


def after(site: Site, seconds: float) -> None:
    site.clock.advance_to(site.clock.now().mono_us + int(seconds * MICROSECONDS))


def outcomes(site: Site) -> list[tuple[str, str]]:
    return [(row[2], row[4]) for row in site.audit()]


def wrong(site: Site, name: str = "wang", source: str = "192.0.2.7") -> int:
    return site.submit("/sign-in", {"login": name, "password": "guess"}, source=source).status


# ---- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/desk", "/wall", "/calls", "/calls/4"])
def test_a_page_sends_who_is_not_signed_in_to_sign_in_and_back(site: Site, path: str) -> None:
    answer = site.get(path)

    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=" + path.replace("/", "%2F"))


def test_signing_in_leads_to_the_wished_page_with_a_guarded_cookie(site: Site) -> None:
    answer = site.submit("/sign-in", {"login": "wang", "password": "wang-password", "next": "/calls"})

    assert (answer.status, answer.headers["location"]) == (303, "/calls")
    cookie = answer.cookies["linebox_session"]
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"
    assert site.get("/desk", session=cookie.value).status == 200
    assert outcomes(site) == [("sign_in", "done")]


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "/\r\nX: y"]
)
def test_signing_in_leads_to_no_other_site(site: Site, wanted: str) -> None:
    answer = site.submit("/sign-in", {"login": "wang", "password": "wang-password", "next": wanted})

    assert answer.headers["location"] == "/"


def test_name_and_password_are_not_told_apart_when_wrong(site: Site) -> None:
    unknown = site.submit("/sign-in", {"login": "nobody", "password": "guess"})
    known = site.submit("/sign-in", {"login": "wang", "password": "guess"})

    assert (unknown.status, known.status) == (401, 401)
    assert unknown.text.replace("nobody", "wang") == known.text


def test_five_failures_lock_that_login_at_that_address_for_a_minute(site: Site) -> None:
    assert [wrong(site) for _ in range(5)] == [401] * 5

    assert wrong(site) == 403
    right = site.submit("/sign-in", {"login": "wang", "password": "wang-password"})
    assert right.status == 403, "also the right password waits"
    site.sign_in("wang", source="192.0.2.8")  # another address is not locked out
    site.sign_in("li")  # nor is another login
    after(site, 61)
    site.sign_in("wang")
    assert outcomes(site)[:7] == [("sign_in", "wrong_password")] * 5 + [("sign_in", "locked_out")] * 2


def test_guesses_at_the_same_moment_are_counted_before_they_are_checked(site: Site) -> None:
    tries = []

    def slow_check(_: str, password: str) -> bool:
        tries.append(password)
        if len(tries) < 20:  # the next guess comes in while this one is being checked
            site.submit("/sign-in", {"login": "wang", "password": f"guess {len(tries)}"})
        return False

    site.office.check_password = slow_check
    wrong(site)

    assert len(tries) == 5


def test_failures_are_forgotten_after_a_minute_and_after_success(site: Site) -> None:
    for _ in range(4):
        wrong(site)
    after(site, 61)
    assert [wrong(site) for _ in range(4)] == [401] * 4
    site.sign_in("wang")
    assert wrong(site) == 401


def test_signing_out_ends_the_session_everywhere(site: Site) -> None:
    session = site.sign_in("wang")

    site.submit("/sign-out", {}, session=session)

    assert site.get("/desk", session=session).status == 303
    assert site.get("/api/v1/calls", session=session).json["code"] == "not_signed_in"
    assert outcomes(site)[-1] == ("sign_out", "done")


def test_a_session_outlives_the_web_process_and_its_id_is_not_kept(site: Site, tmp_path: Path) -> None:
    session = site.sign_in("wang")

    site.office.sessions = Sessions(site.office.audit._database, site.clock.now())

    assert site.get("/desk", session=session).status == 200
    kept = b"".join((tmp_path / name).read_bytes() for name in ("office.db", "office.db-wal"))
    assert b"sessions" in kept
    assert session.encode() not in kept


def test_a_session_ends_when_nobody_uses_it_and_after_a_double_shift(site: Site) -> None:
    idle, used = site.sign_in("wang"), site.sign_in("li")
    for _ in range(15):
        after(site, 3600)
        assert site.get("/desk", session=used).status == 200
    assert site.get("/desk", session=idle).status == 303
    after(site, 3600)
    assert site.get("/desk", session=used).status == 303


def test_a_login_that_is_removed_is_out_at_once(site: Site) -> None:
    session = site.sign_in("wang")

    logins = tuple(one for one in site.configuration.logins if one.login != "wang")
    site.configuration = msgspec.structs.replace(site.configuration, logins=logins)

    assert site.get("/desk", session=session).status == 303
    assert site.get("/api/v1/calls", token="token-wang").json["code"] == "bad_token"


def test_passwords_are_checked_against_argon2id_hashes() -> None:
    from argon2 import PasswordHasher

    check = PasswordCheck()
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("right")

    assert check(hashed, "right")
    assert not check(hashed, "wrong")
    assert not check("", "right")
    assert not check("nonsense", "right")
    assert not check(hashed, "right" * 1000)


# ---- the REST interface ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/state", "/calls", "/calls/4", "/calls/4/recording", "/calls/4/segments", "/events"])
@pytest.mark.parametrize(
    ("token", "code"), [("", "not_signed_in"), ("nonsense", "bad_token"), ("token-nobody", "bad_token")]
)
def test_nothing_is_read_without_a_token_or_session(site: Site, path: str, token: str, code: str) -> None:
    answer = site.get("/api/v1" + path, token=token)

    assert (answer.status, answer.json["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_a_change_that_a_foreign_page_sends_with_our_cookie_is_refused(site: Site, headers: dict[str, str]) -> None:
    session = site.sign_in("wang")

    # A page elsewhere cannot add X-Requested-With without being asked about it first.
    headers = {"X-Requested-With": "", **headers}
    answer = site.post("/api/v1/agents/801/release", session=session, headers=headers)
    out = site.submit("/sign-out", {}, session=session, headers=headers)
    signed_in = site.submit("/sign-in", {"login": "li", "password": "li-password"}, headers=headers)

    assert (answer.status, answer.json["code"]) == (403, "foreign_origin")
    assert (out.status, signed_in.status) == (403, 403)
    assert site.callserver.asked == []


def test_a_change_from_our_own_page_is_taken(site: Site) -> None:
    session = site.sign_in("wang")

    for headers in ({}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://box.example", "X-Requested-With": ""}):
        assert site.post("/api/v1/agents/801/release", session=session, headers=headers).status == 200


def test_every_answer_carries_the_security_headers(site: Site) -> None:
    for answer in (
        site.get("/sign-in"),
        site.get("/api/v1/calls"),
        site.get("/nowhere"),
        site.get("/static/linebox.css"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "no-store" in answer.headers["cache-control"] or answer.headers["cache-control"] == "no-cache"


def test_forwarding_headers_do_not_change_the_audited_address(site: Site) -> None:
    site.get("/api/v1/calls", token="token-admin", headers={"X-Forwarded-For": "203.0.113.9"})

    assert site.audit()[0][1] == "192.0.2.7"


# ---- nonsense --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "no_such_page"),
        ("GET", "/api/v1/calls/four", 404, "no_such_page"),
        ("GET", "/api/v1/calls/" + "9" * 5000, 400, "bad_request"),
        ("DELETE", "/api/v1/calls", 405, "wrong_method"),
        ("GET", "/api/v1/agents/801/ready", 405, "wrong_method"),
        ("BREW", "/api/v1/calls", 405, "wrong_method"),
    ],
)
def test_what_is_not_there_is_a_problem_with_a_remedy(
    site: Site, method: str, path: str, status: int, code: str
) -> None:
    answer = site.ask(method, path, token="token-admin")

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["what"]
    assert answer.json["remedy"]
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "linebox_session=\x00\xff; =; ;;"},
        {"Cookie": "a]=b; linebox_session"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Accept-Language": ";;q=,,zz-\x00"},
        {"Last-Event-ID": "-1"},
    ],
)
def test_headers_that_are_nonsense_end_in_a_clear_refusal(site: Site, headers: dict[str, str]) -> None:
    answer = site.get("/api/v1/calls", headers=headers)

    assert answer.status == 401


def test_a_fault_of_ours_is_a_problem_and_not_a_traceback(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("webui.rest_calls.live_state", broken)
    monkeypatch.setattr("webui.page.live_state", broken)

    answer = site.get("/api/v1/state", token="token-admin")
    page = site.get("/desk", session=site.sign_in("wang"))

    assert (answer.status, answer.json["code"], page.status) == (500, "server_error", 500)
    assert "secret detail" not in answer.text + page.text
