"""Legal hold and deletion over the REST interface: who may, what the callserver is asked, what is refused."""

from __future__ import annotations

import pytest

from firmware.calls.messages import DeleteRecording, HoldRecording
from tests.webui.scripted_office import Site

HOLD = {"hold": True, "reason": "court 17/2026"}


@pytest.mark.parametrize("token", ["token-admin", "token-boss"])
def test_supervisors_put_a_recording_on_hold_and_end_it(site: Site, token: str) -> None:
    answer = site.post("/api/v1/calls/4/recording/hold", HOLD, token=token)

    assert (answer.status, answer.json) == (200, {"call": 4, "recording": 4})
    assert site.callserver.asked[-1][0] == HoldRecording(4, True, "court 17/2026")
    assert site.post("/api/v1/calls/4/recording/hold", {**HOLD, "hold": False}, token=token).status == 200
    assert site.audit()[-1][2:] == ("hold_recording", "id 4", "done")


def test_administrators_delete_recordings(site: Site) -> None:
    answer = site.post("/api/v1/calls/4/recording/delete", {"reason": "asked by the citizen"}, token="token-admin")

    assert answer.status == 200
    assert site.callserver.asked == [(DeleteRecording(4, "asked by the citizen"), "admin")]


@pytest.mark.parametrize(
    ("path", "token"), [("hold", "token-wang"), ("delete", "token-wang"), ("delete", "token-boss")]
)
def test_others_may_not(site: Site, path: str, token: str) -> None:
    body = HOLD if path == "hold" else {"reason": "x"}

    answer = site.post(f"/api/v1/calls/4/recording/{path}", body, token=token)

    assert (answer.status, answer.json["code"]) == (403, "not_allowed")
    assert site.callserver.asked == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("on_legal_hold", 409),
        ("already_on_hold", 409),
        ("not_on_hold", 409),
        ("recording_open", 409),
        ("recording_deleted", 404),
    ],
)
def test_what_the_callserver_refuses_is_said(site: Site, code: str, status: int) -> None:
    site.callserver.error = code

    answer = site.post("/api/v1/calls/4/recording/delete", {"reason": "x"}, token="token-admin")

    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(("call", "code"), [(2, "no_recording"), (99, "no_such_call")])
def test_what_is_not_there_cannot_be_held(site: Site, call: int, code: str) -> None:
    answer = site.post(f"/api/v1/calls/{call}/recording/hold", HOLD, token="token-admin")

    assert (answer.status, answer.json["code"]) == (404, code)


@pytest.mark.parametrize("reason", ["", "x" * 65])
def test_a_reason_is_needed(site: Site, reason: str) -> None:
    answer = site.post("/api/v1/calls/4/recording/hold", {"hold": True, "reason": reason}, token="token-admin")

    assert (answer.status, answer.json["code"]) == (400, "bad_json")
