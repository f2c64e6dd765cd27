"""Analogue trunks over REST: administrators see what was learnt, and have a line's busy tone learnt."""

from __future__ import annotations

import msgspec
import pytest

from boards.signals import ChannelKind
from firmware.calls import messages as cti
from firmware.core.line_schemas import BusyTone, ExchangeLineEntry, LineLevels, TrunkGroup
from firmware.lines.messages import ChannelState
from tests.webui.scripted_office import Site

TONE = BusyTone(hz=411, on_ms=190, off_ms=200, level_dbm0=-21.5)


@pytest.fixture
def lines(site: Site) -> Site:
    line = ChannelState(40, "sim", "FXO-1", ChannelKind.EXCHANGE_LINE, "idle")
    assert site.callserver.state is not None
    site.live.connect(msgspec.structs.replace(site.callserver.state, channels=(line,)))
    entries = (ExchangeLineEntry(line="FXO-1", number="12345", busy_tones=(TONE,)),)
    site.configuration = msgspec.structs.replace(site.configuration, exchange_lines=entries)
    return site


def test_administrators_see_the_lines_and_what_was_learnt(lines: Site) -> None:
    answer = lines.ask("GET", "/api/v1/lines", session=lines.sign_in("admin"))

    assert answer.status == 200
    (line,) = answer.json["lines"]
    assert (line["line"], line["state"], line["number"]) == ("FXO-1", "idle", "12345")
    assert line["busy_tones"] == [{"hz": 411.0, "on_ms": 190.0, "off_ms": 200.0, "level_dbm0": -21.5}]


@pytest.mark.parametrize("members", [{"lines": ("FXO-1",)}, {"boards": ("sim",)}])
def test_a_line_without_a_number_has_that_of_its_group(lines: Site, members: dict[str, tuple[str, ...]]) -> None:
    group = TrunkGroup(group="town", number="96110", **members)
    lines.configuration = msgspec.structs.replace(lines.configuration, exchange_lines=(), trunk_groups=(group,))
    (line,) = lines.ask("GET", "/api/v1/lines", session=lines.sign_in("admin")).json["lines"]

    assert line["number"] == "96110"


def test_learning_is_asked_of_the_callserver_and_audited(lines: Site) -> None:
    session = lines.sign_in("admin")
    answer = lines.post("/api/v1/lines/FXO-1/learn", {"seconds": 60}, session=session)

    assert answer.status == 200 and answer.json["line"] == "FXO-1"
    assert lines.callserver.asked[0] == (cti.LearnLine("FXO-1", "", 60.0), "admin")
    assert lines.audit()[-1] == ("admin", "192.0.2.7", "learn_line", "line FXO-1", "done")


@pytest.mark.parametrize(
    "body", [{"seconds": 1}, {"seconds": 1e9}, {"number": "12a"}, {"number": "1" * 30}, {"n": "1"}]
)
def test_a_wish_that_cannot_be_is_refused(lines: Site, body: object) -> None:
    answer = lines.post("/api/v1/lines/FXO-1/learn", body, session=lines.sign_in("admin"))

    assert (answer.status, answer.json["code"]) == (400, "bad_json")


@pytest.mark.parametrize(("error", "status"), [("unknown_line", 404), ("line_busy", 409), ("not_possible_now", 409)])
def test_a_refusal_is_told_in_words(lines: Site, error: str, status: int) -> None:
    lines.callserver.error = error
    answer = lines.post("/api/v1/lines/FXO-9/learn", {}, session=lines.sign_in("admin"))

    assert (answer.status, answer.json["code"]) == (status, error)
    assert lines.audit()[-1][4] == error


def test_agents_may_not(lines: Site) -> None:
    session = lines.sign_in("wang")
    assert lines.ask("GET", "/api/v1/lines", session=session).status == 403
    assert lines.post("/api/v1/lines/FXO-1/learn", {}, session=session).status == 403
    assert lines.callserver.asked == []
    assert lines.audit()[-1][2:] == ("learn_line", "line FXO-1", "not_allowed")


def test_the_levels_in_force_are_told_not_those_of_files_that_nobody_reloaded(lines: Site) -> None:
    entry = ExchangeLineEntry(line="FXO-1", receive_db=1.0)
    lines.configuration = msgspec.structs.replace(lines.configuration, exchange_lines=(entry,))
    assert lines.live.state is not None
    lines.live.state = msgspec.structs.replace(lines.live.state, levels={"FXO-1": LineLevels(receive_db=6.0)})

    (line,) = lines.ask("GET", "/api/v1/lines", session=lines.sign_in("admin")).json["lines"]
    (channel,) = lines.get("/api/v1/state", token="token-boss").json["channels"]

    assert line["levels"] == channel["levels"] == {"receive_db": 6.0, "send_db": 0.0}


def test_of_a_line_that_is_left_as_it_is_both_levels_are_0(lines: Site) -> None:
    (line,) = lines.ask("GET", "/api/v1/lines", session=lines.sign_in("admin")).json["lines"]
    (channel,) = lines.get("/api/v1/state", token="token-boss").json["channels"]

    assert (line["levels"], channel["levels"]) == ({"receive_db": 0.0, "send_db": 0.0}, None)
