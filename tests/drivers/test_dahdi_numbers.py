"""The DAHDI requests and structures have the values of the driver's own header on x86_64 and arm64."""

from __future__ import annotations

import pytest

from drivers import dahdi_numbers as numbers


@pytest.mark.parametrize(
    ("request_number", "value"),
    [
        (numbers.FLUSH, 0x4004DA03),
        (numbers.GET_PARAMS, 0xC088DA05),
        (numbers.SET_PARAMS, 0x4088DA05),
        (numbers.HOOK, 0x4004DA07),
        (numbers.GETEVENT, 0x8004DA08),
        (numbers.SPANSTAT, 0xC13ADA0A),
        (numbers.MAINT, 0x4008DA0B),
        (numbers.SENDTONE, 0x4004DA15),
        (numbers.SET_BUFINFO, 0x4018DA1B),
        (numbers.DIAL_DIGITS, 0x4104DA1F),
        (numbers.AUDIOMODE, 0x4004DA20),
        (numbers.ECHOCANCEL, 0x4004DA21),
        (numbers.SPECIFY, 0x4004DA26),
        (numbers.SETLAW, 0x4004DA27),
        (numbers.GETRXBITS, 0x8004DA2B),
        (numbers.SETTXBITS, 0x4004DA2B),
        (numbers.ONHOOKTRANSFER, 0x4004DA33),
        (numbers.DYNAMIC_CREATE, 0xC048DA50),
        (numbers.DYNAMIC_DESTROY, 0x4048DA51),
    ],
)
def test_a_request_has_the_number_that_the_header_gives(request_number: int, value: int) -> None:
    assert request_number == value


def test_the_span_structure_is_packed_as_in_the_header() -> None:
    assert numbers.SPAN.size == 314


def test_lines_and_laws_have_the_numbers_that_the_header_gives() -> None:
    wanted = {"AMI": 0x40, "CCS": 0x100, "HDB3": 0x200, "CRC4": 0x400}
    assert {line.name: int(line) for line in numbers.LineConfig} == wanted
    assert numbers.LAW_ALAW == 2


def test_loops_have_the_numbers_that_the_header_gives() -> None:
    assert [(one.name, int(one)) for one in numbers.Maintenance] == [("NONE", 0), ("LOCAL_LOOP", 1), ("LINE_LOOP", 2)]


def test_signallings_name_the_side_of_the_line_as_the_driver_does() -> None:
    assert numbers.Signalling.FXOKS == 0x1020
    assert numbers.Signalling.FXSKS == 0x2004
    assert numbers.Signalling.HDLCFCS & numbers.Signalling.CLEAR
