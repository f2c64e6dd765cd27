"""Announcements: pieces of the configuration become sounds in their order, and something is always said."""

from __future__ import annotations

import msgspec
import pytest

from firmware.core.schema_fields import Sound
from firmware.ivr.announcements import PHRASES, Values, expand
from firmware.ivr.spoken_mandarin import WORDS
from firmware.media.sounds import SoundStore


def heard(*pieces: str, values: Values | None = None) -> str:
    sounds = expand(pieces, values)
    words = [sound.removeprefix("word:") for sound in sounds if sound.startswith("word:")]
    assert set(words) <= {*WORDS, *PHRASES}
    return " ".join(sound.removeprefix("word:") for sound in sounds)


def test_sounds_and_texts_pass_as_they_are_around_what_is_said() -> None:
    pieces = ("prompt:welcome", "say:number:1203", "tone:zip", "text:您好：再见")

    assert heard(*pieces) == "prompt:welcome 一 千 二 百 零 三 tone:zip text:您好：再见"


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        ("say:number:-2", "负 二"),
        ("say:decimal:3.05", "三 点 零 五"),
        ("say:ordinal:2", "第 二"),
        ("say:amount:1.50", "一 元 五 角"),
        ("say:date:2002-02-22", "二 零 零 二 年 二 月 二 十 二 日"),
        ("say:weekday:2002-02-22", "星期 五"),
        ("say:time:14:05", "十 四 点 零 五 分"),
        ("say:duration:150", "两 分 三 十 秒"),
        ("say:telephone:10086", "幺 零 零 八 六"),
    ],
)
def test_every_kind_of_value_is_said(piece: str, words: str) -> None:
    assert heard(piece) == words


def test_a_value_without_a_reading_is_spoken_as_a_text() -> None:
    assert heard("say:number:many", "say:date:2002-13-01", "say:amount:1.555") == "text:many text:2002-13-01 text:1.555"
    assert heard("say:decimal:x", "say:nothing:7", "say:decimal:Infinity") == "text:x text:7 text:Infinity"
    assert heard("say:agent", values=Values(agent="甲7")) == "text:甲7"


def test_the_agent_number_is_said_digit_by_digit() -> None:
    assert heard("word:工号", "say:agent", "word:为您服务", values=Values(agent="801")) == "工号 八 零 幺 为您服务"


@pytest.mark.parametrize(
    ("ahead", "seconds", "words"),
    [
        (0, 20.0, "您是下一位 预计等待 不到一分钟"),
        (1, 60.0, "您前面还有 一 位 预计等待 大约 一 分钟"),
        (2, 61.0, "您前面还有 两 位 预计等待 大约 两 分钟"),
        (12, 1800.0, "您前面还有 十 二 位 预计等待 大约 三 十 分钟"),
        (40, 1801.0, "您前面还有 四 十 位 预计等待 三十分钟以上"),
        (3, None, "您前面还有 三 位"),
        (None, None, ""),
    ],
)
def test_position_and_expected_wait(ahead: int | None, seconds: float | None, words: str) -> None:
    assert heard("say:position", "say:wait", values=Values(ahead=ahead, wait_seconds=seconds)) == words


def test_every_word_ships_and_no_other() -> None:
    shipped = {name.removeprefix("word:") for name in SoundStore.load({}).names if name.startswith("word:")}

    assert shipped == {*WORDS, *PHRASES}


@pytest.mark.parametrize(
    "piece",
    [
        "prompt:welcome",
        "word:工号",
        "music:waiting",
        "text:您好：再见",
        "say:agent",
        "say:number:-9999999999999999",
        "say:decimal:3.05",
        "say:ordinal:12",
        "say:amount:1.50",
        "say:date:2002-02-22",
        "say:weekday:2002-02-22",
        "say:time:23:59",
        "say:duration:999999999",
        "say:telephone:+86912*1#",
    ],
)
def test_what_a_configuration_may_say_has_a_reading(piece: str) -> None:
    assert msgspec.convert(piece, Sound) == piece
    said = expand([piece], Values(agent="801"))
    assert piece.startswith("text:") or not any(sound.startswith("text:") for sound in said)


@pytest.mark.parametrize(
    "piece",
    ["welcome", "prompt:", "prompt:../../etc", "text:" + "字" * 201, "say:many", "say:number:x", "say:amount:1.555"],
)
def test_what_cannot_be_said_is_refused_in_the_configuration(piece: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(piece, Sound)
