"""What people read when something is refused: always words of the catalogues, in the language of the request."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webui.scripted_office import Site
from webui.application import _CODE_OF_STATUS
from webui.problems import KNOWN, Refusal
from webui.rest_agents import _OTHER_NAMES
from webui.words import Words

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")
PROGRAMS_ONLY = {"configuration_wrong", "configuration_not_kept"}
"""Answers to `linebox reload`, which the web process never asks for."""


def codes_given_to(exception: str, folder: str) -> Iterator[str]:
    """Every code with which that exception is raised in the sources of a folder."""
    for path in (ROOT / folder).glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == exception and call.args:
                parts = [call.args[0].body, call.args[0].orelse] if isinstance(call.args[0], ast.IfExp) else call.args
                yield from (str(one.value) for one in parts[:2] if isinstance(one, ast.Constant))


def replied_codes() -> Iterator[str]:
    """Those of replies that the callserver's shell writes itself."""
    source = (ROOT / "firmware/box/callserver/process.py").read_text("utf-8")
    yield from re.findall(r'Reply\([\w.]+, "(\w+)"', source)
    yield from re.findall(r'code = "(\w+)" if .* else "(\w+)"', source)[0]


def test_every_code_of_a_refusal_has_words_of_its_own() -> None:
    from_callserver = {*codes_given_to("Refused", "firmware/contacts"), *replied_codes()}
    from_pages = {*codes_given_to("Refusal", "webui"), *_CODE_OF_STATUS.values(), "server_error"}
    assert len(from_callserver) > 20 and len(from_pages) > 20, "the sources are read"

    told = {_OTHER_NAMES.get(code, code) for code in from_callserver - PROGRAMS_ONLY} | from_pages

    assert told - set(KNOWN) == set()


@pytest.mark.parametrize("code", [*KNOWN, "a_code_of_tomorrow"])
def test_what_and_remedy_of_a_refusal_are_chinese_to_who_reads_chinese(code: str) -> None:
    for language, chinese in (("zh_CN", True), ("en", False)):
        problem = Refusal(code).problem(Words(language))
        assert [bool(CHINESE.search(text)) for text in (problem.what, problem.remedy)] == [chinese, chinese]


WRONG_REQUESTS = (
    *(
        f"GET /api/v1/calls?{query}"
        for query in ("limit=0", "colour=red", "since=yesterday", "recorded=maybe", "a=%ff")
    ),
    *(f"GET /calls?{query}" for query in ("trnk=1", "since=x", "since=2026-11-22&since_time=x", "since_time=08:00")),
    "GET /calls?before=x",
    "GET /api/v1/calls/4/recording range",
    *(f"POST /api/v1/agents/801/sign-in {body}" for body in ("{}", '{"seat":5}', '{"seat":"1","x":2}', "[]", "{")),
    'POST /api/v1/agents/801/sign-in {"seat":"\xff"}',
    f"POST /api/v1/agents/801/sign-in {'x' * 20_000}",
    *(f"POST /api/v1/agents/801/call {body}" for body in ("hello", '{"number":"abc"}')),
    *(f"POST /api/v1/lines/FXO-1/learn {body}" for body in ('{"seconds":1}', '{"seconds":true}')),
    'POST /api/v1/calls/4/recording/hold {"hold":true,"reason":""}',
)


def test_what_exactly_is_wrong_is_told_in_the_language_of_the_request(site: Site) -> None:
    session = site.sign_in("admin")
    for wrong in WRONG_REQUESTS:
        method, path, *rest = wrong.split(" ", 2)
        for language, chinese in (("zh-CN", True), ("en", False)):
            headers = {"Accept-Language": language} | ({"Range": "bytes=999999-"} if rest == ["range"] else {})
            body = rest[0].encode("latin-1") if rest and method == "POST" else b""
            answer = site.ask(method, path, session=session, headers=headers, body=body)

            assert answer.status in (400, 413, 416), wrong
            if path.startswith("/calls"):
                details = re.findall(r'<p class="quiet">(.*?)</p>', answer.text)
            else:
                details = answer.json["details"]
            assert [bool(CHINESE.search(line)) for line in details] == [chinese], (wrong, details)


def test_a_text_that_the_callserver_refuses_is_named_in_the_language_of_the_request(site: Site) -> None:
    site.callserver.error = "bad_parameter"
    site.callserver.details = ("reason: at most 64 characters are expected, and no control characters",)

    answer = site.post("/api/v1/agents/801/not-ready", {"reason": "x" * 65}, token="token-wang")

    assert answer.json["details"] == ["reason：最多 64 个字符，且不含控制字符"]


def test_what_an_exception_says_stands_in_the_log_and_not_in_the_answer(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.callserver.away = True
    away = site.post("/api/v1/agents/801/ready", token="token-wang").json
    (site.office.recordings / "4.au").unlink()
    unreadable = site.get("/api/v1/calls/4/recording", token="token-admin").json

    assert (away["details"], unreadable["details"]) == ([], [])
    assert "callserver_away: it is not connected" in caplog.text
    assert "the recording of call 4 cannot be read: [Errno 2]" in caplog.text
