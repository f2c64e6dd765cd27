"""Channels that are out of service by hand, over REST and at the wall: who may, what is told, what is shown to whom."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from boards.signals import ChannelKind
from firmware.calls import messages as cti
from firmware.calls.messages import BoxAlarm
from firmware.core.line_schemas import BlockedChannel
from firmware.lines.messages import ChannelState
from tests.webui.scripted_office import START_UTC_US, Site

REASON = {"reason": "更换板卡"}


@pytest.fixture
def span(site: Site) -> Site:
    """E1-1/17 is blocked, E1-1/18 is to be when its call is over, E1-1/19 was blocked by the exchange."""
    channels = tuple(
        ChannelState(channel, "sim", f"E1-1/{channel}", ChannelKind.TRUNK, state)
        for channel, state in ((17, "blocked"), (18, "up"), (19, "blocked"), (20, "idle"))
    )
    blocked = (
        BlockedChannel(channel="E1-1/17", reason="更换板卡", by="boss", since_utc_us=START_UTC_US),
        BlockedChannel(channel="E1-1/18", reason="更换板卡"),
    )
    assert site.callserver.state is not None
    site.callserver.state = msgspec.structs.replace(site.callserver.state, channels=channels, blocked=blocked)
    site.live.connect(site.callserver.state)
    return site


def test_a_supervisor_blocks_a_channel_and_gives_it_back(span: Site) -> None:
    session = span.sign_in("boss")
    answer = span.post("/api/v1/lines/E1-1/17/block", REASON, session=session)

    assert answer.status == 200
    assert answer.json["channel"]["state"] == "blocked"
    assert answer.json["channel"]["block"] == {"reason": "更换板卡", "by": "boss", "since": "2026-11-22T01:05:00Z"}
    assert answer.json["all_trunks_blocked"] is False
    assert span.callserver.asked[0] == (cti.BlockChannels(("E1-1/17",), "更换板卡"), "boss")
    assert span.audit()[-1] == ("boss", "192.0.2.7", "block_channel", "line E1-1/17", "done")

    assert span.post("/api/v1/lines/E1-1/20/unblock", session=session).json["channel"]["block"] is None
    assert span.callserver.asked[2] == (cti.UnblockChannels(("E1-1/20",)), "boss")
    assert span.audit()[-1][2:] == ("unblock_channel", "line E1-1/20", "done")


def test_that_nobody_can_call_any_more_is_told(span: Site) -> None:
    assert span.callserver.state is not None
    alarms = (BoxAlarm.ALL_TRUNKS_BLOCKED,)
    span.callserver.state = msgspec.structs.replace(span.callserver.state, alarms=alarms)

    answer = span.post("/api/v1/lines/E1-1/20/block", REASON, token="token-admin")
    assert answer.json["all_trunks_blocked"] is True


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 65}, {"why": "x"}])
def test_a_block_has_a_reason(span: Site, body: object) -> None:
    answer = span.post("/api/v1/lines/E1-1/17/block", body, token="token-boss")

    assert (answer.status, answer.json["code"]) == (400, "bad_json")
    assert span.callserver.asked == []


@pytest.mark.parametrize("reason", ["", " \t"])
def test_that_the_reason_is_blank_is_said_in_words(span: Site, reason: str) -> None:
    for language, words in (("zh_CN", "reason：不能为空白"), ("en", "reason: a text that is not blank is expected")):
        path = f"/api/v1/lines/E1-1/17/block?lang={language}"
        assert span.post(path, {"reason": reason}, token="token-boss").json["details"] == [words]


@pytest.mark.parametrize("who", ["wang", "guest"])
@pytest.mark.parametrize(("what", "body"), [("block", REASON), ("unblock", None)])
def test_agents_may_not(span: Site, who: str, what: str, body: object) -> None:
    assert span.post(f"/api/v1/lines/E1-1/17/{what}", body, session=span.sign_in(who)).status == 403
    assert span.callserver.asked == []
    assert span.audit()[-1][2:] == (f"{what}_channel", "line E1-1/17", "not_allowed")


@pytest.mark.parametrize(
    ("error", "status"), [("unknown_channel", 404), ("configuration_wrong", 409), ("not_stored", 503)]
)
def test_a_refusal_is_told_in_words(span: Site, error: str, status: int) -> None:
    span.callserver.error = error
    answer = span.post("/api/v1/lines/E1-9/17/block", REASON, token="token-boss")

    assert (answer.status, answer.json["code"]) == (status, error)
    assert answer.json["what"] and answer.json["remedy"]


def test_an_unknown_label_is_told_with_the_nearest_in_the_readers_language(span: Site) -> None:
    span.callserver.error = "unknown_channel"
    answer = span.post("/api/v1/lines/E1/18/block?lang=zh_CN", REASON, token="token-boss")

    assert answer.json["details"] == ["是否指 E1-1/18？"]


def test_everybody_reads_in_the_state_what_is_blocked_and_why(span: Site) -> None:
    channels = span.get("/api/v1/state", token="token-wang").json["channels"]

    assert [(one["state"], one["block"] and one["block"]["reason"]) for one in channels] == [
        ("blocked", "更换板卡"),
        ("up", "更换板卡"),
        ("blocked", None),
        ("idle", None),
    ]
    assert channels[1]["block"] == {"reason": "更换板卡", "by": "", "since": None}


@pytest.mark.parametrize(("who", "may"), [("boss", True), ("admin", True), ("wang", False)])
def test_the_wall_has_the_dialog_for_who_may_block(span: Site, who: str, may: bool) -> None:
    page = span.get("/wall?lang=zh_CN", session=span.sign_in(who)).text
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page)[1])  # type: ignore[index]

    assert ('<dialog id="block-dialog"' in page) is may
    assert data["me"]["supervises"] is may
    assert data["state"]["channels"][0]["block"]["reason"] == "更换板卡"
    states = data["words"]["codes"]["channel_state"]
    assert [states[one] for one in ("blocked", "blocking", "blocked_far")] == ["闭塞", "待闭塞", "对端闭塞"]


def test_the_description_says_that_a_label_may_hold_a_slash(span: Site) -> None:
    routes = span.get("/api/v1/openapi.json").json["paths"]

    assert "%2F" in routes["/lines/{line}/block"]["post"]["description"]
    assert routes["/lines/{line}/unblock"]["post"]["parameters"][0]["name"] == "line"
