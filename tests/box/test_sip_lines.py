"""Calls and line signals of the SIP worker, without SIP and without a gateway."""

from __future__ import annotations

import random

import pytest

from boards.signals import Alerting, Blocked, Cause, Connect, Digit, FromBoard, Proceeding, Release, Setup, ToBoard
from drivers.sip_stack import Answer, Ended, HangUp, Invited, Pressed, Refuse, Ring, SipEvent, UseRow
from drivers.sip_text import Invite
from firmware.box.sip.lines import RETRY_AFTER_SECONDS, STATUS_OF_CAUSE, Effect, SipLines


def invited(call: int, events: bool = True) -> Invited:
    invite = Invite(
        called="12345", calling="138", calling_name="王", presentation="restricted", telephone_events=events
    )
    return Invited(call, invite, "127.0.0.1:9")


@pytest.fixture
def lines() -> SipLines:
    lines = SipLines(3)
    assert lines.gateway_came() == []
    return lines


def test_a_call_from_setup_to_the_end_by_the_caller(lines: SipLines) -> None:
    assert lines.from_sip(invited(7)) == [
        UseRow(7, 0),
        Setup(0, "12345", "138", "王", presentation="restricted", digits="events"),
    ]
    assert lines.from_gateway(Proceeding(0)) == []
    assert lines.from_gateway(Alerting(0)) == [Ring(7)]
    assert lines.from_gateway(Connect(0)) == [Answer(7)]
    assert lines.from_gateway(Connect(0)) == []
    assert lines.from_sip(Pressed(7, "5", 100)) == [Digit(0, "5", 100)]
    assert lines.from_sip(Ended(7, 200)) == [Release(0, Cause.NORMAL)]
    assert lines.from_gateway(Release(0)) == []
    assert lines.calls == 0


def test_the_box_hangs_up_and_the_row_is_kept_until_the_call_has_ended(lines: SipLines) -> None:
    lines.from_sip(invited(1))
    lines.from_gateway(Connect(0))

    assert lines.from_gateway(Release(0)) == [HangUp(1, 16), Release(0)]
    assert lines.calls == 1
    assert [lines.from_sip(invited(call))[0] for call in (2, 3, 4)] == [UseRow(2, 1), UseRow(3, 2), Refuse(4, 503, 34)]
    assert lines.from_sip(Ended(1, 200)) == []
    assert lines.from_sip(invited(5))[0] == UseRow(5, 0)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_status(lines: SipLines, cause: Cause) -> None:
    lines.from_sip(invited(1))

    effects = lines.from_gateway(Release(0, cause))

    status, q850 = STATUS_OF_CAUSE[cause]
    assert effects == [Refuse(1, status, q850, RETRY_AFTER_SECONDS if cause is Cause.RESTART else 0), Release(0, cause)]


@pytest.mark.parametrize(
    ("status", "cause"), [(200, Cause.NORMAL), (487, Cause.NORMAL), (408, Cause.FAILURE), (503, Cause.FAILURE)]
)
def test_why_a_call_ended(lines: SipLines, status: int, cause: Cause) -> None:
    lines.from_sip(invited(1))

    assert lines.from_sip(Ended(1, status)) == [Release(0, cause)]


def test_both_give_up_at_once(lines: SipLines) -> None:
    lines.from_sip(invited(1))
    lines.from_gateway(Connect(0))

    assert lines.from_sip(Ended(1, 200)) == [Release(0)]
    assert lines.from_gateway(Release(0)) == []  # theirs crossed ours: both have sent it
    assert lines.from_sip(Pressed(1, "1", 100)) == []
    assert all(line.is_free for line in lines.lines)


def test_a_channel_waits_for_the_gateways_release(lines: SipLines) -> None:
    lines.from_sip(invited(1))
    lines.from_sip(Ended(1, 487))

    rows = [lines.from_sip(invited(call))[0] for call in (2, 3, 4)]

    assert rows == [UseRow(2, 1), UseRow(3, 2), Refuse(4, 503, 34)]


def test_without_a_gateway_callers_are_told_to_come_back() -> None:
    assert SipLines(3).from_sip(invited(1)) == [Refuse(1, 503, 41, RETRY_AFTER_SECONDS)]


def test_the_gateway_goes_away_and_comes_back(lines: SipLines) -> None:
    for call in (1, 2, 3):
        lines.from_sip(invited(call))
    lines.from_gateway(Connect(0))
    lines.from_gateway(Release(2))

    assert lines.gateway_left() == [HangUp(1, 41), Refuse(2, 503, 41, RETRY_AFTER_SECONDS)]
    assert [lines.from_sip(Ended(call, 200)) for call in (1, 2, 3)] == [[], [], []]
    assert lines.gateway_came() == []
    assert all(line.is_free for line in lines.lines)


def test_a_blocked_channel_is_not_used(lines: SipLines) -> None:
    lines.from_gateway(Blocked(0, True))

    assert lines.from_sip(invited(1))[0] == UseRow(1, 1)

    lines.from_gateway(Blocked(0, False))
    assert [lines.from_sip(invited(call))[0] for call in (2, 3)] == [UseRow(2, 0), UseRow(3, 2)]


def test_a_call_out_is_refused(lines: SipLines) -> None:
    assert lines.from_gateway(Setup(1, "110")) == [Release(1, Cause.REJECTED)]
    assert lines.from_gateway(Release(1)) == []
    assert all(line.is_free for line in lines.lines)


def test_whatever_happens_in_whatever_order_no_line_is_lost() -> None:
    """A gateway that keeps the rules, and callers who do what they like, 20,000 random steps."""
    dice = random.Random(5)
    lines = SipLines(3)
    lines.gateway_came()
    theirs = dict.fromkeys(range(3), "idle")  # what the gateway believes
    calls: set[int] = set()
    to_gateway: list[FromBoard] = []
    to_worker: list[ToBoard] = []
    last = 0

    def perform(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Refuse):
                assert effect.call in calls
            elif isinstance(effect, FromBoard):
                to_gateway.append(effect)

    def gateway_takes(signal: FromBoard) -> None:
        match signal:
            case Setup():
                assert theirs[signal.channel] == "idle", "a second call on a busy channel"
                theirs[signal.channel] = "offered"
            case Release():
                if theirs[signal.channel] in ("offered", "up"):
                    to_worker.append(Release(signal.channel))
                theirs[signal.channel] = "idle"

    for _ in range(20_000):
        match dice.randrange(6):
            case 0 if len(calls) < 5:
                last += 1
                calls.add(last)
                perform(lines.from_sip(invited(last)))
            case 1 if calls:
                event: SipEvent = Ended(calls.pop(), dice.choice([200, 487, 408]))
                perform(lines.from_sip(event))
            case 2 if to_gateway:
                gateway_takes(to_gateway.pop(0))
            case 3 if to_worker:
                perform(lines.from_gateway(to_worker.pop(0)))
            case 4:
                channel = dice.randrange(3)
                if theirs[channel] == "offered" and dice.random() < 0.7:
                    theirs[channel] = "up"
                    to_worker.append(Connect(channel))
                elif theirs[channel] in ("offered", "up"):
                    theirs[channel] = "releasing"
                    to_worker.append(Release(channel))
            case 5 if calls:
                perform(lines.from_sip(Pressed(dice.choice(sorted(calls)), "1", 100)))

    while calls or to_gateway or to_worker:
        while calls:
            perform(lines.from_sip(Ended(calls.pop(), 200)))
        while to_gateway:
            gateway_takes(to_gateway.pop(0))
        while to_worker:
            perform(lines.from_gateway(to_worker.pop(0)))
    assert last > 1000
    assert set(theirs.values()) == {"idle"}
    assert all(line.is_free for line in lines.lines)
