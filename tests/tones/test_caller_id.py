"""What caller ID messages say, there and back, and what happens with those that say nonsense."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from firmware.tones.caller_id import (
    CallerId,
    Presentation,
    date_time,
    dtmf_digits,
    message_waiting,
    multiple_data,
    read_dtmf,
    read_message,
    single_data,
)


def test_a_message_is_built_byte_by_byte_as_the_standard_says() -> None:
    message = multiple_data(CallerId("12345", "王", "11220830"))

    assert message[:-1] == b"\x80\x15\x01\x0811220830\x02\x0512345\x07\x02\xcd\xf5"
    assert sum(message) & 0xFF == 0
    assert single_data(CallerId("12345", date_time="11220830"))[:-1] == b"\x04\x0d1122083012345"
    assert message_waiting(True) == b"\x82\x03\x0b\x01\xff\x70"
    assert message_waiting(False)[4] == 0


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 11, 22, 0, 30, 59, tzinfo=UTC), "11220830"),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "01010000"),
        (datetime(2028, 2, 28, 23, 59, tzinfo=UTC), "02290759"),
    ],
)
def test_a_phone_is_told_the_time_of_china_whatever_the_machine_has(
    moment: datetime, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert date_time(int(moment.timestamp()) * 1_000_000 + 999_999) == said
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("presentation", ["restricted", "unavailable"])
def test_a_number_that_may_not_be_shown_is_not_sent(presentation: Presentation) -> None:
    caller = CallerId("13800138000", "王芳", "11220830", presentation)

    assert b"138" not in multiple_data(caller) + single_data(caller)
    assert read_message(0x80, multiple_data(caller)[2:-1]) == CallerId("", "", "11220830", presentation)
    assert read_message(0x04, single_data(caller)[2:-1]) == CallerId("", "", "11220830", presentation)
    assert dtmf_digits(caller) == ""


def test_a_long_name_is_cut_between_characters_and_strange_ones_become_question_marks() -> None:
    message = multiple_data(CallerId("1", "买买提·吾守尔" * 5 + "x"))
    assert read_message(0x80, message[2:-1]).name == ("买买提·吾守尔" * 5)[:25]
    assert read_message(0x80, multiple_data(CallerId("1", "a喆€\n王"))[2:-1]).name == "a?? 王"


@pytest.mark.parametrize(
    ("digits", "caller"),
    [
        ("D13800138000C", CallerId("13800138000")),
        ("A02988888888#", CallerId("02988888888")),
        ("A02988888888C", CallerId("02988888888")),
        ("A111D222B00C", CallerId("111")),
        ("D1#", CallerId(presentation="restricted")),
        ("D3#", CallerId(presentation="unavailable")),
        ("B00C", CallerId(presentation="restricted")),
        ("B10C", CallerId(presentation="unavailable")),
        ("39D13800138000C", CallerId("13800138000")),
        ("D138", None),
        ("13800138000#", None),
        ("", None),
    ],
)
def test_caller_id_by_dtmf_is_read(digits: str, caller: CallerId | None) -> None:
    assert read_dtmf(digits) == caller


def test_caller_id_by_dtmf_is_sent_as_it_is_read() -> None:
    assert dtmf_digits(CallerId("+86 138-0013-8000")) == "D8613800138000C"
    assert read_dtmf(dtmf_digits(CallerId("02988888888"), "A", "#")) == CallerId("02988888888")


@pytest.mark.parametrize(
    ("kind", "content", "complaint"),
    [
        (0x80, b"\x02\x05123", "byte 0 runs over"),
        (0x80, b"\x01\x00\x02", "byte 2 runs over"),
        (0x04, b"1122", "MMDDhhmm"),
        (0x82, b"\x0b\x01\xff", "says nothing of a caller"),
    ],
)
def test_a_message_that_does_not_hold_together_is_refused(kind: int, content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_message(kind, content)


@given(some.binary(max_size=255))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for kind in (0x80, 0x04):
        try:
            caller = read_message(kind, content)
        except ValueError:
            continue
        assert set(caller.number) <= set("0123456789*#+")
        assert caller.name.isprintable()
