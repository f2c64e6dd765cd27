"""The pages as they come from the server: what they show to whom, in which language, and when empty."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from firmware.records.database import open_database
from firmware.records.tables import contacts, recordings
from tests.webui.scripted_office import CITIZEN, OTHER_CITIZEN, Site
from webui.words import CODES, LIVE_GROUPS, SCRIPT_WORDS, Words

STATIC = Path(__file__).resolve().parents[2] / "webui" / "static"


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


@pytest.fixture
def admin(site: Site) -> str:
    return site.sign_in("admin")


@pytest.mark.parametrize("path", ["/desk", "/wall", "/calls", "/calls/4", "/calls?caller=nobody", "/sign-in"])
def test_a_first_page_is_small_and_names_no_outside_address(site: Site, path: str) -> None:
    page = site.get(path, session="" if path == "/sign-in" else site.sign_in("wang")).text

    files = set(re.findall(r'(?:src|href)="(/static/[^"?]+)', page)) | {
        f"/static/{one.name}" for one in STATIC.glob("*.js")
    }
    size = len(page.encode()) + sum(len(site.get(one).body) for one in files)
    everything = page + "".join(site.get(one).text for one in files)
    assert size <= 150_000, f"{path} is {size} bytes with all its files"
    assert re.findall(r"https?://(?!www[.]w3[.]org/2000/svg)[^\s\"']+", everything) == []
    assert re.findall(r"\son\w+=|\sstyle=|<script(?! type=)", page) == [], "the content policy forbids these"


def test_the_first_address_leads_agents_to_the_desk_and_others_to_the_wall(site: Site, admin: str) -> None:
    assert site.get("/", session=site.sign_in("wang")).headers["location"] == "/desk"
    assert site.get("/", session=admin).headers["location"] == "/wall"
    assert site.get("/").headers["location"] == "/sign-in"


def test_the_desk_comes_with_the_state_of_now(site: Site) -> None:
    data = data_of(site.get("/desk", session=site.sign_in("wang")).text)

    assert data["me"]["agent"] == "801"
    assert data["state"]["calls"][0]["caller"] == CITIZEN
    assert data["words"]["codes"]["agent_state"]["WrapUp"] == "事后处理"


def test_a_desk_without_agent_number_says_what_to_do(site: Site, admin: str) -> None:
    page = site.get("/desk", session=admin).text

    assert "当前用户没有工号" in page
    assert "data-do=" not in page


def test_a_page_shows_before_the_callserver_was_ever_there(site: Site, admin: str) -> None:
    site.live.state = None

    assert data_of(site.get("/wall", session=admin).text)["state"] is None


def test_text_from_outside_cannot_become_markup(site: Site, admin: str) -> None:
    page = site.get("/calls?caller=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", session=admin).text
    other = site.submit("/sign-in", {"login": "<b>x", "password": "y"}).text

    assert "<script>alert" not in page
    assert "<b>x" not in other


def test_data_for_scripts_cannot_end_its_element(site: Site, admin: str) -> None:
    import msgspec

    box = msgspec.structs.replace(site.configuration.box, name="</script><script>alert(1)//")
    agents = tuple(msgspec.structs.replace(one, name="</script>") for one in site.configuration.agents)
    site.configuration = msgspec.structs.replace(site.configuration, box=box, agents=agents)

    page = site.get("/wall", session=admin).text

    assert "<script>alert" not in page
    assert data_of(page)["agents"]["801"] == "</script>"


# ---- the list of calls -----------------------------------------------------------------------------------------------


def test_the_list_shows_times_numbers_and_results_in_words(site: Site, admin: str) -> None:
    page = site.get("/calls", session=admin).text

    for shown in ("2026-11-22 08:48", CITIZEN, OTHER_CITIZEN, "综合", "801 王秀英", "01:00", "排队放弃", "进行中"):
        assert shown in page
    assert re.findall(r'data-play="(\d+)"', page) == ["4", "3", "1"]


def test_the_form_keeps_what_was_asked(site: Site, admin: str) -> None:
    page = site.get("/calls?caller=138&result=abandoned&since=2026-11-22&until=2026-11-22", session=admin).text

    assert 'value="138"' in page
    assert re.search(r'value="abandoned"\s+selected', page)
    assert re.findall(r'data-call="(\d+)"', page) == ["2"]


def test_the_last_day_of_the_filter_is_included(site: Site, admin: str) -> None:
    for until, expected in (("2026-11-21", 0), ("2026-11-22", 5)):
        page = site.get(f"/calls?until={until}", session=admin).text
        assert len(re.findall("data-call=", page)) == expected


def test_times_of_day_line_and_seat_narrow_the_list(site: Site, admin: str) -> None:
    day = "since=2026-11-22&until=2026-11-22"
    for query, expected in (
        (f"{day}&since_time=08:49", ["5"]),
        (f"{day}&until_time=08:48", ["4", "3", "2", "1"]),
        ("trunk=E1-1/3", ["3"]),
        ("seat=1", ["5", "4", "3", "1"]),
    ):
        page = site.get(f"/calls?{query}", session=admin).text
        assert re.findall(r'data-call="(\d+)"', page) == expected, query


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("trnk=E1-1/3", ("通话列表没有这个筛选条件", "trnk", "trunk")),
        ("caller=138&service=12345", ("通话列表没有这个筛选条件", "service")),
        ("until=nonsense", ("筛选条件的取值不正确", "until=nonsense")),
        ("since=2026-11-22&since_time=25:00", ("筛选条件的取值不正确", "since_time=25:00")),
        ("since_time=08:00", ("筛选条件的取值不正确", "since_time=08:00", "since=2026-11-22")),
        ("before=yesterday", ("筛选条件的取值不正确", "before=yesterday")),
    ],
)
def test_a_filter_that_is_not_understood_is_told(site: Site, admin: str, query: str, told: tuple[str, ...]) -> None:
    """A list that passed it over would look as if it held all that was asked for."""
    answer = site.get(f"/calls?{query}", session=admin)

    assert answer.status == 400
    assert [one for one in told if one not in answer.text] == []
    assert "data-call=" not in answer.text
    assert '<a href="/calls">' in answer.text, "the way back to the list"


def test_what_the_form_and_the_links_send_is_understood(site: Site, admin: str) -> None:
    page = site.get("/calls", session=admin).text
    names = re.findall(r'<(?:input|select)[^>]* name="(\w+)"', page)

    assert len(names) == 11
    assert site.get("/calls?lang=en&before=3&" + "&".join(f"{name}=" for name in names), session=admin).status == 200


def test_the_line_of_each_call_is_shown_in_the_list_and_with_the_call(site: Site, admin: str) -> None:
    rows = re.findall(r"<tr data-call.*?</tr>", site.get("/calls", session=admin).text, re.S)

    assert [re.search(r'<td class="wide-only">(.*?)</td>', row)[1] for row in rows] == [  # type: ignore[index]
        f"E1-1/{number}" for number in (5, 4, 3, 2, 1)
    ]
    detail = site.get("/calls/4", session=admin).text
    assert re.search(r"<dt>线路</dt><dd>E1-1/4 <span[^>]*>呼入</span></dd>", detail)


def test_a_call_out_shows_the_number_that_was_called(site: Site, admin: str, tmp_path: Path) -> None:
    database = open_database(tmp_path / "calls.db")
    with database.begin() as connection:
        changed = {"direction": "out", "calling": "12345", "called": "13912345678"}
        connection.execute(update(contacts).where(contacts.c.number == 4).values(**changed))
    database.dispose()

    row = re.search(r'<tr data-call="4".*?</tr>', site.get("/calls", session=admin).text, re.S)
    assert row and "13912345678" in row[0] and "呼出" in row[0]
    detail = site.get("/calls/4", session=admin).text
    assert '<span class="phone-number">13912345678</span>' in detail
    assert re.search(r"<dt>线路</dt><dd>E1-1/4 <span[^>]*>呼出</span></dd>", detail)


def test_nothing_found_and_nothing_there_are_told_apart(site: Site, admin: str, tmp_path: Path) -> None:
    assert "没有符合条件的通话" in site.get("/calls?caller=000000", session=admin).text

    database = open_database(tmp_path / "calls.db")
    with database.begin() as connection:
        connection.execute(delete(contacts))
    database.dispose()

    assert "还没有通话" in site.get("/calls", session=admin).text


def test_long_lists_have_pages(site: Site, admin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.pages.CALLS_ON_A_PAGE", 2)
    seen, address = [], "/calls?trunk=E1-1"
    while address:
        page = site.get(address, session=admin).text
        seen += re.findall(r'data-call="(\d+)"', page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = "/calls" + found[1].replace("&amp;", "&") if found else ""

    assert seen == ["5", "4", "3", "2", "1"]


def test_agents_find_their_own_calls_only(site: Site) -> None:
    page = site.get("/calls?agent=801", session=site.sign_in("li")).text

    assert re.findall(r'data-call="(\d+)"', page) == ["3"]
    assert site.get("/calls/4", session=site.sign_in("li")).status == 404
    assert site.get("/calls", session=site.sign_in("guest")).status == 403


def test_one_call_shows_its_course_and_its_recording(site: Site, admin: str) -> None:
    page = site.get("/calls/4", session=admin).text

    assert '<audio controls preload="metadata" src="/api/v1/calls/4/recording">' in page
    assert page.count("<rect") == 2
    assert "segment-queued" in page
    assert "市民" in page
    assert "<audio" not in site.get("/calls/5", session=admin).text


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"legal_hold": True}, "已录音 编号 4 · 依法保留"), ({"deleted_utc_us": 1}, "录音已删除 编号 4")],
)
def test_one_call_shows_what_was_decided_of_its_recording(
    site: Site, admin: str, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    database = open_database(tmp_path / "calls.db")
    with database.begin() as connection:
        connection.execute(update(recordings).where(recordings.c.number == 4).values(**changed))
    database.dispose()

    page = site.get("/calls/4", session=admin).text

    assert told in " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert ("<audio" in page) == ("legal_hold" in changed)


def test_looking_at_lists_and_calls_is_audited(site: Site, admin: str) -> None:
    site.get("/calls?caller=138", session=admin)
    site.get("/calls/4", session=admin)

    assert [row[2:] for row in site.audit()][1:] == [
        ("read_calls", "caller=138", "done"),
        ("read_call", "id 4", "done"),
    ]


def test_a_page_that_is_not_there_is_a_designed_page(site: Site, admin: str) -> None:
    answer = site.get("/nowhere", session=admin)

    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "此地址没有内容" in answer.text


# ---- languages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "shown"),
    [
        ("", "", "", "登录"),
        ("", "", "zh-CN,zh;q=0.9", "登录"),
        ("", "", "fr-FR,en;q=0.5", "Sign in"),
        ("", "", "fr-FR", "登录"),
        ("", "en", "zh-CN", "Sign in"),
        ("?lang=zh_CN", "en", "en", "登录"),
        ("?lang=xx", "", "", "登录"),
    ],
)
def test_the_language_is_what_was_asked_remembered_wished_or_set(
    site: Site, query: str, cookie: str, accepted: str, shown: str
) -> None:
    answer = site.get("/sign-in" + query, headers={"Cookie": f"linebox_language={cookie}", "Accept-Language": accepted})

    assert f"<title>{shown} ·" in answer.text
    if query == "?lang=zh_CN":
        assert answer.cookies["linebox_language"].value == "zh_CN"


def test_problems_speak_the_readers_language(site: Site) -> None:
    answer = site.get("/api/v1/calls", headers={"Accept-Language": "en"})

    assert answer.json["what"] == "You are not signed in."
    assert site.get("/api/v1/calls").json["what"] == "尚未登录。"


def test_a_code_that_nobody_has_words_for_is_shown_as_it_is() -> None:
    assert Words("zh_CN").code("result", "of_tomorrow") == "of_tomorrow"


def test_scripts_ask_only_for_words_that_there_are() -> None:
    source = "".join(path.read_text() for path in STATIC.glob("*.js"))

    texts = set(re.findall(r'\btext\("(\w+)"', source)) | {"recorded", "not_recorded", "call_ended", "this_call"}
    groups = set(re.findall(r'\bcode\("(\w+)"', source))
    assert texts == set(SCRIPT_WORDS)
    assert groups <= set(LIVE_GROUPS) <= set(CODES)
