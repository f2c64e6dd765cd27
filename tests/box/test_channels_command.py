"""`linebox channels`: what a person sees of all channels, which labels and ranges are understood, and what is told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest

from boards.signals import ChannelKind
from firmware.box.commands import channels as command
from firmware.box.commands.channels import read_labels, shown
from firmware.box.commands.terminal_lines import columns_of
from firmware.calls.messages import (
    AnyRequestBody,
    BlockChannels,
    BoxAlarm,
    BoxState,
    GetBoxState,
    Reply,
    UnblockChannels,
)
from firmware.core.clock import Stamp
from firmware.core.hints import ClearError
from firmware.core.line_schemas import BlockedChannel, LineLevels
from firmware.lines.messages import ChannelState

REASON = "更换板卡"
SPAN = [("sim", f"E1-1/{slot}") for slot in range(1, 31)]
KNOWN = [*SPAN, ("sim", "FXO-1"), ("sim", "FXO-2"), ("sip", "SIP-1"), ("sip", "SIP-2")]


def box_state(**changes: Any) -> BoxState:
    channels = (
        ChannelState(0, "sim", "E1-1/1", ChannelKind.TRUNK, "blocked"),
        ChannelState(1, "sim", "E1-1/2", ChannelKind.TRUNK, "up"),
        ChannelState(2, "sim", "E1-1/3", ChannelKind.TRUNK, "blocked"),
        ChannelState(3, "sim", "FXS-1", ChannelKind.EXTENSION, "idle"),
    )
    blocked = (
        BlockedChannel(channel="E1-2/31", reason="the board is away"),
        BlockedChannel(channel="E1-1/1", reason=REASON, by="admin", since_utc_us=1_795_309_500_000_000),
        BlockedChannel(channel="E1-1/2", reason=REASON * 8),
    )
    whole = BoxState(
        number=1,
        at=Stamp(0, 0),
        box_id="b",
        gateway_connected=True,
        recorder_connected=True,
        channels=channels,
        blocked=blocked,
    )
    return msgspec.structs.replace(whole, **changes)


def test_each_channel_has_a_line_with_its_state_and_why_it_is_blocked() -> None:
    lines = shown(box_state())

    assert lines[0] == "E1-1/1   trunk            blocked                更换板卡 (admin, 2026-11-22)"
    assert lines[1].startswith("E1-1/2   trunk            in use, to be blocked  更换板卡更换板卡")
    assert all(columns_of(line) <= 80 for line in lines)
    assert lines[-3:] == [
        "E1-1/3   trunk            blocked by far end",
        "FXS-1    extension port   idle",
        "E1-2/31  no board has it  blocked                the board is away",
    ]


def test_labels_and_ranges_of_one_board_are_understood() -> None:
    for ranges in (["E1-1/19-E1-1/21", "FXO-1-FXO-2"], ["E1-1/19-21", "FXO-1-2"]):
        assert read_labels(["E1-1/17", *ranges, "E1-1/20"], KNOWN) == [
            *("E1-1/17", "E1-1/19", "E1-1/20", "E1-1/21"),
            *("FXO-1", "FXO-2"),
        ]


def test_the_slot_of_an_e1_that_is_no_channel_is_told_as_such() -> None:
    known = [("town", f"E1-1/{slot}") for slot in range(1, 32) if slot != 16]
    with pytest.raises(ClearError, match="no channel E1-1/16: slot 16 of an E1 carries the signalling"):
        read_labels(["E1-1/16"], known)
    with pytest.raises(ClearError, match="no channel E1-1/14-16"):
        read_labels(["E1-1/14-16"], known)


def test_everything_that_is_no_channel_is_told_at_once_with_the_nearest() -> None:
    with pytest.raises(ClearError) as caught:
        read_labels(["E1-1/1", "E1/17", "E1-1/5-E1-1/2", "FXO-1-SIP-1", "FXO-1-FXO-9", "quite other"], KNOWN)

    assert caught.value.what.splitlines() == [
        'there is no channel E1/17; did you mean "E1-1/17"?',
        "  E1-1/5-E1-1/2 is no range: name the first and the last channel of one board",
        "  FXO-1-SIP-1 is no range: name the first and the last channel of one board",
        '  there is no channel FXO-1-FXO-9; did you mean "FXO-1"?',
        "  there is no channel quite other",
    ]


# ---- with a callserver -----------------------------------------------------------------------------------------------


class Callserver:
    """Answers as told, and keeps what it was asked to change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes: list[AnyRequestBody] = []
        self.state = box_state()
        self.reply = Reply(1)
        monkeypatch.setattr(command, "ask", self.ask)

    def ask(self, _: object, body: AnyRequestBody, __: str) -> Reply:
        if isinstance(body, GetBoxState):
            return Reply(1, state=self.state)
        self.changes.append(body)
        return self.reply


@pytest.fixture
def callserver(monkeypatch: pytest.MonkeyPatch) -> Callserver:
    return Callserver(monkeypatch)


def options(*channels: str, reason: str = REASON) -> argparse.Namespace:
    return argparse.Namespace(data=Path("/nowhere"), channels=list(channels), reason=reason)


def test_what_is_busy_is_told_to_be_blocked_later(callserver: Callserver, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.block(options("E1-1/1-E1-1/3")) == 0

    assert callserver.changes == [BlockChannels(("E1-1/1", "E1-1/2", "E1-1/3"), REASON)]
    assert capsys.readouterr().out.splitlines() == [
        "3 channels are blocked; calls that are up go on.",
        "Blocked when the call there is over: E1-1/2",
    ]


def test_of_a_phone_it_is_told_that_it_must_be_put_down(
    callserver: Callserver, capsys: pytest.CaptureFixture[str]
) -> None:
    talking = ChannelState(3, "sim", "FXS-1", ChannelKind.EXTENSION, "up")
    callserver.state = box_state(channels=(talking,))
    command.block(options("FXS-1"))

    told = capsys.readouterr().out.splitlines()
    assert told[1] == "Blocked when the call there is over and its phone is put down: FXS-1"


def test_that_nobody_can_call_any_more_is_a_warning(callserver: Callserver, capsys: pytest.CaptureFixture[str]) -> None:
    callserver.state = box_state(alarms=(BoxAlarm.ALL_TRUNKS_BLOCKED,))
    command.block(options("E1-1/3"))

    assert "Warning: all trunks are blocked now" in capsys.readouterr().out


def test_a_block_of_a_board_that_is_gone_can_be_taken_back(
    callserver: Callserver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.unblock(options("E1-2/31")) == 0
    assert callserver.changes == [UnblockChannels(("E1-2/31",))]
    assert capsys.readouterr().out == "E1-2/31 is given back.\n"
    with pytest.raises(ClearError, match="there is no channel E1-2/31"):
        command.block(options("E1-2/31"))


def test_what_was_not_blocked_is_not_said_to_be_given_back(
    callserver: Callserver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.unblock(options("E1-1/1-E1-1/3", "FXS-1")) == 0
    assert callserver.changes == [UnblockChannels(("E1-1/1", "E1-1/2", "E1-1/3", "FXS-1"))]
    assert capsys.readouterr().out.splitlines() == [
        "2 channels are given back.",
        "Not blocked by hand, so nothing to give back: E1-1/3 FXS-1",
    ]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 65])
def test_a_block_has_a_reason(callserver: Callserver, reason: str) -> None:
    with pytest.raises(ClearError, match="a reason is needed"):
        command.block(options("E1-1/1", reason=reason))
    assert callserver.changes == []


@pytest.mark.parametrize("code", ["not_possible_now", "configuration_wrong", "not_stored", "unknown_channel", "other"])
def test_a_refusal_is_told_with_its_details_and_a_remedy(callserver: Callserver, code: str) -> None:
    callserver.reply = Reply(1, code, ("services.json: it is so",))
    with pytest.raises(ClearError) as caught:
        command.unblock(options("E1-1/1"))

    assert caught.value.what.endswith("\n  services.json: it is so")
    assert caught.value.remedy


def test_a_line_that_is_made_louder_or_quieter_says_so_by_the_names_of_the_files() -> None:
    exchange_line = ChannelState(40, "sim", "FXO-1", ChannelKind.EXCHANGE_LINE, "idle")
    lines = shown(
        box_state(
            channels=(*box_state().channels, exchange_line),
            levels={"FXO-1": LineLevels(receive_db=6.0, send_db=-2.5), "E1-1/1": LineLevels(send_db=1.0)},
        )
    )

    assert "FXO-1    exchange line    idle                   receive_db 6, send_db -2.5" in lines
    assert "FXS-1    extension port   idle" in lines
    assert "".join("".join(lines[:2]).split()).endswith("receive_db0,send_db1;更换板卡(admin,2026-11-22)")
    assert all(columns_of(line) <= 80 for line in lines)
