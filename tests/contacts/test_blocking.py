"""Channels are taken out of service by hand: asked for, handed on to be stored, in force, told; and seats there."""

from __future__ import annotations

import pytest

from firmware.calls import messages as cti
from firmware.calls.messages import AgentState, BoxAlarm, EventName, Reply
from firmware.contacts.effects import BlockingToStore
from firmware.core.line_schemas import BlockedChannel
from firmware.lines.line_commands import RingExtension
from firmware.records import tables
from tests.contacts.scripted_lines import EXCHANGE_LINES, TRUNKS, ScriptedLines

HEADSET_SEAT = "3"
ALL_TRUNKS = (*(f"E1-1/{one + 1}" for one in TRUNKS), *(f"FXO-{one - 39}" for one in EXCHANGE_LINES))


def asked(exchange: ScriptedLines, body: cti.AnyRequestBody) -> BlockingToStore:
    effects = exchange.carry(exchange.server.handle_request(1, cti.Request(7, body, "admin"), exchange.now))
    assert effects.replies == [], "answered before it is stored"
    (wish,) = effects.blocking
    return wish


def stored(exchange: ScriptedLines, body: cti.AnyRequestBody, problem: str = "", *details: str) -> Reply:
    """Ask, and have it stored or not; the answer."""
    wish = asked(exchange, body)
    effects = exchange.carry(exchange.server.blocking_stored(wish, problem, details, exchange.now))
    ((client, reply),) = effects.replies
    assert client == 1
    return reply


def in_force(exchange: ScriptedLines) -> tuple[str, ...]:
    """What the gateway has been told."""
    assert exchange.line_settings is not None
    return exchange.line_settings.blocked


def test_blocked_channels_are_in_force_told_and_audited_when_they_are_stored(exchange: ScriptedLines) -> None:
    assert stored(exchange, cti.BlockChannels(("E1-1/2", "FXS-1"), "施工")) == Reply(7)

    assert in_force(exchange) == ("E1-1/2", "FXS-1")
    state = exchange.ask(cti.GetBoxState()).state
    assert state is not None
    first, second = state.blocked
    assert first == BlockedChannel(channel="E1-1/2", reason="施工", by="admin", since_utc_us=exchange.now.utc_us)
    assert second.channel == "FXS-1"
    names = [event.name for event in exchange.events]
    assert names[-1] is EventName.BLOCKING_CHANGED
    assert EventName.CONFIGURATION_CHANGED not in names, "the files of others are not in force by that"
    rows = exchange.rows(tables.audit)[-2:]
    assert [(row["login"], row["action"], row["subject"], row["outcome"]) for row in rows] == [
        ("admin", "BlockChannels", "E1-1/2: 施工", "done"),
        ("admin", "BlockChannels", "FXS-1: 施工", "done"),
    ]
    assert stored(exchange, cti.UnblockChannels(("E1-1/2",))).error == ""
    assert in_force(exchange) == ("FXS-1",)
    assert exchange.rows(tables.audit)[-1]["subject"] == "E1-1/2"


def test_what_could_not_be_stored_is_not_in_force_and_is_answered_with_the_reason(exchange: ScriptedLines) -> None:
    reply = stored(exchange, cti.BlockChannels(("E1-1/2",), "施工"), "not_stored", "No space left on device")

    assert reply == Reply(7, "not_stored", ("No space left on device",))
    assert in_force(exchange) == ()
    assert exchange.rows(tables.audit)[-1]["outcome"] == "not_stored"


def test_what_is_blocked_stays_as_it_is_unless_there_is_another_reason(exchange: ScriptedLines) -> None:
    stored(exchange, cti.BlockChannels(("E1-1/2",), "施工"))
    exchange.wait(60)

    events, orders = len(exchange.events), exchange.line_settings
    assert stored(exchange, cti.BlockChannels(("E1-1/2",), "施工")).error == ""
    assert stored(exchange, cti.UnblockChannels(("E1-1/3",))).error == ""
    assert (len(exchange.events), exchange.line_settings) == (events, orders)
    rows = exchange.rows(tables.audit)[-2:]
    assert [(row["action"], row["subject"], row["outcome"]) for row in rows] == [
        ("BlockChannels", "E1-1/2: 施工", "done"),
        ("UnblockChannels", "E1-1/3", "done"),
    ]
    state = exchange.ask(cti.GetBoxState()).state
    assert state is not None and state.blocked[0].since_utc_us < exchange.now.utc_us
    wish = asked(exchange, cti.BlockChannels(("E1-1/2", "E1-1/3"), "线路故障"))
    assert [one.channel for one in wish.blocked] == ["E1-1/2", "E1-1/3"]
    exchange.carry(exchange.server.blocking_stored(wish, "", (), exchange.now))
    assert in_force(exchange) == ("E1-1/2", "E1-1/3")


def test_unknown_labels_are_told_all_at_once_with_the_nearest_and_nothing_is_done(exchange: ScriptedLines) -> None:
    reply = exchange.ask(cti.BlockChannels(("E1-1/2", "E1-1/99", "quite other", "FXO1"), "施工"))

    assert reply.error == "unknown_channel"
    assert reply.details == (
        'there is no channel E1-1/99; did you mean "E1-1/4"?',
        "there is no channel quite other",
        'there is no channel FXO1; did you mean "FXO-1"?',
    )
    assert in_force(exchange) == ()


def test_a_channel_that_no_board_has_any_more_keeps_its_block_and_may_be_given_back(exchange: ScriptedLines) -> None:
    gone = BlockedChannel(channel="E1-2/1", reason="board is being repaired")
    wish = BlockingToStore(1, cti.Request(1, cti.BlockChannels(("E1-2/1",), gone.reason)), (gone,), ())
    exchange.carry(exchange.server.blocking_stored(wish, "", (), exchange.now))
    stored(exchange, cti.BlockChannels(("E1-1/2",), "施工"))
    exchange.restart_gateway()
    assert in_force(exchange) == ("E1-2/1", "E1-1/2")

    assert exchange.ask(cti.BlockChannels(("E1-2/1",), "other")).error == "unknown_channel"
    assert stored(exchange, cti.UnblockChannels(("E1-2/1",))).error == ""


def test_that_all_trunks_are_blocked_is_an_alarm_until_one_is_given_back(exchange: ScriptedLines) -> None:
    def alarms() -> tuple[BoxAlarm, ...]:
        state = exchange.ask(cti.GetBoxState()).state
        assert state is not None
        return state.alarms

    stored(exchange, cti.BlockChannels(ALL_TRUNKS[1:], "搬迁"))
    assert alarms() == ()
    stored(exchange, cti.BlockChannels(ALL_TRUNKS[:1], "搬迁"))
    assert alarms() == (BoxAlarm.ALL_TRUNKS_BLOCKED,)
    stored(exchange, cti.UnblockChannels(ALL_TRUNKS[-1:]))
    assert alarms() == ()


def test_before_the_gateway_has_told_its_channels_none_can_be_blocked(exchange: ScriptedLines) -> None:
    exchange.kill()
    exchange.start()

    assert exchange.ask(cti.BlockChannels(("E1-1/2",), "施工")).error == "not_possible_now"


# ---- seats -----------------------------------------------------------------------------------------------------------


def seated(exchange: ScriptedLines, seat: str) -> None:
    """801 waits for calls there."""
    exchange.ask(cti.SignIn("801", seat))
    if seat == HEADSET_SEAT:
        exchange.lifts(exchange.server.office.phones[seat].channel)
    assert exchange.ask(cti.SetReady("801")).error == ""


def agent(exchange: ScriptedLines) -> tuple[AgentState, str]:
    one = exchange.server.office.agents["801"]
    return one.state, one.reason


@pytest.mark.parametrize("seat", ["2", HEADSET_SEAT])
def test_an_agent_whose_phone_is_blocked_is_not_ready_and_cannot_be_until_it_is_given_back(
    exchange: ScriptedLines, seat: str
) -> None:
    seated(exchange, seat)
    stored(exchange, cti.BlockChannels((f"FXS-{seat}",), "换话机"))
    assert agent(exchange) == (AgentState.NOT_READY, "phone_blocked")
    exchange.arrives()
    assert exchange.ordered(RingExtension) == []

    assert exchange.ask(cti.SetReady("801")).error == "phone_blocked"
    stored(exchange, cti.UnblockChannels((f"FXS-{seat}",)))
    assert exchange.ask(cti.SetReady("801")).error == ""


def test_an_agent_in_a_call_finishes_it_and_is_not_ready_then(exchange: ScriptedLines) -> None:
    seated(exchange, "2")
    citizen = exchange.caller_in_queue()
    phone = exchange.rings(exchange.server.office.phones["2"].channel)
    exchange.answered(phone)
    stored(exchange, cti.BlockChannels(("FXS-2",), "换话机"))
    assert agent(exchange) == (AgentState.TALKING, "")

    exchange.clears(citizen)
    exchange.clears(phone)
    assert agent(exchange) == (AgentState.WRAP_UP, "")
    exchange.wait(30)
    assert agent(exchange) == (AgentState.NOT_READY, "phone_blocked")
