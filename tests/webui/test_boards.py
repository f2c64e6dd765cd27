"""Boards over REST: an administrator has an E1 tested in a loop."""

from __future__ import annotations

import pytest

from boards.signals import LoopWay
from firmware.calls import messages as cti
from tests.webui.scripted_office import Site


def test_a_loop_test_is_asked_of_the_callserver_and_audited(site: Site) -> None:
    body = {"way": "local", "seconds": 60}
    answer = site.post("/api/v1/boards/e1/loop-test", body, session=site.sign_in("admin"))

    assert (answer.status, answer.json) == (200, {"board": "e1", "way": "local", "seconds": 60.0})
    assert site.callserver.asked[-1] == (cti.LoopTest("e1", LoopWay.LOCAL, 60.0), "admin")
    assert site.audit()[-1] == ("admin", "192.0.2.7", "loop_test", "board e1", "done")


@pytest.mark.parametrize("body", [{"seconds": 0.5}, {"seconds": 601}, {"way": "sideways"}, {"n": 1}])
def test_a_wish_that_cannot_be_is_refused(site: Site, body: object) -> None:
    answer = site.post("/api/v1/boards/e1/loop-test", body, session=site.sign_in("admin"))

    assert (answer.status, answer.json["code"]) == (400, "bad_json")


@pytest.mark.parametrize(("error", "status"), [("unknown_board", 404), ("calls_on_board", 409)])
def test_a_refusal_is_told_in_words(site: Site, error: str, status: int) -> None:
    site.callserver.error = error
    answer = site.post("/api/v1/boards/e1/loop-test", {}, session=site.sign_in("admin"))

    assert (answer.status, answer.json["code"]) == (status, error)


@pytest.mark.parametrize("name", ["boss", "wang"])
def test_only_administrators_may(site: Site, name: str) -> None:
    assert site.post("/api/v1/boards/e1/loop-test", {}, session=site.sign_in(name)).status == 403
    assert site.audit()[-1][2:] == ("loop_test", "board e1", "not_allowed")


def test_a_loop_test_is_ended_and_audited(site: Site) -> None:
    answer = site.ask("DELETE", "/api/v1/boards/e1/loop-test", session=site.sign_in("admin"))

    assert (answer.status, answer.json) == (200, {"board": "e1"})
    assert site.callserver.asked[-1] == (cti.EndLoopTest("e1"), "admin")
    assert site.audit()[-1] == ("admin", "192.0.2.7", "end_loop_test", "board e1", "done")


def test_that_there_is_none_to_end_is_told(site: Site) -> None:
    site.callserver.error = "no_loop_test"
    answer = site.ask("DELETE", "/api/v1/boards/e1/loop-test", session=site.sign_in("admin"))

    assert (answer.status, answer.json["code"]) == (404, "no_loop_test")


@pytest.mark.parametrize("name", ["boss", "wang"])
def test_only_administrators_may_end_one(site: Site, name: str) -> None:
    assert site.ask("DELETE", "/api/v1/boards/e1/loop-test", session=site.sign_in(name)).status == 403
    assert site.audit()[-1][2:] == ("end_loop_test", "board e1", "not_allowed")


def test_a_foreign_page_ends_none(site: Site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = site.ask("DELETE", "/api/v1/boards/e1/loop-test", session=site.sign_in("admin"), headers=headers)

    assert (answer.status, answer.json["code"]) == (403, "foreign_origin")
    assert not any(isinstance(body, cti.EndLoopTest) for body, _ in site.callserver.asked)
