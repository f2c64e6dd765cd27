"""The REST interface as a reader of calls and recordings meets it."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from firmware.records.database import open_database
from firmware.records.tables import contacts, recordings
from tests.webui.scripted_office import CITIZEN, OTHER_CITIZEN, Site, add_call


def ids(site: Site, path: str, token: str = "token-admin") -> list[int]:
    answer = site.get(path, token=token)
    assert answer.status == 200, answer.text
    return [call["id"] for call in answer.json["calls"]]


def test_a_call_of_the_list_has_the_documented_fields(site: Site) -> None:
    call = site.get("/api/v1/calls?limit=2", token="token-admin").json["calls"][1]

    assert call["id"] == 4
    assert call["caller"] == CITIZEN
    assert (call["called"], call["service"], call["queue"], call["agent"]) == ("12345", "12345", "general", "801")
    assert call["started"] == "2026-11-22T00:48:20Z"
    assert call["answered"] == "2026-11-22T00:48:50Z"
    assert call["ended"] == "2026-11-22T00:49:30Z"
    assert (call["result"], call["recording"]) == ("answered", 4)


def test_a_call_that_goes_on_has_no_end_yet(site: Site) -> None:
    call = site.get("/api/v1/calls?limit=1", token="token-admin").json["calls"][0]

    assert (call["id"], call["ended"], call["result"], call["recording_state"]) == (5, None, "", "open")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("?caller=9876", [3]),
        ("?caller=%25", []),  # a per cent sign is a character, not "anything"
        ("?agent=802", [3]),
        ("?result=abandoned", [2]),
        ("?recorded=false", [2]),
        ("?recorded=true", [5, 4, 3, 1]),
        ("?queue=general&service=12345&called=12345&agent=801", [5, 4, 1]),
        ("?seat=1", [5, 4, 3, 1]),
        ("?seat=2", []),
        ("?trunk=E1-1/4", [4]),
        ("?trunk=E1-1", [5, 4, 3, 2, 1]),
        ("?trunk=E1", []),
        ("?trunk=E1-1/4&seat=1&agent=801&caller=138&since=2026-11-22T00:48:20Z", [4]),
        ("?since=2026-11-22T00:48:20Z", [5, 4]),
        ("?until=2026-11-22T00:48:20Z", [3, 2, 1]),
        ("?since=2026-11-22T08:48:20%2B08:00", [5, 4]),
    ],
)
def test_the_list_is_filtered(site: Site, query: str, expected: list[int]) -> None:
    assert ids(site, "/api/v1/calls" + query) == expected


def test_the_list_is_read_page_by_page_without_gap_or_double(site: Site) -> None:
    seen, before = [], ""
    while True:
        answer = site.get(f"/api/v1/calls?limit=2{before}", token="token-admin").json
        seen += [call["id"] for call in answer["calls"]]
        if answer["next_before"] is None:
            break
        before = f"&before={answer['next_before']}"

    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "before=-1",
        "since=yesterday",
        "since=2026-11-22T00:00:00",
        "recorded=maybe",
        "colour=red",
        "caller=%ff",
    ],
)
def test_a_wrong_parameter_is_named(site: Site, query: str) -> None:
    answer = site.get("/api/v1/calls?" + query, token="token-admin")

    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert answer.json["details"]


def test_one_call_comes_with_legs_and_segments(site: Site) -> None:
    call = site.get("/api/v1/calls/4", token="token-admin").json

    assert call["id"] == 4
    assert [(leg["party"], leg["number"], leg["channel"]) for leg in call["legs"]] == [("citizen", CITIZEN, "E1-1/4")]
    assert [segment["kind"] for segment in call["segments"]] == ["queued", "talking"]
    assert site.get("/api/v1/calls/4/segments", token="token-admin").json["segments"] == call["segments"]


@pytest.mark.parametrize(
    "path", ["/calls/99", "/calls/99/segments", "/calls/99/recording", "/calls/99999999999999999999"]
)
def test_a_call_that_is_not_there_is_not_found(site: Site, path: str) -> None:
    answer = site.get("/api/v1" + path, token="token-admin")

    assert (answer.status, answer.json["code"]) == (404, "no_such_call")


def test_the_recording_is_a_wav_with_the_citizen_left(site: Site) -> None:
    answer = site.get("/api/v1/calls/4/recording", token="token-admin")

    assert answer.headers["content-type"] == "audio/wav"
    assert int(answer.headers["content-length"]) == len(answer.body)
    with wave.open(io.BytesIO(answer.body)) as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getnframes()) == (2, 8000, 800)
        frame = wav.readframes(1)
    left, right = (int.from_bytes(frame[at : at + 2], "little", signed=True) for at in (0, 2))
    assert abs(left) < 20
    assert abs(right) > 10_000


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-", 0, 3243), ("bytes=100-199", 100, 199), ("bytes=-44", 3200, 3243), ("bytes=3000-99999", 3000, 3243)],
)
def test_a_range_of_the_recording_is_exactly_that_range(site: Site, asked: str, first: int, last: int) -> None:
    whole = site.get("/api/v1/calls/4/recording", token="token-admin").body

    part = site.get("/api/v1/calls/4/recording", token="token-admin", headers={"Range": asked})

    assert part.status == 206
    assert part.headers["content-range"] == f"bytes {first}-{last}/3244"
    assert part.body == whole[first : last + 1]


def test_a_range_behind_the_end_is_refused_with_the_length(site: Site) -> None:
    answer = site.get("/api/v1/calls/4/recording", token="token-admin", headers={"Range": "bytes=4000-"})

    assert (answer.status, answer.json["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */3244"


def test_a_range_that_is_nonsense_gives_the_whole(site: Site) -> None:
    assert site.get("/api/v1/calls/4/recording", token="token-admin", headers={"Range": "bytes=a-b"}).status == 200


def test_a_browser_that_stops_listening_leaves_no_file_open(site: Site) -> None:
    for method in ("GET", "HEAD"):
        answer = site.ask(method, "/api/v1/calls/4/recording", token="token-admin", piecewise=True)
        if method == "GET":
            next(iter(answer.pieces))
            answer.pieces.close()
        assert answer.status == 200
    # the leak check of every test looks for the file


@pytest.mark.parametrize(("call", "status", "code"), [(2, 404, "no_recording"), (5, 409, "recording_open")])
def test_why_there_is_no_recording_is_told(site: Site, call: int, status: int, code: str) -> None:
    answer = site.get(f"/api/v1/calls/{call}/recording", token="token-admin")

    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_deleted_recording_is_not_given_out_and_not_offered(site: Site, tmp_path: Path) -> None:
    database = open_database(tmp_path / "calls.db")
    with database.begin() as connection:
        connection.execute(update(recordings).where(recordings.c.number == 4).values(deleted_utc_us=1))
    database.dispose()

    assert site.get("/api/v1/calls/4", token="token-admin").json["recording"] is None
    assert site.get("/api/v1/calls/4/recording", token="token-admin").json["code"] == "recording_deleted"


@pytest.mark.parametrize("content", [None, b"not a recording at all, but long enough to look like one" * 9])
def test_a_recording_that_cannot_be_read_is_a_clear_problem(site: Site, content: bytes | None) -> None:
    path = site.office.recordings / "4.au"
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    answer = site.get("/api/v1/calls/4/recording", token="token-admin")

    assert (answer.status, answer.json["code"]) == (409, "recording_unreadable")


def test_without_the_database_reading_is_refused_and_the_rest_works(site: Site, tmp_path: Path) -> None:
    (tmp_path / "calls.db").unlink()
    for left in ("calls.db-wal", "calls.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)

    assert site.get("/api/v1/calls", token="token-admin").json["code"] == "records_away"
    assert site.get("/api/v1/state", token="token-admin").json["today"] is None


# ---- live state ------------------------------------------------------------------------------------------------------


def test_the_state_shows_agents_calls_and_the_figures_of_today(site: Site) -> None:
    state = site.get("/api/v1/state", token="token-admin").json

    assert [agent["state"] for agent in state["agents"]] == ["Talking", "Ready"]
    assert state["calls"][0]["caller"] == CITIZEN
    working, failed = (seat["display_fault"] for seat in state["seats"])
    assert working is None
    assert (failed["code"], failed["arguments"]) == ("display_serial", {"error": "gone"})
    assert (failed["place"], failed["what"]) == ("/dev/ttyUSB0", "串口不通（gone）")
    (panel,) = state["panel_faults"]
    assert (panel["place"], panel["what"]) == ("shut_down /dev/gpiochip0:5", "按钮自启动以来一直处于按下状态")
    # 1, 3, 4, 5 answered, 2 abandoned; 4 waited 27 s in the queue; 5 still talks and counts as answered
    assert state["today"] == {
        "arrived": 5,
        "answered": 4,
        "answered_in_15_seconds": 3,
        "abandoned": 1,
        "connection_rate": 0.8,
    }


def test_yesterdays_calls_are_not_todays(site: Site, tmp_path: Path) -> None:
    database = open_database(tmp_path / "calls.db")
    with database.begin() as connection:
        # 23:59:59 the day before in China
        connection.execute(update(contacts).where(contacts.c.number == 2).values(arrived_utc_us=1_795_276_799_000_000))
    database.dispose()

    assert site.get("/api/v1/state", token="token-admin").json["today"]["abandoned"] == 0


def test_while_the_callserver_is_away_the_state_is_shown_as_old(site: Site) -> None:
    seen = site.clock.now()
    site.clock.advance_to(seen.mono_us + 60_000_000)
    site.live.lose(seen)

    state = site.get("/api/v1/state", token="token-admin").json

    assert state["connected"] is False
    assert state["at"] == "2026-11-22T01:05:00Z"
    assert site.get("/api/v1/health").status == 503


def test_health_needs_no_sign_in_and_tells_nothing_personal(site: Site) -> None:
    answer = site.get("/api/v1/health")

    assert answer.status == 200
    assert answer.json == {"ready": True, "callserver": True, "gateway": True, "recorder": True, "version": "9.9"}


# ---- who sees what ---------------------------------------------------------------------------------------------------


def test_agents_see_their_own_calls_only(site: Site) -> None:
    assert ids(site, "/api/v1/calls", token="token-li") == [3]
    assert site.get("/api/v1/calls?agent=801", token="token-li").json["code"] == "not_allowed"
    for path in ("/calls/4", "/calls/4/segments", "/calls/4/recording"):
        assert site.get("/api/v1" + path, token="token-li").json["code"] == "no_such_call"
    assert site.get("/api/v1/calls/3/recording", token="token-li").status == 200


def test_a_login_without_agent_number_sees_no_calls(site: Site) -> None:
    assert site.get("/api/v1/calls", token="token-guest").json["code"] == "not_allowed"
    assert site.get("/api/v1/calls/2", token="token-guest").json["code"] == "no_such_call"


def test_agents_see_others_live_numbers_masked(site: Site) -> None:
    assert site.get("/api/v1/state", token="token-li").json["calls"][0]["caller"] == "138****0000"
    assert site.get("/api/v1/state", token="token-wang").json["calls"][0]["caller"] == CITIZEN


def test_of_a_call_out_the_called_number_is_the_citizens(site: Site) -> None:
    state = site.callserver.state
    assert state is not None
    out = msgspec.structs.replace(state.contacts[0], calling="12345", called=CITIZEN, outgoing=True)
    site.live.connect(msgspec.structs.replace(state, contacts=(out,)))

    def numbers(token: str) -> tuple[str, str]:
        call = site.get("/api/v1/state", token=token).json["calls"][0]
        return call["caller"], call["called"]

    assert numbers("token-li") == ("12345", "138****0000")
    assert numbers("token-wang") == ("12345", CITIZEN)
    assert site.get("/api/v1/calls/3", token="token-li").json["direction"] == "in"


def test_the_history_shows_the_callers_last_four_whoever_took_them(site: Site) -> None:
    history = site.get("/api/v1/agents/801/history", token="token-wang").json

    assert (history["call"], history["caller"]) == (5, CITIZEN)
    assert [call["id"] for call in history["calls"]] == [4, 2, 1]
    assert site.get("/api/v1/agents/801/history", token="token-li").json["code"] == "not_allowed"
    assert site.get("/api/v1/agents/802/history", token="token-li").json["call"] is None


def test_when_the_agent_called_the_history_is_that_of_the_citizen_who_is_called(site: Site) -> None:
    """Not that of the office's own number, which would show what other citizens were called for."""
    database = open_database(site.folder / "calls.db")
    with database.begin() as connection:
        for number, called in ((6, "13900000000"), (7, OTHER_CITIZEN)):
            add_call(connection, number, number * 100.0, calling="12345", called=called, direction="out", recording="")
    database.dispose()
    live = site.live.state
    assert live is not None
    calling = msgspec.structs.replace(
        live.contacts[0], contact=7, calling="12345", called=OTHER_CITIZEN, outgoing=True, state="calling"
    )
    site.live.take_state(msgspec.structs.replace(live, contacts=(calling,)))

    history = site.get("/api/v1/agents/801/history", token="token-wang").json
    found = site.get(f"/api/v1/calls?caller={OTHER_CITIZEN}", token="token-admin").json["calls"]
    shown = site.get("/api/v1/state", token="token-wang").json["calls"][0]

    assert (history["call"], history["caller"], [call["id"] for call in history["calls"]]) == (7, OTHER_CITIZEN, [3])
    assert [call["id"] for call in found] == [7, 3], "the list is searched for the citizen's number"
    assert (shown["direction"], shown["called"]) == ("out", OTHER_CITIZEN)


def test_every_reading_of_personal_data_is_audited(site: Site) -> None:
    for path in ("/calls?caller=138", "/calls/4", "/calls/4/segments", "/calls/4/recording", "/agents/801/history"):
        site.get("/api/v1" + path, token="token-admin")
    site.get("/api/v1/calls/99", token="token-admin")

    assert site.audit() == [
        ("admin", "192.0.2.7", "read_calls", "caller=138", "done"),
        ("admin", "192.0.2.7", "read_call", "id 4", "done"),
        ("admin", "192.0.2.7", "read_call", "id 4", "done"),
        ("admin", "192.0.2.7", "read_recording", "id 4", "done"),
        ("admin", "192.0.2.7", "pop", "agent 801", "done"),
        ("admin", "192.0.2.7", "read_call", "id 99", "no_such_call"),
    ]


def test_what_cannot_be_audited_is_not_given_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(site.office.audit, "write", disk_full)

    answer = site.get("/api/v1/calls", token="token-admin")
    changed = site.post("/api/v1/agents/801/release", token="token-admin")

    assert (answer.status, answer.json["code"]) == (503, "audit_away")
    assert OTHER_CITIZEN not in answer.text
    assert changed.status == 200, "a full disk must not stop a call from being handled"
