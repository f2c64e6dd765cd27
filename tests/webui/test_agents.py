"""What agents' buttons ask of the callserver, and what comes back."""

from __future__ import annotations

import json

import pytest

from firmware.calls import messages as cti
from tests.webui.scripted_office import Site


@pytest.mark.parametrize(
    ("button", "body", "asked"),
    [
        ("sign-in", {"seat": "1"}, cti.SignIn("801", "1")),
        ("sign-out", None, cti.SignOut("801")),
        ("ready", None, cti.SetReady("801")),
        ("not-ready", None, cti.SetNotReady("801", "break")),
        ("not-ready", {"reason": "meal"}, cti.SetNotReady("801", "meal")),
        ("answer", {}, cti.AnswerCall("801")),
        ("hold", None, cti.HoldCall("801")),
        ("retrieve", None, cti.RetrieveCall("801")),
        ("release", None, cti.ReleaseCall("801")),
    ],
)
def test_a_button_asks_the_callserver_in_the_name_of_the_login(
    site: Site, button: str, body: object, asked: cti.AnyRequestBody
) -> None:
    answer = site.post(f"/api/v1/agents/801/{button}", body, session=site.sign_in("wang"))

    assert answer.status == 200
    assert site.callserver.asked[0] == (asked, "wang")
    assert answer.json["agent"] == "801"
    assert answer.json["state"] == "Talking"
    assert site.audit()[-1] == ("wang", "192.0.2.7", button.replace("-", "_"), "agent 801", "done")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("unknown_agent", 404, "unknown_agent"),
        ("unknown_seat", 404, "unknown_seat"),
        ("seat_taken", 409, "seat_taken"),
        ("not_signed_in", 409, "agent_not_signed_in"),
        ("lift_the_handset", 409, "lift_the_handset"),
        ("a_code_of_tomorrow", 409, "a_code_of_tomorrow"),
    ],
)
def test_a_refusal_of_the_callserver_is_told_in_words(site: Site, error: str, status: int, code: str) -> None:
    site.callserver.error = error

    answer = site.post("/api/v1/agents/801/ready", token="token-wang")

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["what"]
    assert answer.json["remedy"]
    assert site.audit()[-1][4] == code


def test_without_the_callserver_a_button_says_so(site: Site) -> None:
    site.callserver.away = True

    answer = site.post("/api/v1/agents/801/ready", token="token-wang")

    assert (answer.status, answer.json["code"]) == (503, "callserver_away")
    assert site.audit()[-1][4] == "callserver_away"


@pytest.mark.parametrize(
    "button", ["sign-in", "sign-out", "ready", "not-ready", "answer", "hold", "retrieve", "release"]
)
def test_agents_press_their_own_buttons_only(site: Site, button: str) -> None:
    body = {"seat": "1"} if button == "sign-in" else None

    answer = site.post(f"/api/v1/agents/801/{button}", body, token="token-li")

    assert (answer.status, answer.json["code"]) == (403, "not_allowed")
    assert site.callserver.asked == []
    assert site.audit()[-1][4] == "not_allowed"
    assert site.post(f"/api/v1/agents/801/{button}", body, token="token-admin").status == 200


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"text"', b"{}", b'{"seat": 1}', b'{"seat": "1", "colour": "red"}', b"\xff\xfe", b"[" * 9000],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(site: Site, body: bytes) -> None:
    answer = site.ask("POST", "/api/v1/agents/801/sign-in", token="token-wang", body=body)

    assert (answer.status, answer.json["code"]) == (400, "bad_json")
    assert site.callserver.asked == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site: Site) -> None:
    body = json.dumps({"seat": "x" * 20_000}).encode()

    answer = site.ask("POST", "/api/v1/agents/801/sign-in", token="token-wang", body=body)

    assert (answer.status, answer.json["code"]) == (413, "too_large")


@pytest.mark.parametrize("length", ["-5", "abc", "1e3", "9" * 400])
def test_a_content_length_that_is_no_number_is_refused(site: Site, length: str) -> None:
    answer = site.ask("POST", "/api/v1/agents/801/ready", token="token-wang", headers={"X": "y"}, body=b"")
    assert answer.status == 200

    import io

    given: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/agents/801/ready",
        "HTTP_AUTHORIZATION": "Bearer token-wang",
        "CONTENT_LENGTH": length,
        "wsgi.input": io.BytesIO(b"{}"),
    }
    body = b"".join(site.application(environ, lambda status, *_: given.append(status)))

    assert given[0][:3] in ("400", "413"), body
