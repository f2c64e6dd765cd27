"""What the callserver has the attached phones show: who calls with the ring, state and queue while they are idle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from firmware.calls import messages as cti
from firmware.contacts.telling import REST_US, SETTLE_US
from firmware.core.clock import MICROSECONDS
from firmware.core.schemas import Configuration
from firmware.lines.line_commands import RingExtension, TellPhone
from firmware.lines.messages import ChannelChanged, ChannelState
from tests.contacts import scripted_lines
from tests.contacts.scripted_lines import ScriptedLines

PHONE = 30
SETTLE, REST = SETTLE_US / MICROSECONDS, REST_US / MICROSECONDS


def configuration_with_displays() -> Configuration:
    """Seats 1 and 2 have phones that show texts, the headset seat 3 has too; calls from 0913 are the county's."""
    plain = scripted_lines.office_configuration()
    seats = tuple(msgspec.structs.replace(seat, phone_display=True) for seat in plain.seats)
    box = msgspec.structs.replace(plain.box, number_regions={"1380913": "渭南"})
    return msgspec.structs.replace(plain, seats=seats, box=box)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedLines]:
    made = configuration_with_displays()
    monkeypatch.setattr(scripted_lines, "office_configuration", lambda: made)
    lines = ScriptedLines(tmp_path)
    lines.attach()
    yield lines
    lines.kill()


def told(office: ScriptedLines, channel: int = PHONE) -> list[tuple[str, str]]:
    """What the phone was told so far."""
    return [(order.number, order.text) for order in office.ordered(TellPhone) if order.channel == channel]


def channel_is(office: ScriptedLines, state: str, channel: int = PHONE) -> None:
    label = f"FXS-{channel - 29}"
    shown = ChannelState(channel, "sim", label, scripted_lines.ChannelKind.EXTENSION, state)
    office.event(ChannelChanged, "", state=shown)


# ---- a ringing phone -------------------------------------------------------------------------------------------------


def test_the_ringing_phone_is_told_number_name_region_and_how_often(office: ScriptedLines) -> None:
    office.ready("801", "1")
    leg = office.arrives(calling="13809131234", calling_name="王芳")
    office.carry(office.server.caller_known(1, 3, office.now))
    office.answered(leg)
    office.play_ends(leg)

    (ring,) = office.ordered(RingExtension)
    assert (ring.calling, ring.calling_name) == ("13809131234", "王芳 渭南 第4次")


def test_a_caller_of_whom_nothing_is_known_is_shown_by_number_and_place(office: ScriptedLines) -> None:
    office.ready("801", "1")
    office.caller_in_queue(calling="02988888888")

    (ring,) = office.ordered(RingExtension)
    assert (ring.calling, ring.calling_name) == ("02988888888", "西安、咸阳")


def test_who_withholds_the_number_is_not_looked_up_and_not_shown(office: ScriptedLines) -> None:
    office.ready("801", "1")
    leg = office.arrives(calling="13809131234", presentation="restricted", calling_name="王芳")
    office.answered(leg)
    office.play_ends(leg)

    (ring,) = office.ordered(RingExtension)
    assert (ring.calling, ring.calling_name, ring.presentation) == ("", "号码保密", "restricted")
    assert office.server.lookups() == []


def test_how_often_is_asked_once_and_again_by_another_callserver_until_it_is_known(office: ScriptedLines) -> None:
    office.arrives(calling="13809131234")
    (lookup,) = office.server.lookups()
    assert (lookup.contact, lookup.calling) == (1, "13809131234")

    office.restart()
    assert office.server.lookups() == [lookup]
    office.carry(office.server.caller_known(1, 0, office.now))
    assert office.server.lookups() == []
    assert office.state().contacts[0].times == 1
    office.restart()
    assert office.state().contacts[0].times == 1


def test_an_answer_for_a_contact_that_has_ended_does_nothing(office: ScriptedLines) -> None:
    leg = office.arrives()
    office.clears(leg)
    office.carry(office.server.caller_known(1, 3, office.now))

    assert office.state().contacts == ()


# ---- an idle phone ---------------------------------------------------------------------------------------------------


def test_idle_phones_show_state_and_queue_and_a_headset_off_hook_is_left_alone(office: ScriptedLines) -> None:
    channel_is(office, "up", 32)
    office.ready("801", "1")
    office.wait(SETTLE + 1)

    assert told(office, 30) == [("0", "示闲 排队0 工号801")]
    assert told(office, 31) == [("0", "未签入 排队0")]
    assert told(office, 32) == []


def test_a_phone_without_display_is_not_told(exchange: ScriptedLines) -> None:
    exchange.ready("801", "1")
    exchange.wait(60)

    assert exchange.ordered(TellPhone) == []
    assert exchange.server.next_deadline() is None


def test_nothing_is_said_twice(office: ScriptedLines) -> None:
    office.ready("801", "1")
    office.wait(60)
    office.ask(cti.SetNotReady("802"))
    channel_is(office, "idle", 31)
    office.wait(60)

    assert told(office, 30) == [("0", "示闲 排队0 工号801")]
    assert office.server.next_deadline() is None


def test_a_queue_that_changes_all_the_time_is_told_every_ten_seconds_and_the_last_word_is_right(
    office: ScriptedLines,
) -> None:
    office.ready("801", "1")
    office.ask(cti.SetNotReady("801"))
    office.wait(20)
    before = len(told(office))
    legs = []
    for number in range(30):
        office.wait(1)
        if number % 2 == 0:
            legs.append(office.caller_in_queue(number % 4, calling=f"1380000{number:04}"))
        elif number % 3 == 0:
            office.clears(legs.pop())
    office.wait(20)

    texts = told(office)[before:]
    assert 3 <= len(texts) <= 5
    assert texts[-1] == (str(len(legs)), f"示忙 排队{len(legs)} 工号801")


def test_phones_are_told_one_after_the_other(office: ScriptedLines) -> None:
    office.wait(SETTLE)
    first = len(office.ordered(TellPhone))
    office.wait(1)

    assert (first, len(office.ordered(TellPhone))) == (1, 3)


def test_a_phone_that_was_used_is_told_again_but_not_at_once(office: ScriptedLines) -> None:
    office.ready("801", "1")
    office.wait(2)
    channel_is(office, "up")
    office.wait(1)
    channel_is(office, "idle")
    office.wait(REST - 3.5)
    assert len(told(office)) == 1
    office.wait(4)

    assert told(office) == [("0", "示闲 排队0 工号801")] * 2


def test_another_start_of_the_gateway_or_the_callserver_tells_all_again(office: ScriptedLines) -> None:
    office.wait(20)
    assert len(told(office)) == 1
    office.restart_gateway()
    office.wait(20)
    assert len(told(office)) == 2
    office.restart()
    office.wait(20)

    assert len(told(office)) == 3


def test_while_the_gateway_is_away_nobody_is_told(office: ScriptedLines) -> None:
    office.carry(office.server.lose_gateway(office.now))
    office.ready("801", "1")
    office.wait(60)
    assert told(office) == []
    office.attach()
    office.wait(2)

    assert told(office) == [("0", "示闲 排队0 工号801")]
