"""How Mandarin says values: a table of hard cases, and a reader of our own that finds every number again."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.ivr import spoken_mandarin as spoken
from firmware.ivr.spoken_mandarin import LARGEST, WORDS, Words


def said(words: Words) -> str:
    assert set(words) <= set(WORDS), "every word has a prompt"
    return "".join(words)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (22, "二十二"),
        (100, "一百"),
        (105, "一百零五"),
        (110, "一百一十"),
        (112, "一百一十二"),
        (200, "二百"),
        (222, "二百二十二"),
        (1000, "一千"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (1100, "一千一百"),
        (1203, "一千二百零三"),
        (2000, "两千"),
        (2222, "两千二百二十二"),
        (10000, "一万"),
        (10001, "一万零一"),
        (10010, "一万零一十"),
        (10086, "一万零八十六"),
        (11000, "一万一千"),
        (10100, "一万零一百"),
        (20000, "两万"),
        (32000, "三万二千"),
        (22000, "两万二千"),
        (100000, "十万"),
        (100010, "十万零一十"),
        (120000, "十二万"),
        (1001000, "一百万一千"),
        (1000001, "一百万零一"),
        (2020202, "二百零二万零二百零二"),
        (20002000, "两千万二千"),
        (100000000, "一亿"),
        (100000001, "一亿零一"),
        (100001000, "一亿零一千"),
        (100100000, "一亿零一十万"),
        (110000000, "一亿一千万"),
        (200000000, "两亿"),
        (220000000, "两亿二千万"),
        (200020002, "两亿零二万零二"),
        (1000000000, "十亿"),
        (1000000000000, "一万亿"),
        (2000000000000, "两万亿"),
        (1000010000000, "一万亿一千万"),
        (1000001000000, "一万亿零一百万"),
        (1200000000000, "一万二千亿"),
        (9999999999999999, "九千九百九十九万九千九百九十九亿九千九百九十九万九千九百九十九"),
        (-5, "负五"),
        (-2000, "负两千"),
    ],
)
def test_whole_numbers(value: int, text: str) -> None:
    assert said(spoken.number(value)) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (spoken.ordinal(2), "第二"),
        (spoken.ordinal(10), "第十"),
        (spoken.ordinal(2000), "第二千"),
        (spoken.decimal(Decimal("3.05")), "三点零五"),
        (spoken.decimal(Decimal("0.5")), "零点五"),
        (spoken.decimal(Decimal("2.20")), "二点二零"),
        (spoken.decimal(Decimal("2000.2")), "两千点二"),
        (spoken.decimal(Decimal("-0.02")), "负零点零二"),
        (spoken.decimal(Decimal("1E+3")), "一千"),
        (spoken.counted(2, "位"), "两位"),
        (spoken.counted(12, "位"), "十二位"),
        (spoken.counted(102, "位"), "一百零二位"),
        (spoken.amount(150), "一元五角"),
        (spoken.amount(105), "一元零五分"),
        (spoken.amount(123), "一元二角三分"),
        (spoken.amount(200), "两元"),
        (spoken.amount(222), "两元二角二分"),
        (spoken.amount(20), "两角"),
        (spoken.amount(2), "两分"),
        (spoken.amount(25), "两角五分"),
        (spoken.amount(0), "零元"),
        (spoken.amount(10010000), "十万零一百元"),
        (spoken.amount(10000, whole_is_exact=True), "一百元整"),
        (spoken.amount(10050, whole_is_exact=True), "一百元五角"),
        (spoken.amount(-150), "负一元五角"),
        (spoken.date(datetime.date(2002, 2, 22)), "二零零二年二月二十二日"),
        (spoken.date(datetime.date(2026, 10, 10)), "二零二六年十月十日"),
        (spoken.date(datetime.date(2030, 12, 31)), "二零三零年十二月三十一日"),
        (spoken.weekday(datetime.date(2026, 11, 22)), "星期日"),
        (spoken.weekday(datetime.date(2026, 11, 24)), "星期二"),
        (spoken.time_of_day(datetime.time(14, 5)), "十四点零五分"),
        (spoken.time_of_day(datetime.time(2, 0)), "两点整"),
        (spoken.time_of_day(datetime.time(2, 2)), "两点零二分"),
        (spoken.time_of_day(datetime.time(0, 30)), "零点三十分"),
        (spoken.time_of_day(datetime.time(22, 20)), "二十二点二十分"),
        (spoken.duration(0), "零秒"),
        (spoken.duration(2), "两秒"),
        (spoken.duration(45), "四十五秒"),
        (spoken.duration(60), "一分钟"),
        (spoken.duration(120), "两分钟"),
        (spoken.duration(125), "两分零五秒"),
        (spoken.duration(150), "两分三十秒"),
        (spoken.duration(3600), "一小时"),
        (spoken.duration(3630), "一小时零三十秒"),
        (spoken.duration(3900), "一小时零五分钟"),
        (spoken.duration(7342), "两小时零二分二十二秒"),
        (spoken.telephone("10086"), "幺零零八六"),
        (spoken.telephone("12345"), "幺二三四五"),
        (spoken.telephone("+8613800138000"), "八六幺三八零零幺三八零零零"),
        (spoken.telephone("13800138000"), "幺三八停顿零零幺三停顿八零零零"),
        (spoken.telephone("*21#"), "星二幺井"),
        (spoken.agent_number("801"), "工号八零幺"),
    ],
)
def test_other_values(words: Words, text: str) -> None:
    assert said(words) == text


@pytest.mark.parametrize(
    "speak",
    [
        lambda: spoken.number(LARGEST + 1),
        lambda: spoken.number(-LARGEST - 1),
        lambda: spoken.ordinal(0),
        lambda: spoken.decimal(Decimal("NaN")),
        lambda: spoken.duration(-1),
        lambda: spoken.telephone(""),
        lambda: spoken.telephone("+"),
        lambda: spoken.telephone("１２"),
        lambda: spoken.agent_number("A7"),
        lambda: spoken.spelled("²"),
    ],
)
def test_what_has_no_reading_is_refused(speak: object) -> None:
    assert callable(speak)
    with pytest.raises(ValueError, match=r"."):
        speak()


def understood(words: Words) -> int:
    """What a listener makes of the words of a whole number: the rules backwards, by place value, not by the tables of
    the speaker. Fails on words that no speaker of Mandarin says."""
    if words == ("零",):
        return 0
    if words[0] == "负":
        return -understood(words[1:])
    total, below_wan, digit = 0, 0, 0
    after_zero = False
    for place, word in enumerate(words):
        if word == "零":
            assert place and not digit and not after_zero, "no 零 begins, follows a digit, or is said twice"
            after_zero = True
        elif word in "一二三四五六七八九两":
            assert not digit
            digit = 2 if word == "两" else "一二三四五六七八九".index(word) + 1
            assert word != "两" or (place == 0 and len(words) > 1 and words[1] in "千万亿")
            assert not (word == "二" and place == 0 and len(words) > 1 and words[1] in "千万亿")
        elif word in "十百千":
            worth = {"十": 10, "百": 100, "千": 1000}[word]
            assert digit or (word == "十" and place == 0)
            below_wan += (digit or 1) * worth
            digit, after_zero = 0, False
        else:
            worth = 10**4 if word == "万" else 10**8
            below_wan, digit = below_wan + digit, 0
            if word == "亿":
                assert total + below_wan
                total, below_wan = (total + below_wan) * worth, 0
            else:
                assert 0 < below_wan < 10**4
                total, below_wan = total + below_wan * worth, 0
            after_zero = False
    assert words[-1] != "零"
    return total + below_wan + digit


@settings(max_examples=600)
@given(
    st.one_of(
        st.integers(-(10**12), 10**12),
        st.integers(0, LARGEST),
        # Sparse numbers: zeros in every place are where readings go wrong.
        st.lists(st.sampled_from("0000000129"), min_size=1, max_size=16).map(lambda digits: int("".join(digits))),
    )
)
def test_a_listener_understands_every_number(value: int) -> None:
    assert understood(spoken.number(value)) == value


def test_every_number_has_words_of_its_own() -> None:
    spoken_before = {spoken.number(value) for value in range(120_000)}

    assert len(spoken_before) == 120_000


@settings(max_examples=200)
@given(st.integers(0, 10**12))
def test_an_amount_is_heard_to_the_fen(fen: int) -> None:
    assert heard_in_units(spoken.amount(fen), {"元": 100, "角": 10, "分": 1}) == fen


def heard_in_units(words: Words, worth: dict[str, int]) -> int:
    """What a listener makes of values with their units; a 零 before a value that follows another is not of it."""
    heard, begin = 0, 0
    for place, word in enumerate(words):
        if word in worth:
            part = words[begin:place]
            part = part[1:] if begin and len(part) > 1 and part[0] == "零" else part
            heard += worth[word] * (2 if part == ("两",) else understood(part))
            begin = place + 1
    assert begin == len(words), "nothing is said after the last unit"
    return heard


@settings(max_examples=300)
@given(st.one_of(st.integers(0, 4000), st.integers(0, 10**7)))
def test_a_length_of_time_is_heard_to_the_second(seconds: int) -> None:
    assert heard_in_units(spoken.duration(seconds), {"小时": 3600, "分": 60, "分钟": 60, "秒": 1}) == seconds


@pytest.mark.parametrize("minute", range(0, 1440, 7))
def test_a_time_of_day_is_heard_to_the_minute(minute: int) -> None:
    words = spoken.time_of_day(datetime.time(minute // 60, minute % 60))
    words = words[:-1] if words[-1] == "整" else words

    assert heard_in_units(words, {"点": 60, "分": 1}) == minute


@settings(max_examples=300)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_a_decimal_is_heard_to_the_last_place(value: Decimal) -> None:
    words = spoken.decimal(value)
    point = words.index("点")
    part = "".join(str("零一二三四五六七八九".index(word)) for word in words[point + 1 :])
    sign, whole = (-1, words[1:point]) if words[0] == "负" else (1, words[:point])

    assert sign * (understood(whole) + Decimal(f"0.{part}")) == value
