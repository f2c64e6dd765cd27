"""Text for telephones and displays: two columns a Chinese character, and never half of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from firmware.core import gb2312


def test_a_chinese_character_takes_two_columns() -> None:
    assert gb2312.columns("排队3人") == 7
    assert gb2312.encode("王·a") == b"\xcd\xf5\xa1\xa4a"


def test_a_field_is_exactly_as_wide_as_it_shall_be() -> None:
    assert gb2312.field("王芳", 5) == "王芳 "
    assert gb2312.field("王芳", 3) == "王 "
    assert gb2312.field("3", 4, right=True) == "   3"


@given(some.text(max_size=30), some.integers(0, 40))
def test_any_text_fits_any_field(text: str, width: int) -> None:
    shown = gb2312.field(text, width)

    assert gb2312.columns(shown) == width == len(gb2312.encode(shown))
    assert len(gb2312.cut(text, width)) <= width
    assert gb2312.decode_own(gb2312.encode(text)).isprintable()
