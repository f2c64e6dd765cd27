"""What is wrong with boards and lines, as REST and the pages tell it: in the reader's language, with code and place."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from firmware.core.fault_texts import FAULT_TEXTS
from firmware.core.faults import Fault, fault
from firmware.lines.messages import BoardState
from tests.webui.scripted_office import Site
from tests.webui.test_pages import data_of
from webui.words import Words

FAILED = BoardState("town", False, (fault("dahdi_absent", doing="opening").at("/dev/dahdi/ctl"),), channels=30)
ALARMED = BoardState("lines", True, (fault("NO_LINE").at("lines-FXO-1"), Fault("of_tomorrow")), channels=4)


@pytest.fixture
def troubled(site: Site) -> Site:
    assert site.live.state is not None
    site.live.state = msgspec.structs.replace(site.live.state, boards=(FAILED, ALARMED))
    return site


@pytest.mark.parametrize("code", sorted(FAULT_TEXTS.keys() - {"said"}))
def test_every_fault_can_be_told_in_chinese(code: str) -> None:
    """Marks of the field like LOS, names of files and commands stay; a sentence without Chinese is not translated."""
    what, remedy = Words("zh_CN").fault(Fault(code))

    assert re.search("[\u4e00-\u9fff]{2,}", what), f"{code}: run scripts/catalogues and translate"
    assert re.search("[\u4e00-\u9fff]{2,}", remedy), f"{code}: run scripts/catalogues and translate"
    assert Words("en").fault(Fault(code)) == FAULT_TEXTS[code]


def test_what_a_board_has_counted_is_told_and_has_words_at_the_wall(site: Site) -> None:
    counters = {"slips": 3, "crc_errors": 12, "of_somebody_else": 1}
    board = BoardState("town", True, channels=30, lost_inward=2, counters=counters)
    assert site.live.state is not None
    site.live.state = msgspec.structs.replace(site.live.state, boards=(board,))

    (told,) = site.get("/api/v1/state", token="token-admin").json["boards"]

    assert told["counters"] == {**counters, "lost_inward": 2}
    words = Words("zh_CN").for_scripts()["codes"]["board_counter"]
    assert (words["slips"], words["lost_inward"]) == ("滑码", "收方向丢块")
    assert all(re.search("[\u4e00-\u9fff]", word) for word in words.values())


def boards_of(reply: Any) -> Any:
    return {one["board"]: one for one in reply["boards"]}


def test_the_state_gives_code_arguments_place_and_words(troubled: Site) -> None:
    boards = boards_of(troubled.get("/api/v1/state", token="token-admin").json)

    assert boards["town"] == {
        "board": "town",
        "working": False,
        "channels": 30,
        "counters": {},
        "faults": [
            {
                "code": "dahdi_absent",
                "arguments": {"doing": "opening"},
                "place": "/dev/dahdi/ctl",
                "what": "DAHDI 驱动未加载",
                "remedy": "请加载驱动：modprobe dahdi，再加载板卡模块；用 linebox boards 查看",
            }
        ],
    }
    assert [(one["code"], one["place"], one["what"]) for one in boards["lines"]["faults"]] == [
        ("NO_LINE", "lines-FXO-1", "外线无馈电（断线）"),
        ("of_tomorrow", "", "of_tomorrow"),
    ]


def test_who_reads_english_is_told_in_english(troubled: Site) -> None:
    state = troubled.get("/api/v1/state", token="token-admin", headers={"Accept-Language": "en"}).json

    assert boards_of(state)["lines"]["faults"][0]["what"] == "no line voltage"


def test_a_page_comes_with_the_faults_in_its_language(troubled: Site) -> None:
    for path, told in (("/wall", "DAHDI 驱动未加载"), ("/wall?lang=en", "opening: the driver is not loaded")):
        data = data_of(troubled.get(path, session=troubled.sign_in("admin")).text)
        assert boards_of(data["state"])["town"]["faults"][0]["what"] == told
