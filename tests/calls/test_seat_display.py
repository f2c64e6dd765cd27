"""What the display at a seat says, in Chinese and in ASCII, on narrow and wide displays; and on the telephone's own."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from firmware.calls.messages import AgentState, AgentView, BoxState, ContactView, QueueView
from firmware.calls.seat_display import (
    TEXTS,
    CallerShown,
    Language,
    SeatShown,
    offline_rows,
    phone_text,
    rows_of,
    seat_shown,
)
from firmware.core import gb2312
from firmware.core.clock import VirtualClock
from firmware.tones.caller_id import NAME_BYTES

READY = SeatShown(AgentState.READY, "801", 3)
CALLER = CallerShown("13800138000", "王芳", "西安", 4)
OFFERED = SeatShown(AgentState.OFFERED, "801", 3, CALLER)


def test_an_idle_seat_shows_its_state_and_the_queue() -> None:
    assert rows_of(READY, 20, 2) == ("示闲 排队3 工号801  ", " " * 20)
    assert [row.strip() for row in rows_of(READY, 20, 4)] == ["示闲", "排队3", "工号801", ""]
    assert rows_of(READY, 16, 2, "en") == ("Ready Queue 3   ", "No.801          ")


def test_an_offer_shows_number_name_region_and_how_often_this_citizen_called() -> None:
    assert rows_of(OFFERED, 20, 2) == ("来话 13800138000    ", "王芳 西安 第4次     ")
    assert rows_of(OFFERED, 16, 2) == ("来话 13800138000", "王芳 西安 第4次 ")
    assert [row.strip() for row in rows_of(OFFERED, 20, 4)] == ["来话 13800138000", "王芳", "西安", "第4次"]


def test_the_number_is_never_cut_for_a_word_before_it() -> None:
    assert rows_of(OFFERED, 12, 1) == ("13800138000 ",)
    assert rows_of(OFFERED, 12, 2, "en")[0] == "13800138000 "


def test_a_display_without_chinese_leaves_chinese_out() -> None:
    named = SeatShown(AgentState.OFFERED, "801", 0, CallerShown("13800138000", "王芳", "mobile", 4))

    assert rows_of(named, 20, 2, "en") == ("Ringing 13800138000 ", "Mobile Call 4       ")
    assert rows_of(named, 20, 2) == ("来话 13800138000    ", "王芳 手机 第4次     ")


def test_a_display_that_knows_nothing_says_so() -> None:
    assert offline_rows(20, 2) == ("暂无连接            ", " " * 20)
    assert offline_rows(16, 1, "en") == ("No connection   ",)


def test_a_display_of_a_box_that_was_stopped_in_order_says_that() -> None:
    assert offline_rows(12, 2, "zh_CN", "stopped") == ("系统已停机  ", " " * 12)
    assert offline_rows(12, 1, "en", "stopped") == ("Box stopped ",)


@pytest.mark.parametrize(
    ("times", "text"), [(1, "首次"), (2, "第2次"), (999, "第999次"), (1000, "千次以上"), (None, "")]
)
def test_how_often_a_citizen_has_called_is_said_in_words(times: int | None, text: str) -> None:
    assert phone_text(SeatShown(AgentState.OFFERED, "801", 0, CallerShown("138", times=times))) == ("138", text)


def test_who_withholds_the_number_is_shown_without_number_and_name() -> None:
    secret = SeatShown(AgentState.TALKING, "801", 0, CallerShown("138", "王芳", "", 1, "restricted"))

    assert rows_of(secret, 20, 1) == ("通话 号码保密 首次  ",)
    assert phone_text(secret) == ("", "号码保密 首次")
    assert rows_of(SeatShown(AgentState.OFFERED, "801", 0, CallerShown()), 20, 1) == ("来话 无号码         ",)


def test_a_telephone_shows_number_and_text_that_fit_its_message() -> None:
    assert phone_text(OFFERED) == ("13800138000", "王芳 西安 第4次")
    assert phone_text(READY) == ("3", "示闲 排队3 工号801")
    assert len(gb2312.encode(phone_text(OFFERED)[1])) <= NAME_BYTES


def test_the_seat_is_found_in_the_state_of_the_box() -> None:
    now = VirtualClock(utc_us=0, mono_us=0).now()
    state = BoxState(
        number=1,
        at=now,
        box_id="box",
        gateway_connected=True,
        recorder_connected=True,
        agents=(
            AgentView(agent="801", name="a", state=AgentState.TALKING, seat="1", contact=7, queues=("first",)),
            AgentView(agent="802", name="b", state=AgentState.WRAP_UP, seat="2", contact=7, queues=("first", "second")),
        ),
        queues=(QueueView(queue="first", title="", waiting=2), QueueView(queue="second", title="", waiting=5)),
        contacts=(
            ContactView(
                contact=7,
                state="talking",
                calling="138",
                called="",
                service="",
                arrived=now,
                since=now,
                calling_name="王芳",
                region="西安",
                times=3,
            ),
        ),
    )

    talking = SeatShown(AgentState.TALKING, "801", 2, CallerShown("138", "王芳", "西安", 3), "talking")
    assert seat_shown(state, "1") == talking
    assert seat_shown(state, "2") == SeatShown(AgentState.WRAP_UP, "802", 7)
    assert seat_shown(state, "3") == SeatShown(AgentState.LOGGED_OUT, "", 7)


def test_an_agent_who_calls_out_reads_whom() -> None:
    now = VirtualClock(utc_us=0, mono_us=0).now()

    def rows(state: str) -> tuple[str, ...]:
        contact = ContactView(
            contact=7,
            state=state,
            calling="12345",
            called="13800138000",
            service="",
            arrived=now,
            since=now,
            times=1,
            outgoing=True,
        )
        agent = AgentView(agent="801", name="a", state=AgentState.TALKING, seat="1", contact=7)
        box = BoxState(
            number=1,
            at=now,
            box_id="box",
            gateway_connected=True,
            recorder_connected=True,
            agents=(agent,),
            contacts=(contact,),
        )
        return rows_of(seat_shown(box, "1"), 20, 2)

    assert rows("calling") == ("呼出 13800138000    ", " " * 20)
    assert rows("talking") == ("通话 13800138000    ", " " * 20)
    assert rows("held") == ("保持 13800138000    ", " " * 20)


def test_both_languages_have_all_words_and_english_ones_are_ascii() -> None:
    words = tomllib.loads(TEXTS.read_text())

    for language in ("zh_CN", "en"):
        assert set(words[language]["state"]) == {state.value for state in AgentState}
    for part in ("text", "contact_state", "region"):
        assert set(words["en"][part]) == set(words["zh_CN"][part])
    assert str(words["en"]).isascii()


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@given(
    number=some.text("0123456789", max_size=20),
    name=some.text(max_size=30),
    times=some.none() | some.integers(1, 999),
    columns=some.integers(8, 40),
    rows=some.integers(1, 4),
)
def test_any_caller_fits_any_display(
    language: Language, number: str, name: str, times: int | None, columns: int, rows: int
) -> None:
    shown = SeatShown(AgentState.OFFERED, "801", 99, CallerShown(number, name, "", times))

    lines = rows_of(shown, columns, rows, language)

    assert len(lines) == rows
    assert {gb2312.columns(line) for line in lines} == {columns}
