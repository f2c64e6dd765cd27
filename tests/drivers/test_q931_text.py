"""Names in Display elements as exchanges send them, the codes of type, plan and presentation, classes of RESTART."""

from __future__ import annotations

import pytest

from drivers.q931_text import (
    LONGEST_NAME,
    PLANS,
    TYPES,
    decode_name,
    encode_name,
    presentation,
    restarts_interface,
    setup_display,
    type_and_plan,
    type_and_plan_code,
)


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"", ""),
        (b"Li Si", "Li Si"),
        (b"\xb1Li Si", "Li Si"),  # an octet for the character set before it
        ("李四".encode("gbk"), "李四"),
        ("王a".encode("gbk"), "王a"),
        ("包头".encode("gbk"), "包头"),  # begins with the very octet that may name the set
        (b"\xb1" + "李四".encode("gbk"), "李四"),
        ("李四".encode(), "李四"),
        ("李四  \0".encode("gbk"), "李四"),
        (b"\xff\xff", "ÿÿ"),
        (b"Li\x07\x1bSi", "LiSi"),
    ],
)
def test_names_are_read(octets: bytes, name: str) -> None:
    assert decode_name(octets) == name


@pytest.mark.parametrize(
    ("elements", "is_of_interface"),
    [
        ("18 03 a9 83 91 79 01 80", False),
        ("79 01 86", True),
        ("79 01 87", True),
        ("18 03 a9 83 91 79 01 87", True),
        ("79 00", False),
        ("79 01", False),
        ("79", False),
        ("", False),
    ],
)
def test_what_a_restart_is_for(elements: str, is_of_interface: bool) -> None:
    frame = bytes.fromhex("02 01 04 04 08 02 00 00 46" + elements)

    assert restarts_interface(frame) is is_of_interface
    assert not restarts_interface(frame[:8] + b"\x4e" + frame[9:]), "its acknowledgement"


def test_a_long_name_is_cut_between_characters() -> None:
    octets = encode_name("a" + "县" * 40)

    assert len(octets) == LONGEST_NAME - 1
    assert decode_name(octets) == "a" + "县" * 24
    assert encode_name("a\0b") == b"a"
    assert encode_name("a🦊") == b"a?"


def test_types_and_plans_go_there_and_back() -> None:
    for number_type in TYPES.values():
        for plan in PLANS.values():
            assert type_and_plan(type_and_plan_code(number_type, plan)) == (number_type, plan)
    assert type_and_plan_code("", "") == 0
    assert type_and_plan(0xFF) == ("unknown", "unknown")


def test_presentation_ignores_the_screening_bits() -> None:
    assert [presentation(code) for code in (0x03, 0x23, 0x43, 0x63)] == [
        "allowed",
        "restricted",
        "unavailable",
        "unavailable",
    ]


def frame(*elements: bytes, kind: int = 5) -> bytes:
    return bytes([0, 1, 0, 0, 8, 2, 0, 1, kind]) + b"".join(elements)


@pytest.mark.parametrize(
    ("octets", "display"),
    [
        (frame(b"\x04\x03\x90\x90\xa3", b"\x28\x02ab"), b"ab"),
        (frame(b"\xa1", b"\x28\x02ab"), b"ab"),  # Sending Complete is one octet
        (frame(b"\x28\x00"), b""),
        (frame(b"\x04\x03\x90\x90\xa3"), None),
        (frame(b"\x28\x05ab"), None),  # says more than there is
        (frame(b"\x28"), None),
        (frame(b"\x95", b"\x28\x02ab"), None),  # of codeset 5 from here on
        (frame(b"\x28\x02ab", kind=7), None),
        (b"\0\1\0\0\x08", None),
        (b"\0\1\0\0\x08\x0f\0", None),
        (b"\0\1\x7f", None),
        (b"", None),
    ],
)
def test_the_display_of_a_setup_is_found(octets: bytes, display: bytes | None) -> None:
    assert setup_display(octets) == display
